import type { Capability } from './behaviour.ts';
import { Violation } from './expectation.ts';
import type { Trial } from './trial.ts';

/**
 * What the provider can do, found out on one machine: Delete unless it is UNIMPLEMENTED, deltas if it gives out revisions.
 * A provider that cannot even be asked counts as able: the tests will say what is wrong.
 */
export async function probe(t: Trial): Promise<Readonly<Record<Capability, boolean>>> {
  try {
    const id = await t.speculative();
    await t.toIdle(id);
    const deleted = await t.delete(id);
    if (deleted.code === 'OK') await t.reach(id, 'Speculative');
    return { delete: deleted.code !== 'UNIMPLEMENTED', revisions: (await t.head()).length > 0 };
  } catch (error) {
    if (error instanceof Violation) return { delete: true, revisions: true };
    throw error;
  }
}

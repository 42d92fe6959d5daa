import type { Capability } from './behaviour.ts';
import { Violation } from './expectation.ts';
import { sameBytes } from './list.ts';
import type { Trial } from './trial.ts';

/**
 * What the provider can do, found out on one machine: Delete unless it is UNIMPLEMENTED, revisions if a mutation moves one.
 * A provider that cannot even be asked counts as able: the tests will say what is wrong.
 */
export async function probe(t: Trial): Promise<Readonly<Record<Capability, boolean>>> {
  try {
    const id = await t.speculative();
    const before = await t.head();
    await t.toIdle(id);
    const after = await t.head();
    const deleted = await t.delete(id);
    return { delete: deleted.code !== 'UNIMPLEMENTED', revisions: after.length > 0 && !sameBytes(before, after) };
  } catch (error) {
    if (error instanceof Violation) return { delete: true, revisions: true };
    throw error;
  }
}

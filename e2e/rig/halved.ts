import type { Pod } from '../../src/api/types.ts';
import { expect } from '../promise.ts';
import type { Ground } from './ground.ts';
import type { Site } from './sites.ts';
import type { Workload } from './workload.ts';

export interface Halved {
  readonly workload: Workload;
  /** The Pods that are left, one on each machine. */
  readonly kept: readonly Pod[];
  /** The two machines: one would be enough. */
  readonly ids: readonly string[];
}

/** Two machines full of Pods, of which one on each is left, so that one machine is left over and has a Pod. `before` runs while both are full, for the Pods that will stay. */
export async function halved(ground: Ground, site: Site, before: (kept: readonly Pod[]) => Promise<unknown>): Promise<Halved> {
  // One after the other: a Pod that the scheduler leaves waiting beside room may cost an allowance (D3), which would keep both machines.
  const workload = await ground.submit(site, 'pairs', 1, { cpu: '4' });
  await ground.running(workload, 1);
  for (let more = 2; more <= 4; more++) {
    await workload.grow(1);
    await ground.running(workload, more);
  }
  const under = await ground.machinesUnder(site, await workload.pods());
  const ids = [...new Set(under.values())];
  expect(ids.length === 2, `four Pods of half a machine each were to fill two machines: ${ids.join()}`);
  const kept = ids.map((id) => [...under].find(([, machine]) => machine === id)![0]);
  await before(kept);
  await workload.dismiss([...under.keys()].filter((pod) => !kept.includes(pod)));
  return { workload, kept, ids };
}

import { eventually, expect } from '../promise.ts';
import { CapacityRequestResource } from '../../src/api/resources.ts';
import type { CapacityRequest } from '../../src/api/types.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { collect } from '../rig/workload.ts';

const pool = 'fragmentation';
const REPLICAS = 3; // of 5 cores: two machines of 8 have enough by the sum, and room for two of them

export const fragmentationIsResolved: RigPromise = {
  id: pool,
  promise: 'Pods for which there is enough by the sum and no place get one (D3), and no more machines than that takes',
  on: ['processes', 'embedded'],
  machines: machinesOf(pool, 6),
  async run(ground) {
    const { east } = ground;
    const work = await ground.submit(east, 'odd-size', REPLICAS, { cpu: '5' });
    const pods = await ground.running(work, REPLICAS);
    const under = await ground.machinesUnder(east, pods);
    expect(new Set(under.values()).size === REPLICAS, `each of ${REPLICAS} Pods was to have a machine: ${[...under.values()].join()}`);
    await eventually('what was bought is what is used', 60, async () => {
      const bound = [...ground.states()].filter(([, { to, clusterId }]) => to === 'Configured' && clusterId === 'east').map(([id]) => id);
      expect(bound.length === REPLICAS, await ground.seen());
      const requests = await collect(east.client.list<CapacityRequest>(CapacityRequestResource, { namespace: pool }));
      expect(requests.every(({ status }) => status?.conditions?.some((c) => c.type === 'Satisfied' && c.status === 'True')), 'not every request says that it is satisfied');
    });
    const created = ground.changes().filter(({ to }) => to === 'Creating').length;
    expect(created <= REPLICAS + 1, `${created} machines were bought for ${REPLICAS}`);
    return `${REPLICAS} Pods of 5 cores on ${REPLICAS} machines of 8; ${created} were bought`;
  },
};

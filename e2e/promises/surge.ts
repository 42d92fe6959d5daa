import { eventually, expect } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { isLive } from '../rig/workload.ts';

const pool = 'surge';
const MACHINES = 3;

/** The only machines that match serve batch work in another cluster: they change sides, and come back. */
export const surgePreempts: RigPromise = {
  id: pool,
  promise: 'a surge of higher priority gets the machines that lower priority uses in another cluster, and they return when it is over',
  on: ['processes', 'embedded'],
  machines: machinesOf(pool, MACHINES),
  async run(ground) {
    const { east, west, log } = ground;
    await ground.priorityClass(east, 'e2e-high', 100_000);
    await ground.priorityClass(west, 'e2e-low', 1_000);
    const batch = await ground.submit(west, 'batch', MACHINES, { cpu: '8', spec: { priorityClassName: 'e2e-low' } });
    const before = await ground.running(batch, MACHINES);
    log(`all ${MACHINES} machines serve batch work in west`);

    const surge = await ground.submit(east, 'surge', 2, { cpu: '8', spec: { priorityClassName: 'e2e-high' } });
    const served = await ground.running(surge, 2);
    const taken = new Set((await ground.machinesUnder(east, served)).values());
    const preempted = ground.changes().filter(({ to, machineId }) => to === 'Draining' && taken.has(machineId));
    expect(preempted.length === 2 && preempted.every(({ clusterId }) => clusterId === 'west'), `both machines were to be taken from west: ${JSON.stringify(preempted)}`);
    log(`${[...taken].join(' and ')} changed from west to east`);
    await eventually('of the batch work what still has a machine runs, the rest waits', 60, async () => {
      const pods = (await batch.pods()).filter(isLive);
      const running = pods.filter((pod) => pod.status?.phase === 'Running');
      expect(running.length === MACHINES - 2 && pods.length === MACHINES, await ground.seen());
      expect(running.every((pod) => before.some(({ metadata }) => metadata.uid === pod.metadata.uid)), 'the Pod whose machine was not taken was to be left alone');
    });

    await surge.end();
    await ground.running(batch, MACHINES);
    return `${taken.size} of ${MACHINES} machines preempted in west for priority 100000 in east, and back; one Pod never moved`;
  },
};

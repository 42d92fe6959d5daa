import { PodResource } from '../../src/api/resources.ts';
import { eventually, expect, throughout } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { isLive } from '../rig/workload.ts';

const pool = 'static-stability';

export const clustersRunWithoutUs: RigPromise = {
  id: pool,
  promise: 'all of BigFleet killed, its provider included: Pods keep running and are replaced on the Nodes there are; started again, it changes nothing',
  on: ['processes'],
  alone: true,
  machines: machinesOf(pool, 4),
  async run(ground) {
    const { east, rig, log } = ground;
    const steady = await ground.submit(east, 'steady', 2, { cpu: '8' });
    const before = await ground.running(steady, 2);
    const parts = [...rig.replicas.map(({ part }) => part), ...rig.agents.values(), rig.provider];
    for (const part of parts) await part.kill();
    log(`${parts.map(({ name }) => name).join(', ')} were killed`);
    const changes = ground.changes().length;
    await throughout('the Pods run', 5, () => ground.expectUnmoved(steady, before));
    const [lost, kept] = before;
    await east.client.delete(PodResource, { namespace: pool, name: lost!.metadata.name });
    const now = await eventually('a Pod that was lost is replaced where there is room', 60, async () => {
      const pods = (await steady.pods()).filter((pod) => isLive(pod) && pod.status?.phase === 'Running');
      expect(pods.length === 2 && !pods.some(({ metadata }) => metadata.uid === lost!.metadata.uid) && pods.some(({ metadata }) => metadata.uid === kept!.metadata.uid), await ground.seen());
      return pods;
    });
    for (const part of parts.reverse()) part.start();
    await rig.connected(90);
    log('all were started again');
    await throughout('they change nothing', 6, async () => {
      await ground.expectUnmoved(steady, now);
      expect(ground.changes().length === changes, await ground.seen());
    });
    return `${parts.length} processes killed for a while: ${before.length} Pods ran on, one was replaced, no machine was bought or taken, then or after`;
  },
};

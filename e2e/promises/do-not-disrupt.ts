import { DO_NOT_DISRUPT_ANNOTATION } from '../../src/api/constants.ts';
import { PodResource } from '../../src/api/resources.ts';
import type { Pod } from '../../src/api/types.ts';
import { eventually, expect, throughout } from '../promise.ts';
import { halved } from '../rig/halved.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';

const pool = 'do-not-disrupt';

export const doNotDisruptIsHeeded: RigPromise = {
  id: pool,
  promise: 'a machine that is left over keeps its Pod as long as the Pod says do-not-disrupt, says so, and goes when the Pod no longer does',
  on: ['processes', 'embedded'],
  machines: machinesOf(pool, 2),
  async run(ground) {
    const { east, log } = ground;
    const annotate = (pods: readonly Pod[], value: string | null): Promise<unknown> => Promise.all(pods.map(({ metadata: { name } }) =>
      east.client.patch(PodResource, { namespace: pool, name }, { metadata: { annotations: { [DO_NOT_DISRUPT_ANNOTATION]: value } } })));
    const { workload, kept, ids } = await halved(ground, east, (pods) => annotate(pods, 'true'));
    const id = await eventually('a machine says that it is left over and kept for a Pod', 60, async () => {
      const told = await Promise.all(ids.map(async (each) => [each, await ground.machine(each)] as const));
      const found = told.find(([, { status }]) => status?.reason === 'ExcessDoNotDisrupt');
      expect(found !== undefined, told.map(([each, { status }]) => `${each}: ${status?.message ?? ''}`).join('; ') + '; ' + (await ground.seen()));
      return found![0];
    });
    log(`${id}: ${(await ground.machine(id)).status?.message ?? ''}`);
    // Three times as long as patience with occupied machines.
    await throughout('both Pods run where they were', 9, async () => {
      await ground.expectUnmoved(workload, kept);
      expect(!ground.changes().some(({ to }) => to === 'Draining'), await ground.seen());
    });
    const sentence = (await ground.explainMachine(id)).trim();
    expect(sentence.includes('must not be disrupted'), `explain machine says: ${sentence}`);

    await annotate(kept, null);
    await eventually('the machine is given back', 90, async () => expect(ground.states().get(ids[0]!)?.to !== 'Configured' || ground.states().get(ids[1]!)?.to !== 'Configured', await ground.seen()));
    const moved = await ground.running(workload, 2);
    expect(moved.some((pod) => kept.some(({ metadata }) => metadata.uid === pod.metadata.uid)), 'one of the Pods was to stay where it was');
    return `${id} was kept for its Pod, and given back once the Pod no longer objected`;
  },
};

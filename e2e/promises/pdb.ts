import { UpcomingNodeResource, PodDisruptionBudgetResource } from '../../src/api/resources.ts';
import type { UpcomingNode } from '../../src/api/types.ts';
import { upcomingNodeName } from '../../src/api/names.ts';
import type { KubeObject } from '../../src/runtime/index.ts';
import { eventually, expect } from '../promise.ts';
import { halved } from '../rig/halved.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';

const pool = 'pdb';
const BUDGET = 'both-needed';

export const budgetIsRespected: RigPromise = {
  id: pool,
  promise: 'a machine that is taken back keeps its Pods while their PodDisruptionBudget wants it, explain and the objects name what blocks, and it goes once it may',
  on: ['processes', 'embedded'],
  machines: machinesOf(pool, 2),
  async run(ground) {
    const { east, log } = ground;
    const { workload, kept, ids } = await halved(ground, east, () => east.client.create(PodDisruptionBudgetResource, {
      apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name: BUDGET, namespace: pool }, spec: { minAvailable: 2, selector: { matchLabels: { app: 'pairs' } } },
    } as KubeObject));
    const id = await eventually('one of the machines is being taken back', 60, async () => {
      const found = (await Promise.all(ids.map((each) => ground.machine(each)))).find(({ spec }) => spec.unbind !== undefined);
      expect(found !== undefined, await ground.seen());
      return found!.spec.machineId;
    });
    log(`${id} is being taken back`);
    const sentence = await eventually('explain machine and the objects in hub and cluster name the Pod and the budget', 60, async () => {
      const [explained, machine, upcoming] = await Promise.all([
        ground.explainMachine(id), ground.machine(id), east.client.get<UpcomingNode>(UpcomingNodeResource, { name: upcomingNodeName(id) }),
      ]);
      const told = [explained, machine.status?.message ?? '', upcoming?.status?.conditions?.find(({ type }) => type === 'Draining')?.message ?? ''];
      const pod = kept[ids.indexOf(id)]!.metadata.name;
      expect(told.every((text) => text.includes(pod) && text.includes(BUDGET)), `of ${pod} and ${BUDGET} say explain: ${told[0]}; the Machine: ${told[1]}; the UpcomingNode: ${told[2]}`);
      return told[1] ?? '';
    });
    log(sentence);
    await ground.expectUnmoved(workload, kept);

    await east.client.delete(PodDisruptionBudgetResource, { namespace: pool, name: BUDGET });
    log('the budget is gone');
    await eventually(`${id} is given back`, 60, async () => expect(ground.states().get(id)?.to === 'Speculative', await ground.seen()));
    await ground.running(workload, 2);
    return `"${sentence}"; without the budget ${id} was given back`;
  },
};

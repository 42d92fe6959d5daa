import { HOSTNAME_LABEL } from '../../src/api/constants.ts';
import { CapacityRequestResource, NodeResource } from '../../src/api/resources.ts';
import type { CapacityRequest, Node } from '../../src/api/types.ts';
import { eventually, expect } from '../promise.ts';
import { machinesOf, POOL_LABEL } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { KUBELET_ANNOTATION } from '../rig/sites.ts';
import { collect } from '../rig/workload.ts';

const pool = 'foreign-nodes';

/** As a cluster is before somebody installs BigFleet in it. */
function foreignNode(name: string): Node {
  const resources = { cpu: '8', memory: '32Gi', pods: '110' };
  return {
    apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { [POOL_LABEL]: pool, [HOSTNAME_LABEL]: name, 'kubernetes.io/os': 'linux' }, annotations: { [KUBELET_ANNOTATION[0]]: KUBELET_ANNOTATION[1] } },
    status: { capacity: resources, allocatable: resources, conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: '', lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z') }] },
  } as Node;
}

export const nothingIsBoughtAgain: RigPromise = {
  id: pool,
  promise: 'installed on a cluster with Nodes and Pods of its own, BigFleet buys nothing for them (D1), and machines for what comes on top',
  on: ['processes', 'embedded'],
  alone: true,
  machines: machinesOf(pool, 4),
  async run(ground) {
    const { west, rig, log } = ground;
    const agent = rig.agents.get('west')!;
    await agent.stop();
    const names = ['own-0', 'own-1'];
    try {
      for (const name of names) await west.client.create<Node>(NodeResource, foreignNode(name));
      const own = await ground.submit(west, 'own', 4, { cpu: '4' });
      const before = await ground.running(own, 4);
      expect(before.every((pod) => names.includes(pod.spec.nodeName ?? '')), `the Pods were to run on Nodes of the cluster: ${await ground.seen()}`);
      log('four Pods fill the two Nodes that the cluster has');
      agent.start();
      // What comes on top is served after everything that was there was looked at.
      const more = await ground.submit(west, 'more', 1, { cpu: '8' });
      const [pod] = await ground.running(more, 1);
      const machine = [...(await ground.machinesUnder(west, [pod!])).values()][0];
      log(`a fifth Pod got ${String(machine)}`);
      await eventually('only what runs on a machine is demand', 30, async () => {
        const requests = await collect(west.client.list<CapacityRequest>(CapacityRequestResource, { namespace: pool }));
        expect(requests.length === 1, `${requests.length} CapacityRequests`);
      });
      const bought = ground.changes().filter(({ to }) => to === 'Creating').map(({ machineId }) => machineId);
      expect(bought.length === 1 && bought[0] === machine, `one machine was to be bought, not ${bought.join()}`);
      await ground.expectUnmoved(own, before);
      await own.end();
      await more.end();
      return `2 Nodes and 4 Pods left alone, without a single CapacityRequest; 1 machine for the fifth Pod`;
    } finally {
      if (!agent.runs) agent.start();
      for (const name of names) await west.client.delete(NodeResource, { name });
    }
  },
};

import { beforeEach, describe, expect, it } from 'vitest';
import { NodeResource, PodResource, UpcomingNodeResource } from '../api/resources.ts';
import type { Node, Pod, UpcomingNode } from '../api/types.ts';
import type { Store } from '../runtime/types.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from './fleet-nodes.ts';
import { NodeLoad } from './node-load.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { node, podOn } from './testing/machines.ts';

describe('node hints (D13, D18)', () => {
  let cluster: FakeCluster;
  let load: NodeLoad;
  let nodes: Store<Node>;
  let fleet: FleetNodes;

  beforeEach(() => {
    cluster = new FakeCluster();
    load = new NodeLoad();
    nodes = cluster.store<Node>(NodeResource, nodeIndexes);
    fleet = new FleetNodes(nodes, cluster.store<UpcomingNode>(UpcomingNodeResource, upcomingNodeIndexes));
    cluster.store<Pod>(PodResource);
    cluster.subscribe<Pod>(PodResource, (event) => load.observe(event));
    cluster.put(NodeResource, node('a', { machine: 'm-1' }));
  });

  const hints = () => load.hints(nodes, fleet);

  it('count what would have to move, weighted by deletion cost', () => {
    cluster.put(PodResource, podOn('a', 'plain'));
    cluster.put(PodResource, podOn('a', 'dear', { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '100' } }));
    cluster.put(PodResource, podOn('a', 'cheap', { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '-5' } }));
    cluster.put(PodResource, podOn('a', 'done', {}, 'Failed'));
    cluster.put(PodResource, podOn('a', 'daemon', { ownerReferences: [{ apiVersion: 'v1', kind: 'DaemonSet', name: 'd', uid: 'u' }] }));
    expect(hints()).toEqual([{ machineId: 'm-1', nodeName: 'a', ready: true, pods: 3, disruptionCost: 103, doNotDisrupt: false, heldBy: '' }]);
  });

  it('carry along what holds up a drain', () => {
    expect(load.hints(nodes, fleet, (id) => `${id} waits`)[0]?.heldBy).toBe('m-1 waits');
  });

  it('follow Pods that come, finish and go', () => {
    cluster.put(PodResource, podOn('', 'p'));
    expect(hints()[0]?.pods).toBe(0);
    cluster.put(PodResource, podOn('a', 'p'));
    cluster.put(PodResource, podOn('a', 'q'));
    expect(hints()[0]?.pods).toBe(2);
    cluster.put(PodResource, podOn('a', 'p', {}, 'Succeeded'));
    cluster.remove(PodResource, { namespace: 'ns', name: 'q' });
    expect(hints()[0]).toMatchObject({ pods: 0, disruptionCost: 0 });
  });

  it.each(['bigfleet.lucy.sh/do-not-disrupt', 'karpenter.sh/do-not-disrupt'])('respect %s on a Pod or on the Node', (annotation) => {
    cluster.put(PodResource, podOn('a', 'p', { annotations: { [annotation]: 'true' } }));
    expect(hints()[0]?.doNotDisrupt).toBe(true);
    cluster.put(PodResource, podOn('a', 'p', { annotations: { [annotation]: 'false' } }));
    expect(hints()[0]?.doNotDisrupt).toBe(false);
    cluster.put(NodeResource, node('a', { metadata: { name: 'a', labels: { 'bigfleet.lucy.sh/machine-id': 'm-1' }, annotations: { [annotation]: 'true' } } }));
    expect(hints()[0]?.doNotDisrupt).toBe(true);
  });

  it('are about machines of the fleet only, known by label or by provider id', () => {
    cluster.put(NodeResource, node('foreign'));
    cluster.put(NodeResource, node('b', { ready: false, spec: { providerID: 'sim://m-2' } }));
    expect(hints().map((h) => h.machineId)).toEqual(['m-1']);
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: 'un-m-2' }, spec: { resources: {} }, status: { phase: 'Ready', providerID: 'sim://m-2' } });
    expect(hints().map((h) => [h.machineId, h.ready])).toEqual([['m-1', true], ['m-2', false]]);
  });

  it('fit into the wire’s 32 bits', () => {
    for (const name of ['p', 'q']) cluster.put(PodResource, podOn('a', name, { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '2147483647' } }));
    expect(hints()[0]?.disruptionCost).toBe(2_147_483_647);
  });
});

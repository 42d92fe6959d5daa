import { NodeResource, UpcomingNodeResource } from '../../api/resources.ts';
import type { Node, Pod, UpcomingNode } from '../../api/types.ts';
import type { Peer } from '../../api/grpc.ts';
import { ShardViewService } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import type { MachineView } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from '../../operator/fleet-nodes.ts';
import { MACHINE_ID_LABEL } from '../../operator/labels.ts';
import { IndexedStore } from '../../runtime/cache/store.ts';
import { isApiError } from '../../runtime/index.ts';
import type { KubeClient } from '../../runtime/index.ts';
import type { Chain } from './chain.ts';
import { sentenceOfMachine } from './json.ts';
import { unlessUnknown } from './need.ts';

/** The Pod's Node if it is bound to one, and what the operator would take it for. */
export interface PodNode {
  readonly node: Node | undefined;
  readonly fleet: FleetNodes;
}

export async function nodeOfPod({ spec: { nodeName } }: Pod, client: KubeClient, chain: Chain): Promise<PodNode> {
  const nodes = new IndexedStore<Node>(nodeIndexes);
  const upcoming = new IndexedStore<UpcomingNode>(upcomingNodeIndexes);
  const fleet = new FleetNodes(nodes, upcoming);
  if (!nodeName) {
    chain.missing('node', 'the scheduler has not bound the Pod to a Node');
    return { node: undefined, fleet };
  }
  const node = await client.get<Node>(NodeResource, { name: nodeName });
  if (!node) {
    chain.missing('node', `Node ${nodeName}, to which the Pod is bound, is gone`);
    return { node, fleet };
  }
  chain.found('node', nodeName);
  nodes.set(nodeName, node);
  for (const announced of await announcedIn(client)) upcoming.set(announced.metadata.name, announced);
  return { node, fleet };
}

/** Undefined: none of the fleet's is under the Pod, or the shard does not know it. */
export async function machineOfPod({ node, fleet }: PodNode, peer: Peer, timeoutMs: number, chain: Chain): Promise<MachineView | undefined> {
  if (!node) return undefined;
  const id = fleet.machineIdOf(node);
  if (id === undefined) {
    chain.none('machine', `Node ${node.metadata.name} is no machine of this fleet: it has no label ${MACHINE_ID_LABEL}, and no UpcomingNode names its provider id`);
    return undefined;
  }
  const machine = (await unlessUnknown(peer.unary(ShardViewService.explainMachine, { machineId: id }, { timeoutMs })))?.machine;
  if (machine) chain.found('machine', `${id}: ${sentenceOfMachine(machine)}`);
  else chain.missing('machine', `this shard knows no machine ${id}; is it another one's? (--shard)`);
  return machine;
}

/** They know ids that no label can hold, and Nodes that carry none. Who may not read them is left with the labels. */
async function announcedIn(client: KubeClient): Promise<UpcomingNode[]> {
  const found: UpcomingNode[] = [];
  try {
    for await (const announced of client.list<UpcomingNode>(UpcomingNodeResource)) found.push(announced);
  } catch (error) {
    if (!isApiError(error) || (error.status !== 403 && error.status !== 404)) throw error;
  }
  return found;
}

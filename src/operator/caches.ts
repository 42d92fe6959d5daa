import { CapacityRequestResource, NodeResource, PodResource, UpcomingNodeResource } from '../api/resources.ts';
import type { CapacityRequest, Node, Pod, UpcomingNode } from '../api/types.ts';
import { createInformer, type Informer, type InformerDeps } from '../runtime/index.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from './fleet-nodes.ts';
import { projectCapacityRequest, projectNode, projectPod, projectUpcomingNode } from './projections.ts';
import { WriteThrough } from './write-through.ts';

/** The informers that operator and pod controller share, and what reads them. */
export interface Caches {
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly requests: Informer<CapacityRequest>;
  readonly upcoming: Informer<UpcomingNode>;
  readonly fleet: FleetNodes;
  readonly requestWrites: WriteThrough<CapacityRequest>;
  readonly upcomingWrites: WriteThrough<UpcomingNode>;
}

export function createCaches(deps: InformerDeps): Caches {
  const pods = createInformer<Pod>({
    ...deps, type: PodResource, project: projectPod, indexes: { node: (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []) },
  });
  const nodes = createInformer<Node>({ ...deps, type: NodeResource, project: projectNode, indexes: nodeIndexes });
  const requests = createInformer<CapacityRequest>({ ...deps, type: CapacityRequestResource, project: projectCapacityRequest });
  const upcoming = createInformer<UpcomingNode>({ ...deps, type: UpcomingNodeResource, project: projectUpcomingNode, indexes: upcomingNodeIndexes });
  const requestWrites = new WriteThrough(requests.store, deps.clock);
  const upcomingWrites = new WriteThrough(upcoming.store, deps.clock);
  requests.subscribe((event) => requestWrites.observe(event));
  upcoming.subscribe((event) => upcomingWrites.observe(event));
  return {
    pods, nodes, requests, upcoming,
    fleet: new FleetNodes(nodes.store, upcoming.store),
    requestWrites,
    upcomingWrites,
  };
}

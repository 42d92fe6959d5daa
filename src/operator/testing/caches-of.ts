import { CapacityRequestResource, NodeResource, PodResource, UpcomingNodeResource } from '../../api/resources.ts';
import type { CapacityRequest, Node, Pod, UpcomingNode } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Informer } from '../../runtime/index.ts';
import type { KubeObject, ResourceType } from '../../runtime/types.ts';
import type { Caches } from '../caches.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from '../fleet-nodes.ts';
import { WriteThrough } from '../write-through.ts';
import type { FakeCluster } from './fake-cluster.ts';

/** The caches of an operator in a fake cluster: they show what it holds, as late as it lets them. */
export function cachesOf(cluster: FakeCluster, clock: Clock): Caches {
  const informer = <T extends KubeObject>(type: ResourceType, indexes: Record<string, (object: T) => readonly string[]> = {}): Informer<T> => ({
    store: cluster.store<T>(type, indexes), hasSynced: true, waitForSync: () => Promise.resolve(), run: () => Promise.resolve(),
    subscribe: (handler) => (cluster.subscribe(type, handler), () => {}),
  });
  const pods = informer<Pod>(PodResource, { node: (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []) });
  const nodes = informer<Node>(NodeResource, nodeIndexes);
  const requests = informer<CapacityRequest>(CapacityRequestResource);
  const upcoming = informer<UpcomingNode>(UpcomingNodeResource, upcomingNodeIndexes);
  const requestWrites = new WriteThrough(requests.store, clock);
  requests.subscribe((event) => requestWrites.observe(event));
  return { pods, nodes, requests, upcoming, requestWrites, upcomingWrites: new WriteThrough(upcoming.store, clock), fleet: new FleetNodes(nodes.store, upcoming.store) };
}

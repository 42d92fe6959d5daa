import type { Node, UpcomingNode } from '../api/types.ts';
import type { Caches } from './caches.ts';
import type { FleetNodes } from './fleet-nodes.ts';
import { MACHINE_ID_LABEL } from './labels.ts';
import type { Penalties, PodRequestOptions } from './pod-request.ts';

/** Which Pods are demand, and what their penalties are: the same choices whoever makes rows of Pods (D33). */
export interface PodDemandOptions {
  readonly priorityClassDefaults?: ReadonlyMap<string, Penalties>;
  readonly includeDaemonSetPods: boolean;
  readonly foreignNodes: 'ignore' | 'count';
}

export function podRequestOptions({ includeDaemonSetPods, priorityClassDefaults, foreignNodes }: PodDemandOptions, fleet: FleetNodes): PodRequestOptions {
  return {
    includeDaemonSetPods,
    ...(priorityClassDefaults ? { priorityClassDefaults } : {}),
    ...(foreignNodes === 'ignore' ? { isFleetNode: (name: string) => fleet.isFleetNode(name) } : {}),
  };
}

/** Names the Pods of a Node once news tells whether it is a machine of the fleet: that decides about them (D1). */
export function recheckPodsOfNodes({ pods, nodes, upcoming }: Pick<Caches, 'pods' | 'nodes' | 'upcoming'>, foreignNodes: PodDemandOptions['foreignNodes'], recheck: (podKey: string) => void): void {
  if (foreignNodes === 'count') return;
  const recheckNode = (name: string): void => {
    for (const pod of pods.store.byIndex('node', name)) recheck(`${pod.metadata.namespace ?? ''}/${pod.metadata.name}`);
  };
  nodes.subscribe((event) => {
    if (event.type === 'added') recheckNode(event.object.metadata.name);
    else if (event.type === 'updated' && identityOf(event.old) !== identityOf(event.object)) recheckNode(event.object.metadata.name);
  });
  upcoming.subscribe((event) => {
    const providerID = event.type === 'deleted' ? undefined : event.object.status?.providerID;
    if (providerID && (event.type === 'added' || providerIdOf(event.old) !== providerID)) {
      for (const node of nodes.store.byIndex('provider', providerID)) recheckNode(node.metadata.name);
    }
  });
}

function identityOf(node: Node): string {
  return `${node.metadata.labels?.[MACHINE_ID_LABEL] ?? ''} ${node.spec?.providerID ?? ''}`;
}

function providerIdOf(un: UpcomingNode | undefined): string | undefined {
  return un?.status?.providerID;
}

import type { ResourceType } from '../runtime/types.ts';

const GROUP = 'bigfleet.lucy.sh';

export const CAPACITY_REQUESTS: ResourceType = { group: GROUP, version: 'v1alpha1', plural: 'capacityrequests', kind: 'CapacityRequest', namespaced: true };
export const UPCOMING_NODES: ResourceType = { group: GROUP, version: 'v1alpha1', plural: 'upcomingnodes', kind: 'UpcomingNode', namespaced: false };
export const AVAILABLE_CAPACITIES: ResourceType = { group: GROUP, version: 'v1alpha1', plural: 'availablecapacities', kind: 'AvailableCapacity', namespaced: false };
export const PODS: ResourceType = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };
export const NODES: ResourceType = { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false };
export const CONFIG_MAPS: ResourceType = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true };
export const NAMESPACES: ResourceType = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false };
export const LEASES: ResourceType = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true };

export const API_VERSION = `${GROUP}/v1alpha1`;

/** Where the API server keeps each kind that we touch. */
import type { ResourceType } from '../runtime/types.ts';
import { CONTROL_GROUP, GROUP, VERSION } from './constants.ts';

function core(kind: string, plural: string, namespaced = true): ResourceType {
  return { group: '', version: 'v1', plural, kind, namespaced };
}

function ours(kind: string, plural: string, namespaced: boolean): ResourceType {
  return { group: GROUP, version: VERSION, plural, kind, namespaced };
}

function control(kind: string, plural: string): ResourceType {
  return { group: CONTROL_GROUP, version: VERSION, plural, kind, namespaced: true };
}

export const PodResource = core('Pod', 'pods');
export const NodeResource = core('Node', 'nodes', false);
export const ConfigMapResource = core('ConfigMap', 'configmaps');
export const SecretResource = core('Secret', 'secrets');
export const NamespaceResource = core('Namespace', 'namespaces', false);
export const EventResource = core('Event', 'events');
export const LeaseResource: ResourceType = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true };
export const PodDisruptionBudgetResource: ResourceType = { group: 'policy', version: 'v1', plural: 'poddisruptionbudgets', kind: 'PodDisruptionBudget', namespaced: true };
export const PriorityClassResource: ResourceType = { group: 'scheduling.k8s.io', version: 'v1', plural: 'priorityclasses', kind: 'PriorityClass', namespaced: false };
export const CustomResourceDefinitionResource: ResourceType = { group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions', kind: 'CustomResourceDefinition', namespaced: false };

export const CapacityRequestResource = ours('CapacityRequest', 'capacityrequests', true);
export const UpcomingNodeResource = ours('UpcomingNode', 'upcomingnodes', false);
export const AvailableCapacityResource = ours('AvailableCapacity', 'availablecapacities', false);

export const ShardResource = control('Shard', 'shards');
export const MachineResource = control('Machine', 'machines');
export const CapacityProviderResource = control('CapacityProvider', 'capacityproviders');

/** `v1` or `group/version`: what an object's apiVersion says. */
export function apiVersionOf(type: ResourceType): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** `pods` or `plural.group`: what people type and RBAC names. */
export function qualifiedName(type: ResourceType): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`;
}

import type { ResourceType } from './types.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

/**
 * Something that a component asks of an API server. Roles are generated from these tables (`npm run generate`), so that a
 * ServiceAccount may do what is listed beside the code that does it, and nothing else.
 */
export interface Permission {
  readonly type: ResourceType;
  readonly subresource?: string;
  readonly verbs: readonly Verb[];
  /** Everywhere, or only in the namespace that the component runs in. Kinds without a namespace: everywhere. */
  readonly scope: 'cluster' | 'namespace';
  /** With scope 'namespace': in this one instead. */
  readonly namespace?: string;
  /** Only objects of these names. Lists, watches and creations cannot be bound to names. */
  readonly names?: readonly string[];
  /** What it is for, for whoever grants it. */
  readonly why: string;
}

const LEASE: ResourceType = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true };
const EVENT: ResourceType = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true };

/** What an election asks; `names` binds it to the Leases of these names. */
export function leasePermissions(names?: readonly string[]): readonly Permission[] {
  return [
    { type: LEASE, verbs: ['create'], scope: 'namespace', why: 'the Lease of which replica acts' },
    { type: LEASE, verbs: ['get', 'update'], scope: 'namespace', ...(names && { names }), why: 'holding and renewing that Lease' },
  ];
}

/** What an informer asks. */
export function watching(type: ResourceType, scope: Permission['scope'], why: string): Permission {
  return { type, verbs: ['list', 'watch'], scope, why };
}

/** Events stand beside the object that they are about, wherever that is. */
export const eventPermissions: readonly Permission[] = [{ type: EVENT, verbs: ['create'], scope: 'cluster', why: 'telling people at the object itself what is wrong with it' }];

import type { KubeObject, ResourceType } from '../types.ts';

export const LEASE: ResourceType = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true };

export interface LeaseSpec {
  holderIdentity?: string | null;
  leaseDurationSeconds?: number | null;
  acquireTime?: string | null;
  renewTime?: string | null;
  leaseTransitions?: number | null;
}

export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

/** Kubernetes' MicroTime: exactly six digits after the point; three are refused. */
export function toMicroTime(unixMs: number): string {
  return new Date(unixMs).toISOString().replace('Z', '000Z');
}

export function holderOf(lease: Lease): string {
  return lease.spec?.holderIdentity ?? '';
}

export function transitionsOf(lease: Lease): number {
  return lease.spec?.leaseTransitions ?? 0;
}

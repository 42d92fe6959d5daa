/**
 * The form of a snapshot as a document (docs/engine-snapshot.md): its marks, its fields, and what a field means that is
 * left out. The document describes facts at one instant; nothing in it is taken from the clock or the machine that reads it.
 */
import type { Millis, Policy } from '../engine/types.ts';

/** Value of `format` of a snapshot, and of a plan. */
export const SNAPSHOT_FORMAT = 'bigfleet.engine.snapshot/v1';
export const PLAN_FORMAT = 'bigfleet.engine.plan/v1';

/** 2027-01-15T08:00:00Z: the instant of a document that names none, so that it means the same tomorrow. */
export const DEFAULT_AT: Millis = 1_800_000_000_000;

/** No rail, the standard holds and graces. */
export const DEFAULT_POLICY: Policy = {
  reclaimCapFraction: 0,
  maxConcurrentDrainsPerCluster: 0,
  maxReclaimsPerMinute: 0,
  holds: { onDemandMs: 600_000, spotMs: 60_000, occupiedExcessMs: 300_000 },
  limits: {},
  reclaimGraceSeconds: 600,
  preemptionGraceSeconds: [10, 30, 120, 600],
};

/** What each kind of object in the document may have. */
export const FIELDS = {
  document: ['format', 'at', 'supplyTrusted', 'policy', 'shapes', 'profiles', 'labels', 'defaults', 'machines', 'clusters', 'memory', 'plan'],
  defaults: ['machine', 'need', 'profile'],
  policy: ['reclaimCapFraction', 'reclaimCapMs', 'maxConcurrentDrainsPerCluster', 'maxReclaimsPerMinute', 'holds', 'limits', 'reclaimGraceSeconds', 'preemptionGraceSeconds'],
  holds: ['onDemandMs', 'spotMs', 'occupiedExcessMs'],
  limits: ['machines', 'microUsdPerHour'],
  profile: ['requirements', 'spread', 'priority', 'interruptionBucket', 'reclamationBucket'],
  requirement: ['key', 'operator', 'values'],
  spread: ['topologyKey', 'maxSkew', 'whenUnsatisfiable'],
  machine: [
    'id', 'count', 'state', 'cluster', 'instanceType', 'zone', 'capacityType', 'labels', 'allocatable', 'priceMicroUsdPerHour',
    'interruptionProbability', 'assigned', 'intent', 'hold', 'stuck', 'drainRefused', 'untrusted', 'hasHost',
  ],
  assignment: ['cluster', 'profile', 'fingerprint', 'group', 'priority', 'interruptionBucket', 'reclamationBucket', 'unitClass'],
  intent: ['bind', 'configureSent'],
  cluster: ['reported', 'connected', 'needs', 'hints'],
  need: ['profile', 'group', 'units', 'aggregate', 'minUnit', 'fingerprint', 'unitClass'],
  hint: ['machineId', 'ready', 'pods', 'disruptionCost', 'doNotDisrupt'],
  memory: ['arrivals', 'leftOverSince', 'idleSince', 'reclaims', 'reservations'],
  arrival: ['cluster', 'profile', 'fingerprint', 'group', 'key', 'at'],
} as const;

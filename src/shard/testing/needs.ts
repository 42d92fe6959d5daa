import type { CapacityNeed, ClusterCapacityNeeds } from '../../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { Need, NeedVerdict } from '../../engine/types.ts';
import { need } from '../../engine/testing/builders.ts';

/** A row of demand as it comes over the wire: 8 cpus in units of one, unless said otherwise. */
export function wireRow(fields: Partial<CapacityNeed> = {}): CapacityNeed {
  return {
    requirements: [], aggregateResources: new Map([['cpu', '8']]), priority: 100, spread: [], interruptionPenaltyBucket: 1,
    reclamationPenaltyBucket: 1, minUnit: new Map([['cpu', '1']]), group: '', ...fields,
  };
}

export function rollup(needs: CapacityNeed[], fields: Partial<ClusterCapacityNeeds> = {}): ClusterCapacityNeeds {
  return { clusterId: 'east', timestampUnixNanos: 1n, needs, nodeHints: undefined, ...fields };
}

/** A satisfied verdict, unless said otherwise. */
export function verdict(of: Need = need(), fields: Partial<NeedVerdict> = {}): NeedVerdict {
  return { need: of, arrival: 0, satisfied: true, deficit: [], machines: 1, inFlight: 0, bootstraps: 0, provisions: 0, ...fields };
}

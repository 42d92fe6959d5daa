import { NodeSelectorRequirement_Operator as Operator, TopologySpread_WhenUnsatisfiable as When } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { CapacityNeed, NodeSelectorRequirement } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { UnmetReason as WireReason } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import { formatResources } from '../api/resource-vector.ts';
import { OPERATOR_NUMBER, WHEN_UNSATISFIABLE_NUMBER } from '../api/profile.ts';
import type { Requirement } from '../api/profile.ts';
import type { Need, UnmetReason } from '../engine/types.ts';

/** The engine's names in the wire's numbers. */

export function reasonNumber(reason: UnmetReason | undefined): WireReason {
  return reason === undefined ? WireReason.UNMET_REASON_UNSPECIFIED : WireReason[`UNMET_REASON_${reason}`];
}

export function wireRequirements(requirements: readonly Requirement[]): NodeSelectorRequirement[] {
  return requirements.map((r) => ({ key: r.key, operator: OPERATOR_NUMBER[r.operator] as Operator, values: [...r.values] }));
}

export function wireNeed(need: Need): CapacityNeed {
  const { profile } = need;
  return {
    requirements: wireRequirements(profile.requirements),
    aggregateResources: formatResources(need.aggregate),
    priority: profile.priority,
    spread: profile.spread.map((s) => ({
      topologyKey: s.topologyKey,
      maxSkew: s.maxSkew,
      whenUnsatisfiable: WHEN_UNSATISFIABLE_NUMBER[s.whenUnsatisfiable] as When,
    })),
    interruptionPenaltyBucket: profile.interruptionBucket as CapacityNeed['interruptionPenaltyBucket'],
    reclamationPenaltyBucket: profile.reclamationBucket as CapacityNeed['reclamationPenaltyBucket'],
    minUnit: formatResources(need.minUnit),
    group: need.group,
  };
}

/** A Need prepared for planning: names resolved once, when demand changes, so that a plan handles numbers. */
import { canonicalProfile, profileKey, sameRequirement } from '../api/profile.ts';
import type { Dimensions } from './dimensions.ts';
import { addVectors, maxVectors } from './dimensions.ts';
import { arrivalKey } from './keys.ts';
import { strictSpreadOf } from './match.ts';
import type { StrictSpread } from './match.ts';
import type { Assignment, Need } from './types.ts';

export interface NeedRow {
  readonly need: Need;
  /** Rows of equal identity are one Need. Holds the whole profile, because fingerprints are not injective. */
  readonly identity: string;
  /** (cluster, fingerprint, group): what arrivals are remembered by and bindings are decided for. */
  readonly demandKey: string;
  /** Rows of equal fitKey accept the same machines at the same effective cost. */
  readonly fitKey: string;
  /** The aggregate, by dimension index. */
  readonly dims: readonly number[];
  readonly wanted: readonly number[];
  readonly minDims: readonly number[];
  readonly minAmounts: readonly number[];
  readonly sameKey: string | undefined;
  readonly spread: StrictSpread | undefined;
  /** Given to every machine that is bound for this Need. */
  readonly assignment: Assignment;
}

export function identityOf(need: Need): string {
  return JSON.stringify([need.fingerprint, need.group, need.unitClass, profileKey(need.profile)]);
}

export function mergeNeeds(a: Need, b: Need): Need {
  return { ...a, aggregate: addVectors(a.aggregate, b.aggregate), minUnit: maxVectors(a.minUnit, b.minUnit) };
}

export function needRow(need: Need, dimensions: Dimensions): NeedRow {
  const { cluster, fingerprint, group } = need;
  const profile = canonicalProfile(need.profile);
  return {
    need,
    identity: identityOf(need),
    demandKey: arrivalKey(cluster, fingerprint, group),
    fitKey: JSON.stringify([profile.requirements, profile.interruptionBucket, need.minUnit]),
    dims: need.aggregate.map(([name]) => dimensions.index(name)),
    wanted: need.aggregate.map(([, amount]) => amount),
    minDims: need.minUnit.map(([name]) => dimensions.index(name)),
    minAmounts: need.minUnit.map(([, amount]) => amount),
    sameKey: sameRequirement(profile)?.key,
    spread: strictSpreadOf(profile),
    assignment: {
      cluster,
      fingerprint,
      group,
      priority: profile.priority,
      interruptionBucket: profile.interruptionBucket,
      reclamationBucket: profile.reclamationBucket,
    },
  };
}

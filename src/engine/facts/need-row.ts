/** A Need prepared for planning: names resolved once, when demand changes, so that a plan handles numbers. */
import { canonicalProfile, fingerprint, profileKey, sameRequirement, unitClass, withoutSame } from '../../api/profile.ts';
import type { Profile } from '../../api/profile.ts';
import { strictSpreadOf } from '../match.ts';
import type { StrictSpread } from '../match.ts';
import type { Assignment, Millis, Need, NeedVerdict } from '../types.ts';
import type { Dimensions } from './dimensions.ts';
import { addVectors, maxVectors } from './dimensions.ts';
import type { Asker } from './fit.ts';
import { arrivalKey } from '../keys.ts';

export interface NeedRow {
  readonly need: Need;
  /** Rows of equal identity are one Need. Holds the whole profile, because fingerprints are not injective. */
  readonly identity: string;
  /** (cluster, fingerprint, group): what arrivals are remembered by and bindings are decided for. */
  readonly demandKey: string;
  /** Rows of equal fitKey accept the same machines at the same effective cost. */
  readonly fitKey: string;
  /** Grows with (priority, interruption bucket, reclamation bucket): who ranks above whom. */
  readonly precedence: number;
  /** The aggregate, by dimension index; whole numbers, demand rounded up. */
  readonly dims: readonly number[];
  readonly wanted: readonly number[];
  readonly minDims: readonly number[];
  readonly minAmounts: readonly number[];
  readonly sameKey: string | undefined;
  readonly spread: StrictSpread | undefined;
  /** Given to every machine that is bound for this Need. */
  readonly assignment: Assignment;
  /** The same Need without Same, for one machine that holds all of it; undefined for Needs without Same. */
  readonly onOneMachine: FoldTarget | undefined;
  /** For a row that stands for several gangs: they, in the engine's order. */
  readonly gangs: readonly NeedRow[] | undefined;
  /** When it was first seen; +∞ = this is the first plan that sees it (D5). */
  arrival: Millis;
  /** The plan's number for whom its machines serve; -1 = none yet. */
  holder: number;
  /** What was last said of it, kept while it stays true. */
  verdict: NeedVerdict | undefined;
}

/** What a gang that fits on one machine asks for (spec: engine 5). */
export interface FoldTarget {
  readonly profile: Profile;
  readonly fingerprint: string;
  readonly demandKey: string;
  /** Of the plain Need that the gang becomes. */
  readonly fitKey: string;
  /** Of the machines of which one holds the whole gang. */
  readonly holder: Asker;
  /** Gangs of one cluster with equal keys are planned as one Need. */
  readonly key: string;
}

const BUCKETS = 28;

export function precedenceOf({ priority, interruptionBucket, reclamationBucket }: Profile): number {
  return (priority * BUCKETS + interruptionBucket) * BUCKETS + reclamationBucket;
}

/** What is derived from a profile alone; profiles are few and rows are many. */
export interface ProfileFacts {
  readonly profile: Profile;
  readonly key: string;
  readonly requirementsKey: string;
  readonly sameKey: string | undefined;
  readonly spread: StrictSpread | undefined;
  readonly precedence: number;
  readonly stripped: { readonly profile: Profile; readonly fingerprint: string; readonly requirementsKey: string } | undefined;
}

export function profileFacts(asked: Profile): ProfileFacts {
  const profile = canonicalProfile(asked);
  const same = sameRequirement(profile);
  const plain = same && canonicalProfile(withoutSame(profile));
  return {
    profile,
    key: profileKey(profile),
    requirementsKey: requirementsKeyOf(profile),
    sameKey: same?.key,
    spread: strictSpreadOf(profile),
    precedence: precedenceOf(profile),
    stripped: plain && { profile: plain, fingerprint: fingerprint(plain), requirementsKey: requirementsKeyOf(plain) },
  };
}

function requirementsKeyOf(profile: Profile): string {
  return JSON.stringify([profile.requirements, profile.interruptionBucket]);
}

/** Within one cluster. */
export function identityOf(need: Need, facts: ProfileFacts): string {
  return `${need.group}\u0000${need.unitClass}\u0000${facts.key}\u0000${need.fingerprint}`;
}

export function mergeNeeds(a: Need, b: Need): Need {
  return { ...a, aggregate: addVectors(a.aggregate, b.aggregate), minUnit: maxVectors(a.minUnit, b.minUnit) };
}

export function needRow(need: Need, facts: ProfileFacts, dimensions: Dimensions): NeedRow {
  const { cluster, fingerprint: named, group } = need;
  const { profile, stripped } = facts;
  const minUnit = JSON.stringify(need.minUnit);
  const wanted = need.aggregate.filter(([, amount]) => amount > 0);
  const aggregate = JSON.stringify(wanted);
  return {
    need,
    identity: identityOf(need, facts),
    demandKey: arrivalKey(cluster, named, group),
    fitKey: facts.requirementsKey + minUnit,
    precedence: facts.precedence,
    dims: need.aggregate.map(([name]) => dimensions.index(name)),
    wanted: need.aggregate.map(([, amount]) => Math.ceil(amount)),
    minDims: need.minUnit.map(([name]) => dimensions.index(name)),
    minAmounts: need.minUnit.map(([, amount]) => amount),
    sameKey: facts.sameKey,
    spread: facts.spread,
    assignment: assignmentOf(need, profile),
    onOneMachine: stripped && {
      profile: stripped.profile,
      fingerprint: stripped.fingerprint,
      demandKey: arrivalKey(cluster, stripped.fingerprint, ''),
      fitKey: stripped.requirementsKey + aggregate,
      holder: {
        fitKey: facts.requirementsKey + aggregate,
        need: { profile },
        minDims: wanted.map(([name]) => dimensions.index(name)),
        minAmounts: wanted.map(([, amount]) => amount),
      },
      key: `${stripped.fingerprint}\u0000${stripped.requirementsKey}\u0000${aggregate}`,
    },
    gangs: undefined,
    arrival: Number.POSITIVE_INFINITY,
    holder: -1,
    verdict: undefined,
  };
}

/** One plain Need for gangs of equal size that each fit on one machine. `gangs` in the engine's order, at least one. */
export function foldedRow(gangs: readonly NeedRow[], dimensions: Dimensions): NeedRow {
  const first = gangs[0] as NeedRow;
  const target = first.onOneMachine as FoldTarget;
  const unit = first.need.aggregate.filter(([, amount]) => amount > 0);
  const need: Need = {
    cluster: first.need.cluster,
    profile: target.profile,
    fingerprint: target.fingerprint,
    group: '',
    unitClass: unitClass(unit),
    aggregate: unit.map(([name, amount]) => [name, Math.ceil(amount) * gangs.length] as const),
    minUnit: unit,
  };
  return {
    ...first,
    need,
    identity: `folded\u0000${target.key}`,
    demandKey: target.demandKey,
    fitKey: target.fitKey,
    dims: unit.map(([name]) => dimensions.index(name)),
    wanted: need.aggregate.map(([, amount]) => amount),
    minDims: unit.map(([name]) => dimensions.index(name)),
    minAmounts: unit.map(([, amount]) => amount),
    sameKey: undefined,
    spread: strictSpreadOf(target.profile),
    assignment: assignmentOf(need, target.profile),
    onOneMachine: undefined,
    gangs,
    arrival: gangs.reduce((oldest, gang) => Math.min(oldest, gang.arrival), Number.POSITIVE_INFINITY),
    holder: -1,
    verdict: undefined,
  };
}

function assignmentOf({ cluster, fingerprint: named, group }: Need, profile: Profile): Assignment {
  const { priority, interruptionBucket, reclamationBucket } = profile;
  return { cluster, fingerprint: named, group, priority, interruptionBucket, reclamationBucket };
}

/** A Need prepared for planning: names resolved once, when demand changes, so that a plan handles numbers. */
import { canonicalProfile, fingerprint, profileKey, sameRequirement, unitClass, withoutSame } from '../../api/profile.ts';
import type { Profile } from '../../api/profile.ts';
import { keysOf, strictSpreadOf } from '../match.ts';
import type { StrictSpread } from '../match.ts';
import type { Assignment, Millis, Need, NeedVerdict, ResourceVector } from '../types.ts';
import type { Dimensions } from './dimensions.ts';
import { addVectors, maxVectors } from './dimensions.ts';
import type { Asker, Askers } from './fit.ts';
import { arrivalKey } from '../keys.ts';

export interface NeedRow {
  readonly need: Need;
  readonly facts: ProfileFacts;
  /** (cluster, fingerprint, group): what arrivals are remembered by and bindings are decided for. */
  readonly demandKey: string;
  /** Rows of one asker accept the same machines at the same effective cost. */
  readonly asker: Asker;
  /** Grows with (priority, interruption bucket, reclamation bucket): who ranks above whom. */
  readonly precedence: number;
  /** The aggregate, by dimension index; whole numbers, demand rounded up. */
  readonly dims: readonly number[];
  readonly wanted: readonly number[];
  readonly sameKey: string | undefined;
  readonly spread: StrictSpread | undefined;
  /** Given to every machine that is bound for this Need. */
  readonly assignment: Assignment;
  /** The same Need without Same, for one machine that holds all of it; undefined for Needs without Same. */
  readonly onOneMachine: FoldTarget | undefined;
  /** For a row that stands for several gangs: they, in the engine's order. */
  readonly gangs: readonly NeedRow[] | undefined;
  /** Names such a row, within its cluster and for as long as gangs of just this profile and size are planned as one. */
  readonly foldedAs: string | undefined;
  /** Such a row also stands for the demands of its gangs: what was decided for them is decided for it. Each once. */
  readonly demandKeys: readonly string[] | undefined;
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
  /** Of that profile, without Same. */
  readonly fingerprint: string;
  /** What machines are bound for that gangs share. */
  readonly demandKey: string;
  /** Of machines that hold the whole gang, and are in a place that its Same names: elsewhere it could not stay once it is no longer planned so. */
  readonly asker: Asker;
  /** Gangs of one cluster with equal keys are planned as one Need. */
  readonly key: string;
}

/**
 * In place of a gang's name: bound for gangs of a profile that share machines, and for none of them in particular. Told apart
 * from the gangs, whose names are made of texts that this is none of, and from demand without Same that asks for the same.
 */
export const ANY_GANG = '*';

const BUCKETS = 28;

function precedenceOf({ priority, interruptionBucket, reclamationBucket }: Profile): number {
  return (priority * BUCKETS + interruptionBucket) * BUCKETS + reclamationBucket;
}

/** What is derived from a profile alone; profiles are few and rows are many. */
export interface ProfileFacts {
  /** Stands for the profile while the engine lives. */
  readonly serial: number;
  readonly profile: Profile;
  /** Label keys that it asks about. */
  readonly labelKeys: readonly string[];
  readonly key: string;
  readonly requirementsKey: string;
  readonly sameKey: string | undefined;
  readonly spread: StrictSpread | undefined;
  readonly precedence: number;
  readonly stripped: { readonly profile: Profile; readonly fingerprint: string } | undefined;
}

export function profileFacts(asked: Profile, serial: number): ProfileFacts {
  const profile = canonicalProfile(asked);
  const same = sameRequirement(profile);
  const plain = same && canonicalProfile(withoutSame(profile));
  return {
    serial,
    profile,
    labelKeys: keysOf(profile),
    key: profileKey(profile),
    requirementsKey: requirementsKeyOf(profile),
    sameKey: same?.key,
    spread: strictSpreadOf(profile),
    precedence: precedenceOf(profile),
    stripped: plain && { profile: plain, fingerprint: fingerprint(plain) },
  };
}

function requirementsKeyOf(profile: Profile): string {
  return JSON.stringify([profile.requirements, profile.interruptionBucket]);
}

/** Names a Need within its cluster and while the engine lives. */
export function rowKey(need: Need, facts: ProfileFacts): string {
  return `${facts.serial}\u0000${need.unitClass}\u0000${need.group}\u0000${need.fingerprint}`;
}

/**
 * Names a Need within its cluster for ever: holds the whole profile, because fingerprints are not injective, and of gangs
 * planned as one their size, because gangs of several sizes may be of one unit class.
 */
export function identityOf({ need, facts, gangs }: Pick<NeedRow, 'need' | 'facts' | 'gangs'>): string {
  const size = gangs === undefined ? '' : vectorKey(need.minUnit);
  return `${need.group}\u0000${need.unitClass}\u0000${facts.key}\u0000${need.fingerprint}\u0000${size}`;
}

/** Rows of one cluster whose demand keys are equal. */
export function isOneDemand({ need: a }: NeedRow, { need: b }: NeedRow): boolean {
  return a.group === b.group && a.fingerprint === b.fingerprint;
}

export function mergeNeeds(a: Need, b: Need): Need {
  return { ...a, aggregate: addVectors(a.aggregate, b.aggregate), minUnit: maxVectors(a.minUnit, b.minUnit) };
}

export function needRow(need: Need, facts: ProfileFacts, dimensions: Dimensions, askers: Askers): NeedRow {
  const { cluster, fingerprint: named, group } = need;
  return {
    need,
    facts,
    demandKey: arrivalKey(cluster, named, group),
    asker: askers.of(facts.requirementsKey + vectorKey(need.minUnit), () => ({ profile: facts.profile, ...indexed(need.minUnit, dimensions) })),
    precedence: facts.precedence,
    dims: need.aggregate.map(([name]) => dimensions.index(name)),
    wanted: need.aggregate.map(([, amount]) => amount),
    sameKey: facts.sameKey,
    spread: facts.spread,
    assignment: assignmentOf(need, facts.profile),
    onOneMachine: facts.stripped && foldTarget(need, facts, dimensions, askers),
    gangs: undefined,
    foldedAs: undefined,
    demandKeys: undefined,
    arrival: Number.POSITIVE_INFINITY,
    holder: -1,
    verdict: undefined,
  };
}

function foldTarget(need: Need, { profile, requirementsKey, stripped }: ProfileFacts, dimensions: Dimensions, askers: Askers): FoldTarget | undefined {
  const wanted = need.aggregate.filter(([, amount]) => amount > 0);
  if (stripped === undefined || wanted.length === 0) return undefined;
  const aggregate = vectorKey(wanted);
  return {
    profile: stripped.profile,
    fingerprint: stripped.fingerprint,
    demandKey: arrivalKey(need.cluster, need.fingerprint, ANY_GANG),
    asker: askers.of(requirementsKey + aggregate, () => ({ profile, ...indexed(wanted, dimensions) })),
    key: `${stripped.fingerprint}\u0000${requirementsKey}\u0000${aggregate}`,
  };
}

function vectorKey(vector: ResourceVector): string {
  let key = '';
  for (const [name, amount] of vector) key += `${name}=${amount};`;
  return key;
}

function indexed(vector: ResourceVector, dimensions: Dimensions): Pick<Asker, 'minDims' | 'minAmounts'> {
  return { minDims: vector.map(([name]) => dimensions.index(name)), minAmounts: vector.map(([, amount]) => amount) };
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
    aggregate: unit.map(([name, amount]) => [name, amount * gangs.length] as const),
    minUnit: unit,
  };
  return {
    ...first,
    need,
    demandKey: target.demandKey,
    asker: target.asker,
    dims: unit.map(([name]) => dimensions.index(name)),
    wanted: need.aggregate.map(([, amount]) => amount),
    sameKey: undefined,
    spread: strictSpreadOf(target.profile),
    assignment: { ...assignmentOf(need, target.profile), fingerprint: first.need.fingerprint, group: ANY_GANG },
    onOneMachine: undefined,
    gangs,
    foldedAs: `${first.facts.requirementsKey}|${need.fingerprint}|${vectorKey(unit)}`,
    demandKeys: [...new Set([target.demandKey, ...gangs.map(({ demandKey }) => demandKey)])],
    arrival: gangs.reduce((oldest, gang) => Math.min(oldest, gang.arrival), Number.POSITIVE_INFINITY),
    holder: -1,
    verdict: undefined,
  };
}

function assignmentOf({ cluster, fingerprint: named, group, unitClass }: Need, profile: Profile): Assignment {
  const { priority, interruptionBucket, reclamationBucket } = profile;
  return { cluster, fingerprint: named, group, priority, interruptionBucket, reclamationBucket, unitClass };
}

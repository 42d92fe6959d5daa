/**
 * The profile of demand: everything that decides which machines may serve it and how it ranks, but neither amounts nor
 * shapes (spec: engine 1.4). Operator and shard build and name profiles with these same functions.
 */
import { compareText } from '../lib/compare-text.ts';

export { canonicalGroup } from './gang-group.ts';
export { bucketForDollars, bucketLabel, isPenaltyBucket, PINNED_BUCKET, upperBoundDollars } from './penalty-bucket.ts';
export { compareUnitClassDescending, isUnitClass, unitClass, type UnitClass } from './unit-class.ts';

/** `Same` exists on the wire only, never in a CapacityRequest: all machines share one value of the key. */
export type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Same';

export type WhenUnsatisfiable = 'Unspecified' | 'DoNotSchedule' | 'ScheduleAnyway';

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

export interface SpreadTerm {
  readonly topologyKey: string;
  readonly maxSkew: number;
  readonly whenUnsatisfiable: WhenUnsatisfiable;
}

export interface Profile {
  readonly requirements: readonly Requirement[];
  readonly spread: readonly SpreadTerm[];
  /** Higher is served first. */
  readonly priority: number;
  /** Ordinal, 0..27 (spec: engine 1.3). */
  readonly interruptionBucket: number;
  /** Ordinal, 0..27. */
  readonly reclamationBucket: number;
}

/** Numbers of the wire's enums; they are part of the fingerprint. */
export const OPERATOR_NUMBER: Readonly<Record<Operator, number>> = { In: 1, NotIn: 2, Exists: 3, DoesNotExist: 4, Same: 5 };
export const WHEN_UNSATISFIABLE_NUMBER: Readonly<Record<WhenUnsatisfiable, number>> = { Unspecified: 0, DoNotSchedule: 1, ScheduleAnyway: 2 };

/** Undefined for OPERATOR_UNSPECIFIED and unknown numbers: ingest refuses both. */
export function operatorOf(wireNumber: number): Operator | undefined {
  return (Object.keys(OPERATOR_NUMBER) as Operator[]).find((name) => OPERATOR_NUMBER[name] === wireNumber);
}

/** Unknown numbers mean Unspecified (spec: engine 1.1). */
export function whenUnsatisfiableOf(wireNumber: number): WhenUnsatisfiable {
  const names = Object.keys(WHEN_UNSATISFIABLE_NUMBER) as WhenUnsatisfiable[];
  return names.find((name) => WHEN_UNSATISFIABLE_NUMBER[name] === wireNumber) ?? 'Unspecified';
}

/** The same profile in the one order that its fingerprint is made from. Nothing is dropped or merged. */
export function canonicalProfile(profile: Profile): Profile {
  return {
    requirements: profile.requirements
      .map((r) => ({ key: r.key, operator: r.operator, values: [...r.values].sort(compareText) }))
      .sort(compareRequirements),
    spread: profile.spread
      .map((s) => ({ topologyKey: s.topologyKey, maxSkew: s.maxSkew, whenUnsatisfiable: s.whenUnsatisfiable }))
      .sort(compareSpread),
    priority: profile.priority,
    interruptionBucket: profile.interruptionBucket,
    reclamationBucket: profile.reclamationBucket,
  };
}

/**
 * The name of a profile outside the process: in shard_metadata, NeedView and supersedes keys. The format is frozen. It is
 * not injective when values contain `,`, `;` or `:`; use `profileKey` to tell profiles apart inside.
 */
export function fingerprint(profile: Profile): string {
  const { requirements, spread, priority, interruptionBucket, reclamationBucket } = canonicalProfile(profile);
  const reqs = requirements.map((r) => `${r.key}:${String(OPERATOR_NUMBER[r.operator])}:${r.values.join(',')};`).join('');
  const spr = spread.map((s) => `${s.topologyKey}:${String(s.maxSkew)}:${String(WHEN_UNSATISFIABLE_NUMBER[s.whenUnsatisfiable])};`).join('');
  return `p=${String(priority)}|ipb=${String(interruptionBucket)}|rpb=${String(reclamationBucket)}|reqs=${reqs}|spr=${spr}`;
}

/** Equal exactly for profiles that are equal in canonical form. For use as a map key; never leaves the process. */
export function profileKey(profile: Profile): string {
  const c = canonicalProfile(profile);
  return JSON.stringify([
    c.priority,
    c.interruptionBucket,
    c.reclamationBucket,
    c.requirements.map((r) => [r.key, r.operator, r.values]),
    c.spread.map((s) => [s.topologyKey, s.maxSkew, s.whenUnsatisfiable]),
  ]);
}

/**
 * Whether a requirement holds for one machine whose label has `value` (undefined: no such label), spec: engine 3. Of Same
 * only what can be said of one machine: that it has the key, and one of the values if there are any.
 */
export function requirementHolds({ operator, values }: Pick<Requirement, 'operator' | 'values'>, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Same':
      return value !== undefined && (values.length === 0 || values.includes(value));
  }
}

/** The requirement that makes the demand a gang: the first Same in canonical order. `profile` must be canonical. */
export function sameRequirement(profile: Profile): Requirement | undefined {
  return profile.requirements.find((r) => r.operator === 'Same');
}

/** The one spread term that has an effect: the first DoNotSchedule in canonical order. `profile` must be canonical. */
export function strictSpread(profile: Profile): SpreadTerm | undefined {
  return profile.spread.find((s) => s.whenUnsatisfiable === 'DoNotSchedule');
}

/** The profile without its Same requirements: what a gang that fits on one machine asks for (spec: engine 5). */
export function withoutSame(profile: Profile): Profile {
  return { ...profile, requirements: profile.requirements.filter((r) => r.operator !== 'Same') };
}

function compareRequirements(a: Requirement, b: Requirement): number {
  return (
    compareText(a.key, b.key) ||
    OPERATOR_NUMBER[a.operator] - OPERATOR_NUMBER[b.operator] ||
    compareText(a.values.join(','), b.values.join(',')) ||
    // Different lists may join to the same text; without this their order would depend on the input.
    compareText(JSON.stringify(a.values), JSON.stringify(b.values))
  );
}

function compareSpread(a: SpreadTerm, b: SpreadTerm): number {
  return (
    compareText(a.topologyKey, b.topologyKey) ||
    a.maxSkew - b.maxSkew ||
    WHEN_UNSATISFIABLE_NUMBER[a.whenUnsatisfiable] - WHEN_UNSATISFIABLE_NUMBER[b.whenUnsatisfiable]
  );
}

/** What one cluster asks for, as it last said (spec: engine 4, D2). */
import { compareUnitClassDescending } from '../../api/profile.ts';
import type { Profile } from '../../api/profile.ts';
import { compareText } from '../../lib/compare-text.ts';
import type { Millis, Need, ResourceVector } from '../types.ts';
import type { Dimensions } from './dimensions.ts';
import { identityOf, mergeNeeds, needRow, profileFacts, rowKey } from './need-row.ts';
import { assertCountable } from '../validate.ts';
import { Askers } from './fit.ts';
import type { NeedRow, ProfileFacts } from './need-row.ts';

/** Profiles are few and come again with every report: what follows from them is worked out once. */
export class Profiles {
  readonly askers = new Askers();
  readonly #byObject = new WeakMap<Profile, ProfileFacts>();
  readonly #byKey = new Map<string, ProfileFacts>();
  #made = 0;

  of(profile: Profile): ProfileFacts {
    const known = this.#byObject.get(profile);
    if (known !== undefined) return known;
    const key = JSON.stringify([profile.priority, profile.interruptionBucket, profile.reclamationBucket, profile.requirements, profile.spread]);
    let facts = this.#byKey.get(key);
    if (facts === undefined) {
      if (this.#byKey.size > MAX_REMEMBERED) this.#byKey.clear();
      facts = this.#canonical(profileFacts(profile, this.#made++));
      this.#byKey.set(key, facts);
    }
    this.#byObject.set(profile, facts);
    return facts;
  }

  /** Profiles that differ only in the order of their parts are one. */
  #canonical(facts: ProfileFacts): ProfileFacts {
    const known = this.#byKey.get(facts.key);
    if (known !== undefined) return known;
    this.#byKey.set(facts.key, facts);
    return facts;
  }
}

const MAX_REMEMBERED = 100_000;

export class Demand {
  readonly rows: readonly NeedRow[];
  readonly hasGangs: boolean;
  readonly byDemandKey = new Map<string, NeedRow[]>();
  /** Demands of which no plan has been committed yet. */
  readonly unseen = new Set<string>();
  #ordered: readonly NeedRow[] | undefined;
  /** Nearly in order: the last order, and what is new behind it. */
  #rough: readonly NeedRow[];
  readonly #byIdentity: ReadonlyMap<string, NeedRow>;

  /** Rows that say what `before` said already are kept, and with them what is known of them. Throws if rows that are one are too much together. */
  constructor(needs: readonly Need[], before: Demand | undefined, profiles: Profiles, dimensions: Dimensions) {
    const merged = new Map<string, Need>();
    for (const need of needs) {
      const identity = rowKey(need, profiles.of(need.profile));
      const known = merged.get(identity);
      const sum = known === undefined ? need : mergeNeeds(known, need);
      if (known !== undefined) assertCountable(sum);
      merged.set(identity, sum);
    }
    const rows = new Map<string, NeedRow>();
    const kept = new Set<NeedRow>();
    const fresh: NeedRow[] = [];
    for (const [identity, need] of merged) {
      const known = before === undefined ? undefined : before.#byIdentity.get(identity);
      const same = known !== undefined && equalVectors(known.need.aggregate, need.aggregate) && equalVectors(known.need.minUnit, need.minUnit);
      const row = same ? known : needRow(need, profiles.of(need.profile), dimensions, profiles.askers);
      rows.set(identity, row);
      if (same) kept.add(row);
      else fresh.push(row);
    }
    this.#byIdentity = rows;
    this.rows = [...rows.values()];
    this.#rough = before === undefined ? fresh : before.#latest.filter((row) => kept.has(row)).concat(fresh);
    this.hasGangs = this.rows.some((row) => row.onOneMachine !== undefined);
    for (const row of this.rows) {
      const known = this.byDemandKey.get(row.demandKey);
      if (known === undefined) this.byDemandKey.set(row.demandKey, [row]);
      else known.push(row);
    }
  }

  /** Every row is one that was kept of `before`, and none of them is missing. */
  saysWhat(before: Demand): boolean {
    if (this.rows.length !== before.rows.length) return false;
    const known = new Set(before.rows);
    return this.rows.every((row) => known.has(row));
  }

  /** In the engine's order. */
  ordered(): readonly NeedRow[] {
    if (this.#ordered === undefined) {
      this.#ordered = [...this.#rough].sort(compareRows);
      this.#rough = NO_ROWS;
    }
    return this.#ordered;
  }

  get #latest(): readonly NeedRow[] {
    return this.#ordered ?? this.#rough;
  }

  /** `arrivals` are all that are remembered. */
  adoptArrivals(arrivals: ReadonlyMap<string, Millis>): void {
    for (const [key, rows] of this.byDemandKey) {
      const at = arrivals.get(key) ?? Number.POSITIVE_INFINITY;
      if (at === Number.POSITIVE_INFINITY) this.unseen.add(key);
      for (const row of rows) row.arrival = at;
    }
  }

  setArrival(demandKey: string, at: Millis): void {
    for (const row of this.byDemandKey.get(demandKey) ?? []) {
      row.arrival = at;
      row.verdict = undefined;
    }
    if (at === Number.POSITIVE_INFINITY) this.unseen.add(demandKey);
    else this.unseen.delete(demandKey);
    this.#rough = this.#latest;
    this.#ordered = undefined;
  }
}

const NO_ROWS: readonly NeedRow[] = [];

function equalVectors(a: ResourceVector, b: ResourceVector): boolean {
  return a === b || (a.length === b.length && a.every(([name, amount], i) => name === b[i]?.[0] && amount === b[i][1]));
}

/**
 * The order in which Needs choose (spec: engine 6.9, D2): precedence first, then age, then names; among rows of one
 * profile the larger unit chooses first, because a small unit fits where a large one does not.
 */
export function compareRows(a: NeedRow, b: NeedRow): number {
  return (
    b.precedence - a.precedence ||
    compareNumbers(a.arrival, b.arrival) ||
    compareText(a.need.cluster, b.need.cluster) ||
    compareText(a.need.group, b.need.group) ||
    compareText(a.need.fingerprint, b.need.fingerprint) ||
    compareUnitClassDescending(a.need.unitClass, b.need.unitClass) ||
    compareText(identityOf(a), identityOf(b))
  );
}

function compareNumbers(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0; // not a − b: two rows that nobody has seen yet both stand at +∞
}

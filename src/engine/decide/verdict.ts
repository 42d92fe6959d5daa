/** What became of each Need (spec: engine 6.8, 16; D12, D14, D18). */
import type { Facts } from '../facts/facts.ts';
import type { Fit } from '../facts/fit.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { Millis, NeedVerdict, UnmetReason } from '../types.ts';
import { LowestServed } from './lowest-served.ts';
import type { Market } from './market.ts';
import type { Tally } from './tally.ts';

/** Counting stops here: whoever reads it wants to know whether supply exists, not how large a fleet is. */
const MATCHING_CAP = 256;

/** Says of each row that the tally stands for, itself or the gangs that were planned as one, what became of it. */
export function reportOn(tally: Tally, now: Millis, ranks: Ranks): void {
  const { row } = tally;
  const supply = tally.satisfied ? undefined : ranks.matchingSupply(tally.fit);
  const outcome: Outcome = { tally, supply, reason: supply && reasonOf(tally, supply, ranks), foldedAs: row.foldedAs };
  if (row.gangs === undefined) keep(row, tally.lacking, outcome, now);
  else perGang(row.gangs, outcome, now);
}

interface Outcome {
  readonly tally: Tally;
  readonly supply: MatchingSupply | undefined;
  readonly reason: UnmetReason | undefined;
  readonly foldedAs: string | undefined;
}

/** Of dimensions beyond the end nothing lacks either. */
const NOTHING: readonly number[] = [];

/** What lacks is laid to the gangs that choose last; all of them share the machines. */
function perGang(gangs: readonly NeedRow[], outcome: Outcome, now: Millis): void {
  const { row, lacking, satisfied } = outcome.tally;
  if (satisfied) {
    for (const gang of gangs) keep(gang, NOTHING, outcome, now);
    return;
  }
  const left = lacking.slice();
  for (let i = gangs.length - 1; i >= 0; i--) {
    const gang = gangs[i] as NeedRow;
    const parts = gang.dims.map((dim, d) => {
      const at = row.dims.indexOf(dim);
      const part = at < 0 ? 0 : Math.min(left[at] as number, gang.wanted[d] as number);
      if (at >= 0) left[at] = (left[at] as number) - part;
      return part;
    });
    keep(gang, parts, outcome, now);
  }
}

/** The old verdict stays as long as it is true, so that readers see at a glance what is news. */
function keep(row: NeedRow, lacking: readonly number[], outcome: Outcome, now: Millis): void {
  if (row.verdict !== undefined && isStill(row.verdict, row, lacking, outcome, now)) return;
  row.verdict = verdictOf(row, lacking, outcome, now);
}

function isStill(before: NeedVerdict, row: NeedRow, lacking: readonly number[], { tally, supply, reason, foldedAs }: Outcome, now: Millis): boolean {
  const satisfied = isNothing(lacking);
  return (
    before.need === row.need &&
    before.arrival === arrivalOf(row, now) &&
    before.satisfied === satisfied &&
    before.reason === (satisfied ? undefined : reason) &&
    before.machines === tally.credited + tally.acquired &&
    before.inFlight === tally.arriving + tally.acquired &&
    before.provisions === tally.bought.length &&
    before.bootstraps === tally.idle.length &&
    before.sameDomain === tally.domain &&
    before.sameSatisfiable === tally.satisfiable &&
    before.sharedBy === sharedBy(tally) &&
    before.foldedAs === foldedAs &&
    isDeficit(before.deficit, lacking) &&
    equalParts(before.preemption, preemptionOf(tally)) &&
    (satisfied || equalSupply(before.matchingSupply, supply)) &&
    equalParts(before.sameCandidates, satisfied ? undefined : tally.candidates)
  );
}

function isNothing(lacking: readonly number[]): boolean {
  for (const amount of lacking) if (amount !== 0) return false;
  return true;
}

function isDeficit(deficit: NeedVerdict['deficit'], lacking: readonly number[]): boolean {
  for (let i = 0; i < deficit.length; i++) if ((deficit[i] as NeedVerdict['deficit'][number])[1] !== (lacking[i] ?? 0)) return false;
  return true;
}

function equalSupply(a: MatchingSupply | undefined, b: MatchingSupply | undefined): boolean {
  return a === b || (a?.idle === b?.idle && a?.speculative === b?.speculative && a?.configured === b?.configured && a?.capped === b?.capped);
}

function equalParts(a: object | undefined, b: object | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b));
}

function sharedBy({ row: { gangs } }: Tally): number | undefined {
  return gangs !== undefined && gangs.length > 1 ? gangs.length : undefined;
}

function preemptionOf({ row, reserved, freed }: Tally): NeedVerdict['preemption'] {
  return reserved === 0 ? undefined : { victims: reserved, freed: row.need.aggregate.map(([name], i) => [name, freed?.[i] ?? 0] as const) };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function verdictOf(row: NeedRow, lacking: readonly number[], { tally, supply, reason, foldedAs }: Outcome, now: Millis): NeedVerdict {
  const satisfied = isNothing(lacking);
  const verdict: Mutable<NeedVerdict> = {
    need: row.need,
    arrival: arrivalOf(row, now),
    satisfied,
    deficit: row.need.aggregate.map(([name], i) => [name, lacking[i] ?? 0] as const),
    machines: tally.credited + tally.acquired,
    inFlight: tally.arriving + tally.acquired,
    bootstraps: tally.idle.length,
    provisions: tally.bought.length,
  };
  const preemption = preemptionOf(tally);
  const shared = sharedBy(tally);
  if (tally.domain !== undefined) verdict.sameDomain = tally.domain;
  if (tally.satisfiable !== undefined) verdict.sameSatisfiable = tally.satisfiable;
  if (preemption !== undefined) verdict.preemption = preemption;
  if (shared !== undefined) verdict.sharedBy = shared;
  if (foldedAs !== undefined) verdict.foldedAs = foldedAs;
  if (satisfied) return verdict;
  if (reason !== undefined) verdict.reason = reason;
  if (supply !== undefined) verdict.matchingSupply = supply;
  if (tally.candidates !== undefined) verdict.sameCandidates = tally.candidates;
  return verdict;
}

function arrivalOf(row: NeedRow, now: Millis): Millis {
  return row.arrival === Number.POSITIVE_INFINITY ? now : row.arrival;
}

/** What is served where nothing is preempted: in clusters that may not give, by machines that are not ready yet, or anywhere if no List is trusted. */
function lowestKept(market: Market): LowestServed {
  const { facts } = market;
  const kept = new LowestServed();
  const giving = new Set(facts.supplyTrusted ? market.givers : []);
  for (const cluster of facts.clusters.all()) {
    for (const group of cluster.bound.groups()) {
      if (group.kind === 'configured' && giving.has(cluster)) continue;
      if (cluster.demand === undefined) kept.noteOne(cluster, group.classIndex, market.stampOf(group)?.priority ?? -Infinity);
      else for (const { holder } of group.shares) kept.noteOne(cluster, group.classIndex, holder.row.need.profile.priority);
      if (cluster.demand !== undefined && group.left > 0) kept.noteOne(cluster, group.classIndex, -Infinity);
    }
  }
  return kept;
}

type MatchingSupply = NonNullable<NeedVerdict['matchingSupply']>;

function matchingSupplyOf(fit: Fit): MatchingSupply {
  const counts = { idle: 0, speculative: 0, configured: 0 };
  for (const { usable } of fit.classes) {
    counts.idle += usable.idle;
    counts.speculative += usable.speculative;
    counts.configured += usable.configured;
  }
  const cap = (n: number): number => Math.min(n, MATCHING_CAP);
  return {
    idle: cap(counts.idle),
    speculative: cap(counts.speculative),
    configured: cap(counts.configured),
    capped: Object.values(counts).some((n) => n > MATCHING_CAP),
  };
}

/** First match wins. */
function reasonOf(tally: Tally, supply: MatchingSupply, ranks: Ranks): UnmetReason {
  if (tally.covered) return 'PREEMPTION_IN_PROGRESS';
  if (tally.blocked === 'session') return 'NO_SESSION';
  if (tally.blocked === 'topology') return 'TOPOLOGY_UNSATISFIABLE';
  if (tally.blocked === 'disruption') return 'DISRUPTION_BLOCKED';
  const exists = tally.credited + tally.acquired + tally.reserved + tally.awaiting + supply.idle + supply.speculative + supply.configured > 0;
  if (!exists) return 'NO_MATCHING_SUPPLY';
  const isProtected = tally.undisruptable.length > 0 && tally.undisruptable.some(([cls]) => tally.contributes(cls));
  if (tally.blocked === 'limit') return 'LIMIT_REACHED';
  if (tally.reserved > 0) return isProtected ? 'DISRUPTION_BLOCKED' : 'PREEMPTION_EXHAUSTED';
  if (tally.blocked === 'spread') return 'SPREAD_UNSATISFIABLE';
  if (isProtected || ranks.isKeptFrom(tally)) return 'DISRUPTION_BLOCKED';
  return ranks.isOutranked(tally.fit, tally.row) ? 'PRIORITY_STARVED' : 'SUPPLY_EXHAUSTED';
}

/** Among the machines that fit: the highest precedence of who has one, and the highest priority that one of a cluster that has not reported was bound for. */
interface Highest {
  precedence: number;
  stamp: number;
}

/** Who has machines of each class. Worked out when the first Need asks. */
export class Ranks {
  readonly #market: Market;
  readonly #tallies: readonly Tally[];
  #byClass: { readonly precedence: Float64Array; readonly stamp: Float64Array } | undefined;
  readonly #highest = new Map<Fit, Highest>();
  readonly #supply = new Map<Fit, MatchingSupply>();
  #kept: LowestServed | undefined;

  constructor(market: Market, tallies: readonly Tally[]) {
    this.#market = market;
    this.#tallies = tallies;
  }

  matchingSupply(fit: Fit): MatchingSupply {
    let supply = this.#supply.get(fit);
    if (supply === undefined) this.#supply.set(fit, (supply = matchingSupplyOf(fit)));
    return supply;
  }

  /** True if a Need of higher precedence has a machine that fits, or a cluster that has not reported yet does and it was bound for a higher priority. */
  isOutranked(fit: Fit, row: NeedRow): boolean {
    const { precedence, stamp } = this.#highestOf(fit);
    return precedence > row.precedence || stamp > row.need.profile.priority;
  }

  /** True if a machine that fits serves a lower priority, or nobody, in another cluster, and cannot be taken at present. */
  isKeptFrom({ fit, cluster, row }: Tally): boolean {
    this.#kept ??= lowestKept(this.#market);
    return this.#kept.of(fit, cluster) < row.need.profile.priority;
  }

  #highestOf(fit: Fit): Highest {
    let highest = this.#highest.get(fit);
    if (highest !== undefined) return highest;
    const byClass = (this.#byClass ??= this.#find(this.#market.facts));
    highest = { precedence: -Infinity, stamp: -Infinity };
    for (const { index } of fit.classes) {
      highest.precedence = Math.max(highest.precedence, byClass.precedence[index] as number);
      highest.stamp = Math.max(highest.stamp, byClass.stamp[index] as number);
    }
    this.#highest.set(fit, highest);
    return highest;
  }

  #find({ inventory, clusters }: Facts): { readonly precedence: Float64Array; readonly stamp: Float64Array } {
    const precedence = new Float64Array(inventory.shapes.classCapacity).fill(-Infinity);
    const stamp = new Float64Array(inventory.shapes.classCapacity).fill(-Infinity);
    const note = (classIndex: number, rank: number): void => {
      if (rank > (precedence[classIndex] as number)) precedence[classIndex] = rank;
    };
    for (const cluster of clusters.all()) {
      for (const shelf of cluster.shelves()) {
        for (const group of shelf.groups()) for (const { holder } of group.shares) note(group.classIndex, holder.row.precedence);
      }
      if (cluster.demand !== undefined) continue;
      for (const group of cluster.bound.groups()) {
        stamp[group.classIndex] = Math.max(stamp[group.classIndex] as number, this.#market.stampOf(group)?.priority ?? -Infinity);
      }
    }
    for (const group of this.#market.drawnOn) for (const { holder } of group.shares) note(group.classIndex, holder.row.precedence);
    for (const { victims, row } of this.#tallies) for (const { slot } of victims) note(inventory.shape(slot).class.index, row.precedence);
    return { precedence, stamp };
  }
}

/** What became of each Need (spec: engine 6.8, 16; D12, D14, D18). */
import type { Facts } from '../facts/facts.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { Millis, NeedVerdict, ResourceVector, UnmetReason } from '../types.ts';
import type { Market } from './market.ts';
import type { Tally } from './tally.ts';

/** Counting stops here: whoever reads it wants to know whether supply exists, not how large a fleet is. */
const MATCHING_CAP = 256;

/** The verdict of each row that the tally stands for: itself, or the gangs that were planned as one. */
export function verdictsOf(tally: Tally, now: Millis, ranks: Ranks): [NeedRow, NeedVerdict][] {
  const verdict = verdictOf(tally, now, ranks);
  const { gangs } = tally.row;
  if (gangs === undefined) return [[tally.row, verdict]];
  return perGang(gangs, verdict, now);
}

function verdictOf(tally: Tally, now: Millis, ranks: Ranks): NeedVerdict {
  const { row, picks } = tally;
  const provisions = picks.reduce((n, { speculative }) => n + Number(speculative), 0);
  const { satisfied } = tally;
  const supply = satisfied ? undefined : matchingSupplyOf(tally);
  return {
    need: row.need,
    arrival: arrivalOf(row, now),
    satisfied,
    deficit: tally.deficit(),
    ...(supply && { reason: reasonOf(tally, supply, ranks) }),
    machines: tally.credited + picks.length,
    inFlight: tally.arriving + picks.length,
    bootstraps: picks.length - provisions,
    provisions,
    ...(tally.domain !== undefined && { sameDomain: tally.domain }),
    ...(tally.satisfiable !== undefined && { sameSatisfiable: tally.satisfiable }),
    ...(!satisfied && tally.candidates !== undefined && { sameCandidates: tally.candidates }),
    ...(tally.reserved > 0 && { preemption: { victims: tally.reserved, freed: named(row, tally.freed ?? []) } }),
    ...(supply && { matchingSupply: supply }),
  };
}

/** What lacks is laid to the gangs that choose last; all of them share the machines. */
function perGang(gangs: readonly NeedRow[], shared: NeedVerdict, now: Millis): [NeedRow, NeedVerdict][] {
  const left = new Map(shared.deficit);
  const verdicts: [NeedRow, NeedVerdict][] = [];
  for (let i = gangs.length - 1; i >= 0; i--) {
    const gang = gangs[i] as NeedRow;
    const deficit = gang.need.aggregate.map(([name, amount]): readonly [string, number] => {
      const rest = left.get(name) ?? 0;
      const part = Math.min(rest, Math.ceil(amount));
      left.set(name, rest - part);
      return [name, part];
    });
    const satisfied = deficit.every(([, amount]) => amount === 0);
    const { reason, matchingSupply, ...rest } = shared;
    verdicts.push([
      gang,
      {
        ...rest,
        need: gang.need,
        arrival: arrivalOf(gang, now),
        satisfied,
        deficit,
        ...(!satisfied && reason !== undefined && { reason }),
        ...(!satisfied && matchingSupply !== undefined && { matchingSupply }),
        ...(gangs.length > 1 && { sharedBy: gangs.length }),
      },
    ]);
  }
  return verdicts.reverse();
}

function arrivalOf(row: NeedRow, now: Millis): Millis {
  return row.arrival === Number.POSITIVE_INFINITY ? now : row.arrival;
}

function named(row: NeedRow, amounts: readonly number[]): ResourceVector {
  return row.need.aggregate.map(([name], i) => [name, amounts[i] ?? 0] as const);
}

type MatchingSupply = NonNullable<NeedVerdict['matchingSupply']>;

function matchingSupplyOf(tally: Tally): MatchingSupply {
  const counts = { idle: 0, speculative: 0, configured: 0 };
  for (const { usable } of tally.fit.classes) {
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
  const exists = tally.credited + tally.picks.length + tally.reserved + supply.idle + supply.speculative + supply.configured > 0;
  if (!exists) return 'NO_MATCHING_SUPPLY';
  if (tally.reserved > 0) return 'PREEMPTION_EXHAUSTED';
  if (tally.blocked === 'limit') return 'LIMIT_REACHED';
  if (tally.blocked === 'spread') return 'SPREAD_UNSATISFIABLE';
  if (tally.undisruptable) return 'DISRUPTION_BLOCKED';
  return ranks.isOutranked(tally.fit.classes, tally.row) ? 'PRIORITY_STARVED' : 'SUPPLY_EXHAUSTED';
}

/** Who has machines of each class. Worked out when the first Need asks. */
export class Ranks {
  readonly #market: Market;
  readonly #tallies: readonly Tally[];
  #precedence: Float64Array | undefined;
  #stamp: Float64Array | undefined;

  constructor(market: Market, tallies: readonly Tally[]) {
    this.#market = market;
    this.#tallies = tallies;
  }

  /** True if a Need of higher precedence has a machine of one of these classes, or a cluster that has not reported yet does and it was bound for a higher priority. */
  isOutranked(classes: readonly MachineClass[], row: NeedRow): boolean {
    if (this.#precedence === undefined || this.#stamp === undefined) this.#find(this.#market.facts);
    return classes.some(({ index }) => (this.#precedence?.[index] as number) > row.precedence || (this.#stamp?.[index] as number) > row.need.profile.priority);
  }

  #find({ inventory, clusters }: Facts): void {
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
    this.#precedence = precedence;
    this.#stamp = stamp;
  }
}

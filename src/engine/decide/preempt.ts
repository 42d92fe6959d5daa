/**
 * Taking machines from those who rank below (spec: engine 8; X2, X3, X24). What is taken is reserved for its preemptor
 * until it has arrived there; never one's own machine nor an equal's, and what nobody needs goes first.
 */
import { upperBoundDollars } from '../../api/profile.ts';
import type { Cluster } from '../facts/cluster.ts';
import type { Group } from '../facts/group.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { Policy } from '../types.ts';
import type { Stretch } from './forecast.ts';
import type { Coming, Market } from './market.ts';
import type { Means, Tally } from './tally.ts';

/** Machines that may be taken, at positions from..to of their group. */
export interface Lot {
  /** Who has them, or was promised them; undefined = nobody. */
  readonly cluster: Cluster | undefined;
  readonly group: Group<Tally>;
  from: number;
  to: number;
  /** Nobody needs them. */
  readonly excess: boolean;
  readonly means: Means;
  /** Of what they serve now; of what they were bound for if nobody needs them: that may still run there. */
  readonly priority: number;
  /** Higher = better to take. */
  readonly score: number;
}

/** Of machines that nobody needs and nobody knows the purpose of. */
const UNKNOWN = { priority: -(2 ** 31), interruptionBucket: 0, reclamationBucket: 0 };
const DRAIN_SECONDS = 30;
const WEIGHTS = { priority: 1, drain: 0.1, interruption: 0.1, reclamation: 0.1 };
const LEAST_DOLLARS = 0.01;

/** How good a victim is (spec: engine 8.4). */
export function victimScore(preemptor: number, victim: { readonly priority: number; readonly interruptionBucket: number; readonly reclamationBucket: number }): number {
  const dollars = (bucket: number): number => Math.max(LEAST_DOLLARS, upperBoundDollars(bucket));
  return (
    Math.max(0, preemptor - victim.priority) * WEIGHTS.priority +
    WEIGHTS.drain / DRAIN_SECONDS +
    WEIGHTS.interruption / dollars(victim.interruptionBucket) +
    WEIGHTS.reclamation / dollars(victim.reclamationBucket)
  );
}

/** The wider the gap, the shorter the grace (spec: engine 8.6). */
export function graceSeconds(preemptor: number, victim: number, graces: Policy['preemptionGraceSeconds']): number {
  const gap = preemptor - victim;
  return gap > 900_000 ? graces[0] : gap > 500_000 ? graces[1] : gap > 100_000 ? graces[2] : graces[3];
}

/** Takes what still lacks; `admits` narrows the choice to classes. */
export function preempt(market: Market, tally: Tally, admits?: (lot: Lot) => boolean): void {
  const ties = lotsFor(market, tally);
  const all = ties.flat();
  for (const tie of ties) {
    while (!tally.covered) {
      const lot = smallestHead(market, tally, tie, admits);
      if (lot === undefined) break;
      const n = Math.min(tie.length === 1 ? lot.to - lot.from : 1, tally.wants(market.classOf(lot.group)));
      takeVictims(market, tally, lot, n, all);
    }
  }
}

/** Of lots that are equally good the one whose next machine has the smallest id. */
export function smallestHead(market: Market, tally: Tally, tie: readonly Lot[], admits: ((lot: Lot) => boolean) | undefined): Lot | undefined {
  let best: Lot | undefined;
  let bestRank = Infinity;
  for (const lot of tie) {
    if (lot.from >= lot.to || admits?.(lot) === false || !tally.contributes(market.classOf(lot.group))) continue;
    const rank = market.rank[lot.group.members[lot.from] as number] as number;
    if (rank >= bestRank) continue;
    best = lot;
    bestRank = rank;
  }
  return best;
}

/** The next `n` machines of the lot go to the tally: out of this plan for everybody else. `lots` are all that were offered. */
export function takeVictims(market: Market, tally: Tally, lot: Lot, n: number, lots: readonly Lot[]): void {
  const cls = market.classOf(lot.group);
  for (const slot of market.takeOut(lot.group, lot.from, n, lot.cluster)) tally.preempt(slot, lot);
  lot.to -= n;
  for (const other of lots) {
    if (other === lot || other.group !== lot.group || other.from < lot.to) continue;
    other.from -= n;
    other.to -= n;
  }
  if (lot.means === 'awaited') tally.await(cls, n);
  else tally.reserve(cls, n);
}

/** What the Need may take, best first; lots of equal rank together: what will be anybody's comes before what somebody has. */
export function lotsFor(market: Market, tally: Tally): Lot[][] {
  if (tally.covered) return [];
  const ofOthers = lotsOfOthers(market, tally);
  return isPlain(tally) || ofOthers.length > 0 ? [...awaited(market, tally), ...ofOthers] : ofOthers;
}

/** What others have, or are promised. Notes in the tally what only a ban on disruption keeps from it. */
export function lotsOfOthers(market: Market, tally: Tally): Lot[][] {
  return tally.covered ? [] : [...promisedToOthers(market, tally), ...victimsFor(market, tally)];
}

/**
 * What will be anybody's: whose turn comes first waits for it, and takes nothing from anybody instead (X2), for as long as it
 * finds nothing that is there. Nothing is remembered of it, so that it holds nobody back who is served otherwise meanwhile; but
 * gangs and strict spreads, which acquire the rest by it, are promised it, and only instead of what they would take. The cheapest first.
 */
function awaited(market: Market, tally: Tally): Lot[][] {
  const lots = lotsComing(market, tally, market.awaited, isPlain(tally) ? 'awaited' : 'promised');
  return tiesBy(lots, ({ group }) => market.classOf(group).priceMicroUsdPerHour);
}

function isPlain({ row: { sameKey, spread } }: Tally): boolean {
  return sameKey === undefined && spread === undefined;
}

/** What is on its way to demand that ranks below, whose turn is still to come, and is no gang: it loses nothing that it has. */
function promisedToOthers(market: Market, tally: Tally): Lot[][] {
  return tiesBy(lotsComing(market, tally, market.promises, 'promised'), (lot) => lot.priority);
}

/** Of each class no more than would be enough: thousands may be promised some of one. */
function lotsComing(market: Market, tally: Tally, coming: ReadonlyMap<number, readonly Coming[]>, means: Means): Lot[] {
  const { priority } = tally.row.need.profile;
  const lots: Lot[] = [];
  for (const [classIndex, those] of coming) {
    if (tally.fit.accepts[classIndex] !== 1) continue;
    let wanted: number | undefined;
    for (const { cluster, group, priority: below } of those) {
      if (below >= priority) break;
      if (group.size === 0) continue;
      wanted ??= tally.wants(market.classOf(group));
      if (wanted <= 0) break;
      for (const [from, to] of market.comingIn(group)) {
        lots.push({ cluster, group, from, to, excess: true, means, priority: below, score: 0 });
        wanted -= to - from;
      }
    }
  }
  return lots;
}

/** Smallest first. */
function tiesBy(lots: Lot[], key: (lot: Lot) => number): Lot[][] {
  return [...Map.groupBy(lots.sort((a, b) => key(a) - key(b)), key).values()];
}

function isOfUse(group: Group<Tally>, market: Market, tally: Tally): boolean {
  return tally.fit.accepts[group.classIndex] === 1 && tally.contributes(market.classOf(group));
}

function victimsFor(market: Market, tally: Tally): Lot[][] {
  if (!market.facts.supplyTrusted || !market.mayHaveVictims(tally)) return [];
  const lots: Lot[] = [];
  const undisruptable: [MachineClass, number][] = [];
  for (const cluster of market.givers) {
    if (cluster === tally.cluster) continue;
    for (const stretch of market.stretches(cluster)) {
      const lot = lotOf(stretch, cluster, market, tally);
      if (lot === undefined) continue;
      if (isUndisruptable(lot.group)) undisruptable.push([market.classOf(lot.group), lot.to - lot.from]);
      else lots.push(lot);
    }
  }
  tally.undisruptable = undisruptable;
  return inTies(lots);
}

/**
 * What counts is whom the machines serve now, whatever they were bound for (X3). What nobody needs and nothing runs on anybody
 * may have; while Pods run on it, what it was bound for counts: patience with it is not over for whom that outranks (D32).
 */
function lotOf({ group, from, to, holder }: Stretch, cluster: Cluster, market: Market, tally: Tally): Lot | undefined {
  const { priority } = tally.row.need.profile;
  if (!isOfUse(group, market, tally)) return undefined;
  const victim = holder?.need.profile ?? market.stampOf(group) ?? UNKNOWN;
  if (victim.priority >= priority && (holder !== undefined || isOccupied(group))) return undefined;
  return { cluster, group, from, to, excess: holder === undefined, means: 'evicted', priority: victim.priority, score: victimScore(priority, victim) };
}

/** Of bound machines the second rank tells what must not be disrupted, or cannot. */
function isUndisruptable(group: Group<Tally>): boolean {
  return group.order[1] === 0;
}

/** The third rank of bound machines is what disrupting them costs, which is nothing where no Pod would have to move. */
function isOccupied(group: Group<Tally>): boolean {
  return group.order[2] !== 0;
}

function inTies(lots: Lot[]): Lot[][] {
  lots.sort((a, b) => Number(b.excess) - Number(a.excess) || b.score - a.score);
  const ties: Lot[][] = [];
  let before: Lot | undefined;
  for (const lot of lots) {
    if (before?.excess === lot.excess && before.score === lot.score) ties.at(-1)?.push(lot);
    else ties.push([lot]);
    before = lot;
  }
  return ties;
}

/**
 * A Need with a strict spread: the greedy of spec: engine 6.6, which never widens the skew. Machines that the Need has
 * already count in their domains, and a domain from which it can get none still holds the others back (X10).
 */
import { compareText } from '../../lib/compare-text.ts';
import type { Group } from '../facts/group.ts';
import type { MachineClass } from '../facts/shapes.ts';
import { attribute } from '../match.ts';
import type { StrictSpread } from '../match.ts';
import type { Market, Tie } from './market.ts';
import { comesFirst, crediting, creditReserved, picking } from './plain.ts';
import { lotsFor, smallestHead, takeVictims } from './preempt.ts';
import type { Lot } from './preempt.ts';
import type { Tally } from './tally.ts';

/** Machines of the Need by domain. */
type SpreadCounts = Map<string, number>;

/**
 * Credits evenly: the domain that has least comes next, so that what is left over is where there is most. What serves
 * already still comes before what is on its way, and counts even where the skew is wide: it is there, and giving it up to
 * buy elsewhere would serve nobody.
 */
export function creditSpread(market: Market, tally: Tally, spread: StrictSpread): SpreadCounts {
  const { key } = spread;
  const counts: SpreadCounts = new Map();
  const bound = market.bound(tally.cluster, tally.fit);
  const arriving = market.arriving(tally);
  const isReady = (tie: Tie): boolean => tie[0]?.kind === 'configured';
  const stages = [bound.filter(isReady), bound.filter((tie) => !isReady(tie)), arriving];
  const isOthers = market.othersOf(tally);
  for (const ties of stages) creditEvenly(market, tally, ties, { key, counts, ...(isOthers && { passesOver: isOthers }) });
  creditReserved(market, tally, {
    taken: (cls, n) => {
      const domain = attribute(key, cls);
      if (domain !== undefined) counts.set(domain, (counts.get(domain) ?? 0) + n);
    },
  });
  if (isOthers !== undefined && comesFirst(market, tally, isOthers)) creditOthersEvenly(market, tally, spread, counts);
  return counts;
}

/** Credits what is for other rows of the demand, where it does not widen the skew. */
export function creditOthersEvenly(market: Market, tally: Tally, { key, maxSkew }: StrictSpread, counts: SpreadCounts): void {
  if (tally.covered || market.othersOf(tally) === undefined) return;
  const bound = market.bound(tally.cluster, tally.fit);
  const arriving = market.arriving(tally);
  countSeen(tally, key, counts);
  for (const ties of [bound, arriving]) creditEvenly(market, tally, ties, { key, counts, maxSkew });
}

/** The machines of one domain, in order; undefined = they lack the label and so are in no domain. */
class Queue {
  readonly domain: string | undefined;
  readonly #market: Market;
  readonly #tally: Tally;
  readonly #entries: { readonly position: number; readonly group: Group<Tally>; readonly cls: MachineClass }[] = [];
  #from = 0;

  constructor(market: Market, tally: Tally, domain: string | undefined) {
    this.domain = domain;
    this.#market = market;
    this.#tally = tally;
  }

  add(position: number, group: Group<Tally>, cls: MachineClass): void {
    this.#entries.push({ position, group, cls });
  }

  /** The next machine's group, its class, and where in the order it stands. */
  head(): { readonly group: Group<Tally>; readonly cls: MachineClass; readonly position: number; readonly rank: number } | undefined {
    const entries = this.#entries;
    const isDone = (i: number): boolean => {
      const entry = entries[i];
      return entry !== undefined && (entry.group.left <= 0 || !this.#tally.contributes(entry.cls));
    };
    while (isDone(this.#from)) this.#from++;
    const first = entries[this.#from];
    if (first === undefined) return undefined;
    let best = first;
    let rank = this.#rankOf(first.group);
    for (let i = this.#from + 1; entries[i]?.position === first.position; i++) {
      const entry = entries[i];
      if (entry === undefined || isDone(i)) continue;
      const at = this.#rankOf(entry.group);
      if (at >= rank) continue;
      best = entry;
      rank = at;
    }
    return { group: best.group, cls: best.cls, position: best.position, rank };
  }

  #rankOf(group: Group<Tally>): number {
    return this.#market.rank[group.members[group.taken] as number] as number;
  }
}

interface Crediting {
  readonly key: string;
  readonly counts: SpreadCounts;
  readonly passesOver?: (group: Group<Tally>) => boolean;
  /** Absent = counts do not matter. */
  readonly maxSkew?: number;
}

function creditEvenly(market: Market, tally: Tally, ties: readonly Tie[], { key, counts, passesOver, maxSkew }: Crediting): void {
  if (tally.covered) return;
  const queues = queuesOf(market, tally, passesOver === undefined ? ties : ties.map((tie) => tie.filter((group) => !passesOver(group))), key);
  const credit = crediting(tally);
  const countOf = ({ domain }: Queue): number => (domain === undefined ? Infinity : (counts.get(domain) ?? 0));
  while (!tally.covered) {
    const most = maxSkew === undefined ? Infinity : mostAllowed(counts, maxSkew);
    let next: Queue | undefined;
    let head: ReturnType<Queue['head']>;
    for (const queue of queues) {
      const candidate = queue.head();
      if (candidate === undefined || countOf(queue) > most) continue;
      if (next === undefined || head === undefined || countOf(queue) < countOf(next)) {
        next = queue;
        head = candidate;
      } else if (countOf(queue) === countOf(next) && (candidate.position - head.position || candidate.rank - head.rank) < 0) {
        next = queue;
        head = candidate;
      }
    }
    if (next === undefined || head === undefined) return;
    credit(head.group, 1, head.cls);
    if (next.domain !== undefined) counts.set(next.domain, countOf(next) + 1);
  }
}

function queuesOf(market: Market, tally: Tally, ties: readonly Tie[], key: string): Queue[] {
  const queues = new Map<string | undefined, Queue>();
  ties.forEach((tie, position) => {
    for (const group of tie) {
      if (group.left <= 0 || tally.fit.accepts[group.classIndex] !== 1) continue;
      const cls = market.classOf(group);
      const domain = attribute(key, cls);
      let queue = queues.get(domain);
      if (queue === undefined) queues.set(domain, (queue = new Queue(market, tally, domain)));
      queue.add(position, group, cls);
    }
  });
  return [...queues.values()];
}

export function acquireSpread(market: Market, tally: Tally, spread: StrictSpread, counts: SpreadCounts): void {
  const idle = domainQueues(market, tally, spread.key, false);
  const speculative = domainQueues(market, tally, spread.key, true);
  countSeen(tally, spread.key, counts);
  while (!tally.covered) {
    const idlePick = cheapestEligible(idle, counts, spread.maxSkew);
    const pick = idlePick ?? cheapestEligible(speculative, counts, spread.maxSkew);
    if (pick === undefined) {
      if ([...idle, ...speculative].some((queue) => queue.domain !== undefined && queue.head() !== undefined)) tally.blocked = 'spread';
      return;
    }
    if (picking(market, tally, pick !== idlePick)(pick.head.group, 1, pick.head.cls) === 0) return;
    counts.set(pick.domain, (counts.get(pick.domain) ?? 0) + 1);
  }
}

/** Every domain with a machine that the Need accepts holds the others back, whoever has it (X10). */
function countSeen({ fit }: Tally, key: string, counts: SpreadCounts): void {
  for (const cls of fit.classes) {
    const domain = attribute(key, cls);
    if (domain !== undefined && !counts.has(domain)) counts.set(domain, 0);
  }
}

function domainQueues(market: Market, tally: Tally, key: string, speculative: boolean): Queue[] {
  const queues = queuesOf(market, tally, [...market.free(tally, speculative)], key);
  return queues.filter(({ domain }) => domain !== undefined).sort((a, b) => compareText(a.domain ?? '', b.domain ?? ''));
}

/** The cheapest head among the domains that may have one more, then the smallest value. */
function cheapestEligible(queues: readonly Queue[], counts: SpreadCounts, maxSkew: number): { readonly domain: string; readonly head: NonNullable<ReturnType<Queue['head']>> } | undefined {
  const most = mostAllowed(counts, maxSkew);
  let best: { readonly domain: string; readonly head: NonNullable<ReturnType<Queue['head']>> } | undefined;
  for (const queue of queues) {
    const { domain } = queue;
    if (domain === undefined || (counts.get(domain) ?? 0) > most) continue;
    const head = queue.head();
    if (head === undefined) continue;
    if (best === undefined || head.cls.priceMicroUsdPerHour < best.head.cls.priceMicroUsdPerHour) best = { domain, head };
  }
  return best;
}

/** A domain with more machines than this must wait for the others. */
function mostAllowed(counts: SpreadCounts, maxSkew: number): number {
  let lowest = Infinity;
  for (const count of counts.values()) lowest = Math.min(lowest, count);
  return lowest + maxSkew - 1;
}

/** What lacks is taken from those who rank below, without widening the skew either. */
export function preemptSpread(market: Market, tally: Tally, spread: StrictSpread, counts: SpreadCounts): void {
  const ties = lotsFor(market, tally);
  const lots = ties.flat();
  const domainOf = (lot: Lot): string | undefined => attribute(spread.key, market.classOf(lot.group));
  while (!tally.covered) {
    const most = mostAllowed(counts, spread.maxSkew);
    const isAllowed = (candidate: Lot): boolean => {
      const domain = domainOf(candidate);
      return domain !== undefined && (counts.get(domain) ?? 0) <= most;
    };
    const lot = firstOf(ties, (tie) => smallestHead(market, tally, tie, isAllowed));
    if (lot === undefined) {
      const isInDomain = (candidate: Lot): boolean => domainOf(candidate) !== undefined;
      if (firstOf(ties, (tie) => smallestHead(market, tally, tie, isInDomain)) !== undefined) tally.blocked = 'spread';
      return;
    }
    takeVictims(market, tally, lot, 1, lots);
    const domain = domainOf(lot) ?? '';
    counts.set(domain, (counts.get(domain) ?? 0) + 1);
  }
}

function firstOf<T, R>(items: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

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
import { comesFirst, crediting, creditReserved, keepUntilMoved, mayKeepParts, picking, tooDear } from './plain.ts';
import { lotsFor, smallestHead, takeVictims } from './preempt.ts';
import type { Lot } from './preempt.ts';
import type { Tally } from './tally.ts';

/** Machines of the Need by domain. */
type SpreadCounts = Map<string, number>;

/**
 * Credits in order as far as the skew allows (D13), and beyond it the domain that has least, so that what is left over is
 * where there is most. What serves already still comes before what is on its way, and counts even where the skew is wide: it
 * is there, and giving it up to buy elsewhere would serve nobody. Domains in which only others have machines do not count here:
 * what comes and goes elsewhere moves nothing that serves.
 */
export function creditSpread(market: Market, tally: Tally, spread: StrictSpread): SpreadCounts {
  const { key, maxSkew } = spread;
  const counts: SpreadCounts = new Map();
  const bound = market.bound(tally.cluster, tally.fit);
  const arriving = market.arriving(tally);
  const isReady = (tie: Tie): boolean => tie[0]?.kind === 'configured';
  const stages = [bound.filter(isReady), bound.filter((tie) => !isReady(tie)), arriving];
  const isOthers = market.othersOf(tally);
  for (const ties of stages) creditEvenly(market, tally, ties, { key, counts, maxSkew, mayWiden: true, ...(isOthers && { passesOver: isOthers }) });
  if (mayKeepParts(tally)) keepUntilMoved(market, tally);
  creditReserved(market, tally, {
    taken: (cls, n) => {
      const domain = attribute(key, cls);
      if (domain !== undefined) counts.set(domain, (counts.get(domain) ?? 0) + n);
    },
  });
  if (isOthers !== undefined && comesFirst(market, tally, isOthers)) creditOthersEvenly(market, tally, spread, counts);
  return counts;
}

/** Credits what is there for other rows of the demand, where it does not widen the skew. */
export function creditOthersEvenly(market: Market, tally: Tally, { key, maxSkew }: StrictSpread, counts: SpreadCounts): void {
  if (tally.covered || market.othersOf(tally) === undefined) return;
  const bound = market.bound(tally.cluster, tally.fit);
  countSeen(tally, key, counts);
  market.sensitive.add(tally.cluster);
  creditEvenly(market, tally, bound, { key, counts, maxSkew, mayWiden: false });
}

interface Head {
  readonly position: number;
  readonly group: Group<Tally>;
  readonly cls: MachineClass;
}

/** The machines of one domain, in order; undefined = they lack the label and so are in no domain. */
class Queue {
  readonly domain: string | undefined;
  readonly #market: Market;
  readonly #tally: Tally;
  readonly #entries: Head[] = [];
  #from = 0;
  /** As long as nothing was taken from it and the tally lacks the same dimensions. */
  #head: Head | undefined;
  #uncovered = -1;

  constructor(market: Market, tally: Tally, domain: string | undefined) {
    this.domain = domain;
    this.#market = market;
    this.#tally = tally;
  }

  add(position: number, group: Group<Tally>, cls: MachineClass): void {
    this.#entries.push({ position, group, cls });
  }

  /** The next machine's group, its class, and where in the order it stands. */
  head(): Head | undefined {
    if (this.#uncovered !== this.#tally.uncovered) {
      this.#uncovered = this.#tally.uncovered;
      this.#head = this.#find();
    }
    return this.#head;
  }

  /** Its head was taken. */
  advance(): void {
    this.#uncovered = -1;
  }

  #find(): Head | undefined {
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
    return best;
  }

  #rankOf(group: Group<Tally>): number {
    return this.#market.rank[group.members[group.taken] as number] as number;
  }
}

interface Crediting {
  readonly key: string;
  readonly counts: SpreadCounts;
  readonly maxSkew: number;
  /** Also what is beyond the skew counts. */
  readonly mayWiden: boolean;
  readonly passesOver?: (group: Group<Tally>) => boolean;
}

function creditEvenly(market: Market, tally: Tally, ties: readonly Tie[], { key, counts, maxSkew, mayWiden, passesOver }: Crediting): void {
  if (tally.covered) return;
  const queues = queuesOf(market, tally, passesOver === undefined ? ties : ties.map((tie) => tie.filter((group) => !passesOver(group))), key);
  for (const { domain } of queues) if (domain !== undefined && !counts.has(domain)) counts.set(domain, 0);
  const credit = crediting(tally);
  while (!tally.covered) {
    const most = mostAllowed(counts, maxSkew);
    let next: Queue | undefined;
    let head: Head | undefined;
    let least = Infinity;
    for (const queue of queues) {
      const candidate = queue.head();
      if (candidate === undefined) continue;
      const beyond = queue.domain === undefined ? Infinity : Math.max(0, (counts.get(queue.domain) as number) - most);
      if (beyond > 0 && !mayWiden) continue;
      if (head === undefined || beyond < least || (beyond === least && candidate.position < head.position)) {
        next = queue;
        head = candidate;
        least = beyond;
      }
    }
    if (next === undefined || head === undefined) return;
    credit(head.group, 1, head.cls);
    next.advance();
    if (next.domain !== undefined) counts.set(next.domain, (counts.get(next.domain) as number) + 1);
  }
}

/** By domain: of machines that stand equally high the one in the smallest is credited and acquired first. */
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
  return [...queues.values()].sort((a, b) => compareText(a.domain ?? '', b.domain ?? ''));
}

/**
 * Acquires, and preempts where nothing free may be taken without widening the skew: each victim may open a domain in which
 * something is free, which no lower Need may buy meanwhile.
 */
export function seekEvenly(market: Market, tally: Tally, { key, maxSkew }: StrictSpread, counts: SpreadCounts): void {
  const idle = domainQueues(market, tally, key, false);
  const speculative = domainQueues(market, tally, key, true);
  const domainOf = (lot: Lot): string | undefined => attribute(key, market.classOf(lot.group));
  let victims: Lot[][] | undefined;
  let isStopped = false;
  countSeen(tally, key, counts);
  while (!tally.covered) {
    const most = mostAllowed(counts, maxSkew);
    const isOpen = (domain: string | undefined): domain is string => domain !== undefined && (counts.get(domain) ?? 0) <= most;
    const idlePick = cheapestOpen(idle, isOpen);
    const pick = idlePick ?? (isStopped ? undefined : cheapestOpen(speculative, isOpen));
    let domain: string | undefined;
    if (pick !== undefined) {
      if (picking(market, tally, pick !== idlePick)(pick.head.group, 1, pick.head.cls) === 0) {
        isStopped = true; // no more is bought; what was preempted costs nothing more
        continue;
      }
      pick.queue.advance();
      ({ domain } = pick);
    } else {
      victims ??= lotsFor(market, tally);
      const lot = firstOf(victims, (tie) => smallestHead(market, tally, tie, (candidate) => isOpen(domainOf(candidate))));
      if (lot === undefined) {
        const dear = [...tooDear(market, tally)].flatMap(([cls]) => (tally.contributes(cls) ? [attribute(key, cls)] : []));
        const isThereMore = isSomeFree(market, tally) || victims.some((tie) => smallestHead(market, tally, tie, undefined)) || dear.some((of) => of !== undefined);
        if (!isStopped) tally.blocked = dear.some(isOpen) ? 'limit' : isThereMore ? 'spread' : undefined;
        return;
      }
      takeVictims(market, tally, lot, 1, victims.flat());
      domain = domainOf(lot) as string;
    }
    counts.set(domain, (counts.get(domain) ?? 0) + 1);
  }
}

/** Also what lacks the label: but for the spread it would do. */
function isSomeFree(market: Market, tally: Tally): boolean {
  for (const speculative of [false, true]) {
    for (const tie of market.free(tally, speculative)) {
      for (const group of tie) {
        const cls = market.classOf(group);
        if (tally.contributes(cls) && (!speculative || market.room.isEverOpenTo(cls.priceMicroUsdPerHour))) return true;
      }
    }
  }
  return false;
}

/** Every domain with a machine that the Need accepts holds the others back, whoever has it (X10). */
function countSeen({ fit }: Tally, key: string, counts: SpreadCounts): void {
  for (const cls of fit.classes) {
    const domain = attribute(key, cls);
    if (domain !== undefined && !counts.has(domain)) counts.set(domain, 0);
  }
}

function domainQueues(market: Market, tally: Tally, key: string, speculative: boolean): Queue[] {
  const { room } = market;
  const ties = [...market.free(tally, speculative)];
  const offered = speculative && room.isLimited ? ties.map((tie) => tie.filter((group) => room.isEverOpenTo(market.classOf(group).priceMicroUsdPerHour))) : ties;
  return queuesOf(market, tally, offered, key).filter(({ domain }) => domain !== undefined);
}

interface Pick {
  readonly queue: Queue;
  readonly domain: string;
  readonly head: Head;
}

/** The head that costs least, as it will be credited, among the domains that may have one more, then the smallest value. */
function cheapestOpen(queues: readonly Queue[], isOpen: (domain: string | undefined) => domain is string): Pick | undefined {
  let best: Pick | undefined;
  for (const queue of queues) {
    const { domain } = queue;
    if (!isOpen(domain)) continue;
    const head = queue.head();
    if (head === undefined) continue;
    if (best === undefined || head.position < best.head.position) best = { queue, domain, head };
  }
  return best;
}

/** A domain with more machines than this must wait for the others. */
function mostAllowed(counts: SpreadCounts, maxSkew: number): number {
  let lowest = Infinity;
  for (const count of counts.values()) lowest = Math.min(lowest, count);
  return lowest + maxSkew - 1;
}

function firstOf<T, R>(items: readonly T[], find: (item: T) => R | undefined): R | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

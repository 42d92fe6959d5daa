/** A Need without topology: credit what its cluster has, then acquire the cheapest (spec: engine 6.1, 6.5). */
import type { Group } from '../facts/group.ts';
import type { MachineClass } from '../facts/shapes.ts';
import { attribute } from '../match.ts';
import { drainTies } from './drain.ts';
import type { Draining } from './drain.ts';
import type { Market, Tie } from './market.ts';
import type { Tally } from './tally.ts';
import type { TieQueue } from './tie-queue.ts';

export function creditPlain(market: Market, tally: Tally): void {
  if (tally.covered) return;
  const bound = market.queues(tally.cluster, tally.fit);
  const arriving = market.arriving(tally);
  const isOthers = market.othersOf(tally);
  if (bound.length > 0 || arriving.length > 0) {
    const draining: Draining = isOthers === undefined ? { market, tally, take: crediting(tally) } : { market, tally, take: crediting(tally), admits: (group) => !isOthers(group) };
    drainTies(offersOf(bound, tally, isOthers === undefined), draining);
    drainTies(arriving, draining);
  }
  if (mayKeepParts(tally)) keepUntilMoved(market, tally);
  creditReserved(market, tally);
  if (isOthers !== undefined && comesFirst(market, tally, isOthers)) creditOthers(market, tally);
}

/** What the Need takes if it may take all of it; only then can less be offered to it. */
function* offersOf(queues: readonly TieQueue[], tally: Tally, mayTakeAll: boolean): Iterable<Tie> {
  for (const queue of queues) yield mayTakeAll ? queue.offerTo(tally) : queue.groups;
}

/**
 * What is there for other rows of the demand is credited before anything is acquired only where nothing need be acquired then,
 * or can be. What is on its way to them is never: they would have to acquire as much themselves.
 */
export function comesFirst(market: Market, tally: Tally, isOthers: (group: Group<Tally>) => boolean): boolean {
  if (tally.covered) return false;
  if (market.isForecast || !tally.cluster.connected) return true;
  const sums = tally.remaining.map(() => 0);
  for (const group of market.bound(tally.cluster, tally.fit).flat()) {
    if (group.left <= 0 || tally.fit.accepts[group.classIndex] !== 1 || !isOthers(group)) continue;
    const cls = market.classOf(group);
    for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + group.left * tally.amount(cls, i);
  }
  return tally.remaining.every((lack, i) => (sums[i] as number) >= lack);
}

/** Credits what is there for other rows of the demand. */
export function creditOthers(market: Market, tally: Tally): void {
  if (tally.covered || market.othersOf(tally) === undefined) return;
  drainTies(market.bound(tally.cluster, tally.fit), { market, tally, take: crediting(tally) });
}

/** Not everything for the gangs planned as one is there. */
export function mayKeepParts({ row, covered, arriving }: Tally): boolean {
  return row.gangs !== undefined && (!covered || arriving > 0);
}

/**
 * Until there are machines that hold whole gangs, gangs keep those of what they were bound that serve them, though it holds none
 * whole (D7); also what was bound for one of their name that nobody asks for any more (`Offers.isOwn`).
 */
export function keepUntilMoved(market: Market, tally: Tally): void {
  const { facts } = market;
  const { row, cluster } = tally;
  let byDemand: Map<string, Serves[]> | undefined;
  let byName: Map<string, Serves[]> | undefined;
  for (const group of cluster.bound.groups()) {
    if (group.left <= 0 || group.assigned < 0) continue;
    if (byDemand === undefined) {
      const gangs = (row.gangs ?? []).map(({ demandKey, need, asker, sameKey = '' }): Serves => ({ demandKey, name: need.group, sameKey, accepts: facts.fit(asker).accepts }));
      byDemand = Map.groupBy(gangs, ({ demandKey }) => demandKey);
      byName = Map.groupBy(gangs.filter(({ name }) => name !== ''), ({ name }) => name);
    }
    const { to, demandKey } = facts.inventory.assignments.at(group.assigned);
    const gangs = cluster.asksFor(demandKey) ? byDemand.get(demandKey) : byName?.get(to.group);
    if (gangs?.some((of) => of.accepts[group.classIndex] === 1 && attribute(of.sameKey, market.classOf(group)) !== undefined) === true) tally.keep(group);
  }
}

interface Serves {
  readonly demandKey: string;
  readonly name: string;
  readonly sameKey: string;
  readonly accepts: Uint8Array;
}

interface ReservedOptions {
  readonly admits?: (group: Group<Tally>, cls: MachineClass) => boolean;
  /** Told of each run of machines that now counts for the Need. */
  readonly taken?: (cls: MachineClass, n: number, group: Group<Tally>) => void;
}

/**
 * Machines that were preempted for the Need: on their way they only keep it from looking further; arrived ones it picks,
 * unless its cluster has no session: they are free again then.
 */
export function creditReserved(market: Market, tally: Tally, options: ReservedOptions = {}): void {
  const { admits, taken } = options;
  const ties = market.reserved(tally);
  if (ties.length === 0) return;
  const mayAcquire = tally.cluster.connected;
  drainTies(ties, {
    market,
    tally,
    inOrder: true,
    admits: (group, cls) => (group.kind === 'leaving' || mayAcquire) && (admits === undefined || admits(group, cls)),
    take: (group, n, cls) => {
      const first = group.taken;
      group.take(tally, n);
      if (group.kind === 'leaving') tally.reserve(cls, n);
      else {
        tally.acquire(group.members, first, group.taken, false);
        tally.subtract(cls, n);
      }
      taken?.(cls, n, group);
      return n;
    },
  });
}

/** Counts the group's next machines for the Need: they are there, or on their way to it. */
export function crediting(tally: Tally): (group: Group<Tally>, n: number, cls: MachineClass) => number {
  return (group, n, cls) => {
    group.take(tally, n);
    tally.credited += n;
    if (group.kind !== 'configured') tally.arriving += n;
    tally.subtract(cls, n);
    return n;
  };
}

/** What costs more than the whole limit keeps nobody from what does not; that it is there is told if nothing else is (`tally.blocked`). */
export function affordable({ room }: Market, tally: Tally, speculative: boolean): ((group: Group<Tally>, cls: MachineClass) => boolean) | undefined {
  if (!speculative || !room.isLimited) return undefined;
  return (_group, cls) => {
    if (room.isEverOpenTo(cls.priceMicroUsdPerHour)) return true;
    if (tally.contributes(cls)) tally.blocked = 'limit';
    return false;
  };
}

/** What could be bought but for its price alone. */
export function* tooDear({ room, facts: { inventory } }: Market, { fit }: Tally): Iterable<readonly [cls: MachineClass, count: number]> {
  for (const cls of fit.classes) {
    const free = room.isEverOpenTo(cls.priceMicroUsdPerHour) ? 0 : (inventory.speculative(cls.index)?.left ?? 0);
    if (free > 0) yield [cls, free];
  }
}

/** Picks free machines, as far as there is room for them. */
export function picking(market: Market, tally: Tally, speculative: boolean): (group: Group<Tally>, n: number, cls: MachineClass) => number {
  return (group, wanted, cls) => {
    const n = speculative ? market.room.book(cls.priceMicroUsdPerHour, wanted) : wanted;
    if (n < wanted) tally.blocked = 'limit';
    if (n === 0) return 0;
    const first = group.taken;
    if (first === 0) market.drawnOn.add(group);
    group.take(tally, n);
    tally.acquire(group.members, first, group.taken, speculative);
    tally.subtract(cls, n);
    return n;
  };
}

export function acquirePlain(market: Market, tally: Tally): void {
  for (const speculative of [false, true]) {
    if (tally.covered) return;
    if (market.nextFree(tally.fit, speculative, 0) < 0) continue;
    if (!drainTies(market.free(tally, speculative), { market, tally, inOrder: true, admits: affordable(market, tally, speculative), take: picking(market, tally, speculative) })) return;
  }
}

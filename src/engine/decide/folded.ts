/**
 * Gangs planned as one (spec: engine 5). The machine that made them fold may be another's by the time it is their turn, or dearer
 * than the limit leaves room for: whom no machine holds that could be had is served as a gang then, with several smaller ones.
 */
import type { Asker } from '../facts/fit.ts';
import type { Group } from '../facts/group.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { Market } from './market.ts';
import { acquirePlain, creditOthers, creditPlain, keepUntilMoved, mayKeepParts } from './plain.ts';
import { preempt } from './preempt.ts';
import { serveWhole } from './same.ts';
import type { From } from './same.ts';
import { SmallerMachines } from './smaller-machines.ts';
import { Tally } from './tally.ts';

/**
 * A gang that has members stays with them if what is free makes it whole there (D7). Else machines that hold whole gangs come before
 * smaller ones, what is free before what nobody needs, and that before what serves others.
 */
export function serveFolded(market: Market, tally: Tally): void {
  const apart = new Apart(market, tally);
  creditPlain(market, tally);
  apart.serve(apart.withMembers(), 'held');
  apart.serve(apart.lacking(), 'held');
  if (tally.cluster.connected && !market.isForecast) {
    apart.serve(apart.withMembers(), 'free beside own');
    if (!tally.covered) acquirePlain(market, tally);
    apart.serve(apart.lacking(), 'free');
    if (!tally.covered) preempt(market, tally, ({ excess }) => excess);
    apart.serve(apart.lacking(), 'spare');
    if (!tally.covered) preempt(market, tally);
    apart.serve(apart.withMembers(), 'anybody');
    apart.serve(apart.lacking(), 'anybody');
    creditOthers(market, tally);
  } else if (!tally.covered) tally.blocked = 'session';
  if (mayKeepParts(tally)) keepUntilMoved(market, tally);
  if (!market.isForecast && tally.apart.size > 0) market.forecasts?.forget(tally.cluster);
}

class Apart {
  readonly #market: Market;
  readonly #tally: Tally;
  readonly #wasClosed: boolean;
  readonly #smaller: SmallerMachines;
  #owners: ReadonlySet<NeedRow> | undefined;
  /** By for whom machines were bound. */
  readonly #others = new Map<number, boolean>();

  constructor(market: Market, tally: Tally) {
    this.#market = market;
    this.#tally = tally;
    this.#wasClosed = market.room.isClosed;
    this.#smaller = new SmallerMachines(market.facts);
  }

  /** If any lack: those that choose last, as many as lack, then the others, whose place on a larger machine one of them may have. */
  lacking(): readonly NeedRow[] {
    const { row, remaining, apart, covered } = this.#tally;
    if (covered) return [];
    const n = Math.ceil((remaining[0] as number) / (row.asker.minAmounts[0] as number));
    const gangs = this.#gangs.filter((gang) => !apart.has(gang));
    return [...gangs.slice(-n), ...gangs.slice(0, -n)];
  }

  /** Those for which something was bound, decided or preempted. */
  withMembers(): readonly NeedRow[] {
    if (this.#tally.covered) return [];
    const owners = (this.#owners ??= this.#findOwners());
    return owners.size === 0 ? [] : this.#gangs.filter((gang) => owners.has(gang) && !this.#tally.apart.has(gang));
  }

  /** One after the other, as long as any lacks. Without members all that ask for the same are alike: what one cannot have no other can. */
  serve(gangs: readonly NeedRow[], from: From): void {
    const { room, facts } = this.#market;
    const isClosed = room.isClosed;
    if (!this.#wasClosed) room.reopen(); // who shut it may find what costs less itself
    const hopeless = new Set<Asker>();
    let isStopped = false;
    for (const gang of gangs) {
      if (this.#tally.covered) break;
      const only = hopeless.has(gang.asker) ? undefined : this.#smaller.of(gang);
      if (only === undefined) continue;
      const own = new Tally(gang, this.#tally.cluster, facts.fit(gang.asker));
      const outcome = serveWhole(this.#market, own, from, { only, isOthers: this.#isOthers });
      if (outcome === 'served') this.#tally.part(own);
      else if (this.#owners?.has(gang) !== true) hopeless.add(gang.asker);
      isStopped ||= outcome === 'stopped';
    }
    if (isStopped) this.#tally.blocked = 'limit';
    room.isClosed ||= isClosed || isStopped; // nobody after it buys what it waits for
  }

  readonly #isOthers = (group: Group<Tally>): boolean => {
    if (group.assigned < 0) return false;
    let answer = this.#others.get(group.assigned);
    if (answer === undefined) this.#others.set(group.assigned, (answer = this.#isForOthers(group)));
    return answer;
  };

  /** Bound for gangs of the same precedence that are planned otherwise: they may have their turn only after all of these. */
  #isForOthers(group: Group<Tally>): boolean {
    const { cluster, row } = this.#tally;
    const { demandKey } = this.#market.facts.inventory.assignments.at(group.assigned);
    if (row.demandKeys?.includes(demandKey) === true) return this.#market.othersOf(this.#tally)?.(group) === true;
    return cluster.demand?.byDemandKey.get(demandKey)?.some(({ precedence, sameKey }) => sameKey !== undefined && precedence === row.precedence) === true;
  }

  get #gangs(): readonly NeedRow[] {
    return this.#tally.row.gangs as readonly NeedRow[];
  }

  #findOwners(): ReadonlySet<NeedRow> {
    const { cluster } = this.#tally;
    const { assignments } = this.#market.facts.inventory;
    const demands = new Set([...cluster.promised.keys(), ...cluster.reserved.keys()]);
    const names = new Set<string>();
    for (const { assigned, left } of cluster.bound.groups()) {
      if (left <= 0 || assigned < 0) continue;
      const { demandKey, to } = assignments.at(assigned);
      demands.add(demandKey);
      if (to.group !== '' && !cluster.asksFor(demandKey)) names.add(to.group);
    }
    return new Set(this.#gangs.filter(({ demandKey, need }) => demands.has(demandKey) || names.has(need.group)));
  }
}

/**
 * Which gangs their cluster serves in whole as it is, with several machines none of which holds a gang: those that would have
 * to be given up if the gang were to share a larger one. Found by crediting the cluster's rows with what it has, as a plan
 * does: for whom the machines were bound does not tell whom they serve now.
 */
import type { Cluster } from '../facts/cluster.ts';
import { addUpTo } from '../facts/dimensions.ts';
import type { Facts } from '../facts/facts.ts';
import type { Group } from '../facts/group.ts';
import { foldedRow } from '../facts/need-row.ts';
import type { FoldTarget, NeedRow } from '../facts/need-row.ts';
import { attribute } from '../match.ts';
import { Market } from './market.ts';
import { creditOnly } from './ordered-pass.ts';
import { Seats } from './seats.ts';
import type { Smaller, SmallerMachines } from './smaller-machines.ts';
import { Tally } from './tally.ts';

/**
 * `folding`: row by row, whether some machine holds the whole gang. No group of the cluster is taken from before and after.
 *
 * Who shares a larger machine already has nothing smaller to give up. But who does is known of their number only: where gangs
 * are more than have room there, it is those that nothing smaller serves.
 */
export function servedApart(facts: Facts, cluster: Cluster, rows: readonly NeedRow[], folding: readonly boolean[], smaller: SmallerMachines): ReadonlySet<NeedRow> | undefined {
  if (cluster.bound.size === 0) return undefined;
  const trial = new Trial(facts, cluster, smaller);
  const gangs = rows.filter((_, i) => folding[i] === true);
  if (!gangs.some((row) => trial.mightServe(row))) return undefined;
  // Whom nothing smaller could serve sits down first, whatever its size.
  const seated = [false, true].flatMap((might) => gangs.filter((row) => trial.mightServe(row) === might && trial.seats.take(row.onOneMachine as FoldTarget)));
  const standing = new Set(gangs);
  for (const row of seated) standing.delete(row);
  if (![...standing].some((row) => trial.mightServe(row))) return undefined;

  const crowded = new Set([...standing].map(({ onOneMachine }) => onOneMachine?.key));
  const tried = new Set(gangs.filter(({ onOneMachine }) => crowded.has(onOneMachine?.key)));
  const served = trial.servedOf(tried, rows, new Set(gangs), seated);
  const first = sitting(tried, served, seated, trial);
  if (first.length === 0) return served;
  for (const row of first) served.delete(row);
  return new Trial(facts, cluster, smaller, trial.seats).servedOf(served, rows, new Set(gangs), seated);
}

/** More have room on larger machines than those whom nothing smaller serves: whom it serves with what is not its own sits there first. */
function sitting(tried: ReadonlySet<NeedRow>, served: ReadonlySet<NeedRow>, seated: readonly NeedRow[], trial: Trial): NeedRow[] {
  const room = new Map<string | undefined, number>();
  const count = ({ onOneMachine }: NeedRow, by: number): unknown => room.set(onOneMachine?.key, (room.get(onOneMachine?.key) ?? 0) + by);
  for (const row of seated) count(row, 1);
  for (const row of tried) if (!served.has(row)) count(row, -1);
  if (![...room.values()].some((n) => n > 0)) return [];
  const inTurn = [...served].sort((a, b) => Number(trial.holdsItself(a)) - Number(trial.holdsItself(b)));
  return inTurn.filter((row) => {
    const isFree = (room.get(row.onOneMachine?.key) ?? 0) > 0;
    if (isFree) count(row, -1);
    return isFree;
  });
}

class Trial {
  readonly market: Market;
  readonly seats: Seats;
  readonly #facts: Facts;
  readonly #cluster: Cluster;
  readonly #smaller: SmallerMachines;
  readonly #might = new Map<Smaller, boolean>();
  /** Those that are tried, by demand; whether each holds what it needs. */
  readonly #gangs = new Map<string, NeedRow>();
  readonly #holds = new Map<NeedRow, boolean>();

  constructor(facts: Facts, cluster: Cluster, smaller: SmallerMachines, seats = new Seats(cluster, facts)) {
    this.seats = seats;
    this.#smaller = smaller;
    this.#facts = facts;
    this.#cluster = cluster;
    this.market = new Market(facts, NO_PLAN, () => false);
    this.market.isForecast = true;
  }

  tally(row: NeedRow): Tally {
    return new Tally(row, this.#cluster, this.#facts.fit(row.asker));
  }

  /**
   * Of the gangs that are `tried`, those that are served apart while the others of `gangs` share larger machines: as many as are
   * `seated` those that were bound for it, the rest whatever their cluster has that holds one.
   */
  servedOf(tried: ReadonlySet<NeedRow>, rows: readonly NeedRow[], gangs: ReadonlySet<NeedRow>, seated: readonly NeedRow[]): Set<NeedRow> {
    const served = new Set<NeedRow>();
    const seats = new Map<string | undefined, number>();
    for (const { onOneMachine } of seated) seats.set(onOneMachine?.key, (seats.get(onOneMachine?.key) ?? 0) + 1);
    for (const row of tried) this.#gangs.set(row.demandKey, row);
    for (const [group, n] of this.seats.taken()) group.take(this.tally(rows[0] as NeedRow), n);
    rows.forEach((row, i) => {
      if (!gangs.has(row)) creditOnly(this.market, this.tally(row));
      else if (tried.has(row) && this.#serve(row)) served.add(row);
      else {
        const key = row.onOneMachine?.key;
        const left = seats.get(key) ?? 0;
        if (left > 0) seats.set(key, left - 1);
        else creditOnly(this.market, this.tally(foldedRow([row], this.#facts.dimensions)));
      }
      if (rows[i + 1]?.demandKey !== row.demandKey) this.market.closeDemand(this.tally(row));
    });
    for (const shelf of this.#cluster.shelves()) for (const group of shelf.groups()) group.reset();
    return served;
  }

  /** What was bound or decided for the gang itself is all of it. */
  holdsItself(row: NeedRow): boolean {
    let answer = this.#holds.get(row);
    if (answer === undefined) {
      const small = this.#smaller.of(row);
      answer = small !== undefined && this.#isWhole(row, small, [...this.seats.boundFor(row.demandKey), ...(this.#cluster.promised.get(row.demandKey)?.groups() ?? [])]);
      this.#holds.set(row, answer);
    }
    return answer;
  }

  /** False: even if nobody else took anything, the cluster could not serve the gang with smaller machines. */
  mightServe(row: NeedRow): boolean {
    const small = this.#smaller.of(row);
    if (small === undefined) return false;
    let answer = this.#might.get(small);
    if (answer === undefined) {
      const all = [...this.#cluster.bound.groups(), ...[...this.#cluster.promised.values()].flatMap((shelf) => [...shelf.groups()])];
      this.#might.set(small, (answer = this.#isWhole(row, small, all)));
    }
    return answer;
  }

  /** Credits the gang with what serves it if that is all of it, no machine that holds all of it, and none of a gang that has all it needs. */
  #serve(row: NeedRow): boolean {
    if (!this.mightServe(row)) return false;
    const tally = this.tally(row);
    creditOnly(this.market, tally);
    const taken = [...this.#takenFor(tally)];
    const small = this.#smaller.of(row);
    if (tally.covered && taken.every(([group]) => small?.[group.classIndex] === 1 && !this.#isAnothers(group, row))) return true;
    for (const [group, n] of taken) this.market.giveBack(group, n);
    return false;
  }

  #isAnothers({ assigned }: Group<Tally>, row: NeedRow): boolean {
    const owner = assigned < 0 ? undefined : this.#gangs.get(this.#facts.inventory.assignments.at(assigned).demandKey);
    return owner !== undefined && owner.demandKey !== row.demandKey && this.holdsItself(owner);
  }

  /** Of each group, if the tally was the last to take something. */
  *#takenFor(tally: Tally): Iterable<[group: Group<Tally>, n: number]> {
    for (const shelf of this.#cluster.shelves()) {
      for (const group of shelf.groups()) {
        const { shares } = group;
        const last = shares.at(-1);
        if (last?.holder === tally) yield [group, last.end - (shares.at(-2)?.end ?? 0)];
      }
    }
  }

  #isWhole(row: NeedRow, small: Smaller, groups: Iterable<Group<Tally>>): boolean {
    const { shapes } = this.#facts.inventory;
    const held = new Map<string, number[]>();
    for (const group of groups) {
      const cls = small[group.classIndex] === 1 ? shapes.class(group.classIndex) : undefined;
      const domain = cls && attribute(row.sameKey ?? '', cls);
      if (cls === undefined || domain === undefined) continue;
      const sums = held.get(domain) ?? row.dims.map(() => 0);
      held.set(domain, sums.map((sum, i) => addUpTo(sum, group.size, cls.amounts[row.dims[i] as number] ?? 0)));
    }
    return [...held.values()].some((sums) => row.wanted.every((wanted, i) => (sums[i] as number) >= wanted));
  }
}

/** Free machines are not looked at, so nothing remembers how far it has got with them. */
const NO_PLAN = -1;

/**
 * Which gangs their cluster serves in whole as it is, with several machines none of which holds a gang: those that would have
 * to be given up if the gang were to share a larger one. Found by crediting the cluster's rows with what it has, as a plan
 * does: for whom the machines were bound does not tell whom they serve now.
 */
import type { Cluster } from '../facts/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import type { Group } from '../facts/group.ts';
import type { NeedRow } from '../facts/need-row.ts';
import { attribute } from '../match.ts';
import { addUpTo } from './gang-domain.ts';
import { Market } from './market.ts';
import { creditOnly } from './ordered-pass.ts';
import { Seats } from './seats.ts';
import type { Smaller, SmallerMachines } from './smaller-machines.ts';
import { Tally } from './tally.ts';

/** `folding`: row by row, whether some machine holds the whole gang. No group of the cluster is taken from before and after. */
export function servedApart(facts: Facts, cluster: Cluster, rows: readonly NeedRow[], folding: readonly boolean[], smaller: SmallerMachines): ReadonlySet<NeedRow> | undefined {
  if (cluster.bound.size === 0) return undefined;
  const trial = new Trial(facts, cluster, smaller);
  if (!rows.some((row, i) => folding[i] === true && trial.mightServe(row))) return undefined;
  const served = new Set<NeedRow>();
  // Who shares a larger machine already has nothing smaller to give up.
  const seats = new Seats(cluster, facts);
  const gangs = new Map(rows.flatMap((row, i) => (folding[i] === true && row.onOneMachine !== undefined ? [[row, seats.take(row.onOneMachine)]] : [])));
  if (![...gangs].some(([row, isSeated]) => !isSeated && trial.mightServe(row))) return undefined;

  for (const [group, n] of seats.taken()) group.take(trial.tally(rows[0] as NeedRow), n);
  rows.forEach((row, i) => {
    const isSeated = gangs.get(row);
    if (isSeated === undefined) trial.credit(row);
    else if (!isSeated && trial.serve(row)) served.add(row);
    if (rows[i + 1]?.demandKey !== row.demandKey) trial.market.closeDemand(trial.tally(row));
  });
  for (const shelf of cluster.shelves()) for (const group of shelf.groups()) group.reset();
  return served;
}

class Trial {
  readonly market: Market;
  readonly #facts: Facts;
  readonly #cluster: Cluster;
  readonly #smaller: SmallerMachines;
  readonly #might = new Map<Smaller, boolean>();

  constructor(facts: Facts, cluster: Cluster, smaller: SmallerMachines) {
    this.#smaller = smaller;
    this.#facts = facts;
    this.#cluster = cluster;
    this.market = new Market(facts, NO_PLAN, () => false);
    this.market.isForecast = true;
  }

  tally(row: NeedRow): Tally {
    return new Tally(row, this.#cluster, this.#facts.fit(row.asker));
  }

  credit(row: NeedRow): void {
    creditOnly(this.market, this.tally(row));
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

  /** Credits the gang with what serves it if that is all of it, and no machine that holds all of it. */
  serve(row: NeedRow): boolean {
    if (!this.mightServe(row)) return false;
    const tally = this.tally(row);
    creditOnly(this.market, tally);
    const taken = [...this.#takenFor(tally)];
    const small = this.#smaller.of(row);
    if (tally.covered && taken.every(([group]) => small?.[group.classIndex] === 1)) return true;
    for (const [group, n] of taken) this.market.giveBack(group, n);
    return false;
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
      const cls = small[group.classIndex] === 1 && group.left > 0 ? shapes.class(group.classIndex) : undefined;
      const domain = cls && attribute(row.sameKey ?? '', cls);
      if (cls === undefined || domain === undefined) continue;
      const sums = held.get(domain) ?? row.dims.map(() => 0);
      held.set(domain, sums.map((sum, i) => addUpTo(sum, group.left, cls.amounts[row.dims[i] as number] ?? 0)));
    }
    return [...held.values()].some((sums) => row.wanted.every((wanted, i) => (sums[i] as number) >= wanted));
  }
}

/** Free machines are not looked at, so nothing remembers how far it has got with them. */
const NO_PLAN = -1;

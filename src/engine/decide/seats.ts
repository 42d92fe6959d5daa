/** Machines of a cluster that were bound, decided or preempted for gangs planned as one, and for how many gangs they have room. */
import type { Cluster } from '../facts/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import { compareOrders } from '../facts/group.ts';
import type { Group } from '../facts/group.ts';
import type { FoldTarget } from '../facts/need-row.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { Tally } from './tally.ts';

interface Lot {
  readonly group: Group<Tally>;
  left: number;
}

export class Seats {
  readonly #cluster: Cluster;
  readonly #facts: Facts;
  readonly #lots = new Map<string, Lot[]>();
  #boundFor: ReadonlyMap<string, readonly Group<Tally>[]> | undefined;
  /** By gangs of one kind: how many more the machine holds that the last of them was seated on. */
  readonly #open = new Map<string, number>();

  constructor(cluster: Cluster, facts: Facts) {
    this.#cluster = cluster;
    this.#facts = facts;
  }

  /** Seats one gang more; false = there is no room. */
  take(target: FoldTarget): boolean {
    const open = this.#open.get(target.key) ?? 0;
    const seats = open > 0 ? open : this.#openNext(target);
    if (seats === 0) return false;
    this.#open.set(target.key, seats - 1);
    return true;
  }

  /** Machines that somebody sits on. */
  *taken(): Iterable<[group: Group<Tally>, n: number]> {
    for (const lots of this.#lots.values()) for (const { group, left } of lots) if (left < group.size) yield [group, group.size - left];
  }

  /** Groups of machines that were bound for this demand. */
  boundFor(demandKey: string): readonly Group<Tally>[] {
    this.#boundFor ??= this.#byDemand();
    return this.#boundFor.get(demandKey) ?? [];
  }

  #openNext({ demandKey, asker }: FoldTarget): number {
    const { accepts } = this.#facts.fit(asker);
    const lot = this.#lotsFor(demandKey).find(({ group, left }) => left > 0 && accepts[group.classIndex] === 1);
    if (lot === undefined) return 0;
    lot.left--;
    const { amounts } = this.#facts.inventory.shapes.class(lot.group.classIndex) as MachineClass;
    return asker.minDims.reduce((least, dim, i) => Math.min(least, Math.floor((amounts[dim] as number) / (asker.minAmounts[i] as number))), Infinity);
  }

  #lotsFor(demandKey: string): Lot[] {
    let lots = this.#lots.get(demandKey);
    if (lots === undefined) {
      const { promised, reserved } = this.#cluster;
      const shelves = [this.boundFor(demandKey), promised.get(demandKey)?.groups() ?? [], reserved.get(demandKey)?.groups() ?? []];
      lots = shelves.flatMap((groups) => this.#inOrder(groups)).map((group) => ({ group, left: group.size }));
      this.#lots.set(demandKey, lots);
    }
    return lots;
  }

  /** As they are credited, not as they became known. */
  #inOrder(groups: Iterable<Group<Tally>>): Group<Tally>[] {
    const { rank } = this.#facts.inventory;
    const first = ({ members }: Group<Tally>): number => rank[members[0] as number] as number;
    return [...groups].sort((a, b) => compareOrders(a.order, b.order) || first(a) - first(b));
  }

  #byDemand(): Map<string, Group<Tally>[]> {
    const byDemand = new Map<string, Group<Tally>[]>();
    for (const group of this.#cluster.bound.groups()) {
      if (group.assigned < 0) continue;
      const { demandKey } = this.#facts.inventory.assignments.at(group.assigned);
      const known = byDemand.get(demandKey);
      if (known === undefined) byDemand.set(demandKey, [group]);
      else known.push(group);
    }
    return byDemand;
  }
}

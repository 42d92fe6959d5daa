/**
 * Is what is kept what it was worked out from? Facts are kept up bit by bit, and a defect in that is repeated by every plan,
 * the full one included: both read the same figures. Here all of them are worked out anew, from the columns of machines, the
 * rows and the memory. Whether those are what the engine was told is not asked, and neither is what plans keep for
 * themselves: which classes fit (`fit.ts`), which gangs fold, which verdicts stay true.
 */
import type { Tally } from '../decide/tally.ts';
import { compareText } from '../../lib/compare-text.ts';
import { PER_STEP } from '../../lib/steps.ts';
import { clusterOfArrivalKey } from '../keys.ts';
import { Differences } from './differences.ts';
import type { Facts } from './facts.ts';
import { compareOrders } from './group.ts';
import type { Group } from './group.ts';
import type { Inventory } from './inventory.ts';
import { boundRank, promisedRank } from './pools.ts';
import { Recount } from './recount.ts';
import { ROLE } from './role.ts';

/**
 * What differs, in words; empty = nothing. What it says is of one moment: it sees all that was wrong then, and nothing that is right
 * looks wrong. undefined = machines, demand, hints or memory have changed between two steps, and nothing can be said.
 */
export function* audit(facts: Facts): Generator<undefined, readonly string[] | undefined> {
  while (facts.inventory.settle(PER_STEP)) yield;
  const began = facts.filings;
  const differences = new Differences();
  for (const _ of new Audit(facts, differences).all()) {
    yield;
    if (facts.filings !== began) return undefined;
  }
  return differences.inWords();
}

/** Groups remember the last audit that has met them. */
let serial = 0;

class Audit {
  readonly #facts: Facts;
  readonly #inventory: Inventory;
  readonly #differences: Differences;
  readonly #serial = ++serial;
  readonly #groups: Group<Tally>[] = [];
  /** By slot: it has its place among the idle clocks. */
  readonly #timed: Uint8Array;
  #looked = 0;

  constructor(facts: Facts, differences: Differences) {
    this.#facts = facts;
    this.#inventory = facts.inventory;
    this.#differences = differences;
    this.#timed = new Uint8Array(facts.inventory.marked.length);
  }

  *all(): Generator<undefined, void> {
    yield* this.#idleClocks();
    yield* this.#machines();
    yield* this.#metGroups();
    yield* this.#pools();
    yield* this.#demand();
    yield* this.#memory();
  }

  /** True after every so many, when it is time to stop for others. */
  #isStep(effort = 1): boolean {
    this.#looked += effort;
    if (this.#looked < PER_STEP) return false;
    this.#looked = 0;
    return true;
  }

  *#idleClocks(): Generator<undefined, void> {
    const inventory = this.#inventory;
    for (const [type, clocks] of Object.entries(this.#facts.idleClocks)) {
      for (const [slot, since] of clocks.entries()) {
        if (inventory.role(slot) !== ROLE.none && inventory.idleSince[slot] === since && inventory.shape(slot).capacityType === type) this.#timed[slot] = 1;
        if (this.#isStep()) yield;
      }
    }
  }

  *#machines(): Generator<undefined, void> {
    const inventory = this.#inventory;
    const recount = new Recount(inventory);
    let [rank, before, strays] = [0, '', 0];
    for (const slot of inventory.slots()) {
      const id = inventory.id(slot);
      if (rank > 0 && compareText(before, id) >= 0) this.#differences.add('the order of machines', id, 'it comes too late');
      before = id;
      this.#differences.compare('the order of machines', id, inventory.rank[slot], rank++);
      if (inventory.slot(id) !== slot) this.#differences.add('the index of machines', id, 'it is not found');
      const role = this.#machine(slot, id);
      recount.add(slot, role);
      if (inventory.isUnsent(slot) && role !== ROLE.promised) {
        strays++;
        if (!inventory.strayBindings.has(slot)) this.#differences.add('stray bindings', id, 'it is missing');
      }
      if (this.#isStep()) yield;
    }
    this.#differences.compare('the index of machines', 'all', inventory.size, rank);
    this.#differences.compare('stray bindings', 'all', inventory.strayBindings.size, strays);
    for (const ref of inventory.reservedRefs()) recount.refer(ref);
    yield* recount.compareWith(this.#facts.clusters, this.#differences);
  }

  /** Returns its role. */
  #machine(slot: number, id: string): number {
    const inventory = this.#inventory;
    const { role, group, isClockOff } = inventory.filing(slot);
    this.#differences.compare('role', id, inventory.role(slot), role);
    const kept = inventory.groupOf[slot];
    if (kept !== group) this.#differences.add('group', id, 'it is filed in another one');
    else if (group !== undefined) this.#meet(group, slot, role);
    const since = inventory.idleSince[slot] as number;
    const { capacityType } = inventory.shape(slot);
    if (!Number.isNaN(since) && this.#timed[slot] === 0 && capacityType in this.#facts.idleClocks) this.#differences.add('idle clocks', id, 'it is missing');
    const noted = inventory.notedClocks;
    if (noted !== undefined) this.#differences.compare('idle clocks to check', id, noted.has(slot), isClockOff);
    return role;
  }

  #meet(group: Group<Tally>, slot: number, role: number): void {
    if (group.audit !== this.#serial) {
      group.audit = this.#serial;
      group.met = 0;
      this.#groups.push(group);
      const rank = this.#rankOf(group, slot, role);
      if (rank !== undefined && compareOrders(rank, group.order.slice(-rank.length)) !== 0) this.#differences.add('rank of a group', this.#inventory.id(slot), `${group.order.join()} does not end in ${rank.join()}`);
    }
    group.met++;
  }

  /** Of its rank what its key does not say; undefined = nothing. */
  #rankOf(group: Group<Tally>, slot: number, role: number): readonly number[] | undefined {
    const inventory = this.#inventory;
    const cls = inventory.shape(slot).class;
    if (role === ROLE.bound) return boundRank(inventory, cls, group.assigned);
    if (role === ROLE.promised) return promisedRank(inventory, cls, inventory.state(slot), group.assigned);
    return undefined;
  }

  *#metGroups(): Generator<undefined, void> {
    for (const group of this.#groups) {
      const of = `a group of ${group.kind} machines`;
      this.#differences.compare('size', of, group.size, group.met);
      const defect = yield* group.defect(PER_STEP);
      if (defect !== undefined) this.#differences.add('members', of, defect);
      if (this.#isStep()) yield;
    }
  }

  /** Groups that no machine is filed in must be empty, and on no shelf. */
  *#pools(): Generator<undefined, void> {
    for (const { index } of this.#inventory.shapes.classes()) {
      for (const group of [this.#inventory.idle(index), this.#inventory.speculative(index)]) this.#mustBeEmpty(group);
      if (this.#isStep()) yield;
    }
    for (const shelf of this.#inventory.comingFreeShelves()) {
      for (const group of shelf.groups()) this.#mustBeEmpty(group);
      if (this.#isStep(1 + shelf.size)) yield;
    }
    for (const cluster of this.#facts.clusters.all()) {
      for (const shelf of cluster.shelves()) {
        for (const group of shelf.groups()) {
          if (group.audit !== this.#serial) this.#differences.add('shelves', cluster.name, `it has a group of ${group.kind} machines in which there are none`);
        }
        if (!shelf.areTiesRight()) this.#differences.add('shelves', cluster.name, 'groups are out of order');
        if (this.#isStep(1 + shelf.size)) yield;
      }
    }
  }

  #mustBeEmpty(group: Group<Tally> | undefined): void {
    if (group !== undefined && group.audit !== this.#serial) this.#differences.compare('size', `a group of ${group.kind} machines`, group.size, 0);
  }

  /** What a cluster's rows say of each other, and when they were first seen. */
  *#demand(): Generator<undefined, void> {
    const { arrival } = this.#facts.memory;
    for (const { name, demand } of this.#facts.clusters.all()) {
      if (this.#isStep()) yield;
      if (demand === undefined) continue;
      let rows = 0;
      for (const [key, some] of demand.byDemandKey) {
        const at = arrival.get(key) ?? Number.POSITIVE_INFINITY;
        for (const row of some) if (row.demandKey !== key || row.arrival !== at) this.#differences.add('age of demand', name, `${row.arrival} instead of ${at}`);
        this.#differences.compare('unseen demand', name, demand.unseen.has(key), at === Number.POSITIVE_INFINITY);
        rows += some.length;
        if (this.#isStep()) yield;
      }
      this.#differences.compare('rows by demand', name, rows, demand.rows.length);
    }
  }

  /** What is remembered of demand that is gone is to be forgotten, and of machines that are there is kept with them. */
  *#memory(): Generator<undefined, void> {
    const { memory, clusters } = this.#facts;
    for (const key of memory.arrival.keys()) {
      const name = clusterOfArrivalKey(key);
      const demand = name === undefined ? undefined : clusters.find(name)?.demand;
      const isGone = name === undefined || (demand !== undefined && !demand.byDemandKey.has(key));
      if (isGone && !memory.arrivalsToCheck.has(key)) this.#differences.add('demand to be forgotten', name ?? key, 'it is missing');
      if (this.#isStep()) yield;
    }
    for (const id of memory.strayIdleSince.keys()) {
      if (this.#inventory.slot(id) !== undefined) this.#differences.add('idle clocks of unknown machines', id, 'it is known');
      if (this.#isStep()) yield;
    }
  }
}

/**
 * All machines, as columns by slot, filed in groups under what they count for. A change refiles only the machines it
 * names; groups are put in order when a plan next reads them, or before, by `settle`.
 */
import type { Tally } from '../decide/tally.ts';
import type { Assignment, EngineMachine, MachineState, Millis } from '../types.ts';
import { Assignments } from './assignments.ts';
import type { Cluster, Clusters } from './cluster.ts';
import { ClocksToCheck } from './clocks-to-check.ts';
import type { ClocksDue } from './clocks-to-check.ts';
import { Group, Shelf } from './group.ts';
import { FrozenMachines } from './frozen-machines.ts';
import { IdIndex } from '../../lib/id-index.ts';
import { IdOrder } from './id-order.ts';
import { withRoom } from './int-column.ts';
import { DRAIN_REFUSED, HAS_HOST, HOLD, INTENT_SHIFT, MachineColumns, NONE, SENT, STUCK, UNTRUSTED } from './machine-columns.ts';
import { BIND, CONFIGURED, CREATING, IDLE, isDrain, NO_INTENT, RELEASE, ROLE, roleOf, SPECULATIVE, STATES, staysWhenFreed, UNBIND } from './role.ts';
import { Outlay } from './outlay.ts';
import { boundGroup, promisedGroup, reservedGroup } from './pools.ts';
import { Shapes } from './shapes.ts';
import type { Dimensions } from './dimensions.ts';

/** More than one in so many machines are most of them. */
const FEW_OF = 8;

export class Inventory extends MachineColumns {
  declare readonly shapes: Shapes;
  declare readonly assignments: Assignments;
  readonly #inState: number[] = STATES.map(() => 0);
  /** Of everything that costs money, and what was decided to be bought. */
  readonly paid = new Outlay();
  readonly promisedPurchases = new Outlay();
  /** Slots whose machine has changed since the last plan; some more than once. */
  touched: number[] = [];
  /** Ids of machines that were removed since the last plan. */
  removedIds: string[] = [];
  /** Slots whose idle clock has to be started or stopped. */
  readonly #clocksToCheck = new ClocksToCheck();
  /** Bindings that can still be withdrawn, of machines that no longer count as promised. */
  readonly strayBindings = new Set<number>();
  /** Counts how often some class has begun or ceased to have free machines: what folds may change with it. */
  freeVersion = 0;

  /** Begins with a length that keeps it from growing in the same turn as the ids: each copies megabytes then. */
  readonly groupOf: (Group<Tally> | undefined)[] = new Array<Group<Tally> | undefined>(1520);
  readonly #slotOf = new IdIndex(this.ids);
  readonly #order = new IdOrder(this.ids);
  readonly #reservations = new Map<string, number>();
  readonly #idle: (Group<Tally> | undefined)[] = [];
  readonly #speculative: (Group<Tally> | undefined)[] = [];
  /** By the cluster that they leave, and by class. */
  readonly #comingFree = new Map<number, Shelf<Tally>>();
  /** Each once: a group says itself whether it is stale. */
  readonly #staleGroups: Group<Tally>[] = [];
  #freeSlots: number[] = [];
  /** For so many slots every column is long enough. */
  #room = 0;
  #used = 0;

  /** For groups: machines that have no place in the order of their group yet. */
  waiting: Uint8Array = new Uint8Array(0);
  /** Scratch: marks slots that a list holds already. */
  marked: Uint8Array = new Uint8Array(0);

  /** Without meaning; that it is kept keeps `fetch` from being optimised away. */
  fetched = 0;

  constructor(dimensions: Dimensions, clusters: Clusters) {
    super({ shapes: new Shapes(dimensions), assignments: new Assignments(), clusters });
  }

  get size(): number {
    return this.#slotOf.size;
  }

  /** How many machines are in each state. */
  byState(): Record<MachineState, number> {
    return Object.fromEntries(STATES.map((state, i) => [state, this.#inState[i]])) as Record<MachineState, number>;
  }

  /** Rank of each slot's id among all ids. */
  get rank(): Int32Array {
    return this.#order.rank;
  }

  slot(id: string): number | undefined {
    return this.#slotOf.get(id);
  }

  /** By id. Everything must be settled. */
  slots(): Iterable<number> {
    return this.#order;
  }

  /** These, by id. Everything must be settled. */
  inOrder(slots: ReadonlySet<number>): Int32Array {
    const ordered = new Int32Array(slots.size);
    let n = 0;
    if (slots.size * FEW_OF < this.#used) {
      for (const slot of slots) ordered[n++] = this.rank[slot] as number;
      ordered.sort();
      for (let i = 0; i < n; i++) ordered[i] = this.#order.slotAt(ordered[i] as number);
      return ordered;
    }
    // Of most machines there are it is quicker to look at all, which are in order.
    const { marked } = this;
    for (const slot of slots) marked[slot] = 1;
    for (const slot of this.#order) {
      if (marked[slot] === 0) continue;
      marked[slot] = 0;
      ordered[n++] = slot;
    }
    return ordered;
  }

  /** As they are now. Everything must be settled. */
  freeze(): FrozenMachines {
    const parts = { shapes: this.shapes.freeze(), assignments: this.assignments.freeze(), clusters: this.clusters };
    const frozen = new FrozenMachines(parts, this.#order.freeze());
    this.copyTo(frozen);
    return frozen;
  }

  reservations(): Iterable<[id: string, to: Assignment]> {
    return [...this.#reservations].map(([id, ref]): [string, Assignment] => [id, this.assignments.at(ref).to]);
  }

  /** Free machines of one class. */
  idle(classIndex: number): Group<Tally> | undefined {
    return this.#idle[classIndex];
  }

  speculative(classIndex: number): Group<Tally> | undefined {
    return this.#speculative[classIndex];
  }

  /** Machines that are being drained or created for nobody; not those of clusters that are away, which nobody drains. */
  *comingFree(): Iterable<Group<Tally>> {
    for (const [owner, shelf] of this.#comingFree) if (owner < 0 || this.clusters.at(owner).connected) yield* shelf.groups();
  }

  comingFreeShelves(): Iterable<Shelf<Tally>> {
    return this.#comingFree.values();
  }

  /** It will be free, as far as anybody knows: nobody drains what a cluster has that is away. */
  isComing(slot: number): boolean {
    const owner = this.ownerRef(slot);
    return !this.isUntrusted(slot) && !this.isDrainRefused(slot) && (owner < 0 || this.clusters.at(owner).connected);
  }

  /** Slots of the machines, -1 for those that are not known. Throws if a machine is named twice. */
  find(machines: readonly EngineMachine[]): Int32Array {
    const slots = this.#slotOf.getAll(machines.map(({ id }) => id));
    const { marked } = this;
    const strangers = new Set<string>();
    let twice: string | undefined;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] as number;
      if (slot < 0) {
        const { id } = machines[i] as EngineMachine;
        if (strangers.has(id)) twice = id;
        strangers.add(id);
      } else {
        if (marked[slot] === 1) twice = machines[i]?.id;
        marked[slot] = 1;
      }
    }
    for (let i = 0; i < slots.length; i++) if ((slots[i] as number) >= 0) marked[slots[i] as number] = 0;
    if (twice !== undefined) throw new Error(`machine "${twice}": id must occur once in a change`);
    return slots;
  }

  /**
   * Reads what filing the machines from..to of `slots` will read. Half a million machines lie all over the memory; what is
   * read in one sweep the processor fetches side by side, what is read machine by machine one after the other.
   */
  fetch(slots: Int32Array, from: number, to: number): void {
    let sum = 0;
    for (let i = from; i < Math.min(to, slots.length); i++) {
      const slot = slots[i] as number;
      if (slot < 0) continue;
      sum += (this.states[slot] as number) + (this.flags[slot] as number) + (this.roles[slot] as number) + (this.waiting[slot] as number);
      sum += (this.shapeOf[slot] as number) + (this.clusterOf[slot] as number) + (this.assignedTo[slot] as number) + (this.intendedTo[slot] as number);
      sum += (this.credited[slot] as number) + (this.groupOf[slot]?.size ?? 0);
      if (Number.isNaN(this.idleSince[slot])) sum++;
    }
    this.fetched = sum;
  }

  /** Files the machine, which has the slot `known` if that is not negative. Returns its slot. */
  upsert(machine: EngineMachine, known: number): number {
    if (known >= 0 && this.#isUnchanged(known, machine)) return known;
    const slot = known >= 0 ? known : this.#claimSlot(machine.id);
    if (known >= 0) this.#count(slot, -1);
    this.#write(slot, machine, known >= 0);
    this.#refile(slot);
    this.#count(slot, 1);
    this.touched.push(slot);
    this.#soil(slot);
    return slot;
  }

  remove(id: string): Millis | undefined {
    const slot = this.#slotOf.get(id);
    if (slot === undefined) return undefined;
    this.#count(slot, -1);
    this.#noteChange(slot);
    this.#move(slot, undefined);
    this.roles[slot] = ROLE.none;
    this.#leaveParts(slot);
    this.#clocksToCheck.note(slot, false);
    this.strayBindings.delete(slot);
    this.#slotOf.delete(id);
    this.#order.remove(slot);
    this.ids[slot] = undefined;
    this.removedIds.push(id);
    const since = this.idleSince[slot] as number;
    this.idleSince[slot] = Number.NaN;
    return Number.isNaN(since) ? undefined : since;
  }

  /** Starts, sets or (NaN) stops the machine's idle clock. */
  setIdleSince(slot: number, at: number): void {
    this.idleSince[slot] = at;
    this.touched.push(slot);
    this.#checkClock(slot);
  }

  #checkClock(slot: number): void {
    this.#clocksToCheck.note(slot, this.#isClockOff(slot));
  }

  #isClockOff(slot: number): boolean {
    return (this.state(slot) === IDLE) === Number.isNaN(this.idleSince[slot]);
  }

  /** The clocks that a plan starts and stops. Everything must be settled. */
  clocksDue(): ClocksDue {
    const { known } = this.#clocksToCheck;
    if (known !== undefined) return { slots: this.inOrder(known), areAll: true };
    const first = new Int32Array(ClocksToCheck.MOST_KNOWN);
    let n = 0;
    for (const slot of this.#order) {
      if (!this.#isClockOff(slot)) continue;
      if (n === first.length) return { slots: first, areAll: false };
      first[n++] = slot;
    }
    const slots = first.subarray(0, n);
    this.#clocksToCheck.found(slots);
    return { slots, areAll: true };
  }

  reserve(id: string, to: Assignment | undefined): void {
    const before = this.#reservations.get(id);
    const slot = this.#slotOf.get(id);
    if (slot !== undefined) this.#count(slot, -1);
    if (to === undefined) this.#reservations.delete(id);
    else this.#reservations.set(id, this.assignments.enter(to));
    if (slot !== undefined) {
      this.#refile(slot);
      this.#count(slot, 1);
      this.#noteChange(slot);
    }
    if (before !== undefined) {
      this.clusters.named(this.assignments.at(before).to.cluster).dirty = true;
      this.assignments.leave(before);
    }
  }

  /** Makes machines that differ in one of these labels distinguishable; files anew those that this moves to another class. */
  distinguishBy(keys: readonly string[]): void {
    const usable = this.shapes.distinguishBy(keys);
    if (usable.length === 0) return;
    for (const cls of this.shapes.classes()) Object.assign(cls.usable, { idle: 0, speculative: 0, configured: 0 });
    this.freeVersion++;
    for (const slot of this.#slotOf.slots()) {
      this.#countUsable(slot, 1);
      this.#refile(slot);
    }
    this.clusters.allDirty();
  }

  /** What their cluster hints of these machines has changed: they may rank differently. */
  rerank(cluster: Cluster, ids: readonly string[]): void {
    for (const id of ids) {
      const slot = this.#slotOf.get(id);
      if (slot !== undefined && this.owner(slot) === cluster.name) this.#refile(slot);
    }
  }

  /** Does about `limit` machines' worth of filing; false = nothing is left to do. */
  settle(limit: number): boolean {
    let budget = limit - this.#order.waiting;
    if (this.#order.waiting > 0) this.#order.settle(limit);
    if (budget <= 0) return this.#order.waiting > 0 || this.#staleGroups.length > 0;
    for (let group = this.#staleGroups.pop(); group !== undefined; group = budget > 0 ? this.#staleGroups.pop() : undefined) {
      budget -= group.settle();
    }
    if (this.#staleGroups.length > 0) return true;
    this.#releaseSlots();
    return false;
  }

  /** A slot is used again only when nothing remembers whom it stood for. */
  #releaseSlots(): void {
    for (const slot of this.#order.released()) this.#freeSlots.push(slot);
  }

  #isUnchanged(slot: number, machine: EngineMachine): boolean {
    return (
      this.states[slot] === STATES.indexOf(machine.state) &&
      this.flags[slot] === flagsOf(machine) &&
      this.clusterOf[slot] === this.#clusterRef(machine.cluster) &&
      this.shapes.isOf(this.shape(slot), machine) &&
      this.assignments.is(this.assignedTo[slot] as number, machine.assigned) &&
      this.assignments.is(this.intendedTo[slot] as number, intentTo(machine))
    );
  }

  #clusterRef(name: string): number {
    return name === '' ? NONE : this.clusters.named(name).index;
  }

  #claimSlot(id: string): number {
    const slot = this.#freeSlots.pop() ?? this.#used++;
    if (slot >= this.#room) this.#makeRoom(slot + 1);
    this.ids[slot] = id;
    this.#slotOf.add(id, slot);
    this.#order.add(slot);
    this.waiting[slot] = 0;
    this.idleSince[slot] = Number.NaN;
    this.credited[slot] = NONE;
    this.reasonAt[slot] = NONE;
    this.groupOf[slot] = undefined;
    this.shapeOf[slot] = this.assignedTo[slot] = this.intendedTo[slot] = this.clusterOf[slot] = NONE;
    this.roles[slot] = ROLE.none;
    return slot;
  }

  /** What a slot says before it is claimed means nothing: longer columns are not filled. */
  #makeRoom(needed: number): void {
    this.states = withRoom(this.states, needed, 0);
    this.flags = withRoom(this.flags, needed, 1);
    this.roles = withRoom(this.roles, needed, 2);
    this.waiting = withRoom(this.waiting, needed, 3);
    this.shapeOf = withRoom(this.shapeOf, needed, 4);
    this.clusterOf = withRoom(this.clusterOf, needed, 5);
    this.assignedTo = withRoom(this.assignedTo, needed, 6);
    this.intendedTo = withRoom(this.intendedTo, needed, 7);
    this.credited = withRoom(this.credited, needed, 8);
    this.reasonAt = withRoom(this.reasonAt, needed, 9);
    this.marked = withRoom(this.marked, needed, 10);
    this.idleSince = withRoom(this.idleSince, needed, 11);
    const columns = [this.states, this.flags, this.roles, this.waiting, this.shapeOf, this.clusterOf, this.assignedTo, this.intendedTo, this.credited, this.reasonAt, this.marked, this.idleSince];
    this.#room = Math.min(this.#order.makeRoom(needed, 12), ...columns.map(({ length }) => length));
  }

  #write(slot: number, machine: EngineMachine, known: boolean): void {
    if (known) this.#soil(slot); // where it was
    const sameShape = known && this.shapes.isOf(this.shape(slot), machine);
    if (!sameShape) {
      const shape = this.shapes.enter(machine);
      if (known) this.shapes.leave(this.shape(slot));
      this.shapeOf[slot] = shape.index;
    }
    const assigned = this.assignments.enter(machine.assigned);
    const to = this.assignments.enter(intentTo(machine));
    this.assignments.leave(this.assignedTo[slot] as number);
    this.assignments.leave(this.intendedTo[slot] as number);
    this.assignedTo[slot] = assigned;
    this.intendedTo[slot] = to;
    this.states[slot] = STATES.indexOf(machine.state);
    this.flags[slot] = flagsOf(machine);
    this.clusterOf[slot] = this.#clusterRef(machine.cluster);
  }

  #leaveParts(slot: number): void {
    this.shapes.leave(this.shape(slot));
    this.assignments.leave(this.assignedTo[slot] as number);
    this.assignments.leave(this.intendedTo[slot] as number);
    this.shapeOf[slot] = this.assignedTo[slot] = this.intendedTo[slot] = NONE;
  }

  #noteChange(slot: number): void {
    this.touched.push(slot);
    this.#soil(slot);
  }

  /** Marks what a plan has to look at again: the machine's clusters as they are now. */
  #soil(slot: number): void {
    const owner = this.ownerRef(slot);
    if (owner >= 0) this.clusters.at(owner).dirty = true;
    const reserved = this.#reservations.size === 0 ? undefined : this.#reservations.get(this.id(slot));
    if (reserved !== undefined) this.clusters.named(this.assignments.at(reserved).to.cluster).dirty = true;
  }

  #refile(slot: number): void {
    const role = this.#roleFor(slot);
    this.roles[slot] = role;
    this.#move(slot, this.#groupFor(slot, role));
    this.#checkClock(slot);
    if (this.isUnsent(slot) && role !== ROLE.promised) this.strayBindings.add(slot);
    else if (this.strayBindings.size > 0) this.strayBindings.delete(slot);
  }

  #roleFor(slot: number): number {
    const flags = this.flags[slot] as number;
    return roleOf({
      state: this.state(slot),
      intent: this.intent(slot),
      hold: (flags & HOLD) !== 0,
      stuck: (flags & STUCK) !== 0,
      untrusted: (flags & UNTRUSTED) !== 0,
      hasOwner: this.ownerRef(slot) >= 0,
      reserved: this.#reservations.size > 0 && this.#reservations.has(this.id(slot)),
    });
  }

  /** As what the machine would be filed if it came now. A group that is missing is begun by this: then what is kept is wrong already. */
  filing(slot: number): { readonly role: number; readonly group: Group<Tally> | undefined; readonly isClockOff: boolean } {
    const role = this.#roleFor(slot);
    return { role, group: this.#groupFor(slot, role), isClockOff: this.#isClockOff(slot) };
  }

  /** Of the assignments: for whom machines are reserved, known ones and others. */
  reservedRefs(): Iterable<number> {
    return this.#reservations.values();
  }

  /** Slots whose idle clock is noted as one to be started or stopped; undefined = they are too many to be noted. */
  get notedClocks(): ReadonlySet<number> | undefined {
    return this.#clocksToCheck.known;
  }

  #move(slot: number, to: Group<Tally> | undefined): void {
    const from = this.groupOf[slot];
    if (from === to) return;
    this.groupOf[slot] = to;
    this.credited[slot] = NONE;
    if (from !== undefined) {
      if (!from.stale) this.#staleGroups.push(from);
      from.delete(slot);
    }
    if (to === undefined) return;
    this.waiting[slot] = 1;
    if (!to.stale) this.#staleGroups.push(to);
    to.add(slot);
  }

  #groupFor(slot: number, role: number): Group<Tally> | undefined {
    const cls = this.shape(slot).class;
    switch (role) {
      case ROLE.idle:
        return (this.#idle[cls.index] ??= new Group<Tally>(this, 'idle', cls.index, NONE, []));
      case ROLE.speculative:
        return (this.#speculative[cls.index] ??= new Group<Tally>(this, 'speculative', cls.index, NONE, []));
      case ROLE.bound: {
        const cluster = this.clusters.at(this.ownerRef(slot));
        const assigned = this.assignedTo[slot] as number;
        const stamp = assigned >= 0 ? assigned : (this.intendedTo[slot] as number);
        return boundGroup(this, cluster, cls, this.state(slot), stamp, cluster.hints?.get(this.id(slot)), this.isHeld(slot) || this.isDrainRefused(slot) || this.isUntrusted(slot));
      }
      case ROLE.promised: {
        const ref = this.intendedTo[slot] as number;
        return promisedGroup(this, this.#clusterOf(ref), cls, this.state(slot), this.isUnsent(slot), ref);
      }
      case ROLE.reserved: {
        const ref = this.#reservations.get(this.id(slot)) as number;
        return reservedGroup(this, this.#clusterOf(ref), cls, this.state(slot), ref);
      }
      default:
        return this.#isComingFree(slot, role) ? this.#comingFreeOf(cls.index, this.ownerRef(slot)) : undefined;
    }
  }

  /** It will be Idle for everybody unless it is promised to somebody first. */
  #isComingFree(slot: number, role: number): boolean {
    if (this.isUntrusted(slot) || this.isDrainRefused(slot)) return false;
    const state = this.state(slot);
    if (role === ROLE.pending) return state === CREATING;
    return role === ROLE.leaving && staysWhenFreed(state, this.intent(slot));
  }

  #comingFreeOf(classIndex: number, owner: number): Group<Tally> {
    let shelf = this.#comingFree.get(owner);
    if (shelf === undefined) this.#comingFree.set(owner, (shelf = new Shelf()));
    let group = shelf.find(classIndex);
    if (group === undefined) shelf.add(classIndex, (group = new Group<Tally>(this, 'leaving', classIndex, NONE, [], shelf, classIndex)));
    return group;
  }

  #clusterOf(assignment: number): Cluster {
    return this.clusters.named(this.assignments.at(assignment).to.cluster);
  }

  #count(slot: number, by: 1 | -1): void {
    const state = this.state(slot);
    const price = this.price(slot);
    this.#inState[state] = (this.#inState[state] as number) + by;
    if (this.isPaid(slot)) this.paid.add(by, price);
    else if (state === SPECULATIVE && this.intent(slot) === BIND) this.promisedPurchases.add(by, price);
    this.#countUsable(slot, by);
    const owner = this.ownerRef(slot);
    if (owner < 0) return;
    const cluster = this.clusters.at(owner);
    if (state === CONFIGURED) cluster.configured += by;
    if (isDrain(state, this.intent(slot))) cluster.drains += by;
  }

  #countUsable(slot: number, by: 1 | -1): void {
    const role = this.role(slot);
    if (role === ROLE.held || role === ROLE.stuck) return;
    const state = this.state(slot);
    if (role === ROLE.leaving && !staysWhenFreed(state, this.intent(slot))) return;
    const { usable } = this.shape(slot).class;
    const { idle, speculative } = usable;
    if (state === IDLE) usable.idle += by;
    else if (state === SPECULATIVE) usable.speculative += by;
    else if (role === ROLE.bound || role === ROLE.reserved || role === ROLE.leaving || state === CREATING) usable.configured += by; // in use, or soon
    // Each by itself: the limit may forbid to buy one where another that is Idle may be had.
    if ((idle === 0) !== (usable.idle === 0) || (speculative === 0) !== (usable.speculative === 0)) this.freeVersion++;
  }
}

function intentTo(machine: EngineMachine): Assignment | undefined {
  return machine.intent?.kind === 'bind' ? machine.intent.to : undefined;
}

function flagsOf({ hold, stuck, intent, drainRefused, untrusted, hasHost }: EngineMachine): number {
  const kind = intent === undefined ? NO_INTENT : intent.kind === 'bind' ? BIND : intent.kind === 'unbind' ? UNBIND : RELEASE;
  const sent = intent?.kind === 'bind' && intent.configureSent;
  return (hold ? HOLD : 0) | (stuck ? STUCK : 0) | (sent ? SENT : 0) | (drainRefused === true ? DRAIN_REFUSED : 0) | (untrusted === true ? UNTRUSTED : 0) | (hasHost === true ? HAS_HOST : 0) | (kind << INTENT_SHIFT);
}

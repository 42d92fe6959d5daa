/**
 * All machines, filed under what they count for. Every change refiles only the machines it names; the files are put in
 * order when a plan next reads them. Slots are small integers that stand for machines inside one engine.
 */
import { NodeHints } from './node-hints.ts';
import { MachineClasses } from './machine-classes.ts';
import type { MachineClass } from './machine-classes.ts';
import type { Dimensions } from './dimensions.ts';
import { compareText } from '../lib/compare-text.ts';
import { isBeingDrained, ownerOf, roleOf } from './role.ts';
import type { Role } from './role.ts';
import { sortByKeepPriority, sortPromised } from './keep-priority.ts';
import { SortedSlots } from './sorted-slots.ts';
import type { EngineMachine, MachineState } from './types.ts';

interface Filed {
  readonly machine: EngineMachine;
  readonly class: MachineClass;
  readonly role: Role;
  /** The pool that holds the slot; absent if the machine counts for nobody. */
  readonly pool: SortedSlots | undefined;
}

/** Per cluster: what the reclaim rails count. */
interface ClusterCounts {
  configured: number;
  drains: number;
}

const EMPTY: readonly number[] = [];

export class Inventory {
  readonly hints = new NodeHints();
  readonly classes: MachineClasses;
  readonly byState: Record<MachineState, number> = {
    Speculative: 0, Creating: 0, Idle: 0, Configuring: 0, Configured: 0, Draining: 0, Deleting: 0, Failed: 0,
  };
  /** Of everything that costs money: neither Speculative nor Failed; and what was decided to be bought. */
  readonly paid = { machines: 0, microUsdPerHour: 0 };
  readonly promisedPurchases = { machines: 0, microUsdPerHour: 0 };

  readonly #files: (Filed | undefined)[] = [];
  /** Class of each slot: what the inner loops read. */
  readonly #classIndex: number[] = [];
  readonly #freeSlots: number[] = [];
  readonly #slotOf = new Map<string, number>();
  #slotsById: readonly number[] | undefined;

  readonly #idle = new Map<number, SortedSlots>();
  readonly #speculative = new Map<number, SortedSlots>();
  readonly #bound = new Map<string, SortedSlots>();
  readonly #promised = new Map<string, SortedSlots>();
  readonly #unsent = new Set<number>();
  readonly #counts = new Map<string, ClusterCounts>();
  readonly #byId = (slots: number[]): number[] => slots.sort((a, b) => compareText(this.machine(a).id, this.machine(b).id));

  constructor(dimensions: Dimensions) {
    this.classes = new MachineClasses(dimensions);
  }

  upsert(machine: EngineMachine): void {
    const known = this.#slotOf.get(machine.id);
    const slot = known ?? this.#freeSlots.pop() ?? this.#files.length;
    if (known === undefined) {
      this.#slotOf.set(machine.id, slot);
      this.#slotsById = undefined;
    }
    // Enter the new class before leaving the old one, so that an unchanged machine does not end and restart its class.
    const cls = this.classes.enter(machine);
    this.#unfile(slot);
    this.#file(slot, machine, cls);
  }

  remove(id: string): void {
    const slot = this.#slotOf.get(id);
    if (slot === undefined) return;
    this.#unfile(slot);
    this.#files[slot] = undefined;
    this.#slotOf.delete(id);
    this.#freeSlots.push(slot);
    this.#slotsById = undefined;
  }

  /** Makes machines that differ in one of these labels distinguishable; files everything anew if that is news. */
  distinguishBy(keys: readonly string[]): void {
    const known = new Set(this.classes.labelKeys);
    if (keys.every((k) => known.has(k))) return;
    this.classes.distinguishBy([...new Set([...known, ...keys])]);
    for (const slot of this.#slotOf.values()) this.upsert(this.machine(slot));
  }

  get size(): number {
    return this.#slotOf.size;
  }

  /** Slots run from 0 to capacity − 1; some may be unused. */
  get capacity(): number {
    return this.#files.length;
  }

  machine(slot: number): EngineMachine {
    return this.#at(slot).machine;
  }

  find(id: string): EngineMachine | undefined {
    const slot = this.#slotOf.get(id);
    return slot === undefined ? undefined : this.machine(slot);
  }

  role(slot: number): Role {
    return this.#at(slot).role;
  }

  classIndexOf(slot: number): number {
    return this.#classIndex[slot] as number;
  }

  classOf(slot: number): MachineClass {
    return this.#at(slot).class;
  }

  /** Every slot, by machine id. */
  all(): readonly number[] {
    return (this.#slotsById ??= this.#byId([...this.#slotOf.values()]));
  }

  /** Free machines of one class, by id. */
  idle(classIndex: number): readonly number[] {
    return this.#idle.get(classIndex)?.list() ?? EMPTY;
  }

  speculative(classIndex: number): readonly number[] {
    return this.#speculative.get(classIndex)?.list() ?? EMPTY;
  }

  /** The cluster's Configured and Configuring machines in keep-priority order (D13). */
  bound(cluster: string): readonly number[] {
    return this.#bound.get(cluster)?.list() ?? EMPTY;
  }

  /** Clusters that have bound machines, by name. */
  boundClusters(): string[] {
    return [...this.#bound.entries()].filter(([, s]) => s.size > 0).map(([c]) => c).sort(compareText);
  }

  /** What was decided for this demand and is not bound yet, nearest to being ready first. */
  promised(demandKey: string): readonly number[] {
    return this.#promised.get(demandKey)?.list() ?? EMPTY;
  }

  /** Machines with a binding whose Configure has not been sent, by id: what can still be withdrawn. */
  unsentBindings(): readonly number[] {
    return this.#byId([...this.#unsent]);
  }

  counts(cluster: string): Readonly<ClusterCounts> {
    return this.#counts.get(cluster) ?? { configured: 0, drains: 0 };
  }

  /** Hints of a cluster have changed: its keep-priority may have. */
  hintsChanged(cluster: string): void {
    this.#bound.get(cluster)?.reorder();
  }

  #at(slot: number): Filed {
    const filed = this.#files[slot];
    if (filed === undefined) throw new Error(`slot ${slot} holds no machine`);
    return filed;
  }

  #file(slot: number, machine: EngineMachine, cls: MachineClass): void {
    const role = roleOf(machine);
    const pool = this.#poolFor(role, cls);
    this.#files[slot] = { machine, class: cls, role, pool };
    this.#classIndex[slot] = cls.index;
    pool?.add(slot);
    if (machine.intent?.kind === 'bind' && !machine.intent.configureSent) this.#unsent.add(slot);
    this.#count(machine, cls, role, 1);
  }

  #unfile(slot: number): void {
    const filed = this.#files[slot];
    if (filed === undefined) return;
    filed.pool?.delete(slot);
    this.#unsent.delete(slot);
    this.#count(filed.machine, filed.class, filed.role, -1);
    this.classes.leave(filed.class.index);
    this.#dropEmptyPool(filed);
  }

  #poolFor(role: Role, cls: MachineClass): SortedSlots | undefined {
    switch (role.kind) {
      case 'idle':
        return poolAt(this.#idle, cls.index, this.#byId);
      case 'speculative':
        return poolAt(this.#speculative, cls.index, this.#byId);
      case 'bound':
        return poolAt(this.#bound, role.cluster, (slots) => sortByKeepPriority(slots, this, this.hints.of(role.cluster)));
      case 'promised':
        return poolAt(this.#promised, role.demandKey, (slots) => sortPromised(slots, this));
      default:
        return undefined;
    }
  }

  #dropEmptyPool({ pool, role, class: cls }: Filed): void {
    if (pool === undefined || pool.size > 0) return;
    if (role.kind === 'promised') this.#promised.delete(role.demandKey);
    else if (role.kind === 'bound') this.#bound.delete(role.cluster);
    else if (role.kind === 'idle') this.#idle.delete(cls.index);
    else if (role.kind === 'speculative') this.#speculative.delete(cls.index);
  }

  #count(machine: EngineMachine, cls: MachineClass, role: Role, by: 1 | -1): void {
    this.byState[machine.state] += by;
    if (machine.state !== 'Speculative' && machine.state !== 'Failed') {
      this.paid.machines += by;
      this.paid.microUsdPerHour += by * machine.priceMicroUsdPerHour;
    } else if (machine.state === 'Speculative' && machine.intent?.kind === 'bind') {
      this.promisedPurchases.machines += by;
      this.promisedPurchases.microUsdPerHour += by * machine.priceMicroUsdPerHour;
    }
    if (role.kind !== 'leaving' && role.kind !== 'held' && role.kind !== 'stuck') {
      if (machine.state === 'Idle') cls.usable.idle += by;
      else if (machine.state === 'Speculative') cls.usable.speculative += by;
      else if (machine.state === 'Configured') cls.usable.configured += by;
    }
    const owner = ownerOf(machine);
    if (owner === '') return;
    const counts = this.#counts.get(owner) ?? { configured: 0, drains: 0 };
    if (machine.state === 'Configured') counts.configured += by;
    if (isBeingDrained(machine)) counts.drains += by;
    if (counts.configured === 0 && counts.drains === 0) this.#counts.delete(owner);
    else this.#counts.set(owner, counts);
  }
}

function poolAt<K>(pools: Map<K, SortedSlots>, key: K, sort: (slots: number[]) => number[]): SortedSlots {
  let pool = pools.get(key);
  if (pool === undefined) {
    pool = new SortedSlots(sort);
    pools.set(key, pool);
  }
  return pool;
}

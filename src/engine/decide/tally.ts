/** One Need while it is being served: what it still lacks and what it has got. */
import type { Cluster } from '../facts/cluster.ts';
import type { Fit } from '../facts/fit.ts';
import type { Group } from '../facts/group.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { DomainCoverage } from '../types.ts';

/** Why a Need stopped acquiring although it lacks; most other reasons follow from what supply there is. */
type Blocked = 'session' | 'limit' | 'topology' | 'disruption' | 'spread';

/** A machine that is taken from those who rank below, or promised before it is free. */
interface Victim {
  readonly slot: number;
  /** Of what it serves, or was bound for if nobody needs it. */
  readonly priority: number;
  readonly excess: boolean;
  readonly means: Means;
}

/**
 * How a machine that is not free comes to a Need: who has it must give it up; or it is on its way already, no Pod has to move
 * for it, and the Need is promised it or only waits for it.
 */
export type Means = 'evicted' | 'promised' | 'awaited';

export interface TallyMark {
  readonly remaining: readonly number[];
  readonly lacking: readonly number[] | undefined;
  readonly credited: number;
  readonly arriving: number;
  readonly idle: number;
  readonly bought: number;
  readonly reserved: number;
  readonly freed: readonly number[] | undefined;
}

const NONE: readonly never[] = [];

export class Tally {
  readonly row: NeedRow;
  readonly cluster: Cluster;
  readonly fit: Fit;
  /** What is still to be found, by dimension of the row. */
  readonly remaining: number[];
  #lacking: number[] | undefined;
  /** Machines it was credited with; of these, those that are not Configured yet. */
  credited = 0;
  arriving = 0;
  #idle: number[] | undefined;
  #bought: number[] | undefined;
  /** Machines preempted for it that have not arrived, those of `victims` included, and what they will bring. */
  reserved = 0;
  freed: number[] | undefined;
  /** Machines on their way to nobody that it waits for. */
  awaiting = 0;
  #victims: Victim[] | undefined;
  domain: string | undefined;
  satisfiable: boolean | undefined;
  candidates: readonly DomainCoverage[] | undefined;
  blocked: Blocked | undefined;
  /** Machines that it could preempt if nothing on them forbade disruption; of the last search. */
  undisruptable: readonly (readonly [cls: MachineClass, count: number])[] = NONE;
  #uncovered = 0;

  constructor(row: NeedRow, cluster: Cluster, fit: Fit) {
    this.row = row;
    this.cluster = cluster;
    this.fit = fit;
    this.remaining = row.wanted.slice();
    for (const amount of this.remaining) if (amount > 0) this.#uncovered++;
  }

  /** What lacks as long as nothing that was preempted, or that it waits for, has arrived. */
  get lacking(): readonly number[] {
    return this.#lacking ?? this.remaining;
  }

  /** Slots of the Idle machines that it acquires, in the order in which they were chosen. */
  get idle(): readonly number[] {
    return this.#idle ?? NONE;
  }

  /** The same of Speculative ones. */
  get bought(): readonly number[] {
    return this.#bought ?? NONE;
  }

  get acquired(): number {
    return this.idle.length + this.bought.length;
  }

  get victims(): readonly Victim[] {
    return this.#victims ?? NONE;
  }

  /** Acquires the members from..to, all Idle or all Speculative. */
  acquire(members: readonly number[], from: number, to: number, speculative: boolean): void {
    const slots = speculative ? (this.#bought ??= []) : (this.#idle ??= []);
    for (let i = from; i < to; i++) slots.push(members[i] as number);
  }

  /** Keeps what is left of the group, although it covers nothing of what lacks. */
  keep(group: Group<Tally>): void {
    const n = group.left;
    if (group.kind !== 'configured') this.arriving += n;
    this.credited += n;
    group.take(this, n);
  }

  preempt(slot: number, { priority, excess, means }: Omit<Victim, 'slot'>): void {
    (this.#victims ??= []).push({ slot, priority, excess, means });
  }

  /** In how many dimensions something is still to be found. */
  get uncovered(): number {
    return this.#uncovered;
  }

  /** Nothing is to be found any more; what was preempted for it may still be on its way. */
  get covered(): boolean {
    return this.#uncovered === 0;
  }

  get satisfied(): boolean {
    return this.covered && (this.#lacking === undefined || this.#lacking.every((amount) => amount === 0));
  }

  /**
   * What one machine of the class brings of the row's i-th dimension. For gangs that were planned as one only whole gangs
   * count: what is left of a machine beside them serves none of them.
   */
  amount(cls: MachineClass, i: number): number {
    const amount = cls.amounts[this.row.dims[i] as number] ?? 0;
    return this.row.gangs === undefined ? amount : wholeUnits(cls, this.row) * (this.row.asker.minAmounts[i] as number);
  }

  /** A machine that adds nothing to what still lacks is of no use, however well it matches (X20). */
  contributes(cls: MachineClass): boolean {
    const { dims } = this.row;
    for (let i = 0; i < dims.length; i++) {
      if ((this.remaining[i] as number) > 0 && this.amount(cls, i) > 0) return true;
    }
    return false;
  }

  /** How many machines of the class it would take until they contribute no more. */
  wants(cls: MachineClass): number {
    const { dims } = this.row;
    let most = 0;
    for (let i = 0; i < dims.length; i++) {
      const lack = this.remaining[i] as number;
      const amount = this.amount(cls, i);
      if (lack > 0 && amount > 0) most = Math.max(most, Math.ceil(lack / amount));
    }
    return most;
  }

  /** Takes the whole capacity of `n` machines into account: capacity is gross and never shared. */
  subtract(cls: MachineClass, n: number): void {
    const { dims } = this.row;
    for (let i = 0; i < dims.length; i++) {
      const amount = n * this.amount(cls, i);
      if (this.#lacking !== undefined) this.#lacking[i] = Math.max(0, (this.#lacking[i] as number) - amount);
      this.#find(i, amount);
    }
  }

  /** `n` machines of the class are on their way out of other clusters for it. */
  reserve(cls: MachineClass, n: number): void {
    this.#lacking ??= this.remaining.slice();
    this.reserved += n;
    const freed = (this.freed ??= this.remaining.map(() => 0));
    this.row.dims.forEach((_, i) => {
      const amount = n * this.amount(cls, i);
      freed[i] = (freed[i] as number) + amount;
      this.#find(i, amount);
    });
  }

  /** `n` machines of the class will be free. */
  await(cls: MachineClass, n: number): void {
    this.#lacking ??= this.remaining.slice();
    this.awaiting += n;
    this.row.dims.forEach((_, i) => this.#find(i, n * this.amount(cls, i)));
  }

  /** What it lacks, is credited with, acquires and has preempted for it now. Groups keep count of what was taken from them themselves. */
  mark(): TallyMark {
    return { remaining: this.remaining.slice(), lacking: this.#lacking?.slice(), credited: this.credited, arriving: this.arriving, idle: this.idle.length, bought: this.bought.length, reserved: this.reserved, freed: this.freed?.slice() };
  }

  backTo({ remaining, lacking, credited, arriving, idle, bought, reserved, freed }: TallyMark): void {
    remaining.forEach((amount, i) => (this.remaining[i] = amount));
    this.#uncovered = remaining.filter((amount) => amount > 0).length;
    this.#lacking = lacking?.slice();
    this.credited = credited;
    this.arriving = arriving;
    if (this.#idle !== undefined) this.#idle.length = idle;
    if (this.#bought !== undefined) this.#bought.length = bought;
    this.reserved = reserved;
    this.freed = freed?.slice();
  }

  #find(i: number, amount: number): void {
    const before = this.remaining[i] as number;
    if (before <= 0) return;
    const after = Math.max(0, before - amount);
    this.remaining[i] = after;
    if (after === 0) this.#uncovered--;
  }
}

/** How many of a folded row's gangs one machine holds; its dimensions and those of its smallest unit are the same. */
function wholeUnits(cls: MachineClass, { dims, asker: { minAmounts } }: NeedRow): number {
  let units = Number.POSITIVE_INFINITY;
  for (let i = 0; i < dims.length; i++) units = Math.min(units, Math.floor((cls.amounts[dims[i] as number] ?? 0) / (minAmounts[i] as number)));
  return units;
}

/**
 * Reasons of the last plan that do not follow from a machine's role and from who was credited with it: of what was decided,
 * and of what was left undecided.
 */
import type { MachineColumns } from '../facts/machine-columns.ts';
import type { MachineReason } from '../types.ts';

/** Numbers of reasons grow from plan to plan, so that those of the last one need not be taken back; up to here. */
const MOST_NUMBERED = 2 ** 30;

type Lists = readonly (readonly number[])[];

export class PlanReasons {
  readonly #inventory: Pick<MachineColumns, 'reasonAt'>;
  /** The number of the first reason: machines that hold a smaller one got it from an earlier plan. */
  #first = 0;
  #reasons: MachineReason[] = [];
  #single: number[] = [];
  #lists: (readonly number[])[] = [];

  constructor(inventory: Pick<MachineColumns, 'reasonAt'>) {
    this.#inventory = inventory;
  }

  /** The same of machines that were frozen after the same plan. */
  of(inventory: Pick<MachineColumns, 'reasonAt'>): PlanReasons {
    const frozen = new PlanReasons(inventory);
    frozen.#first = this.#first;
    frozen.#reasons = this.#reasons;
    return frozen;
  }

  /** The reasons of the last plan end. Returns the lists of the machines that had one. */
  begin(): Lists {
    const before = this.#lists;
    this.#first += this.#reasons.length;
    if (this.#first > MOST_NUMBERED) {
      this.#inventory.reasonAt.fill(-1);
      this.#first = 0;
    }
    this.#reasons = [];
    this.#single = [];
    this.#lists = [this.#single];
    return before;
  }

  /** Slots of the machines that have one; some more than once. */
  get lists(): Lists {
    return this.#lists;
  }

  set(slot: number, reason: MachineReason): void {
    this.give(slot, this.add(reason));
    this.#single.push(slot);
  }

  /** A reason that machines can be given, by its number. */
  add(reason: MachineReason): number {
    return this.#first + this.#reasons.push(reason) - 1;
  }

  /** Whoever gives it sees to it that the machine gets into a list. */
  give(slot: number, reason: number): void {
    this.#inventory.reasonAt[slot] = reason;
  }

  list(slots: readonly number[]): void {
    this.#lists.push(slots);
  }

  get(slot: number): MachineReason | undefined {
    return this.#reasons[(this.#inventory.reasonAt[slot] as number) - this.#first];
  }
}

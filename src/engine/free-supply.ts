/**
 * The free machines of one plan. Machines of one class are interchangeable and leave in order of id, so that what is
 * taken is one number per class: how many.
 */
import type { Fit, Tie } from './fit.ts';
import type { Inventory } from './inventory.ts';
import type { MachineClass } from './machine-classes.ts';
import { compareText } from '../lib/compare-text.ts';
import type { Pick } from './tally.ts';

export class FreeSupply {
  readonly #inventory: Inventory;
  readonly #takenIdle: Int32Array;
  readonly #takenSpeculative: Int32Array;

  constructor(inventory: Inventory, takenIdle?: Int32Array, takenSpeculative?: Int32Array) {
    this.#inventory = inventory;
    this.#takenIdle = takenIdle ?? new Int32Array(inventory.classes.capacity);
    this.#takenSpeculative = takenSpeculative ?? new Int32Array(inventory.classes.capacity);
  }

  /** A copy to try something on. */
  fork(): FreeSupply {
    return new FreeSupply(this.#inventory, this.#takenIdle.slice(), this.#takenSpeculative.slice());
  }

  /** Takes over what was taken from a fork. */
  adopt(fork: FreeSupply): void {
    this.#takenIdle.set(fork.#takenIdle);
    this.#takenSpeculative.set(fork.#takenSpeculative);
  }

  /** How many machines of the class are left, Idle and Speculative. */
  left(classIndex: number): number {
    return (
      this.#inventory.idle(classIndex).length - (this.#takenIdle[classIndex] as number) +
      this.#inventory.speculative(classIndex).length - (this.#takenSpeculative[classIndex] as number)
    );
  }

  head(classIndex: number, speculative: boolean): number | undefined {
    return speculative
      ? this.#inventory.speculative(classIndex)[this.#takenSpeculative[classIndex] as number]
      : this.#inventory.idle(classIndex)[this.#takenIdle[classIndex] as number];
  }

  take(classIndex: number, speculative: boolean): void {
    const taken = speculative ? this.#takenSpeculative : this.#takenIdle;
    taken[classIndex] = (taken[classIndex] as number) + 1;
  }

  /** The order in which a Need would take from the classes that `admits` lets through: Idle first, then Speculative. */
  walk(fit: Fit, admits: (cls: MachineClass) => boolean): SupplyWalk {
    return new SupplyWalk(this, this.#inventory, fit, admits);
  }
}

/** One Need's way through the free supply. `admits` may turn false for a class but never true again. */
export class SupplyWalk {
  readonly #supply: FreeSupply;
  readonly #inventory: Inventory;
  readonly #fit: Fit;
  readonly #admits: (cls: MachineClass) => boolean;
  #speculative = false;
  #tie = 0;

  constructor(supply: FreeSupply, inventory: Inventory, fit: Fit, admits: (cls: MachineClass) => boolean) {
    this.#supply = supply;
    this.#inventory = inventory;
    this.#fit = fit;
    this.#admits = admits;
  }

  /** The machine that is next in order, not taken yet. */
  peek(): Pick | undefined {
    for (;;) {
      const ties = this.#speculative ? this.#fit.speculative : this.#fit.idle;
      const tie = ties[this.#tie];
      if (tie === undefined) {
        if (this.#speculative) return undefined;
        this.#speculative = true;
        this.#tie = 0;
        continue;
      }
      const slot = this.#smallestHead(tie);
      if (slot !== undefined) return { slot, speculative: this.#speculative };
      this.#tie++;
    }
  }

  take(pick: Pick): void {
    this.#supply.take(this.#inventory.classOf(pick.slot).index, pick.speculative);
  }

  #smallestHead(tie: Tie): number | undefined {
    let best: number | undefined;
    for (const classIndex of tie) {
      const slot = this.#supply.head(classIndex, this.#speculative);
      if (slot === undefined || !this.#admits(this.#inventory.classes.at(classIndex))) continue;
      if (best === undefined || compareText(this.#inventory.machine(slot).id, this.#inventory.machine(best).id) < 0) best = slot;
    }
    return best;
  }
}

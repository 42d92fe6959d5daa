/** Who got what in one plan. Each machine is claimed at most once; claims are never taken back. */
import type { Inventory } from './inventory.ts';

const NOBODY = -1;
const NEVER = 0x7fffffff;

export class Ledger {
  readonly #claimedBy: Int32Array;
  readonly #firstTier: Int32Array;
  readonly #inventory: Inventory;

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
    this.#claimedBy = new Int32Array(inventory.capacity).fill(NOBODY);
    this.#firstTier = new Int32Array(inventory.classes.capacity).fill(NEVER);
  }

  isFree(slot: number): boolean {
    return this.#claimedBy[slot] === NOBODY;
  }

  /** Index of the Need (in the engine's order) that has the machine; undefined = nobody. */
  holder(slot: number): number | undefined {
    const by = this.#claimedBy[slot];
    return by === undefined || by === NOBODY ? undefined : by;
  }

  /** `tier` counts precedences from the highest, 0: Needs of one tier do not outrank each other. */
  claim(slot: number, need: number, tier: number): void {
    if (!this.isFree(slot)) throw new Error(`machine "${this.#inventory.machine(slot).id}" is claimed twice`);
    this.#claimedBy[slot] = need;
    const cls = this.#inventory.classOf(slot).index;
    if (tier < (this.#firstTier[cls] as number)) this.#firstTier[cls] = tier;
  }

  /** True if a Need of strictly higher precedence than `tier` has a machine of one of these classes. */
  servesHigher(classes: readonly number[], tier: number): boolean {
    return classes.some((c) => (this.#firstTier[c] as number) < tier);
  }
}

/** The safety rail on purchases (D12). Idle machines cost money already: only Speculative ones are stopped by it. */
import type { Inventory } from './inventory.ts';
import type { Policy } from './types.ts';

export class Room {
  #machines: number;
  #microUsdPerHour: number;
  #closed = false;

  constructor(inventory: Inventory, limits: Policy['limits']) {
    const { paid, promisedPurchases } = inventory;
    this.#machines = (limits.machines ?? Infinity) - paid.machines - promisedPurchases.machines;
    this.#microUsdPerHour = (limits.microUsdPerHour ?? Infinity) - paid.microUsdPerHour - promisedPurchases.microUsdPerHour;
  }

  /**
   * Books the purchases, all or none. The first that does not fit closes the room for the rest of the plan: else a lower
   * Need's cheaper machine would eat, plan after plan, the money that the higher one waits for.
   */
  book(pricesMicroUsdPerHour: readonly number[]): boolean {
    if (pricesMicroUsdPerHour.length === 0) return true;
    const sum = pricesMicroUsdPerHour.reduce((a, b) => a + b, 0);
    if (this.#closed || pricesMicroUsdPerHour.length > this.#machines || sum > this.#microUsdPerHour) {
      this.#closed = true;
      return false;
    }
    this.#machines -= pricesMicroUsdPerHour.length;
    this.#microUsdPerHour -= sum;
    return true;
  }
}

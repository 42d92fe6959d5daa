/** The safety rail on purchases (D12). Idle machines cost money already: only Speculative ones are stopped by it. */
import type { Inventory } from '../facts/inventory.ts';
import type { Policy } from '../types.ts';

export class Room {
  #machines: number;
  #microUsdPerHour: number;
  readonly #mostMachines: number;
  readonly #mostMicroUsdPerHour: number;
  isClosed = false;

  constructor(inventory: Inventory, limits: Policy['limits']) {
    const { paid, promisedPurchases } = inventory;
    this.#mostMachines = limits.machines ?? Infinity;
    this.#machines = this.#mostMachines - paid.machines - promisedPurchases.machines;
    this.#mostMicroUsdPerHour = limits.microUsdPerHour ?? Infinity;
    this.#microUsdPerHour = this.#mostMicroUsdPerHour - paid.microUsdPerHour - promisedPurchases.microUsdPerHour;
  }

  /**
   * Books up to `wanted` machines of one price; returns how many there was room for. The first that does not fit closes
   * the room for the rest of the plan, unless its Need gets elsewhere what it lacks: else a lower Need's cheaper machine would
   * eat, plan after plan, the money that the higher one waits for. What costs more than the whole limit is not offered at all (`isEverOpenTo`).
   */
  book(priceMicroUsdPerHour: number, wanted: number): number {
    if (this.isClosed) return 0;
    const affordable = priceMicroUsdPerHour > 0 ? Math.floor(this.#microUsdPerHour / priceMicroUsdPerHour) : this.#microUsdPerHour < 0 ? 0 : Infinity;
    const n = Math.max(0, Math.min(wanted, this.#machines, affordable));
    this.#machines -= n;
    this.#microUsdPerHour -= n * priceMicroUsdPerHour;
    if (n < wanted) this.isClosed = true;
    return n;
  }

  get isLimited(): boolean {
    return this.#mostMachines < Infinity || this.#mostMicroUsdPerHour < Infinity;
  }

  /** Whether one may be bought at present. */
  isOpenTo(priceMicroUsdPerHour: number): boolean {
    return !this.isClosed && this.#machines >= 1 && this.#microUsdPerHour >= priceMicroUsdPerHour;
  }

  /** Both allow the same. */
  equals(other: Room): boolean {
    return this.#machines === other.#machines && this.#microUsdPerHour === other.#microUsdPerHour && this.isClosed === other.isClosed;
  }

  /** False: the whole limit would not be enough for one. */
  isEverOpenTo(priceMicroUsdPerHour: number): boolean {
    return this.isWithin(1, priceMicroUsdPerHour);
  }

  reopen(): void {
    this.isClosed = false;
  }

  /** Nothing is forbidden, until `backTo`. */
  lift(): void {
    this.backTo({ machines: Infinity, microUsdPerHour: Infinity, isClosed: false });
  }

  /** Whether the whole limits allow so much. */
  isWithin(machines: number, microUsdPerHour: number): boolean {
    return machines <= this.#mostMachines && microUsdPerHour <= this.#mostMicroUsdPerHour;
  }

  mark(): RoomMark {
    return { machines: this.#machines, microUsdPerHour: this.#microUsdPerHour, isClosed: this.isClosed };
  }

  /** What has been booked since is not bought after all. */
  backTo({ machines, microUsdPerHour, isClosed }: RoomMark): void {
    this.#machines = machines;
    this.#microUsdPerHour = microUsdPerHour;
    this.isClosed = isClosed;
  }
}

interface RoomMark {
  readonly machines: number;
  readonly microUsdPerHour: number;
  readonly isClosed: boolean;
}

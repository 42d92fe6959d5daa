/** Everything one plan hands out, and how far it has got: shared by the steps of the ordered pass. */
import type { Fit } from './fit.ts';
import { Fits } from './fit.ts';
import { FreeSupply } from './free-supply.ts';
import type { Inventory } from './inventory.ts';
import { Ledger } from './ledger.ts';
import type { NeedRow } from './need-row.ts';
import { Room } from './room.ts';
import type { Tally } from './tally.ts';
import type { Policy } from './types.ts';

export class Market {
  readonly inventory: Inventory;
  readonly ledger: Ledger;
  readonly free: FreeSupply;
  readonly room: Room;
  readonly #fits: Fits;
  readonly #spare = new Map<string, number[]>();

  constructor(inventory: Inventory, fits: Fits, policy: Policy) {
    this.inventory = inventory;
    this.ledger = new Ledger(inventory);
    this.free = new FreeSupply(inventory);
    this.room = new Room(inventory, policy.limits);
    this.#fits = fits;
  }

  fit(row: NeedRow): Fit {
    return this.#fits.of(row);
  }

  /** Takes a machine that counts already. */
  credit(tally: Tally, slot: number): void {
    this.ledger.claim(slot, tally.index, tally.tier);
    tally.credited.push(slot);
  }

  /**
   * What a Need may be credited with, in order: its cluster's bound machines, what was decided for it (D34), and what was
   * decided for Needs of its cluster that have had their turn and do without it. The last follows from the first: a
   * machine that becomes ready early is credited to whoever comes first, and what was on its way to that Need must then
   * serve the one it was taken from, or constant demand would withdraw the one and buy another.
   */
  creditable(row: NeedRow): readonly (readonly number[])[] {
    const { cluster } = row.need;
    return [this.inventory.bound(cluster), this.inventory.promised(row.demandKey), this.#spare.get(cluster) ?? []];
  }

  /** All rows of this row's demand have had their turn: what is left of what was decided for it is spare. */
  closeDemand(row: NeedRow): void {
    const left = this.inventory.promised(row.demandKey).filter((slot) => this.ledger.isFree(slot));
    if (left.length === 0) return;
    const spare = this.#spare.get(row.need.cluster);
    if (spare === undefined) this.#spare.set(row.need.cluster, left);
    else spare.push(...left);
  }
}

/** Everything the engine knows. Only `apply` changes it; a plan reads it. */
import { Dimensions } from './dimensions.ts';
import { Fits } from './fit.ts';
import { Inventory } from './inventory.ts';
import { Memory } from './memory.ts';
import { NeedsTable } from './needs-table.ts';
import type { Policy } from './types.ts';

export class EngineState {
  readonly inventory: Inventory;
  readonly needs: NeedsTable;
  readonly fits: Fits;
  readonly memory = new Memory();
  readonly sessions = new Set<string>();
  policy: Policy;
  /** Trusted until somebody says otherwise. */
  supplyTrusted = true;

  constructor(policy: Policy) {
    const dimensions = new Dimensions();
    this.inventory = new Inventory(dimensions);
    this.needs = new NeedsTable(dimensions);
    this.fits = new Fits(this.inventory.classes);
    this.policy = policy;
  }
}

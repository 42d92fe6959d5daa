import type { Inventory } from './inventory.ts';

/** Writes into the records what holds up the drains of machines, as the operators of their clusters say it. */
export class DrainHolds {
  private readonly inventory: Inventory;
  /** Machines of which something was said, by cluster. */
  private readonly told = new Map<string, readonly string[]>();

  constructor(inventory: Inventory) {
    this.inventory = inventory;
  }

  /** All that the cluster says at present. It can speak only of machines that serve it. */
  report(cluster: string, heldBy: ReadonlyMap<string, string>): void {
    for (const id of new Set([...(this.told.get(cluster) ?? []), ...heldBy.keys()])) {
      const machine = this.inventory.get(id);
      if (machine?.seen.cluster === cluster && machine.heldBy !== heldBy.get(id)) this.inventory.update(id, { heldBy: heldBy.get(id) });
    }
    this.told.set(cluster, [...heldBy.keys()]);
  }
}

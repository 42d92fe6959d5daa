/** Reasons that do not follow from a machine's role and from who was credited with it: of what was decided, and of what was left undecided. */
import type { Inventory } from '../facts/inventory.ts';
import type { MachineReason } from '../types.ts';

export class PlanReasons {
  readonly slots: number[] = [];
  readonly #reasons: MachineReason[] = [];
  readonly #inventory: Inventory;

  /** `before`, of the last plan, ends. */
  constructor(inventory: Inventory, before: PlanReasons | undefined) {
    this.#inventory = inventory;
    for (const slot of before?.slots ?? []) inventory.reasonAt[slot] = -1;
  }

  set(slot: number, reason: MachineReason): void {
    const at = this.#inventory.reasonAt[slot] as number;
    if (at >= 0) this.#reasons[at] = reason;
    else {
      this.#inventory.reasonAt[slot] = this.slots.length;
      this.slots.push(slot);
      this.#reasons.push(reason);
    }
  }

  get(slot: number): MachineReason | undefined {
    return this.#reasons[this.#inventory.reasonAt[slot] as number];
  }
}

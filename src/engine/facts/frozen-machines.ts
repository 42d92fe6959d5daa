/** All machines as they were at one moment, for whoever looks at them bit by bit while the engine goes on. */
import { compareText } from '../../lib/compare-text.ts';
import { MachineColumns } from './machine-columns.ts';
import type { SharedParts } from './machine-columns.ts';

export class FrozenMachines extends MachineColumns {
  readonly #slots: Int32Array;

  /** `slots` in order of id. The columns are copied in by the inventory. */
  constructor(parts: SharedParts, slots: Int32Array) {
    super(parts);
    this.#slots = slots;
  }

  slots(): Iterable<number> {
    return this.#slots;
  }

  slot(id: string): number | undefined {
    let low = 0;
    let high = this.#slots.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareText(this.id(this.#slots[middle] as number), id) < 0) low = middle + 1;
      else high = middle;
    }
    const slot = this.#slots[low];
    return slot !== undefined && this.id(slot) === id ? slot : undefined;
  }
}

import { vi } from 'vitest';
import { Market } from '../decide/market.ts';
import { Inventory } from '../facts/inventory.ts';

/** True if `run` came so far that it was ended: after so many steps of some that plans are full of. */
export function breaksOff(steps: number, run: () => unknown): boolean {
  let left = steps;
  const step = (): void => {
    if (left-- === 0) throw new Error('broken off');
  };
  const { classOf } = Market.prototype;
  const { id } = Inventory.prototype;
  vi.spyOn(Market.prototype, 'classOf').mockImplementation(function (this: Market, group) {
    step();
    return classOf.call(this, group);
  });
  vi.spyOn(Inventory.prototype, 'id').mockImplementation(function (this: Inventory, slot) {
    step();
    return id.call(this, slot);
  });
  try {
    run();
    return false;
  } catch {
    return true;
  } finally {
    vi.restoreAllMocks();
  }
}

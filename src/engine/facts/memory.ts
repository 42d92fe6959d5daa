/** What is remembered between plans about demand and clusters. A plan only reads it; the caller commits what a plan wants remembered. */
import { compareText } from '../../lib/compare-text.ts';
import type { MemoryChange, Millis } from '../types.ts';

export class Memory {
  readonly arrival = new Map<string, Millis>();
  readonly leftOverSince = new Map<string, Millis>();
  readonly reclaims = new Map<string, readonly Millis[]>();
  /** Idle clocks of machines that are not in the inventory. */
  readonly strayIdleSince = new Map<string, Millis>();
  /** Demands that may no longer be there: their arrivals are then forgotten. */
  readonly arrivalsToCheck = new Set<string>();
}

export function compareMemoryChanges(a: MemoryChange, b: MemoryChange): number {
  return compareText(a.what, b.what) || compareText(a.key, b.key);
}

/** Sets what `at` says, or forgets it. */
export function commitTo<T>(map: Map<string, T>, key: string, at: T | null): void {
  if (at === null) map.delete(key);
  else map.set(key, at);
}

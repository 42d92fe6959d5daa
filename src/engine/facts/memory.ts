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

/** By what is remembered and then by key. */
export function sortMemoryChanges(changes: readonly MemoryChange[]): MemoryChange[] {
  // The engine's own `<` is many times faster, and right for text without surrogates.
  const plain = !changes.some(({ key }) => SURROGATES.test(key));
  const compare = plain ? (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0) : compareText;
  return WHATS.flatMap((what) => changes.filter((change) => change.what === what).sort((a, b) => compare(a.key, b.key)));
}

const WHATS = ['arrival', 'idleSince', 'leftOverSince', 'reclaims', 'reservation'] as const satisfies readonly MemoryChange['what'][];

const SURROGATES = /[\ud800-\udfff]/;

/** Sets what `at` says, or forgets it. */
export function commitTo<T>(map: Map<string, T>, key: string, at: T | null): void {
  if (at === null) map.delete(key);
  else map.set(key, at);
}

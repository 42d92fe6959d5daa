/** What is remembered between plans about demand and clusters. A plan only reads it; the caller commits what a plan wants remembered. */
import { compareText } from '../../lib/compare-text.ts';
import { inSteps, sortedInSteps } from '../../lib/steps.ts';
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
export function* sortMemoryChanges(changes: readonly MemoryChange[]): Generator<undefined, MemoryChange[]> {
  // The engine's own `<` is many times faster, and right for text without surrogates.
  let plain = true;
  const byWhat = new Map<MemoryChange['what'], MemoryChange[]>(WHATS.map((what) => [what, []]));
  yield* inSteps(changes, (change) => {
    plain &&= !SURROGATES.test(change.key);
    byWhat.get(change.what)?.push(change);
  });
  const compare = plain ? (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0) : compareText;
  const sorted: MemoryChange[] = [];
  for (const some of byWhat.values()) {
    for (const change of yield* sortedInSteps(some, (a, b) => compare(a.key, b.key))) sorted.push(change);
  }
  return sorted;
}

const WHATS = ['arrival', 'idleSince', 'leftOverSince', 'reclaims', 'reservation'] as const satisfies readonly MemoryChange['what'][];

const SURROGATES = /[\ud800-\udfff]/;

/** Sets what `at` says, or forgets it. */
export function commitTo<T>(map: Map<string, T>, key: string, at: T | null): void {
  if (at === null) map.delete(key);
  else map.set(key, at);
}

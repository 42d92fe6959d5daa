/** What is remembered between plans. A plan only reads it; what it wants remembered it returns, and the caller commits that. */
import { compareText } from '../lib/compare-text.ts';
import type { MemoryChange, Millis } from './types.ts';

type Instants = Map<string, Millis>;

export class Memory {
  readonly arrival: Instants = new Map();
  readonly leftOverSince: Instants = new Map();
  readonly idleSince: Instants = new Map();
  readonly reclaims = new Map<string, readonly Millis[]>();

  commit(change: MemoryChange): void {
    if (change.what === 'reclaims') {
      if (change.at === null) this.reclaims.delete(change.key);
      else this.reclaims.set(change.key, change.at);
      return;
    }
    const instants = this[change.what];
    if (change.at === null) instants.delete(change.key);
    else instants.set(change.key, change.at);
  }

  /** Everything, as changes that would restore it, in the order of `compareMemoryChanges`. */
  all(): MemoryChange[] {
    const instants = (['arrival', 'leftOverSince', 'idleSince'] as const).flatMap((what) =>
      [...this[what]].map(([key, at]): MemoryChange => ({ what, key, at })),
    );
    const reclaims = [...this.reclaims].map(([key, at]): MemoryChange => ({ what: 'reclaims', key, at }));
    return [...instants, ...reclaims].sort(compareMemoryChanges);
  }
}

export function compareMemoryChanges(a: MemoryChange, b: MemoryChange): number {
  return compareText(a.what, b.what) || compareText(a.key, b.key);
}

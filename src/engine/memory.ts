/** What is remembered between plans. A plan only reads it; what it wants remembered it returns, and the caller commits that. */
import { compareText } from '../lib/compare-text.ts';
import type { Assignment, MemoryChange, Millis } from './types.ts';

type Instants = Map<string, Millis>;

export class Memory {
  readonly arrival: Instants = new Map();
  readonly leftOverSince: Instants = new Map();
  readonly idleSince: Instants = new Map();
  readonly reclaims = new Map<string, readonly Millis[]>();
  readonly reservations = new Map<string, Assignment>();

  commit(change: MemoryChange): void {
    if (change.what === 'reclaims') {
      if (change.at === null) this.reclaims.delete(change.key);
      else this.reclaims.set(change.key, change.at);
      return;
    }
    if (change.what === 'reservation') {
      if (change.to === null) this.reservations.delete(change.key);
      else this.reservations.set(change.key, change.to);
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
    const reservations = [...this.reservations].map(([key, to]): MemoryChange => ({ what: 'reservation', key, to }));
    return [...instants, ...reclaims, ...reservations].sort(compareMemoryChanges);
  }
}

export function compareMemoryChanges(a: MemoryChange, b: MemoryChange): number {
  return compareText(a.what, b.what) || compareText(a.key, b.key);
}

import type { Assignment } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { InventoryChange } from './inventory.ts';

/** Nothing refused for so long: a machine that was refused would have been tried again by now. */
const FORGET_MS = 90_000;

/** What stands in the way, in somebody's words. Two of one code are the same trouble, whatever ids and times the words carry. */
export interface Trouble {
  readonly code: string;
  readonly words: string;
}

/**
 * What providers said when they refused machines to rows of demand. The machines themselves rest and are somebody else's
 * next; the row is tried with others meanwhile, and would read satisfied during each try (spec: engine 20).
 */
export class BindRefusals {
  private readonly clock: Clock;
  private readonly byRow = new Map<string, Trouble & { readonly at: number }>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  refused(to: Assignment, { code, words }: Trouble): void {
    this.byRow.set(rowKey(to), { at: this.clock.monotonic(), code, words });
  }

  /** Feed it every change: a machine that arrives ends the story of its row, one that fails on its way goes on with it. */
  observe({ before, after }: InventoryChange): void {
    if (before?.intent?.kind !== 'bind' || !after || before.seen.state === after.seen.state) return;
    if (after.seen.state === 'Configured') this.byRow.delete(rowKey(before.intent.to));
    else if (after.seen.state === 'Failed') this.refused(before.intent.to, { code: 'Failed', words: after.seen.lastError });
  }

  /** The latest by row, as `rowKey` has it. */
  current(): ReadonlyMap<string, Trouble> {
    const since = this.clock.monotonic() - FORGET_MS;
    for (const [key, { at }] of this.byRow) if (at < since) this.byRow.delete(key);
    return this.byRow;
  }
}

export function rowKey({ cluster, fingerprint, group }: Pick<Assignment, 'cluster' | 'fingerprint' | 'group'>): string {
  return JSON.stringify([cluster, fingerprint, group]);
}

/** The fingerprint in a `rowKey`. */
export function fingerprintOf(key: string): string {
  return (JSON.parse(key) as [cluster: string, fingerprint: string, group: string])[1];
}

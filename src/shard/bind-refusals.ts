import type { Assignment } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { InventoryChange } from './inventory.ts';

/** Nothing refused for so long: a machine that was refused would have been tried again by now. */
const FORGET_MS = 90_000;

/**
 * What providers said when they refused machines to rows of demand. The machines themselves rest and are somebody else's
 * next; the row is tried with others meanwhile, and would read satisfied during each try (spec: engine 20).
 */
export class BindRefusals {
  private readonly clock: Clock;
  private readonly byRow = new Map<string, { readonly at: number; readonly text: string }>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  refused(to: Assignment, text: string): void {
    this.byRow.set(rowKey(to), { at: this.clock.monotonic(), text });
  }

  /** Feed it every change: a machine that arrives ends the story of its row, one that fails on its way goes on with it. */
  observe({ before, after }: InventoryChange): void {
    if (before?.intent?.kind !== 'bind' || !after || before.seen.state === after.seen.state) return;
    if (after.seen.state === 'Configured') this.byRow.delete(rowKey(before.intent.to));
    else if (after.seen.state === 'Failed') this.refused(before.intent.to, after.seen.lastError);
  }

  /** The latest words by row, as `rowKey` has it. */
  current(): ReadonlyMap<string, string> {
    const since = this.clock.monotonic() - FORGET_MS;
    for (const [key, { at }] of this.byRow) if (at < since) this.byRow.delete(key);
    return new Map([...this.byRow].map(([key, { text }]) => [key, text]));
  }
}

export function rowKey({ cluster, fingerprint, group }: Pick<Assignment, 'cluster' | 'fingerprint' | 'group'>): string {
  return JSON.stringify([cluster, fingerprint, group]);
}

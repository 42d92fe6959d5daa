import type { Clock } from '../lib/clock.ts';
import type { InventoryChange } from './inventory.ts';
import type { MachineRecord } from './record.ts';
import type { SourceRows } from './source-rows.ts';

/** Nothing refused for so long: a machine that was refused would have been tried again by now. */
const FORGET_MS = 90_000;

/** What stands in the way, in somebody's words. Two of one code are the same trouble, whatever ids and times the words carry. */
export interface Trouble {
  readonly code: string;
  readonly words: string;
  /** A machine has come to the row since: what it still lacks may be for this, what is on its way is not. */
  readonly hasOneCome?: true;
}

/**
 * What providers said when they refused machines to rows of demand. The machines themselves rest and are somebody else's
 * next; the row is tried with others meanwhile, and would read satisfied during each try (spec: engine 20).
 */
export class BindRefusals {
  private readonly clock: Clock;
  private readonly rows: Pick<SourceRows, 'of'>;
  private readonly byRow = new Map<string, Trouble & { readonly until: number }>();

  constructor(clock: Clock, rows: Pick<SourceRows, 'of'>) {
    this.clock = clock;
    this.rows = rows;
  }

  /** The machine was refused to the rows that it counted for; nothing like it is tried for them for `restMs`. */
  refused({ why }: Pick<MachineRecord, 'why'>, { code, words }: Trouble, restMs = 0): void {
    const trouble = { until: this.clock.monotonic() + restMs + FORGET_MS, code, words };
    for (const row of this.rows.of(why)) this.byRow.set(row, trouble);
  }

  /** Feed it every change: a machine that arrives ends the story of what else is on its way, one that fails there goes on with it. */
  observe({ before, after }: InventoryChange): void {
    if (before?.intent?.kind !== 'bind' || !after || before.seen.state === after.seen.state) return;
    if (after.seen.state === 'Configured') for (const row of this.rows.of(before.why)) this.hasCome(row);
    if (after.seen.state === 'Failed') this.refused(before, { code: 'Failed', words: after.seen.lastError });
  }

  private hasCome(row: string): void {
    const trouble = this.byRow.get(row);
    if (trouble) this.byRow.set(row, { ...trouble, hasOneCome: true });
  }

  /** The latest by row, as `rowKey` has it. */
  current(): ReadonlyMap<string, Trouble> {
    const now = this.clock.monotonic();
    for (const [key, { until }] of this.byRow) if (until < now) this.byRow.delete(key);
    return this.byRow;
  }
}

import type { Millis, Need } from '../engine/types.ts';

const MIN_BASELINE_ROWS = 10;
const SUSPICIOUS_FRACTION = 0.1;
/** So many suspicious roll-ups in a row are believed. */
const CONFIRMATIONS = 3;

/** What the guard remembers of one cluster: its last accepted roll-up, and how often it has doubted since. */
export interface Accepted {
  readonly rows: number;
  /** By dimension, in base units. */
  readonly totals: ReadonlyMap<string, number>;
  readonly held: number;
  readonly heldSince?: Millis;
}

/** `shrunk`: what fell below a tenth, for people. */
export type RollupVerdict = { readonly accept: true } | { readonly accept: false; readonly held: number; readonly since: Millis; readonly shrunk: string };

/**
 * Rail 2 (spec: engine 10.4): a roll-up that keeps less than a tenth of a cluster's accepted demand is more likely a broken
 * operator than a cluster that emptied within seconds; it is held until confirmed. Rows count from ten on, below that many
 * come and go; and so does the total of every dimension (X14), so that an empty roll-up is held however small the cluster is. Of a
 * cluster that nothing is known of the first roll-up is accepted.
 */
export function judgeRollup(state: Accepted | undefined, needs: readonly Need[], now: Millis): { readonly state: Accepted; readonly verdict: RollupVerdict } {
  const totals = totalsOf(needs);
  const shrunk = state && whatShrank(state, needs.length, totals);
  const held = (state?.held ?? 0) + 1;
  if (state === undefined || shrunk === undefined || held >= CONFIRMATIONS) {
    return { state: { rows: needs.length, totals, held: 0 }, verdict: { accept: true } };
  }
  const since = state.heldSince ?? now;
  return { state: { ...state, held, heldSince: since }, verdict: { accept: false, held, since, shrunk } };
}

function whatShrank(state: Accepted, rows: number, totals: ReadonlyMap<string, number>): string | undefined {
  if (state.rows >= MIN_BASELINE_ROWS && rows < SUSPICIOUS_FRACTION * state.rows) return 'rows';
  return [...state.totals].find(([name, was]) => (totals.get(name) ?? 0) < SUSPICIOUS_FRACTION * was)?.[0];
}

function totalsOf(needs: readonly Need[]): ReadonlyMap<string, number> {
  const totals = new Map<string, number>();
  for (const need of needs) {
    for (const [name, amount] of need.aggregate) totals.set(name, (totals.get(name) ?? 0) + amount);
  }
  return totals;
}

import type { Need } from '../engine/types.ts';

const MIN_BASELINE_ROWS = 10;
const SUSPICIOUS_FRACTION = 0.1;
/** So many suspicious roll-ups in a row are believed. */
const CONFIRMATIONS = 3;

/**
 * Rail 2 (spec: engine 10.4): a roll-up that keeps less than a tenth of a cluster's accepted demand is more likely a
 * broken operator than a cluster that emptied within seconds; it is held until confirmed. Counts rows, and the quantity
 * of every dimension, so that zeroed quantities do not slip through (X14). Memory only: the first roll-up is accepted.
 */
export class RollupGuard {
  private readonly accepted = new Map<string, { rows: number; totals: ReadonlyMap<string, number> }>();
  private readonly held = new Map<string, number>();

  /** True = accept. */
  admit(cluster: string, needs: readonly Need[]): boolean {
    const totals = sumByDimension(needs);
    if (this.isSuspicious(cluster, needs.length, totals)) {
      const held = (this.held.get(cluster) ?? 0) + 1;
      this.held.set(cluster, held);
      if (held < CONFIRMATIONS) return false;
    }
    this.held.delete(cluster);
    this.accepted.set(cluster, { rows: needs.length, totals });
    return true;
  }

  heldCount(cluster: string): number {
    return this.held.get(cluster) ?? 0;
  }

  heldByCluster(): ReadonlyMap<string, number> {
    return this.held;
  }

  private isSuspicious(cluster: string, rows: number, totals: ReadonlyMap<string, number>): boolean {
    const baseline = this.accepted.get(cluster);
    if (!baseline || baseline.rows < MIN_BASELINE_ROWS) return false;
    if (rows < SUSPICIOUS_FRACTION * baseline.rows) return true;
    const shrunk = [...baseline.totals].filter(([name, was]) => was > 0 && (totals.get(name) ?? 0) < SUSPICIOUS_FRACTION * was);
    // One dimension may well vanish (the last GPU job ends); all of them at once is a roll-up of zeroes.
    return baseline.totals.size > 0 && shrunk.length === baseline.totals.size;
  }
}

function sumByDimension(needs: readonly Need[]): Map<string, number> {
  const totals = new Map<string, number>();
  for (const need of needs) {
    for (const [name, amount] of need.aggregate) totals.set(name, (totals.get(name) ?? 0) + amount);
  }
  return totals;
}

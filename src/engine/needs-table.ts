/** Demand as the clusters last stated it (spec: engine 4, D2). A cluster is in the table once it has reported, even if it wants nothing. */
import type { Dimensions } from './dimensions.ts';
import { identityOf, mergeNeeds, needRow } from './need-row.ts';
import type { NeedRow } from './need-row.ts';
import { compareText } from '../lib/compare-text.ts';
import { compareRows } from './order.ts';
import type { Need } from './types.ts';

export class NeedsTable {
  readonly #dimensions: Dimensions;
  readonly #byCluster = new Map<string, readonly NeedRow[]>();
  #ordered: readonly NeedRow[] | undefined;

  constructor(dimensions: Dimensions) {
    this.#dimensions = dimensions;
  }

  /** Replaces the cluster's demand; rows of equal identity are summed. */
  replace(cluster: string, needs: readonly Need[]): void {
    const byIdentity = new Map<string, Need>();
    for (const need of needs) {
      const identity = identityOf(need);
      const known = byIdentity.get(identity);
      byIdentity.set(identity, known === undefined ? need : mergeNeeds(known, need));
    }
    this.#byCluster.set(cluster, [...byIdentity.values()].map((need) => needRow(need, this.#dimensions)));
    this.arrivalsChanged();
  }

  hasReported(cluster: string): boolean {
    return this.#byCluster.has(cluster);
  }

  /** Rows in the engine's order; one that has not been seen before is younger than all others. */
  ordered(arrivals: ReadonlyMap<string, number>): readonly NeedRow[] {
    const arrivalOf = (row: NeedRow): number => arrivals.get(row.demandKey) ?? Number.POSITIVE_INFINITY;
    return (this.#ordered ??= [...this.#byCluster.values()].flat().sort((a, b) => compareRows(a, b, arrivalOf)));
  }

  arrivalsChanged(): void {
    this.#ordered = undefined;
  }

  /** By cluster, each in a fixed order. */
  all(): Map<string, readonly Need[]> {
    const clusters = [...this.#byCluster].sort(([a], [b]) => compareText(a, b));
    return new Map(
      clusters.map(([cluster, rows]) => [
        cluster,
        [...rows].sort((a, b) => compareText(a.identity, b.identity)).map((row) => row.need),
      ]),
    );
  }
}

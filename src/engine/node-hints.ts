/** What operators say about the Nodes of their bound machines (D13). */
import { compareText } from '../lib/compare-text.ts';
import type { NodeHint } from './types.ts';

export type HintsById = ReadonlyMap<string, NodeHint>;

export class NodeHints {
  readonly #byCluster = new Map<string, HintsById | null>();

  /** Replaces the cluster's hints; null = its operator sends none. A machine named twice gets the more cautious reading. */
  set(cluster: string, hints: readonly NodeHint[] | null): void {
    if (hints === null) {
      this.#byCluster.set(cluster, null);
      return;
    }
    const byId = new Map<string, NodeHint>();
    for (const hint of hints) {
      const known = byId.get(hint.machineId);
      byId.set(hint.machineId, known === undefined ? hint : cautious(known, hint));
    }
    this.#byCluster.set(cluster, byId);
  }

  /** undefined = the cluster sends no hints at all. */
  of(cluster: string): HintsById | undefined {
    return this.#byCluster.get(cluster) ?? undefined;
  }

  /** By cluster, each sorted by machine id. */
  all(): Map<string, readonly NodeHint[] | null> {
    const clusters = [...this.#byCluster].sort(([a], [b]) => compareText(a, b));
    return new Map(clusters.map(([cluster, hints]) => [cluster, hints === null ? null : sortedHints(hints)]));
  }
}

function sortedHints(hints: HintsById): readonly NodeHint[] {
  return [...hints.values()].sort((a, b) => compareText(a.machineId, b.machineId));
}

function cautious(a: NodeHint, b: NodeHint): NodeHint {
  return {
    machineId: a.machineId,
    ready: a.ready || b.ready,
    pods: Math.max(a.pods, b.pods),
    disruptionCost: Math.max(a.disruptionCost, b.disruptionCost),
    doNotDisrupt: a.doNotDisrupt || b.doNotDisrupt,
  };
}

/**
 * The verdicts of all Needs in the engine's order. Half a million Needs are too many to visit for every plan: what decides
 * about the order lies in columns, and only clusters whose demand or age has changed take new places.
 */
import { compareText } from '../../lib/compare-text.ts';
import type { Cluster } from '../facts/cluster.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { NeedVerdict } from '../types.ts';
import { interleave } from './ordered-pass.ts';

interface Places {
  readonly precedence: Float64Array;
  readonly arrival: Float64Array;
  /** Index of the row's cluster. */
  readonly cluster: Int32Array;
}

export class VerdictOrder {
  #places: Places = placesFor(0);
  #verdicts: (NeedVerdict | undefined)[] = [];
  /** How many of them are not satisfied: half a million are too many to be asked each time. */
  unmet = 0;
  /** Where each cluster's rows stand, in its own order: those of the cluster with index i lie from #starts[i] to #starts[i + 1]. */
  #positions = new Int32Array(0);
  #starts = new Int32Array(1);
  /** By cluster index: its place among the names. */
  #nameRank = new Int32Array(0);

  /** `all` clusters there are; `moved`: their rows or ages are others than last time; `planned`: their verdicts may be. */
  update(all: readonly Cluster[], moved: ReadonlySet<Cluster>, planned: readonly Cluster[]): readonly NeedVerdict[] {
    for (const cluster of new Set([...moved, ...planned])) this.#clear(cluster);
    if (moved.size > 0) this.#replace(all, moved);
    else this.#verdicts = this.#verdicts.slice(); // plans that were made keep theirs
    const verdicts = this.#verdicts;
    for (const cluster of planned) {
      const start = this.#starts[cluster.index] as number;
      const rows = cluster.demand?.ordered() ?? [];
      for (let i = 0; i < rows.length; i++) {
        const verdict = (rows[i] as NeedRow).verdict as NeedVerdict;
        verdicts[this.#positions[start + i] as number] = verdict;
        if (!verdict.satisfied) this.unmet++;
      }
    }
    return verdicts as readonly NeedVerdict[];
  }

  #clear({ index }: Cluster): void {
    if (index + 1 >= this.#starts.length) return;
    for (let i = this.#starts[index] as number; i < (this.#starts[index + 1] as number); i++) {
      if (this.#verdicts[this.#positions[i] as number]?.satisfied === false) this.unmet--;
    }
  }

  #replace(all: readonly Cluster[], moved: ReadonlySet<Cluster>): void {
    if (this.#nameRank.length < all.length) this.#nameRank = nameRanks(all);
    const byName = [...moved].sort((a, b) => compareText(a.name, b.name));
    const fresh = interleave(byName.map(({ demand }) => demand?.ordered() ?? []));
    const clusterOf = new Map(byName.map((cluster) => [cluster.name, cluster.index]));
    const isMoved = new Uint8Array(all.length);
    for (const { index } of moved) isMoved[index] = 1;

    const before = this.#places;
    const verdicts = this.#verdicts;
    let staying = 0;
    for (let i = 0; i < verdicts.length; i++) if (isMoved[before.cluster[i] as number] === 0) staying++;
    const after = placesFor(staying + fresh.length);
    const merged = new Array<NeedVerdict | undefined>(staying + fresh.length);
    const nameRank = this.#nameRank;
    let to = 0;
    let from = 0;
    for (let next = 0; next <= fresh.length; next++) {
      const row = fresh[next];
      const cluster = row === undefined ? -1 : (clusterOf.get(row.need.cluster) as number);
      for (; from < verdicts.length; from++) {
        const staying = before.cluster[from] as number;
        if (isMoved[staying] === 1) continue;
        const precedence = before.precedence[from] as number;
        const arrival = before.arrival[from] as number;
        if (row !== undefined) {
          if (row.precedence > precedence) break;
          if (row.precedence === precedence && (row.arrival < arrival || (row.arrival === arrival && (nameRank[cluster] as number) < (nameRank[staying] as number)))) break;
        }
        after.precedence[to] = precedence;
        after.arrival[to] = arrival;
        after.cluster[to] = staying;
        merged[to++] = verdicts[from];
      }
      if (row === undefined) break;
      after.precedence[to] = row.precedence;
      after.arrival[to] = row.arrival;
      after.cluster[to] = cluster;
      merged[to++] = row.verdict;
    }
    this.#places = after;
    this.#verdicts = merged;
    this.#index(all.length);
  }

  /** Notes where each cluster's rows stand. */
  #index(clusters: number): void {
    const { cluster } = this.#places;
    const starts = new Int32Array(clusters + 1);
    for (const index of cluster) (starts[index + 1] as number)++;
    for (let i = 0; i < clusters; i++) starts[i + 1] = (starts[i + 1] as number) + (starts[i] as number);
    const next = starts.slice();
    const positions = this.#positions.length === cluster.length ? this.#positions : new Int32Array(cluster.length);
    for (let i = 0; i < cluster.length; i++) {
      const index = cluster[i] as number;
      const at = next[index] as number;
      next[index] = at + 1;
      positions[at] = i;
    }
    this.#positions = positions;
    this.#starts = starts;
  }
}

function placesFor(rows: number): Places {
  return { precedence: new Float64Array(rows), arrival: new Float64Array(rows), cluster: new Int32Array(rows) };
}

function nameRanks(clusters: readonly Cluster[]): Int32Array<ArrayBuffer> {
  const ranks = new Int32Array(clusters.length);
  [...clusters].sort((a, b) => compareText(a.name, b.name)).forEach(({ index }, i) => (ranks[index] = i));
  return ranks;
}

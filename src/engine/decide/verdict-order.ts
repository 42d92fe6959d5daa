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
  /** By cluster index: where its rows stand, in its own order. */
  #positions: number[][] = [];
  /** By cluster index: its place among the names. */
  #nameRank = new Int32Array(0);

  /** `all` clusters there are; `moved`: their rows or ages are others than last time; `planned`: their verdicts may be. */
  update(all: readonly Cluster[], moved: ReadonlySet<Cluster>, planned: readonly Cluster[]): readonly NeedVerdict[] {
    for (const cluster of new Set([...moved, ...planned])) this.#clear(cluster);
    if (moved.size > 0) this.#replace(all, moved);
    else this.#verdicts = this.#verdicts.slice(); // plans that were made keep theirs
    for (const cluster of planned) {
      const positions = this.#positions[cluster.index] ?? [];
      const rows = cluster.demand?.ordered() ?? [];
      for (let i = 0; i < rows.length; i++) {
        const verdict = (rows[i] as NeedRow).verdict as NeedVerdict;
        this.#verdicts[positions[i] as number] = verdict;
        if (!verdict.satisfied) this.unmet++;
      }
    }
    return this.#verdicts as readonly NeedVerdict[];
  }

  #clear({ index }: Cluster): void {
    for (const position of this.#positions[index] ?? []) if (this.#verdicts[position]?.satisfied === false) this.unmet--;
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
    let to = 0;
    let from = 0;
    const keepUpTo = (isBefore: (place: number) => boolean): void => {
      for (; from < verdicts.length; from++) {
        if (isMoved[before.cluster[from] as number] === 1) continue;
        if (!isBefore(from)) return;
        after.precedence[to] = before.precedence[from] as number;
        after.arrival[to] = before.arrival[from] as number;
        after.cluster[to] = before.cluster[from] as number;
        merged[to++] = verdicts[from];
      }
    };
    for (const row of fresh) {
      const cluster = clusterOf.get(row.need.cluster) as number;
      const rank = this.#nameRank[cluster] as number;
      keepUpTo((place) => {
        const byPrecedence = row.precedence - (before.precedence[place] as number);
        if (byPrecedence !== 0) return byPrecedence < 0;
        const at = before.arrival[place] as number;
        if (at !== row.arrival) return at < row.arrival;
        return (this.#nameRank[before.cluster[place] as number] as number) < rank;
      });
      after.precedence[to] = row.precedence;
      after.arrival[to] = row.arrival;
      after.cluster[to] = cluster;
      merged[to++] = row.verdict;
    }
    keepUpTo(() => true);
    this.#places = after;
    this.#verdicts = merged;
    this.#positions = all.map(() => []);
    for (let i = 0; i < to; i++) this.#positions[after.cluster[i] as number]?.push(i);
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

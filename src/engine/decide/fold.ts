/**
 * Gangs that fit on one machine need no topology: they are planned as one plain Need whose smallest unit is a gang (spec:
 * engine 5). Else every small gang would be rounded up to a machine of its own.
 */
import type { Cluster } from '../facts/cluster.ts';
import { compareRows } from '../facts/demand.ts';
import type { Facts } from '../facts/facts.ts';
import type { Asker } from '../facts/fit.ts';
import { foldedRow } from '../facts/need-row.ts';
import type { NeedRow } from '../facts/need-row.ts';

export class Folding {
  readonly #facts: Facts;
  /** By the machines asked for: whether some free one exists. */
  readonly #free = new Map<string, { readonly holder: Asker; exists: boolean }>();
  #freeVersion = -1;

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  /** Before a plan: true if gangs may fold differently than before because free machines have come or gone. */
  update(): boolean {
    const { freeVersion } = this.#facts.inventory;
    if (freeVersion === this.#freeVersion) return false;
    this.#freeVersion = freeVersion;
    let differs = false;
    for (const known of this.#free.values()) {
      const exists = this.#search(known.holder);
      differs ||= exists !== known.exists;
      known.exists = exists;
    }
    return differs;
  }

  /** The rows that a plan serves for the cluster, in order. */
  rowsOf(cluster: Cluster): readonly NeedRow[] {
    const rows = cluster.demand?.ordered() ?? [];
    cluster.foldsByFree = false;
    if (!rows.some((row) => row.onOneMachine !== undefined)) return rows;
    const plain: NeedRow[] = [];
    const folds = new Map<string, NeedRow[]>();
    for (const row of rows) {
      const target = row.onOneMachine;
      if (target === undefined || !this.#fits(row, cluster)) {
        plain.push(row);
        continue;
      }
      const gangs = folds.get(target.key);
      if (gangs === undefined) folds.set(target.key, [row]);
      else gangs.push(row);
    }
    for (const [key, gangs] of folds) plain.push(this.#folded(cluster, key, gangs));
    return plain.sort(compareRows);
  }

  #folded(cluster: Cluster, key: string, gangs: readonly NeedRow[]): NeedRow {
    const known = cluster.folded.get(key);
    const arrival = gangs.reduce((oldest, gang) => Math.min(oldest, gang.arrival), Number.POSITIVE_INFINITY);
    if (known?.gangs?.length === gangs.length && known.arrival === arrival && known.gangs.every((gang, i) => gang === gangs[i])) return known;
    const made = foldedRow(gangs, this.#facts.dimensions);
    cluster.folded.set(key, made);
    return made;
  }

  /** One machine that the cluster has or that was decided for it (D34), or some free one, holds the whole gang; what is claimed does not matter. */
  #fits(row: NeedRow, cluster: Cluster): boolean {
    const holder = row.onOneMachine?.holder;
    if (holder === undefined || !row.wanted.some((amount) => amount > 0)) return false;
    const { accepts } = this.#facts.fits.of(holder);
    for (const shelf of cluster.shelves()) for (const group of shelf.groups()) if (accepts[group.classIndex] === 1) return true;
    cluster.foldsByFree = true;
    let known = this.#free.get(holder.fitKey);
    if (known === undefined) {
      known = { holder, exists: this.#search(holder) };
      this.#free.set(holder.fitKey, known);
    }
    return known.exists;
  }

  #search(holder: Asker): boolean {
    return this.#facts.fits.of(holder).classes.some((cls) => cls.usable.idle + cls.usable.speculative > 0);
  }
}

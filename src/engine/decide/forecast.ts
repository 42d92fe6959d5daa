/**
 * What the Needs of a cluster that have not had their turn yet will be credited with if nothing is taken from them. Who
 * preempts must know: a machine that a Need of at least its own priority is about to be credited with is none of its
 * victims, whatever priority the machine was stamped with (X3), and what nobody will be credited with goes first (X24).
 */
import type { Cluster } from '../facts/cluster.ts';
import type { Group, Mark } from '../facts/group.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { Tally } from './tally.ts';

/** Machines at positions from..to of a group, and who will have them; undefined = nobody. */
export interface Stretch {
  readonly group: Group<Tally>;
  readonly from: number;
  readonly to: number;
  readonly holder: NeedRow | undefined;
}

/** The Needs of each cluster that is planned anew, in order, and how many of them have had their turn. */
export interface Turns {
  readonly rows: readonly NeedRow[];
  next: number;
}

export class Forecasts {
  readonly #turns: ReadonlyMap<Cluster, Turns>;
  readonly #credit: (row: NeedRow, cluster: Cluster) => void;
  readonly #known = new Map<Cluster, readonly Stretch[]>();

  /** `credit` credits a row with what its cluster has, and nothing else. */
  constructor(turns: ReadonlyMap<Cluster, Turns>, credit: (row: NeedRow, cluster: Cluster) => void) {
    this.#turns = turns;
    this.#credit = credit;
  }

  /** Bound machines of the cluster that no Need before has. */
  of(cluster: Cluster): readonly Stretch[] {
    let known = this.#known.get(cluster);
    if (known === undefined) {
      const turns = this.#turns.get(cluster);
      known = turns === undefined ? keptStretches(cluster) : this.#foresee(cluster, turns);
      this.#known.set(cluster, known);
    }
    return known;
  }

  /** Something was taken in the cluster, or one more of its Needs has had its turn. */
  forget(cluster: Cluster): void {
    this.#known.delete(cluster);
  }

  #foresee(cluster: Cluster, { rows, next }: Turns): Stretch[] {
    const marks: { readonly group: Group<Tally>; readonly mark: Mark<Tally> }[] = [];
    for (const shelf of cluster.shelves()) {
      for (const tie of shelf.ties()) {
        for (const group of tie) {
          if (group.left > 0) marks.push({ group, mark: group.mark() });
        }
      }
    }
    for (let i = next; i < rows.length; i++) this.#credit(rows[i] as NeedRow, cluster);
    const stretches: Stretch[] = [];
    for (const { group, mark } of marks) {
      if (group.kind === 'configured') stretches.push(...stretchesFrom(group, mark.taken));
      group.backTo(mark);
    }
    return stretches;
  }
}

/** A cluster that is not planned anew keeps what the last plan gave it: every Need has had its turn, and may still be outranked. */
function keptStretches(cluster: Cluster): Stretch[] {
  const stretches: Stretch[] = [];
  for (const group of cluster.bound.groups()) if (group.kind === 'configured') stretches.push(...stretchesFrom(group, 0));
  return stretches;
}

function stretchesFrom(group: Group<Tally>, start: number): Stretch[] {
  const stretches: Stretch[] = [];
  let from = start;
  for (const { holder, end } of group.shares) {
    if (end <= from) continue;
    stretches.push({ group, from, to: end, holder: holder.row });
    from = end;
  }
  if (from < group.size) stretches.push({ group, from, to: group.size, holder: undefined });
  return stretches;
}

/**
 * What the Needs of a cluster that have not had their turn yet will be credited with if nothing is taken from them. Who
 * preempts must know: a machine that a Need of at least its own priority is about to be credited with is none of its
 * victims, whatever priority the machine was stamped with (X3), and what nobody will be credited with goes first (X24).
 */
import type { Cluster } from '../facts/cluster.ts';
import type { Group, Mark } from '../facts/group.ts';
import { isOneDemand } from '../facts/need-row.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { Market } from './market.ts';
import type { Tally } from './tally.ts';

/** Machines at positions from..to of a group, and who will have them; undefined = nobody. */
export interface Stretch {
  readonly group: Group<Tally>;
  readonly from: number;
  readonly to: number;
  readonly holder: NeedRow | undefined;
}

/** How the forecast credits Needs. */
export interface Credits {
  /** A row with what its cluster has, and nothing else. */
  readonly credit: (row: NeedRow, cluster: Cluster) => Tally;
  /** A gang that is not whole with what is left after everybody's turn. */
  readonly keep: (tally: Tally) => void;
}

/** Where a gang will be. */
type Place = Pick<Tally, 'domain' | 'satisfiable'>;

interface Forecast {
  readonly stretches: readonly Stretch[];
  /** What was foreseen for gangs. */
  readonly gangs: ReadonlyMap<NeedRow, Place>;
}

const NOWHERE: Place = { domain: undefined, satisfiable: false };

const NO_GANGS: Forecast['gangs'] = new Map();

/** The Needs of each cluster that is planned anew, in order, and how many of them have had their turn. */
export interface Turns {
  readonly rows: readonly NeedRow[];
  next: number;
}

export class Forecasts {
  /** Grows when a forecast is forgotten. */
  version = 0;
  readonly #turns: ReadonlyMap<Cluster, Turns>;
  readonly #market: Market;
  readonly #credits: Credits;
  /** Of each cluster the gangs that have had their turn and are not whole. */
  readonly #incomplete = new Map<Cluster, Tally[]>();
  readonly #known = new Map<Cluster, Forecast>();
  /** The cluster whose turns were asked for last: rows of one cluster come together. */
  #near: { readonly cluster: Cluster; readonly turns: Turns | undefined } | undefined;

  constructor(turns: ReadonlyMap<Cluster, Turns>, market: Market, credits: Credits) {
    this.#turns = turns;
    this.#market = market;
    this.#credits = credits;
  }

  /** Bound machines of the cluster. Those of Needs that have had their turn since it was made are among them: they rank above whoever asks. */
  of(cluster: Cluster): readonly Stretch[] {
    let known = this.#known.get(cluster);
    if (known === undefined) {
      const turns = this.#turns.get(cluster);
      known = turns === undefined ? { stretches: keptStretches(cluster), gangs: NO_GANGS } : this.#foresee(cluster, turns);
      this.#known.set(cluster, known);
    }
    return known.stretches;
  }

  /** The row of the demand in that unit class asks for something, and has not had its turn yet. */
  isToCome(cluster: Cluster, demandKey: string, unitClass: string): boolean {
    const turns = this.#turns.get(cluster);
    if (turns === undefined) return false;
    for (let i = turns.next; i < turns.rows.length; i++) {
      const { demandKey: key, need, wanted } = turns.rows[i] as NeedRow;
      if (key === demandKey && need.unitClass === unitClass && wanted.some((amount) => amount > 0)) return true;
    }
    return false;
  }

  /** The cluster's row that comes next is of the same demand. */
  isNext(cluster: Cluster, row: NeedRow): boolean {
    if (this.#near?.cluster !== cluster) this.#near = { cluster, turns: this.#turns.get(cluster) };
    const { turns } = this.#near;
    const next = turns?.rows[turns.next];
    return next !== undefined && isOneDemand(next, row);
  }

  /** Something was taken in the cluster, or is no longer spoken for. */
  forget(cluster: Cluster): void {
    if (this.#known.delete(cluster)) this.version++;
  }

  /** A Need has had its turn. Only a gang can have chosen otherwise than foreseen, because of what is free. */
  confirm(tally: Tally): void {
    const { row, cluster, domain, satisfiable } = tally;
    if (row.sameKey !== undefined && !tally.covered) {
      const incomplete = this.#incomplete.get(cluster);
      if (incomplete === undefined) this.#incomplete.set(cluster, [tally]);
      else incomplete.push(tally);
    }
    const foreseen = row.sameKey === undefined ? undefined : this.#known.get(cluster)?.gangs.get(row);
    if (foreseen !== undefined && (foreseen.domain !== domain || foreseen.satisfiable !== satisfiable)) this.forget(cluster);
  }

  #foresee(cluster: Cluster, turns: Turns): Forecast {
    const { rows, next } = turns;
    const gangs = new Map<NeedRow, Place>();
    const marks: { readonly group: Group<Tally>; readonly mark: Mark<Tally> }[] = [];
    for (const shelf of cluster.shelves()) {
      for (const tie of shelf.ties()) {
        for (const group of tie) {
          if (group.left > 0) marks.push({ group, mark: group.mark() });
        }
      }
    }
    const incomplete = [...(this.#incomplete.get(cluster) ?? [])];
    this.#market.tryOut(() => {
      for (let i = next; i < rows.length; i++) {
        const row = rows[i] as NeedRow;
        turns.next = i + 1;
        if (this.#market.mayBeCredited(row, cluster)) {
          const tally = this.#credits.credit(row, cluster);
          if (row.sameKey === undefined) continue;
          gangs.set(row, tally);
          if (!tally.covered) incomplete.push(tally);
        } else if (row.sameKey !== undefined) gangs.set(row, NOWHERE);
      }
      for (const tally of incomplete) {
        const before = tally.mark();
        this.#credits.keep(tally);
        tally.backTo(before);
      }
    });
    turns.next = next;
    const stretches: Stretch[] = [];
    for (const { group, mark } of marks) {
      if (group.kind === 'configured') stretches.push(...stretchesFrom(group, mark.taken));
      group.backTo(mark);
    }
    return { stretches, gangs };
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

/**
 * Gangs that fit on one machine need no topology: they are planned as one plain Need whose smallest unit is a gang (spec:
 * engine 5). Else every small gang would be rounded up to a machine of its own. A gang that several machines serve in whole
 * keeps them: constant demand gives nothing up (D7; spec: engine 9.1).
 */
import type { Cluster } from '../facts/cluster.ts';
import { compareRows } from '../facts/demand.ts';
import type { Facts } from '../facts/facts.ts';
import type { Asker } from '../facts/fit.ts';
import type { Shelf } from '../facts/group.ts';
import { foldedRow } from '../facts/need-row.ts';
import type { FoldTarget, NeedRow } from '../facts/need-row.ts';
import { Room } from './room.ts';
import { servedApart } from './served-apart.ts';
import { SmallerMachines } from './smaller-machines.ts';
import type { Tally } from './tally.ts';

export class Folding {
  readonly #facts: Facts;
  /** By the machines asked for: whether some free one exists that may be had. */
  readonly #free = new Map<Asker, boolean>();
  #freeVersion = -1;
  /** What the limit leaves room for as a plan begins. */
  #room: Room;
  readonly #smaller: SmallerMachines;

  constructor(facts: Facts) {
    this.#facts = facts;
    this.#room = roomOf(facts);
    this.#smaller = new SmallerMachines(facts);
  }

  /** Before a plan: true if gangs may fold differently than before because free machines have come or gone. */
  update(): boolean {
    const { freeVersion } = this.#facts.inventory;
    this.#smaller.forget();
    const room = roomOf(this.#facts);
    if (freeVersion === this.#freeVersion && room.equals(this.#room)) return false;
    this.#freeVersion = freeVersion;
    this.#room = room;
    let differs = false;
    for (const [holder, before] of this.#free) {
      const exists = this.#existsFree(holder);
      differs ||= exists !== before;
      this.#free.set(holder, exists);
    }
    return differs;
  }

  /** The rows that a plan serves for the cluster, in order. */
  rowsOf(cluster: Cluster): readonly NeedRow[] {
    const rows = cluster.demand?.ordered() ?? [];
    cluster.foldsByFree = false;
    if (cluster.demand?.hasGangs !== true) {
      cluster.folded.clear();
      cluster.planned = undefined;
      return rows;
    }
    const asked = new Map<Asker, boolean>();
    const folds: boolean[] = [];
    for (const { onOneMachine } of rows) folds.push(onOneMachine !== undefined && this.#fits(onOneMachine, cluster, asked));
    const served = folds.includes(true) ? servedApart(this.#facts, cluster, rows, folds, this.#smaller) : undefined;
    if (served !== undefined) rows.forEach((row, i) => (folds[i] &&= !served.has(row)));
    const known = cluster.planned;
    if (known?.of === rows && equal(known.folds, folds)) return known.rows;
    const planned = this.#fold(cluster, rows, folds);
    cluster.planned = { of: rows, folds, rows: planned };
    return planned;
  }

  #fold(cluster: Cluster, rows: readonly NeedRow[], folds: readonly boolean[]): readonly NeedRow[] {
    const plain: NeedRow[] = [];
    const gangsByKey = new Map<string, NeedRow[]>();
    rows.forEach((row, i) => {
      if (folds[i] !== true || row.onOneMachine === undefined) {
        plain.push(row);
        return;
      }
      const gangs = gangsByKey.get(row.onOneMachine.key);
      if (gangs === undefined) gangsByKey.set(row.onOneMachine.key, [row]);
      else gangs.push(row);
    });
    const folded: NeedRow[] = [];
    for (const [key, gangs] of gangsByKey) folded.push(this.#folded(cluster, key, gangs));
    for (const key of cluster.folded.keys()) if (!gangsByKey.has(key)) cluster.folded.delete(key);
    return merged(plain, folded.sort(compareRows));
  }

  #folded(cluster: Cluster, key: string, gangs: readonly NeedRow[]): NeedRow {
    const known = cluster.folded.get(key);
    const arrival = gangs.reduce((oldest, gang) => Math.min(oldest, gang.arrival), Number.POSITIVE_INFINITY);
    if (known?.gangs?.length === gangs.length && known.arrival === arrival && known.gangs.every((gang, i) => gang === gangs[i])) return known;
    const made = foldedRow(gangs, this.#facts.dimensions);
    cluster.folded.set(key, made);
    return made;
  }

  /** One machine that the cluster has, or some free one, holds the whole gang; what is claimed does not matter. `asked` = answers for this cluster. */
  #fits(target: FoldTarget, cluster: Cluster, asked: Map<Asker, boolean>): boolean {
    const { asker, demandKey } = target;
    const { bound, promised, reserved } = cluster;
    // What is on its way keeps gangs folded for which it was decided, and folds no others: it may fail to arrive.
    if (promised.size > 0 && this.#accepts(asker, promised.get(demandKey))) return true;
    if (reserved.size > 0 && this.#accepts(asker, reserved.get(demandKey))) return true;
    let answer = asked.get(asker);
    if (answer === undefined) asked.set(asker, (answer = this.#accepts(asker, bound) || this.#isFree(asker, cluster)));
    return answer;
  }

  #accepts(holder: Asker, shelf: Shelf<Tally> | undefined): boolean {
    if (shelf === undefined || shelf.size === 0) return false;
    const { accepts } = this.#facts.fit(holder);
    for (const group of shelf.groups()) if (accepts[group.classIndex] === 1) return true;
    return false;
  }

  #isFree(holder: Asker, cluster: Cluster): boolean {
    cluster.foldsByFree = true;
    let exists = this.#free.get(holder);
    if (exists === undefined) this.#free.set(holder, (exists = this.#existsFree(holder)));
    return exists;
  }

  #existsFree(holder: Asker): boolean {
    return this.#facts.fit(holder).classes.some(({ usable, priceMicroUsdPerHour }) => usable.idle > 0 || (usable.speculative > 0 && this.#room.isOpenTo(priceMicroUsdPerHour)));
  }
}

function roomOf({ inventory, policy }: Facts): Room {
  return new Room(inventory, policy.limits);
}

/** Of two lists in order, the second of which is short. */
function merged(long: readonly NeedRow[], short: readonly NeedRow[]): NeedRow[] {
  const all: NeedRow[] = [];
  let from = 0;
  for (const row of short) {
    let low = from;
    let high = long.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareRows(long[middle] as NeedRow, row) < 0) low = middle + 1;
      else high = middle;
    }
    while (from < low) all.push(long[from++] as NeedRow);
    all.push(row);
  }
  while (from < long.length) all.push(long[from++] as NeedRow);
  return all;
}

function equal(a: readonly boolean[], b: readonly boolean[]): boolean {
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

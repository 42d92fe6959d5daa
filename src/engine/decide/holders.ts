/** For whom machines serve, as numbers: what the engine notes per machine of a plan. */
import type { NeedRow } from '../facts/need-row.ts';
import type { ServedDemand } from '../types.ts';

/** Below so many numbers it is not worth looking which of them are still in use. */
const FEW = 1_024;

export class Holders {
  readonly #all: (ServedDemand | undefined)[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #free: number[] = [];
  #most = FEW;

  at(number: number): ServedDemand {
    return this.#all[number] as ServedDemand;
  }

  /** The numbers as they are now. */
  freeze(): Pick<Holders, 'at'> {
    const all = this.#all.slice();
    return { at: (number) => all[number] as ServedDemand };
  }

  /** Rows that say the same of whom they are share a number, so that a row which asks for more keeps its own. */
  of(row: NeedRow): number {
    if (row.holder >= 0) return row.holder;
    const served = servedDemand(row);
    const key = keyOf(served);
    let number = this.#byKey.get(key);
    if (number === undefined) {
      number = this.#free.pop() ?? this.#all.length;
      this.#all[number] = served;
      this.#byKey.set(key, number);
    }
    row.holder = number;
    return number;
  }

  /** Demand comes and goes: then the numbers that nobody has any more are to be freed. */
  get areMany(): boolean {
    return this.#byKey.size > this.#most;
  }

  /** Frees all numbers but those in use: the numbers of machines and of rows. */
  keepOnly(used: Iterable<number>): void {
    const kept = new Set(used);
    this.#all.forEach((served, number) => {
      if (served === undefined || kept.has(number)) return;
      this.#byKey.delete(keyOf(served));
      this.#all[number] = undefined;
      this.#free.push(number);
    });
    this.#most = Math.max(FEW, 2 * this.#byKey.size);
  }
}

/** Whom machines of the row count for, as their reasons say it. */
export function servedDemand(row: NeedRow): ServedDemand {
  const { cluster, fingerprint, group, unitClass, profile } = row.need;
  const first = row.gangs?.[0]?.need.fingerprint;
  const { foldedAs } = row;
  return { cluster, fingerprint: first ?? fingerprint, group, unitClass, priority: profile.priority, ...(foldedAs !== undefined && { foldedAs }) };
}

function keyOf({ cluster, fingerprint, group, unitClass, priority, foldedAs = '' }: ServedDemand): string {
  return `${cluster}\u0000${fingerprint}\u0000${group}\u0000${unitClass}\u0000${priority}\u0000${foldedAs}`;
}

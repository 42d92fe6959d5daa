/** For whom machines serve, as numbers: what the engine notes per machine of a plan. */
import type { NeedRow } from '../facts/need-row.ts';

export interface Holder {
  readonly cluster: string;
  readonly fingerprint: string;
  readonly priority: number;
}

export class Holders {
  readonly #all: Holder[] = [];
  readonly #byKey = new Map<string, number>();

  at(number: number): Holder {
    return this.#all[number] as Holder;
  }

  of(row: NeedRow): number {
    if (row.holder >= 0) return row.holder;
    const { cluster, fingerprint, profile } = row.need;
    const key = JSON.stringify([cluster, fingerprint, profile.priority]);
    let number = this.#byKey.get(key);
    if (number === undefined) {
      number = this.#all.length;
      this.#all.push({ cluster, fingerprint, priority: profile.priority });
      this.#byKey.set(key, number);
    }
    row.holder = number;
    return number;
  }
}

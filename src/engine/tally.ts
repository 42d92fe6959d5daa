/** One Need while it is being served: what it still lacks and what it has got. */
import type { NeedRow } from './need-row.ts';
import type { MachineClass } from './machine-classes.ts';
import type { ResourceVector } from './types.ts';

/** Why a Need stopped acquiring although it lacks; most other reasons follow from what supply there is. */
export type Blocked = 'session' | 'limit' | 'topology' | 'spread';

export interface Pick {
  readonly slot: number;
  readonly speculative: boolean;
}

export class Tally {
  readonly row: NeedRow;
  readonly index: number;
  readonly tier: number;
  readonly remaining: number[];
  readonly credited: number[] = [];
  readonly picks: Pick[] = [];
  domain: string | undefined;
  blocked: Blocked | undefined;
  #open = 0;

  constructor(row: NeedRow, index: number, tier: number) {
    this.row = row;
    this.index = index;
    this.tier = tier;
    this.remaining = [...row.wanted];
    for (const amount of this.remaining) if (amount > 0) this.#open++;
  }

  /** A copy to try something on: same lack, no machines. */
  fork(): Tally {
    const copy = new Tally(this.row, this.index, this.tier);
    this.remaining.forEach((amount, i) => (copy.remaining[i] = amount));
    copy.#open = this.#open;
    return copy;
  }

  get covered(): boolean {
    return this.#open === 0;
  }

  /** A machine that adds nothing to what still lacks is of no use, however well it matches (X20). */
  contributes(cls: MachineClass): boolean {
    const { dims } = this.row;
    for (let i = 0; i < dims.length; i++) {
      if ((this.remaining[i] as number) > 0 && (cls.amounts[dims[i] as number] ?? 0) > 0) return true;
    }
    return false;
  }

  /** Takes one machine's whole capacity into account: capacity is gross and never shared. */
  subtract(cls: MachineClass): void {
    const { dims } = this.row;
    for (let i = 0; i < dims.length; i++) {
      const before = this.remaining[i] as number;
      if (before <= 0) continue;
      const after = Math.max(0, before - (cls.amounts[dims[i] as number] ?? 0));
      this.remaining[i] = after;
      if (after === 0) this.#open--;
    }
  }

  /** What lacks, dimension by dimension; covered ones stay in the vector as 0 (spec: engine 1.6). */
  deficit(): ResourceVector {
    return this.row.need.aggregate.map(([name], i) => [name, this.remaining[i] as number] as const);
  }
}

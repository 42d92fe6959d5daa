/** One Need while it is being served: what it still lacks and what it has got. */
import type { Fit } from '../facts/fit.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { DomainCoverage, ResourceVector } from '../types.ts';

/** Why a Need stopped acquiring although it lacks; most other reasons follow from what supply there is. */
export type Blocked = 'session' | 'limit' | 'topology' | 'spread';

export interface Pick {
  readonly slot: number;
  readonly speculative: boolean;
}

/** A machine that is taken from those who rank below. */
export interface Victim {
  readonly slot: number;
  readonly priority: number;
}

export class Tally {
  readonly row: NeedRow;
  readonly fit: Fit;
  /** What is still to be found, by dimension of the row. */
  readonly remaining: number[];
  /** The same, as long as nothing that was preempted has arrived. */
  readonly lacking: number[];
  /** Machines it was credited with; of these, those that are not Configured yet. */
  credited = 0;
  arriving = 0;
  readonly picks: Pick[] = [];
  /** Machines preempted for it that have not arrived, those of `victims` included, and what they will bring. */
  reserved = 0;
  freed: number[] | undefined;
  readonly victims: Victim[] = [];
  domain: string | undefined;
  satisfiable: boolean | undefined;
  candidates: readonly DomainCoverage[] | undefined;
  blocked: Blocked | undefined;
  /** Machines that it could have preempted if nothing on them forbade disruption. */
  undisruptable = false;
  /** The outcome depended on what others left: it may be another in the next plan although nothing of the cluster changes. */
  open = false;
  #uncovered = 0;

  constructor(row: NeedRow, fit: Fit) {
    this.row = row;
    this.fit = fit;
    this.remaining = row.wanted.slice();
    this.lacking = row.wanted.slice();
    for (const amount of this.remaining) if (amount > 0) this.#uncovered++;
  }

  /** Nothing is to be found any more; what was preempted for it may still be on its way. */
  get covered(): boolean {
    return this.#uncovered === 0;
  }

  get satisfied(): boolean {
    return this.lacking.every((amount) => amount === 0);
  }

  /** A machine that adds nothing to what still lacks is of no use, however well it matches (X20). */
  contributes(cls: MachineClass): boolean {
    const { dims } = this.row;
    for (let i = 0; i < dims.length; i++) {
      if ((this.remaining[i] as number) > 0 && (cls.amounts[dims[i] as number] ?? 0) > 0) return true;
    }
    return false;
  }

  /** How many machines of the class it would take until they contribute no more. */
  wants(cls: MachineClass): number {
    const { dims } = this.row;
    let most = 0;
    for (let i = 0; i < dims.length; i++) {
      const lack = this.remaining[i] as number;
      const amount = cls.amounts[dims[i] as number] ?? 0;
      if (lack > 0 && amount > 0) most = Math.max(most, Math.ceil(lack / amount));
    }
    return most;
  }

  /** Takes the whole capacity of `n` machines into account: capacity is gross and never shared. */
  subtract(cls: MachineClass, n: number): void {
    const { dims } = this.row;
    for (let i = 0; i < dims.length; i++) {
      const amount = n * (cls.amounts[dims[i] as number] ?? 0);
      this.lacking[i] = Math.max(0, (this.lacking[i] as number) - amount);
      this.#find(i, amount);
    }
  }

  /** `n` machines of the class are on their way out of other clusters for it. */
  reserve(cls: MachineClass, n: number): void {
    this.reserved += n;
    const freed = (this.freed ??= this.remaining.map(() => 0));
    this.row.dims.forEach((dim, i) => {
      const amount = n * (cls.amounts[dim] ?? 0);
      freed[i] = (freed[i] as number) + amount;
      this.#find(i, amount);
    });
  }

  /** Back to nothing found beyond this. */
  restore(remaining: readonly number[], lacking: readonly number[]): void {
    this.#uncovered = 0;
    remaining.forEach((amount, i) => {
      this.remaining[i] = amount;
      this.lacking[i] = lacking[i] as number;
      if (amount > 0) this.#uncovered++;
    });
  }

  #find(i: number, amount: number): void {
    const before = this.remaining[i] as number;
    if (before <= 0) return;
    const after = Math.max(0, before - amount);
    this.remaining[i] = after;
    if (after === 0) this.#uncovered--;
  }

  /** What lacks, dimension by dimension; covered ones stay in the vector as 0 (spec: engine 1.6). */
  deficit(): ResourceVector {
    return this.row.need.aggregate.map(([name], i) => [name, this.lacking[i] as number] as const);
  }
}

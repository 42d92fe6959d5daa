/** Which classes a Need accepts and in which order it would buy from them; computed once per (requirements, bucket, min_unit). */
import { compareCost } from './cost.ts';
import type { MachineClass, MachineClasses } from './machine-classes.ts';
import { matches } from './match.ts';
import type { NeedRow } from './need-row.ts';

/** Classes that cost the same: between their machines the id decides. */
export type Tie = readonly number[];

export interface Fit {
  /** 1 at the index of every accepted class: matches and covers min_unit. */
  readonly accepts: Uint8Array;
  readonly classes: readonly number[];
  /** By price (spec: engine 6.5). */
  readonly idle: readonly Tie[];
  /** By effective cost at the Need's interruption bound, or by risk if pinned (D11). */
  readonly speculative: readonly Tie[];
}

const MAX_REMEMBERED = 50_000;

export class Fits {
  readonly #classes: MachineClasses;
  readonly #known = new Map<string, Fit>();
  #version = -1;

  constructor(classes: MachineClasses) {
    this.#classes = classes;
  }

  of(row: NeedRow): Fit {
    if (this.#version !== this.#classes.version || this.#known.size > MAX_REMEMBERED) {
      this.#known.clear();
      this.#version = this.#classes.version;
    }
    let fit = this.#known.get(row.fitKey);
    if (fit === undefined) {
      fit = computeFit(row, this.#classes);
      this.#known.set(row.fitKey, fit);
    }
    return fit;
  }
}

function computeFit(row: NeedRow, classes: MachineClasses): Fit {
  const accepts = new Uint8Array(classes.capacity);
  const accepted: MachineClass[] = [];
  for (const cls of classes) {
    if (!covers(cls.amounts, row.minDims, row.minAmounts) || !matches(row.need.profile, cls)) continue;
    accepts[cls.index] = 1;
    accepted.push(cls);
  }
  const bucket = row.need.profile.interruptionBucket;
  return {
    accepts,
    classes: accepted.map((c) => c.index),
    idle: ties(accepted, (a, b) => a.priceMicroUsdPerHour - b.priceMicroUsdPerHour),
    speculative: ties(accepted, (a, b) => compareCost(a, b, bucket)),
  };
}

function covers(have: readonly number[], dims: readonly number[], want: readonly number[]): boolean {
  for (let i = 0; i < dims.length; i++) {
    if ((have[dims[i] as number] ?? 0) < (want[i] as number)) return false;
  }
  return true;
}

function ties(classes: readonly MachineClass[], compare: (a: MachineClass, b: MachineClass) => number): Tie[] {
  const sorted = [...classes].sort(compare);
  const out: number[][] = [];
  sorted.forEach((cls, i) => {
    const before = sorted[i - 1];
    const last = out.at(-1);
    if (before !== undefined && last !== undefined && compare(before, cls) === 0) last.push(cls.index);
    else out.push([cls.index]);
  });
  return out;
}

/** Which classes a Need accepts and in which order it would buy from them; worked out once per (requirements, bucket, min_unit) and kept up to date with the classes. */
import { compareCost } from '../cost.ts';
import { matches } from '../match.ts';
import type { Profile } from '../../api/profile.ts';
import type { MachineClass, Shapes } from './shapes.ts';

/** Classes that cost the same: between their machines the id decides. */
export type Tie = readonly MachineClass[];

/** What is asked of a machine: equal askers are one object, which knows the machines that fit. */
export interface Asker {
  readonly profile: Profile;
  readonly minDims: readonly number[];
  readonly minAmounts: readonly number[];
  fit: Fit | undefined;
}

const MAX_REMEMBERED = 50_000;

export class Askers {
  readonly #byKey = new Map<string, Asker>();

  /** `key` stands for everything that decides which machines fit, and at what cost. */
  of(key: string, make: () => Omit<Asker, 'fit'>): Asker {
    let asker = this.#byKey.get(key);
    if (asker === undefined) {
      if (this.#byKey.size > MAX_REMEMBERED) this.#byKey.clear();
      asker = { ...make(), fit: undefined };
      this.#byKey.set(key, asker);
    }
    return asker;
  }
}

export class Fit {
  readonly #asker: Asker;
  readonly #shapes: Shapes;
  /** 1 at the index of every accepted class: matches and covers min_unit. */
  accepts = new Uint8Array(0);
  classes: readonly MachineClass[] = [];
  /** By price (spec: engine 6.5). */
  idle: readonly Tie[] = [];
  /** By effective cost at the Need's interruption bound, or by risk if pinned (D11). */
  speculative: readonly Tie[] = [];
  /** The version of the classes that it knows; before the first there is nothing it knows. */
  #seen = -1;
  /** Within one plan: ties before these have nothing left. */
  readonly cursor = { plan: -1, idle: 0, speculative: 0 };

  constructor(asker: Asker, shapes: Shapes) {
    this.#asker = asker;
    this.#shapes = shapes;
  }

  /** Takes in the classes that have begun or ended since. */
  update(): void {
    const shapes = this.#shapes;
    if (this.#seen === shapes.classVersion) return;
    if (this.accepts.length < shapes.classCapacity) {
      const bigger = new Uint8Array(shapes.classCapacity + 16);
      bigger.set(this.accepts);
      this.accepts = bigger;
    }
    const changed = new Set(shapes.classesSince(this.#seen) ?? this.accepts.keys());
    this.#seen = shapes.classVersion;
    const kept = this.classes.filter((cls) => !changed.has(cls.index));
    let differs = kept.length !== this.classes.length;
    for (const index of changed) {
      const cls = this.#shapes.class(index);
      const accepted = cls !== undefined && covers(cls.amounts, this.#asker.minDims, this.#asker.minAmounts) && matches(this.#asker.profile, cls);
      this.accepts[index] = accepted ? 1 : 0;
      if (!accepted) continue;
      kept.push(cls);
      differs = true;
    }
    if (differs) this.#sort(kept);
  }

  #sort(accepted: readonly MachineClass[]): void {
    const bucket = this.#asker.profile.interruptionBucket;
    this.classes = accepted;
    this.idle = ties(accepted, (a, b) => a.priceMicroUsdPerHour - b.priceMicroUsdPerHour);
    this.speculative = ties(accepted, (a, b) => compareCost(a, b, bucket));
    this.cursor.plan = -1;
  }
}

/** The classes that fit, as they are now. */
export function fitOf(asker: Asker, shapes: Shapes): Fit {
  const fit = (asker.fit ??= new Fit(asker, shapes));
  fit.update();
  return fit;
}

function covers(have: readonly number[], dims: readonly number[], want: readonly number[]): boolean {
  for (let i = 0; i < dims.length; i++) {
    if ((have[dims[i] as number] ?? 0) < (want[i] as number)) return false;
  }
  return true;
}

function ties(classes: readonly MachineClass[], compare: (a: MachineClass, b: MachineClass) => number): Tie[] {
  const sorted = [...classes].sort(compare);
  const out: MachineClass[][] = [];
  sorted.forEach((cls, i) => {
    const before = sorted[i - 1];
    const last = out.at(-1);
    if (before !== undefined && last !== undefined && compare(before, cls) === 0) last.push(cls);
    else out.push([cls]);
  });
  return out;
}

/** For whom machines are bound, as numbers: many machines share one assignment. */
import type { Assignment } from '../types.ts';
import { arrivalKey } from '../keys.ts';

interface AssignmentEntry {
  readonly key: string;
  readonly to: Assignment;
  /** What the machines were decided for: (cluster, fingerprint, group). */
  readonly demandKey: string;
  readonly ref: number;
  machines: number;
}

export class Assignments {
  readonly #entries: (AssignmentEntry | undefined)[] = [];
  readonly #byKey = new Map<string, number>();
  readonly #byObject = new WeakMap<Assignment, AssignmentEntry>();
  readonly #free: number[] = [];

  at(ref: number): AssignmentEntry {
    return this.#entries[ref] as AssignmentEntry;
  }

  /** The assignments as they are numbered now. */
  freeze(): { at(ref: number): { readonly to: Assignment } } {
    const entries = this.#entries.slice();
    return { at: (ref) => entries[ref] as AssignmentEntry };
  }

  /** True if the machine that is filed under `ref` (-1 = none) is assigned like this. */
  is(ref: number, to: Assignment | undefined): boolean {
    if (to === undefined || ref < 0) return to === undefined && ref < 0;
    return this.#byObject.get(to) === this.#entries[ref] || keyOf(to) === this.at(ref).key;
  }

  /** One machine more; -1 for undefined. */
  enter(to: Assignment | undefined): number {
    if (to === undefined) return -1;
    const known = this.#byObject.get(to);
    if (known !== undefined && this.#entries[known.ref] === known) {
      known.machines++;
      return known.ref;
    }
    const key = known?.key ?? keyOf(to);
    let ref = this.#byKey.get(key);
    if (ref === undefined) {
      ref = this.#free.pop() ?? this.#entries.length;
      this.#entries[ref] = { key, to, demandKey: arrivalKey(to.cluster, to.fingerprint, to.group), ref, machines: 0 };
      this.#byKey.set(key, ref);
    }
    const entry = this.at(ref);
    entry.machines++;
    this.#byObject.set(to, entry);
    return ref;
  }

  leave(ref: number): void {
    if (ref < 0) return;
    const entry = this.at(ref);
    if (--entry.machines > 0) return;
    this.#entries[ref] = undefined;
    this.#byKey.delete(entry.key);
    this.#free.push(ref);
  }
}

function keyOf(to: Assignment): string {
  return JSON.stringify([to.cluster, to.fingerprint, to.group, to.priority, to.interruptionBucket, to.reclamationBucket, to.unitClass]);
}

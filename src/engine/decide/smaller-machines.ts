/** Which classes of machines serve a gang without one of them holding all of it. Gangs are many, and what they ask for is little. */
import type { Facts } from '../facts/facts.ts';
import type { Asker } from '../facts/fit.ts';
import type { FoldTarget, NeedRow } from '../facts/need-row.ts';

/** 1 at the index of every such class. */
export type Smaller = Uint8Array<ArrayBuffer>;

export class SmallerMachines {
  readonly #facts: Facts;
  /** By what is asked of a machine for one unit, and for the whole gang; undefined = there are none. */
  readonly #known = new Map<Asker, Map<Asker, Smaller | undefined>>();

  constructor(facts: Facts) {
    this.#facts = facts;
  }

  /** Classes of machines may have come or gone. */
  forget(): void {
    this.#known.clear();
  }

  /** The same object for all gangs that ask for the same; undefined = there are none. */
  of({ asker, onOneMachine }: NeedRow): Smaller | undefined {
    const whole = (onOneMachine as FoldTarget).asker;
    let byWhole = this.#known.get(asker);
    if (byWhole === undefined) this.#known.set(asker, (byWhole = new Map()));
    let smaller = byWhole.get(whole);
    if (smaller !== undefined || byWhole.has(whole)) return smaller;
    const holds = this.#facts.fit(whole).accepts;
    const classes = this.#facts.fit(asker).accepts.map((accepted, i) => (accepted === 1 && holds[i] !== 1 ? 1 : 0));
    smaller = classes.includes(1) ? classes : undefined;
    byWhole.set(whole, smaller);
    return smaller;
  }
}

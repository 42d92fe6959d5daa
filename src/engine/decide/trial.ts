import { addUpTo } from '../facts/dimensions.ts';
import type { Group } from '../facts/group.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { Market } from './market.ts';
import type { Tally } from './tally.ts';

export type Take = (group: Group<Tally>, n: number, cls: MachineClass) => number;
type Taken = readonly [group: Group<Tally>, n: number];

/** What is taken for a gang that is had whole or not at all: it can all be given back. */
export class Trial {
  readonly #market: Market;
  readonly #tally: Tally;
  readonly #before: ReturnType<Tally['mark']>;
  readonly #room: ReturnType<Market['room']['mark']>;
  readonly #taken: Taken[] = [];
  /** Once it is all there. */
  readonly paid = { machines: 0, microUsdPerHour: 0 };

  constructor(market: Market, tally: Tally) {
    this.#market = market;
    this.#tally = tally;
    this.#before = tally.mark();
    this.#room = market.room.mark();
  }

  /** A `take` that is noted. */
  readonly noting = (take: Take): Take => (group, n, cls) => {
    const got = take(group, n, cls);
    this.note(group, got);
    return got;
  };

  note(group: Group<Tally>, n: number): void {
    this.#taken.push([group, n]);
    this.#pay(this.#market.classOf(group), n);
  }

  /** What was taken of Speculative machines. */
  bought(): ReadonlyMap<MachineClass, number> {
    const counts = new Map<MachineClass, number>();
    for (const [group, n] of this.#taken) {
      if (group.kind !== 'speculative') continue;
      const cls = this.#market.classOf(group);
      counts.set(cls, (counts.get(cls) ?? 0) + n);
    }
    return counts;
  }

  /** As if the tally had them as well. */
  count(cls: MachineClass, n: number): void {
    this.#tally.subtract(cls, n);
    this.#pay(cls, n);
  }

  #pay(cls: MachineClass, n: number): void {
    this.paid.machines += n;
    this.paid.microUsdPerHour = addUpTo(this.paid.microUsdPerHour, n, cls.priceMicroUsdPerHour);
  }

  takeBack(): void {
    for (const [group, n] of this.#taken.reverse()) this.#market.giveBack(group, n);
    this.#market.room.backTo(this.#room);
    this.#tally.backTo(this.#before);
    this.#tally.blocked = undefined;
  }
}

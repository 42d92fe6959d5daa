/** What is left of a cluster's bound machines of one rank, for the many Needs that ask for the same. */
import type { Group } from '../facts/group.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { Tally } from './tally.ts';

/** Fewer groups are sooner looked through than put in order. */
const MANY = 64;
/** Whoever wants more machines looks at all of them. */
const FEW = 32;
/** Whoever meets more that have run out clears them away. */
const MOST_GONE = 32;

/**
 * Where each of thousands of demands has a machine of its own, each has its own group, and whoever is credited with one machine
 * would look at all of them. Groups are kept in order of their next machine instead, once there are that many. Machines only
 * become fewer while it lives: what has been next in a group is never after what is next.
 */
export class TieQueue {
  #groups: readonly Group<Tally>[];
  readonly #rank: Int32Array;
  /** Undefined: its machines differ in what they bring. */
  readonly #cls: MachineClass | undefined;
  /** Ranks of the groups' next machines as of when they were put in order; undefined = they were not. */
  #heads: readonly number[] | undefined;

  /** `groups` all have some left, and are of `classes`. */
  constructor(groups: readonly Group<Tally>[], classes: ReadonlySet<MachineClass>, rank: Int32Array) {
    this.#groups = groups;
    this.#rank = rank;
    this.#cls = groups.length > MANY ? equalClass(classes) : undefined;
  }

  get isEmpty(): boolean {
    return this.#groups.every(hasRunOut);
  }

  /** The groups that have some left, in no order. */
  get groups(): readonly Group<Tally>[] {
    if (this.#groups.some(hasRunOut)) this.#prune();
    return this.#groups;
  }

  /** Those of the groups, at least, of which the tally would take machines if it took the smallest ids first. */
  offerTo(tally: Pick<Tally, 'wants'>): readonly Group<Tally>[] {
    if (this.#cls === undefined || this.#groups.length <= MANY) return this.groups;
    const wanted = tally.wants(this.#cls);
    return wanted > FEW ? this.groups : this.#next(wanted);
  }

  /** The groups of the next `n` machines: before those comes no machine of another group. */
  #next(n: number): readonly Group<Tally>[] {
    const heads = (this.#heads ??= this.#putInOrder());
    const next: Group<Tally>[] = [];
    let gone = 0;
    let known = 0;
    for (let i = 0; i < this.#groups.length && known < n; i++) {
      const group = this.#groups[i] as Group<Tally>;
      if (group.left <= 0) {
        gone++;
        continue;
      }
      next.push(group);
      // Of one that something was taken from it is only known that it comes later.
      if (this.#headOf(group) === heads[i]) known++;
    }
    if (gone > MOST_GONE) this.#prune();
    return next;
  }

  #putInOrder(): readonly number[] {
    this.#prune();
    const all = this.#groups.map((group) => ({ group, head: this.#headOf(group) })).sort((a, b) => a.head - b.head);
    this.#groups = all.map(({ group }) => group);
    return all.map(({ head }) => head);
  }

  #headOf(group: Group<Tally>): number {
    return this.#rank[group.members[group.taken] as number] as number;
  }

  #prune(): void {
    const before = this.#groups;
    this.#groups = before.filter((group) => !hasRunOut(group));
    this.#heads = this.#heads?.filter((_, i) => !hasRunOut(before[i] as Group<Tally>));
  }
}

function hasRunOut({ left }: Group<Tally>): boolean {
  return left <= 0;
}

/** One of the classes if the same number of any of them serves whoever asks; undefined = it does not. */
function equalClass(classes: ReadonlySet<MachineClass>): MachineClass | undefined {
  const [first, ...others] = classes;
  const amounts = first && JSON.stringify(first.amounts);
  return others.every((cls) => JSON.stringify(cls.amounts) === amounts) ? first : undefined;
}

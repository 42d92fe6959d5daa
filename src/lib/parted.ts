/**
 * A Map and a Set of up to hundreds of thousands of entries. The built-in ones move all they have whenever they have doubled, which at a
 * quarter of a million entries stops everything for 50 to 80 ms. The first entries of these are in one table, in the order in which they were
 * added; those for which that has no room are in parts that grow one by one, an entry's part follows from its key. They are walked
 * table by table; what is added to one that a walk has passed is not met by it.
 */
import { textHash } from './text-hash.ts';

const MOST_IN_FIRST = 16_384;
const PART_BITS = 6;

/** What a Set and a PartedSet are to those who only look. */
export interface Texts extends Iterable<string> {
  readonly size: number;
  has(text: string): boolean;
}

interface Table {
  readonly size: number;
  has(key: string): boolean;
}

/** Which of the tables has a key, or is to have it. */
class Tables<T extends Table> {
  readonly all: T[];
  readonly #make: () => T;

  constructor(make: () => T) {
    this.#make = make;
    this.all = [make()];
  }

  get size(): number {
    let size = 0;
    for (const table of this.all) size += table.size;
    return size;
  }

  of(key: string): T {
    const first = this.all[0] as T;
    if (this.all.length === 1 || first.has(key)) return first;
    return this.#partOf(key);
  }

  toAddTo(key: string): T {
    const table = this.of(key);
    if (table !== this.all[0] || table.size < MOST_IN_FIRST || table.has(key)) return table;
    while (this.all.length <= 2 ** PART_BITS) this.all.push(this.#make());
    return this.#partOf(key);
  }

  #partOf(key: string): T {
    return this.all[1 + (textHash(key) >>> (32 - PART_BITS))] as T;
  }
}

export class PartedMap<V> {
  readonly #tables = new Tables(() => new Map<string, V>());

  get size(): number {
    return this.#tables.size;
  }

  has(key: string): boolean {
    return this.#tables.of(key).has(key);
  }

  get(key: string): V | undefined {
    return this.#tables.of(key).get(key);
  }

  set(key: string, value: V): void {
    this.#tables.toAddTo(key).set(key, value);
  }

  delete(key: string): boolean {
    return this.#tables.of(key).delete(key);
  }

  /** Live, but for what is added to a table that was passed. */
  *values(): Generator<V, void> {
    for (const table of this.#tables.all) yield* table.values();
  }
}

export class PartedSet implements Texts {
  readonly #tables = new Tables(() => new Set<string>());

  get size(): number {
    return this.#tables.size;
  }

  has(text: string): boolean {
    return this.#tables.of(text).has(text);
  }

  add(text: string): void {
    this.#tables.toAddTo(text).add(text);
  }

  delete(text: string): boolean {
    return this.#tables.of(text).delete(text);
  }

  /** Live, but for what is added to a table that was passed. */
  *[Symbol.iterator](): Generator<string, void> {
    for (const table of this.#tables.all) yield* table;
  }
}

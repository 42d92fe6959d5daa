/**
 * A Map and a Set of up to hundreds of thousands of entries. The built-in ones move all they have whenever they have doubled, which at a
 * quarter of a million entries stops everything for 50 to 80 ms. Of these, once they are large, every entry is in one of several tables, which
 * grow one by one; which one follows from its key. They are walked in the order in which entries were added while they are small, then table by
 * table. What is added to a table that a walk has passed is not met by it.
 */
import { textHash } from './text-hash.ts';

/** So many entries are moved in a millisecond or two. */
const LARGE = 16_384;
const PART_BITS = 6;

/** What a Set and a PartedSet are to those who only look. */
export interface Texts extends Iterable<string> {
  readonly size: number;
  has(text: string): boolean;
}

export class PartedMap<V> {
  /** All entries while there are few, then none. Never changed again once they have moved, for whoever walks it. */
  #first = new Map<string, V>();
  #parts: readonly Map<string, V>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(key: string): boolean {
    return this.#tableOf(key).has(key);
  }

  get(key: string): V | undefined {
    return this.#tableOf(key).get(key);
  }

  set(key: string, value: V): void {
    const table = this.#tableOf(key);
    const before = table.size;
    table.set(key, value);
    this.#size += table.size - before;
    if (table === this.#first && table.size > LARGE) this.#part();
  }

  delete(key: string): boolean {
    if (!this.#tableOf(key).delete(key)) return false;
    this.#size--;
    return true;
  }

  /** Live, but for what is added to a table that was passed. */
  *entries(): Generator<readonly [key: string, value: V], void> {
    const first = this.#first;
    for (const entry of first) {
      if (first === this.#first) yield entry;
      else if (this.has(entry[0])) yield [entry[0], this.get(entry[0]) as V];
    }
    for (const part of this.#parts) for (const entry of part) if (!first.has(entry[0])) yield entry;
  }

  /** As `entries`. */
  *values(): Generator<V, void> {
    for (const [, value] of this.entries()) yield value;
  }

  #tableOf(key: string): Map<string, V> {
    return this.#parts.length === 0 ? this.#first : (this.#parts[textHash(key) >>> (32 - PART_BITS)] as Map<string, V>);
  }

  #part(): void {
    const before = this.#first;
    this.#first = new Map();
    this.#parts = Array.from({ length: 2 ** PART_BITS }, () => new Map<string, V>());
    for (const [key, value] of before) this.#tableOf(key).set(key, value);
  }
}

export class PartedSet implements Texts {
  readonly #map = new PartedMap<true>();

  get size(): number {
    return this.#map.size;
  }

  has(text: string): boolean {
    return this.#map.has(text);
  }

  add(text: string): void {
    this.#map.set(text, true);
  }

  delete(text: string): boolean {
    return this.#map.delete(text);
  }

  /** Live, but for what is added to a table that was passed. */
  *[Symbol.iterator](): Generator<string, void> {
    for (const [text] of this.#map.entries()) yield text;
  }
}

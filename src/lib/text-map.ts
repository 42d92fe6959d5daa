/**
 * A Map and a Set of up to hundreds of thousands of entries by their names. The built-in ones move all they have whenever they have doubled,
 * which at a quarter of a million entries stops everything for 50 to 80 ms; of these, small tables grow one by one (`id-index.ts`). Entries that
 * were added one after the other lie beside each other, and are walked in that order; but in a Map one may take the place of a deleted one.
 */
import { IdIndex } from './id-index.ts';
import { textHash } from './text-hash.ts';

/** What a Set and a TextSet are to those who only look. */
export interface Texts extends Iterable<string> {
  readonly size: number;
  has(text: string): boolean;
}

/** Where each text lies, and who lies where. */
class Places {
  /** By slot; undefined = free. */
  readonly keys: (string | undefined)[] = [];
  readonly #slots = new IdIndex(this.keys);
  /** Slots that may be used again before all are free. */
  readonly #free: number[] = [];
  readonly #reuses: boolean;
  #size = 0;
  /** No slot before it is in use. */
  #first = 0;
  /** The slot that was last asked for; and the key that was last asked for and was not there. */
  #last = 0;
  #missed: string | undefined;
  #missedHash = 0;

  constructor({ reuses }: { readonly reuses: boolean }) {
    this.#reuses = reuses;
  }

  get size(): number {
    return this.#size;
  }

  /** -1 = it is not there. Most are asked for twice, or in the order in which they came: these are found without a look into the tables. */
  slotOf(key: string): number {
    if (this.#size === 0) return -1;
    if (this.keys[this.#last] === key) return this.#last;
    if (this.keys[this.#last + 1] === key) return ++this.#last;
    if (key === this.#missed) return -1;
    const hash = this.#hashOf(key);
    const slot = this.#slots.get(key, hash);
    if (slot !== undefined) return (this.#last = slot);
    this.#missed = key;
    this.#missedHash = hash;
    return -1;
  }

  /** It must not be there yet. */
  add(key: string): number {
    const slot = this.#free.pop() ?? this.keys.length;
    this.keys[slot] = key;
    this.#slots.add(key, slot, this.#hashOf(key));
    this.#missed = undefined;
    this.#size++;
    if (slot < this.#first) this.#first = slot;
    this.#last = slot;
    return slot;
  }

  /** It must be there, at this slot. */
  delete(key: string, slot: number): void {
    this.#slots.delete(key);
    this.keys[slot] = undefined;
    if (this.#reuses) this.#free.push(slot);
    this.#size--;
    if (this.#size === 0) this.keys.length = this.#free.length = 0; // so that the next ones lie in their order
  }

  /** Those in use, in their order. Live, but for what is added behind the walk. */
  *slots(): Generator<number, void> {
    while (this.#first < this.keys.length && this.keys[this.#first] === undefined) this.#first++;
    for (let slot = this.#first; slot < this.keys.length; slot++) if (this.keys[slot] !== undefined) yield slot;
  }

  #hashOf(key: string): number {
    return key === this.#missed ? this.#missedHash : textHash(key);
  }
}

export class TextMap<V> {
  readonly #places = new Places({ reuses: true });
  readonly #values: (V | undefined)[] = [];

  get size(): number {
    return this.#places.size;
  }

  has(key: string): boolean {
    return this.#places.slotOf(key) >= 0;
  }

  /** Where the key lies for as long as it is there: few are beyond `size`. -1 = it is not there. */
  slotOf(key: string): number {
    return this.#places.slotOf(key);
  }

  get(key: string): V | undefined {
    const slot = this.#places.slotOf(key);
    return slot < 0 ? undefined : this.#values[slot];
  }

  set(key: string, value: V): void {
    const slot = this.#places.slotOf(key);
    this.#values[slot < 0 ? this.#places.add(key) : slot] = value;
  }

  delete(key: string): boolean {
    const slot = this.#places.slotOf(key);
    if (slot < 0) return false;
    this.#places.delete(key, slot);
    this.#values[slot] = undefined;
    if (this.size === 0) this.#values.length = 0;
    return true;
  }

  /** Live, but for what is added behind the walk. */
  *entries(): Generator<readonly [key: string, value: V], void> {
    for (const slot of this.#places.slots()) yield [this.#places.keys[slot] as string, this.#values[slot] as V];
  }

  /** As `entries`. */
  *values(): Generator<V, void> {
    for (const slot of this.#places.slots()) yield this.#values[slot] as V;
  }
}

/** In the order in which they were added. One from which texts are deleted must be emptied now and then: only then are their places free again. */
export class TextSet implements Texts {
  readonly #places = new Places({ reuses: false });

  get size(): number {
    return this.#places.size;
  }

  has(text: string): boolean {
    return this.#places.slotOf(text) >= 0;
  }

  add(text: string): void {
    if (this.#places.slotOf(text) < 0) this.#places.add(text);
  }

  delete(text: string): boolean {
    const slot = this.#places.slotOf(text);
    if (slot >= 0) this.#places.delete(text, slot);
    return slot >= 0;
  }

  /** Live, but for what is added behind the walk. */
  *[Symbol.iterator](): Generator<string, void> {
    for (const slot of this.#places.slots()) yield this.#places.keys[slot] as string;
  }
}

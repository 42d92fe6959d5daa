import { TextSet, type TextMap, type Texts } from './text-map.ts';

const LEAST = 32;

/**
 * A set of texts of which most are keys of a TextMap: these are marked beside the map, which is a tenth of the work of a table of their own when
 * each is asked for right after the map was. Whoever takes a key out of the map takes it out of here first, or it is not found any more.
 */
export class KeySet implements Texts {
  readonly #map: Pick<TextMap<unknown>, 'slotOf'>;
  /** In the order in which they were added; undefined = deleted. */
  readonly #keys: (string | undefined)[] = [];
  /** By slot of the map: where in `#keys` its key is, if it is there. */
  #places = new Uint32Array(LEAST);
  readonly #others = new TextSet();
  #marked = 0;
  /** No key before it. */
  #first = 0;

  constructor(map: Pick<TextMap<unknown>, 'slotOf'>) {
    this.#map = map;
  }

  get size(): number {
    return this.#marked + this.#others.size;
  }

  has(text: string): boolean {
    return this.#isMarked(text, this.#map.slotOf(text)) || this.#others.has(text);
  }

  add(text: string): void {
    const slot = this.#map.slotOf(text);
    if (this.#isMarked(text, slot) || this.#others.has(text)) return;
    if (slot < 0) return this.#others.add(text);
    if (slot >= this.#places.length) this.#grow(slot);
    this.#places[slot] = this.#keys.length;
    this.#keys.push(text);
    this.#marked++;
  }

  delete(text: string): boolean {
    const slot = this.#map.slotOf(text);
    if (!this.#isMarked(text, slot)) return this.#others.delete(text);
    this.#keys[this.#places[slot] as number] = undefined;
    this.#marked--;
    if (this.#marked === 0) this.#keys.length = this.#first = 0;
    return true;
  }

  /** Live, but for what is added behind the walk: keys in the order in which they were added, then the others in theirs. */
  *[Symbol.iterator](): Generator<string, void> {
    while (this.#first < this.#keys.length && this.#keys[this.#first] === undefined) this.#first++;
    for (let place = this.#first; place < this.#keys.length; place++) {
      const key = this.#keys[place];
      if (key !== undefined) yield key;
    }
    yield* this.#others;
  }

  #isMarked(text: string, slot: number): boolean {
    return slot >= 0 && slot < this.#places.length && this.#keys[this.#places[slot] as number] === text;
  }

  #grow(slot: number): void {
    const before = this.#places;
    this.#places = new Uint32Array(Math.max(2 * before.length, slot + 1));
    this.#places.set(before);
  }
}

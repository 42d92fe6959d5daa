/**
 * The order of machine ids as numbers: every tie between machines ends with their ids, and comparing numbers is a hundred
 * times cheaper than comparing texts. New ids wait until `settle` files them; removed ones leave a gap.
 */
import { compareText } from '../../lib/compare-text.ts';
import { grown, withRoom } from './int-column.ts';

/** Text without surrogates sorts the same by UTF-16 unit and by code point, and the engine's own `<` is the fastest. */
const SURROGATES = /[\ud800-\udfff]/;

export class IdOrder {
  /** By slot; valid for slots that are settled. */
  rank: Int32Array = new Int32Array(0);
  readonly #ids: readonly (string | undefined)[];
  /** Slots in order of id. */
  #sorted: Int32Array = new Int32Array(0);
  #count = 0;
  #waiting: number[] = [];
  #gone: number[] = [];
  #released: number[] = [];
  #plain = true;

  /** `ids` by slot, kept up to date by the caller; undefined = no machine. */
  constructor(ids: readonly (string | undefined)[]) {
    this.#ids = ids;
  }

  /** Makes room for so many slots; `nth` of the columns that grow together. Returns for how many there is room. */
  makeRoom(needed: number, nth: number): number {
    this.rank = withRoom(this.rank, needed, nth);
    return this.rank.length;
  }

  /** The slot that has this rank. */
  slotAt(rank: number): number {
    return this.#sorted[rank] as number;
  }

  add(slot: number): void {
    if (this.#plain && SURROGATES.test(this.#id(slot))) this.#plain = false;
    this.#waiting.push(slot);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Files up to `limit` new ids. */
  settle(limit: number): void {
    if (this.#waiting.length === 0) return;
    this.#closeGaps();
    const batch = this.#waiting.length <= limit ? this.#waiting : this.#waiting.slice(0, limit);
    this.#waiting = this.#waiting.length <= limit ? [] : this.#waiting.slice(limit);
    const live = batch.filter((slot) => this.#ids[slot] !== undefined);
    live.sort((a, b) => this.#compare(a, b));
    this.#merge(live);
  }

  /** The id of `slot` is about to go. The slot must not be used again before `released` hands it out. */
  remove(slot: number): void {
    this.#gone.push(slot);
  }

  /** Closes the gaps and hands out the slots that left them. Nothing may be waiting. */
  released(): readonly number[] {
    this.#closeGaps();
    const released = this.#released;
    this.#released = [];
    return released;
  }

  #closeGaps(): void {
    if (this.#gone.length === 0) return;
    let kept = 0;
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#sorted[i] as number;
      if (this.#ids[slot] === undefined) continue;
      this.rank[slot] = kept; // what is filed next is ranked by its place among these
      this.#sorted[kept++] = slot;
    }
    this.#count = kept;
    for (const slot of this.#gone) this.#released.push(slot); // as many as there are: too many for the arguments of one call
    this.#gone = [];
  }

  /** The slots by id, as they are now. Nothing may be waiting, and gaps must be closed. */
  freeze(): Int32Array {
    return this.#sorted.slice(0, this.#count);
  }

  /** Every slot that is in use, by id. Nothing may be waiting. */
  *[Symbol.iterator](): Iterator<number> {
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#sorted[i] as number;
      if (this.#ids[slot] !== undefined) yield slot;
    }
  }

  #merge(batch: readonly number[]): void {
    const total = this.#count + batch.length;
    const merged = total <= this.#sorted.length ? this.#sorted : new Int32Array(grown(this.#sorted.length, total));
    // From the back, so that it can be done in place.
    let from = this.#count - 1;
    let to = total - 1;
    for (let i = batch.length - 1; i >= 0; i--) {
      const slot = batch[i] as number;
      const at = this.#placeOf(slot, from + 1);
      merged.set(this.#sorted.subarray(at, from + 1), to - (from - at));
      to -= from + 1 - at;
      from = at - 1;
      merged[to--] = slot;
    }
    if (merged !== this.#sorted) merged.set(this.#sorted.subarray(0, from + 1));
    this.#sorted = merged;
    this.#count = total;
    for (let i = from + 1; i < total; i++) this.rank[merged[i] as number] = i;
  }

  /** How many of the first `end` sorted slots come before `slot`. */
  #placeOf(slot: number, end: number): number {
    let low = 0;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#sorted[middle] as number, slot) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(a: number, b: number): number {
    const x = this.#id(a);
    const y = this.#id(b);
    if (this.#plain) return x < y ? -1 : x > y ? 1 : 0;
    return compareText(x, y);
  }

  #id(slot: number): string {
    return this.#ids[slot] as string;
  }
}

/** Slots by id: hash tables of small integers beside the ids, a fifth of what a Map of half a million entries takes. */
import { textHash } from './text-hash.ts';

/** By so many bits of the hash the index is in parts: each is small and grows by itself, so that no single `add` moves half a million entries. */
const PART_BITS = 6;
const LEAST = 32;

export class IdIndex {
  readonly #ids: readonly (string | undefined)[];
  readonly #parts: readonly Part[];

  /** `ids` by slot, kept up to date by the caller. */
  constructor(ids: readonly (string | undefined)[]) {
    this.#ids = ids;
    this.#parts = Array.from({ length: 2 ** PART_BITS }, () => new Part(ids));
  }

  get size(): number {
    return this.#parts.reduce((sum, { size }) => sum + size, 0);
  }

  /** Whoever looks an id up more than once may hand in its `textHash`. */
  get(id: string, hash = textHash(id)): number | undefined {
    const part = this.#partOf(hash);
    const entry = part.table[part.find(id, hash)] as number;
    return entry === 0 ? undefined : entry - 1;
  }

  /**
   * Slots of many ids, -1 for those that are not there. One step for all ids after the other: what a step reads lies all
   * over the memory, and the processor fetches much at once as long as nothing waits for it.
   */
  getAll(ids: readonly string[]): Int32Array {
    const hashes = new Int32Array(ids.length);
    for (let i = 0; i < hashes.length; i++) hashes[i] = textHash(ids[i] as string);
    const slots = new Int32Array(ids.length);
    for (let i = 0; i < slots.length; i++) {
      const hash = hashes[i] as number;
      const { table } = this.#partOf(hash);
      const mask = table.length - 1;
      let at = homeOf(hash, mask);
      while (table[at] !== 0 && table[at + 1] !== hash) at = (at + 2) & mask;
      slots[i] = (table[at] as number) - 1;
    }
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] as number;
      // Another id of the same hash came first.
      if (slot >= 0 && this.#ids[slot] !== ids[i]) slots[i] = this.get(ids[i] as string) ?? -1;
    }
    return slots;
  }

  /** The id must not be there yet, and must be the slot's. */
  add(id: string, slot: number, hash = textHash(id)): void {
    this.#partOf(hash).add(id, hash, slot);
  }

  /** The id must be there. */
  delete(id: string): void {
    const hash = textHash(id);
    this.#partOf(hash).delete(id, hash);
  }

  *slots(): Iterable<number> {
    for (const { table } of this.#parts) {
      for (let at = 0; at < table.length; at += 2) {
        const entry = table[at] as number;
        if (entry !== 0) yield entry - 1;
      }
    }
  }

  /** Where an entry lies in its part is decided by the lowest bits. */
  #partOf(hash: number): Part {
    return this.#parts[hash >>> (32 - PART_BITS)] as Part;
  }
}

class Part {
  readonly #ids: readonly (string | undefined)[];
  /** Pairs of slot + 1 (0 = free) and the id's hash, so that an id is read only if its hash fits. At most half full. */
  table = new Int32Array(2 * LEAST);
  size = 0;

  constructor(ids: readonly (string | undefined)[]) {
    this.#ids = ids;
  }

  /** Where the id is, or would be put. */
  find(id: string, hash: number): number {
    const { table } = this;
    const mask = table.length - 1;
    let at = homeOf(hash, mask);
    while (table[at] !== 0 && (table[at + 1] !== hash || this.#ids[(table[at] as number) - 1] !== id)) at = (at + 2) & mask;
    return at;
  }

  add(id: string, hash: number, slot: number): void {
    if ((this.size + 1) * 4 > this.table.length) this.#grow();
    const at = this.find(id, hash);
    this.table[at] = slot + 1;
    this.table[at + 1] = hash;
    this.size++;
  }

  delete(id: string, hash: number): void {
    const { table } = this;
    const mask = table.length - 1;
    let gap = this.find(id, hash);
    this.size--;
    // Entries that were pushed past the gap move back into it, so that no search ends early.
    for (let at = (gap + 2) & mask; table[at] !== 0; at = (at + 2) & mask) {
      const home = homeOf(table[at + 1] as number, mask);
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      table[gap] = table[at] as number;
      table[gap + 1] = table[at + 1] as number;
      gap = at;
    }
    table[gap] = 0;
  }

  #grow(): void {
    const before = this.table;
    const after = new Int32Array(before.length * 2);
    const mask = after.length - 1;
    for (let from = 0; from < before.length; from += 2) {
      if (before[from] === 0) continue;
      let at = homeOf(before[from + 1] as number, mask);
      while (after[at] !== 0) at = (at + 2) & mask;
      after[at] = before[from] as number;
      after[at + 1] = before[from + 1] as number;
    }
    this.table = after;
  }
}

function homeOf(hash: number, mask: number): number {
  return (hash << 1) & mask;
}

/** Slots by machine id: a hash table of small integers beside the ids, a fifth of what a Map of half a million entries takes. */

const LEAST = 1024;

export class IdIndex {
  readonly #ids: readonly (string | undefined)[];
  /** Slot + 1; 0 = free. At most half full. */
  #table = new Int32Array(LEAST);
  #size = 0;

  /** `ids` by slot, kept up to date by the caller. */
  constructor(ids: readonly (string | undefined)[]) {
    this.#ids = ids;
  }

  get size(): number {
    return this.#size;
  }

  get(id: string): number | undefined {
    const entry = this.#table[this.#find(id)] as number;
    return entry === 0 ? undefined : entry - 1;
  }

  /** The id must not be there yet, and must be the slot's. */
  add(id: string, slot: number): void {
    if ((this.#size + 1) * 2 > this.#table.length) this.#grow();
    this.#table[this.#find(id)] = slot + 1;
    this.#size++;
  }

  /** The id must be there. */
  delete(id: string): void {
    const table = this.#table;
    const mask = table.length - 1;
    let gap = this.#find(id);
    this.#size--;
    // Entries that were pushed past the gap move back into it, so that no search ends early.
    for (let at = (gap + 1) & mask; table[at] !== 0; at = (at + 1) & mask) {
      const home = hashOf(this.#ids[(table[at] as number) - 1] as string) & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      table[gap] = table[at] as number;
      gap = at;
    }
    table[gap] = 0;
  }

  *slots(): Iterable<number> {
    for (const entry of this.#table) if (entry !== 0) yield entry - 1;
  }

  /** Where the id is, or would be put. */
  #find(id: string): number {
    const table = this.#table;
    const mask = table.length - 1;
    let at = hashOf(id) & mask;
    for (let entry = table[at] as number; entry !== 0 && this.#ids[entry - 1] !== id; entry = table[at] as number) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const before = this.#table;
    this.#table = new Int32Array(before.length * 2);
    for (const entry of before) if (entry !== 0) this.#table[this.#find(this.#ids[entry - 1] as string)] = entry;
  }
}

/** FNV-1a over the characters, its bits mixed once more because only the lowest are used. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return hash ^ (hash >>> 15);
}

/** A set of machine slots that is put in order when it is next read, not at every change. */
export class SortedSlots {
  readonly #members = new Set<number>();
  readonly #sort: (slots: number[]) => number[];
  #sorted: readonly number[] | undefined;

  constructor(sort: (slots: number[]) => number[]) {
    this.#sort = sort;
  }

  get size(): number {
    return this.#members.size;
  }

  add(slot: number): void {
    this.#members.add(slot);
    this.#sorted = undefined;
  }

  delete(slot: number): void {
    if (this.#members.delete(slot)) this.#sorted = undefined;
  }

  /** What the order is made of has changed. */
  reorder(): void {
    this.#sorted = undefined;
  }

  list(): readonly number[] {
    return (this.#sorted ??= this.#sort([...this.#members]));
  }
}

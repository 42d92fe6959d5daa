/**
 * Machines whose idle clock is to be started or stopped. They are known one by one while they are few. Of more it is only known that
 * there are such: a Set that grows to all machines moves them all in one turn, and no plan tends more of them than `MOST_KNOWN`.
 */
export class ClocksToCheck {
  /** So many clocks one plan starts or stops at most; the others are for the next. */
  static readonly MOST_KNOWN = 50_000;
  #known = new Set<number>();
  #areMore = false;

  note(slot: number, isToCheck: boolean): void {
    if (!isToCheck) {
      if (this.#known.size > 0) this.#known.delete(slot);
    } else if (!this.#areMore) {
      this.#known.add(slot);
      if (this.#known.size <= ClocksToCheck.MOST_KNOWN) return;
      this.#known = new Set();
      this.#areMore = true;
    }
  }

  /** All of them; undefined = they have to be looked for. */
  get known(): ReadonlySet<number> | undefined {
    return this.#areMore ? undefined : this.#known;
  }

  /** They were looked for, and these are all. */
  found(slots: Iterable<number>): void {
    this.#known = new Set(slots);
    this.#areMore = false;
  }
}

/** What one plan does of it. */
export interface ClocksDue {
  /** By id. */
  readonly slots: Int32Array;
  /** There are no others. */
  readonly areAll: boolean;
}

/**
 * Idle machines that may be released, in the order in which they became idle, so that a plan looks only at those whose
 * time has come. Entries that no longer hold are dropped when they are met.
 */
import type { Millis } from '../types.ts';

export class IdleClocks {
  #slots: number[] = [];
  #since: number[] = [];
  #head = 0;
  #sorted = true;

  add(slot: number, since: Millis): void {
    const last = this.#since.at(-1);
    if (last !== undefined && last > since) this.#sorted = false;
    this.#slots.push(slot);
    this.#since.push(since);
  }

  /** All of them, those included that no longer hold. */
  *entries(): Generator<readonly [slot: number, since: Millis], void> {
    for (let i = this.#head; i < this.#slots.length; i++) yield [this.#slots[i] as number, this.#since[i] as number];
  }

  /**
   * Visits the machines in order of time until `visit` says false. `isCurrent` tells whether the machine's clock still
   * stands where it stood when it was added: one that is added again, or came and went, is visited once.
   */
  walk(isCurrent: (slot: number, since: Millis) => boolean, visit: (slot: number, since: Millis) => boolean): void {
    this.#settle(isCurrent);
    const visited = new Set<number>();
    for (let i = this.#head; i < this.#slots.length; i++) {
      const slot = this.#slots[i] as number;
      const since = this.#since[i] as number;
      if (visited.has(slot) || !isCurrent(slot, since)) continue;
      if (!visit(slot, since)) return;
      visited.add(slot);
    }
  }

  #settle(isCurrent: (slot: number, since: Millis) => boolean): void {
    while (this.#head < this.#slots.length && !isCurrent(this.#slots[this.#head] as number, this.#since[this.#head] as number)) this.#head++;
    if (this.#sorted && this.#head * 2 < this.#slots.length + 1024) return;
    const entries: [number, number][] = [];
    const seen = new Set<number>();
    for (let i = this.#head; i < this.#slots.length; i++) {
      const slot = this.#slots[i] as number;
      const since = this.#since[i] as number;
      if (!isCurrent(slot, since) || seen.has(slot)) continue;
      seen.add(slot);
      entries.push([slot, since]);
    }
    entries.sort((a, b) => a[1] - b[1]);
    this.#slots = entries.map(([slot]) => slot);
    this.#since = entries.map(([, since]) => since);
    this.#head = 0;
    this.#sorted = true;
  }
}

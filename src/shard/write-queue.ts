import { OrderedMap } from '../lib/ordered-map.ts';

/**
 * Which machine's object is to be written next, and when: those that somebody waits for at once, those that changed once
 * their changes have settled, those that failed after a pause. However many wait, finding the next one costs the same.
 */
export class WriteQueue {
  private readonly settleMs: number;
  private readonly urgent = new OrderedMap<undefined>();
  /** Earliest time to write; in the order of these times, since all wait equally long. */
  private readonly settling = new OrderedMap<number>();
  private readonly failed = new OrderedMap<number>();

  constructor(settleMs: number) {
    this.settleMs = settleMs;
  }

  get size(): number {
    return this.urgent.size + this.settling.size + this.failed.size;
  }

  has(id: string): boolean {
    return this.urgent.has(id) || this.settling.has(id) || this.failed.has(id);
  }

  /** It changed. `now` never goes back. */
  add(id: string, now: number): void {
    if (!this.urgent.has(id) && !this.failed.has(id)) this.settling.add(id, now + this.settleMs); // which keeps an earlier time
  }

  /** Somebody waits for it. */
  hurry(id: string): void {
    this.settling.delete(id);
    this.failed.delete(id);
    this.urgent.add(id, undefined);
  }

  /** Not before `at`, unless something newer is to be written anyway. */
  retry(id: string, at: number): void {
    if (!this.has(id)) this.failed.add(id, at);
  }

  delete(id: string): void {
    this.urgent.delete(id);
    this.settling.delete(id);
    this.failed.delete(id);
  }

  /** Takes out one that is due and not busy; else says when the next one is due, at most `now + longestMs`. */
  take(now: number, isBusy: (id: string) => boolean, longestMs: number): { readonly id: string } | { readonly dueAt: number } {
    let dueAt = now + longestMs;
    for (const [id] of this.urgent.entries()) {
      if (isBusy(id)) continue;
      this.urgent.delete(id);
      return { id };
    }
    for (const queue of [this.failed, this.settling]) {
      for (const [id, at] of queue.entries()) {
        if (isBusy(id)) continue;
        if (at <= now) {
          queue.delete(id);
          return { id };
        }
        dueAt = Math.min(dueAt, at);
        if (queue === this.settling) break;
      }
    }
    return { dueAt };
  }
}

import { systemClock } from '../../src/lib/clock.ts';
import type { Clock } from '../../src/lib/clock.ts';

/** No poll begins by itself. */
export const POLL_MS = 1_000_003;

/** The system's clock, but for the pause between two polls, which ends when somebody says so. */
export class PollClock implements Clock {
  private poll: (() => void) | undefined;
  private heard: (() => void) | undefined;

  now(): number {
    return systemClock.now();
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  after(ms: number, fn: () => void): () => void {
    if (ms !== POLL_MS) return systemClock.after(ms, fn);
    this.poll = fn;
    this.heard?.();
    return () => (this.poll = undefined);
  }

  /** Whether the last poll is over. */
  get isPaused(): boolean {
    return this.poll !== undefined;
  }

  resume(): void {
    const poll = this.poll;
    this.poll = undefined;
    poll?.();
  }

  /** Resolves when the poll under way is over. */
  paused(): Promise<void> {
    return this.isPaused ? Promise.resolve() : new Promise((resolve) => (this.heard = resolve));
  }
}

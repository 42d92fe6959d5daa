import type { Clock } from './clock.ts';

interface Timer {
  at: number;
  seq: number;
  fn: () => void;
}

/** A Clock whose time moves only when a test says so. Timers due at the same instant fire in the order they were set. */
export class VirtualClock implements Clock {
  private wallMs: number;
  private monoMs = 0;
  private seq = 0;
  private timers: Timer[] = [];

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.wallMs = startMs;
  }

  now(): number {
    return this.wallMs;
  }

  monotonic(): number {
    return this.monoMs;
  }

  after(ms: number, fn: () => void): () => void {
    const timer: Timer = { at: this.monoMs + Math.max(0, ms), seq: this.seq++, fn };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((t) => t !== timer);
    };
  }

  /** Moves the wall clock only, as a person, NTP or a suspension would; the monotonic clock and the timers do not notice. */
  jumpWall(ms: number): void {
    this.wallMs += ms;
  }

  /** Number of timers that have not fired yet. */
  get pending(): number {
    return this.timers.length;
  }

  /**
   * Moves time forward by `ms`, firing every timer that falls due in order; promise continuations get to run
   * after each timer and before the first, so chains of `await sleep(...)` progress as in real time.
   */
  async advance(ms: number): Promise<void> {
    const end = this.monoMs + ms;
    await settle();
    for (;;) {
      const next = this.timers
        .filter((t) => t.at <= end)
        .sort((a, b) => a.at - b.at || a.seq - b.seq)[0];
      if (!next) break;
      this.timers = this.timers.filter((t) => t !== next);
      this.step(next.at - this.monoMs);
      next.fn();
      await settle();
    }
    this.step(end - this.monoMs);
    await settle();
  }

  private step(ms: number): void {
    this.monoMs += ms;
    this.wallMs += ms;
  }
}

/** Lets all promise continuations that are ready run: one trip through the macrotask queue. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';

export interface RestRange {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Beyond so many keys those that mean nothing any more are forgotten. */
const TIDY_AT = 10_000;

interface Rest {
  readonly failures: number;
  /** Monotonic. */
  readonly until: number;
}

/**
 * How long what has failed is left alone, by key: the least time at first, twice as long after each failure, up to the most;
 * a quarter more or less, so that what failed together is not tried together. Success, or as long again in peace as the most,
 * ends the story. Failures while it rests are those of calls that were under way, and count once.
 */
export class Rests {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly range: RestRange;
  private readonly byKey = new Map<string, Rest>();

  constructor(clock: Clock, random: Random, range: RestRange) {
    this.clock = clock;
    this.random = random;
    this.range = range;
  }

  /** For how many milliseconds from now it rests. */
  failed(key: string): number {
    const resting = this.restMs(key);
    if (resting > 0) return resting;
    const now = this.clock.monotonic();
    const before = this.byKey.get(key);
    const failures = before && now - before.until < this.range.maxMs ? before.failures + 1 : 1;
    const plain = Math.min(this.range.maxMs, this.range.minMs * 2 ** (failures - 1));
    const ms = Math.round(plain * (0.75 + this.random() / 2));
    if (this.byKey.size >= TIDY_AT) this.tidy(now);
    this.byKey.set(key, { failures, until: now + ms });
    return ms;
  }

  succeeded(key: string): void {
    this.byKey.delete(key);
  }

  /** 0 = it does not rest. */
  restMs(key: string): number {
    return Math.max(0, (this.byKey.get(key)?.until ?? 0) - this.clock.monotonic());
  }

  private tidy(now: number): void {
    for (const [key, { until }] of this.byKey) if (now - until >= this.range.maxMs) this.byKey.delete(key);
  }
}

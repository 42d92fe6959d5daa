import type { Random } from '../lib/random.ts';

export interface BackoffRange {
  readonly minMs: number;
  readonly maxMs: number;
}

export interface Backoff {
  /** The next pause in milliseconds: between the minimum and three times the previous one, never above the maximum. */
  next(): number;
  reset(): void;
}

/** Decorrelated jitter: many clients that failed at one moment do not come back at one moment. */
export function createBackoff(range: BackoffRange, random: Random): Backoff {
  let previous = range.minMs;
  return {
    next() {
      previous = Math.min(range.maxMs, range.minMs + random() * (previous * 3 - range.minMs));
      return previous;
    },
    reset() {
      previous = range.minMs;
    },
  };
}

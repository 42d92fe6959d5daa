import type { Clock } from '../../lib/clock.ts';
import type { BackoffRange } from '../backoff.ts';
import { createTokenBucket } from '../token-bucket.ts';

/** How long each retry has to wait: the later of the key's own exponential backoff and a bucket shared by all keys. */
export interface RetryDelays {
  next(key: string): number;
  forget(key: string): void;
  failures(key: string): number;
}

export interface RetryDelayOptions {
  readonly clock: Clock;
  readonly backoff: BackoffRange;
  readonly qps: number;
  readonly burst: number;
}

export function createRetryDelays({ clock, backoff, qps, burst }: RetryDelayOptions): RetryDelays {
  const failures = new Map<string, number>();
  const bucket = createTokenBucket({ clock, perSecond: qps, burst });
  return {
    next(key) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      const own = Math.min(backoff.maxMs, backoff.minMs * 2 ** count);
      return Math.max(own, bucket.reserve());
    },
    forget: (key) => void failures.delete(key),
    failures: (key) => failures.get(key) ?? 0,
  };
}

import { sleep } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';

export interface TokenBucketOptions {
  readonly clock: Clock;
  readonly perSecond: number;
  readonly burst: number;
}

/** Tokens may be taken ahead of time: the debt is the waiting line, so the order of callers is the order of service. */
export interface TokenBucket {
  /** Takes a token and returns how many milliseconds from now it may be used. */
  reserve(): number;
  /** Takes a token if one is there now. */
  tryTake(): boolean;
  /** Waits for a token; on abort the token goes back and the signal's reason is thrown. */
  take(signal?: AbortSignal): Promise<void>;
}

export function createTokenBucket({ clock, perSecond, burst }: TokenBucketOptions): TokenBucket {
  if (!(perSecond > 0) || !(burst >= 1)) {
    throw new Error(`token bucket: perSecond must be above 0 and burst at least 1, got ${perSecond} and ${burst}`);
  }
  let tokens = burst;
  let refilledAt = clock.monotonic();

  const refill = (): void => {
    const now = clock.monotonic();
    tokens = Math.min(burst, tokens + ((now - refilledAt) / 1000) * perSecond);
    refilledAt = now;
  };
  const reserve = (): number => {
    refill();
    tokens -= 1;
    return tokens >= 0 ? 0 : (-tokens / perSecond) * 1000;
  };

  return {
    reserve,
    tryTake() {
      refill();
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
    async take(signal) {
      signal?.throwIfAborted();
      const waitMs = reserve();
      if (waitMs <= 0) return;
      try {
        await sleep(clock, waitMs, signal);
      } catch (error) {
        tokens = Math.min(burst, tokens + 1);
        throw error;
      }
    },
  };
}

import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { createBackoff } from './backoff.ts';
import { createTokenBucket } from './token-bucket.ts';

describe('token bucket', () => {
  test('a burst is free, then tokens come at the rate, and never pile up beyond the burst', async () => {
    const clock = new VirtualClock();
    const bucket = createTokenBucket({ clock, perSecond: 10, burst: 2 });
    expect([1, 2, 3, 4].map(() => bucket.reserve())).toEqual([0, 0, 100, 200]);
    await clock.advance(60_000);
    expect([1, 2, 3].map(() => bucket.reserve())).toEqual([0, 0, 100]);
  });

  test('trying takes a token only if one is there', async () => {
    const clock = new VirtualClock();
    const bucket = createTokenBucket({ clock, perSecond: 1, burst: 1 });
    expect([bucket.tryTake(), bucket.tryTake(), bucket.tryTake()]).toEqual([true, false, false]);
    await clock.advance(1_000);
    expect([bucket.tryTake(), bucket.tryTake()]).toEqual([true, false]);
  });

  test('nonsense is refused', () => {
    expect(() => createTokenBucket({ clock: new VirtualClock(), perSecond: 0, burst: 1 })).toThrow('perSecond must be above 0');
  });
});

describe('backoff', () => {
  test('pauses lie between the minimum and three times the last, capped; reset starts over', () => {
    const high = createBackoff({ minMs: 1_000, maxMs: 30_000 }, () => 1);
    expect([1, 2, 3, 4, 5].map(() => high.next())).toEqual([3_000, 9_000, 27_000, 30_000, 30_000]);
    high.reset();
    expect(high.next()).toBe(3_000);
    const low = createBackoff({ minMs: 1_000, maxMs: 30_000 }, () => 0);
    expect([1, 2, 3].map(() => low.next())).toEqual([1_000, 1_000, 1_000]);
  });
});

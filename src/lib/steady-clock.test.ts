import { beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from './clock.ts';
import { steadyClock } from './steady-clock.ts';
import { VirtualClock } from './virtual-clock.ts';

const HOUR_MS = 3_600_000;

let clock: VirtualClock;
let steady: Clock;

beforeEach(() => {
  clock = new VirtualClock();
  steady = steadyClock(clock);
});

it('is the other clock as long as that one does not jump', async () => {
  for (const ms of [0, 1, 1_000, 24 * HOUR_MS]) {
    await clock.advance(ms);
    expect([steady.now(), steady.monotonic()]).toEqual([clock.now(), clock.monotonic()]);
  }
});

it('follows a clock that is slewed, without a delay', async () => {
  for (let i = 0; i < 100; i++) {
    await clock.advance(10_000);
    clock.jumpWall(5); // 500 ppm
    steady.now();
  }
  await clock.advance(1_000);
  expect(steady.now()).toBe(clock.now());
});

describe.each([HOUR_MS, -HOUR_MS])('of a clock that is set by %i ms', (jumpMs) => {
  it('nothing is seen at that moment', async () => {
    await clock.advance(60_000);
    const before = steady.now();
    clock.jumpWall(jumpMs);
    expect(steady.now()).toBe(before);
  });

  it('what is ten minutes ahead is about ten minutes away', async () => {
    const end = steady.now() + 600_000;
    clock.jumpWall(jumpMs);
    await clock.advance(479_000);
    expect(steady.now()).toBeLessThan(end);
    await clock.advance(801_000 - 479_000);
    expect(steady.now()).toBeGreaterThan(end);
  });

  it('the new time is reached after four times the step, and kept', async () => {
    clock.jumpWall(jumpMs);
    await clock.advance(4 * HOUR_MS - 1_000);
    expect(steady.now()).not.toBe(clock.now());
    await clock.advance(1_000);
    expect(steady.now()).toBe(clock.now());
    await clock.advance(1_000);
    expect(steady.now()).toBe(clock.now());
  });
});

it('never goes back, however often it is asked', async () => {
  clock.jumpWall(-HOUR_MS);
  let last = -Infinity;
  for (let i = 0; i < 1_000; i++) {
    await clock.advance(i % 3);
    const now = steady.now();
    expect(now).toBeGreaterThanOrEqual(last);
    last = now;
  }
});

it('sets the timers of the other clock', async () => {
  const fired: string[] = [];
  steady.after(10, () => fired.push('a'));
  steady.after(10, () => fired.push('b'))();
  await clock.advance(10);
  expect(fired).toEqual(['a']);
});

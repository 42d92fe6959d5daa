import { describe, expect, it } from 'vitest';
import type { Clock } from './clock.ts';
import { hasStepped, markOf } from './clock-step.ts';

/** A clock whose parts stand where they are put. */
function clockAt(wallMs: number, monotonicMs: number): Clock {
  return { now: () => wallMs, monotonic: () => monotonicMs, after: () => () => undefined };
}

describe('whether the clocks came apart', () => {
  const since = markOf(clockAt(1_000_000, 500));

  it.each([
    ['both went on', 60_000, 60_000, false],
    ['slewed by 500 ppm for a minute', 60_030, 60_000, false],
    ['a second apart', 61_000, 60_000, false],
    ['suspended for more than a second', 61_001, 60_000, true],
    ['set back by more than a second', 58_999, 60_000, true],
  ])('%s', (_what, wallMs, monotonicMs, expected) => {
    expect(hasStepped(clockAt(1_000_000 + wallMs, 500 + monotonicMs), since)).toBe(expected);
  });
});

it('a machine that is suspended between the readings of the question has stepped', () => {
  let suspendedMs = 0;
  let isBetween = false;
  const clock: Clock = {
    ...clockAt(0, 0),
    now: () => 5_000 + suspendedMs,
    monotonic() {
      if (isBetween) suspendedMs = 60_000;
      return 5_000;
    },
  };
  const since = markOf(clock);
  isBetween = true;
  expect(hasStepped(clock, since)).toBe(true);
});

it('a process that stands still between the readings of a mark hides no suspension afterwards', () => {
  let ms = 0;
  const read = (): number => {
    const then = ms;
    ms = 10_000; // it goes on ten seconds later, and only then reads the other clock
    return then;
  };
  const since = markOf({ ...clockAt(0, 0), now: read, monotonic: read });
  expect(hasStepped(clockAt(20_000, 10_000), since)).toBe(true);
});

import type { Clock } from './clock.ts';

/**
 * So far the wall clock and the monotonic one may come apart before it counts as a step. NTP slews at 500 ppm at most, that
 * is 8 ms in the 15 s of a Lease, and what is left is the pause between the two readings. Half of the 2 s that a proof ends
 * before its Lease: what is not noticed is covered by them.
 */
const ALLOWANCE_MS = 1_000;

/** Both clocks at one moment. */
export interface ClockMark {
  readonly wallMs: number;
  readonly monotonicMs: number;
}

/** The wall clock first: standing still between the readings must look like a step later, and not hide one. */
export function markOf(clock: Clock): ClockMark {
  const wallMs = clock.now();
  return { wallMs, monotonicMs: clock.monotonic() };
}

/**
 * Whether one of the clocks has gone on without the other since the mark. A virtual machine that was suspended finds its
 * monotonic clock where it was, and its wall clock set right sooner or later; NTP and people set a wall clock in both
 * directions. How much time has passed is not known then.
 */
export function hasStepped(clock: Clock, since: ClockMark): boolean {
  const monotonicMs = clock.monotonic() - since.monotonicMs;
  return Math.abs(clock.now() - since.wallMs - monotonicMs) > ALLOWANCE_MS;
}

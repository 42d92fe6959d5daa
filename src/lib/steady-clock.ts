import type { Clock } from './clock.ts';

/** It catches up by a quarter of the time that passes, at most: what lasts ten minutes lasts eight at least, and thirteen and a half at most. */
const CATCH_UP = 1 / 4;

/**
 * A clock for what lasts: holds, patience, rests. Its wall time is the other's, except that it never jumps and never goes back:
 * when the other's wall clock is set, it goes on with the monotonic one and approaches the new time little by little, an hour
 * in four. So a moment that was to come in ten minutes comes in about ten, and nothing that was to last is over at once.
 * Time for which this machine was suspended did not pass: nobody saw what happened in it.
 */
export function steadyClock(clock: Clock): Clock {
  let wallMs = clock.now();
  let monotonicMs = clock.monotonic();
  return {
    now() {
      const elapsedMs = clock.monotonic() - monotonicMs;
      monotonicMs += elapsedMs;
      wallMs += elapsedMs;
      const most = elapsedMs * CATCH_UP;
      wallMs += Math.max(-most, Math.min(most, clock.now() - wallMs));
      return Math.floor(wallMs);
    },
    monotonic: () => clock.monotonic(),
    after: (ms, fn) => clock.after(ms, fn),
  };
}

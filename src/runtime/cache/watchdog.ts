import type { Clock } from '../../lib/clock.ts';

export interface Watchdog {
  /** Something arrived. Only notes the time: no timer per chunk. */
  alive(): void;
  stop(): void;
}

/**
 * Calls `bark` once when nothing has been `alive` for `idleMs`, or at `deadlineMs` in any case. One timer at a time;
 * it looks at the last sign of life when it fires and goes back to sleep for the rest.
 */
export function startWatchdog(clock: Clock, limits: { idleMs: number; deadlineMs: number }, bark: (why: 'idle' | 'deadline') => void): Watchdog {
  const deadline = clock.monotonic() + limits.deadlineMs;
  let aliveAt = clock.monotonic();
  let cancel = (): void => {};

  const look = (): void => {
    const now = clock.monotonic();
    if (now >= deadline) return bark('deadline');
    if (now - aliveAt >= limits.idleMs) return bark('idle');
    cancel = clock.after(Math.min(deadline, aliveAt + limits.idleMs) - now, look);
  };
  look();

  return {
    alive() {
      aliveAt = clock.monotonic();
    },
    stop: () => cancel(),
  };
}

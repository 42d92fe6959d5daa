import type { Clock } from '../../lib/clock.ts';

const TURN_MS = 2;

/** Keeps long work from hogging the event loop: between two steps, give others a turn once this one has lasted 2 ms. */
export interface Turn {
  /** Whether it is time to let others run. */
  isOver(): boolean;
  /** Lets timers and I/O run, then starts a new turn. */
  yield(): Promise<void>;
  /** Starts a new turn without yielding: for work that begins after a wait. */
  restart(): void;
}

export function createTurn(clock: Clock): Turn {
  let startedAt = clock.monotonic();
  const restart = (): void => {
    startedAt = clock.monotonic();
  };
  return {
    isOver: () => clock.monotonic() - startedAt >= TURN_MS,
    async yield() {
      await new Promise<void>((resolve) => setImmediate(resolve));
      restart();
    },
    restart,
  };
}

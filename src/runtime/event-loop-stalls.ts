import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 20;

/** Tells how long the event loop stood still at most since the last call, in ms. */
export type LongestStall = () => number;

/** What is used of perf_hooks' histogram; `max` in ns. */
export interface DelayHistogram {
  readonly count: number;
  readonly max: number;
  enable(): boolean;
  reset(): void;
}

/** Measured from the first call on, which therefore answers 0: a process that nobody asks pays nothing. */
export function eventLoopStalls(histogram: DelayHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })): LongestStall {
  // Its samples are the times between two ticks of a timer: what exceeds one tick is what other work took.
  return () => {
    histogram.enable();
    const longestMs = histogram.count === 0 ? 0 : Math.max(0, histogram.max / 1_000_000 - RESOLUTION_MS);
    histogram.reset();
    return longestMs;
  };
}

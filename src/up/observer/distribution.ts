/** Count, median and tail of a set of durations in whole milliseconds. */
export interface Distribution {
  readonly n: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** Nearest-rank percentiles; undefined when nothing was measured, because a figure that was not measured is absent. */
export function distribution(values: readonly number[]): Distribution | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (percent: number): number => Math.round(sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0);
  return { n: sorted.length, p50: rank(50), p90: rank(90), p99: rank(99), max: rank(100) };
}

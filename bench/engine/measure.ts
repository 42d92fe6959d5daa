/** Taking samples and saying what they were. */
import { performance } from 'node:perf_hooks';

export interface Spread {
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Nearest rank. Throws for no samples: a figure that was not measured does not exist. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
  if (value === undefined) throw new Error('there are no samples');
  return value;
}

export function spreadOf(samples: readonly number[]): Spread {
  return { samples: samples.length, p50Ms: quantile(samples, 0.5), p99Ms: quantile(samples, 0.99), maxMs: quantile(samples, 1) };
}

export function timed<T>(work: () => T): { readonly ms: number; readonly result: T } {
  const start = performance.now();
  const result = work();
  return { ms: performance.now() - start, result };
}

export interface Sampling {
  readonly samples: number;
  readonly budgetMs: number;
}

const LEAST = 3;

/**
 * Calls `once` until there are enough samples or the time is up; `once` returns the milliseconds that count, so that
 * preparations between samples stay outside. A tenth of the time warms up first, unless `warm` is 0.
 */
export function sample({ samples, budgetMs }: Sampling, once: (index: number) => number, warm = 5): number[] {
  const start = performance.now();
  let index = 0;
  for (let i = 0; i < warm && (i === 0 || performance.now() - start < budgetMs / 10); i++) once(index++);
  const begun = performance.now();
  const taken: number[] = [];
  while (taken.length < samples && (taken.length < LEAST || performance.now() - begun < budgetMs)) taken.push(once(index++));
  return taken;
}

/** What is alive on the heap and in array buffers, bytes. Needs --expose-gc. */
export function liveBytes(): number {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error('weighing needs node --expose-gc');
  for (let i = 0; i < 3; i++) gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

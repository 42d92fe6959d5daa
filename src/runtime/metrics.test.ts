import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { eventLoopStalls } from './event-loop-stalls.ts';
import { createRuntimeMetrics } from './metrics.ts';

test('the longest stall of the event loop since the last scrape is told in seconds', async () => {
  const registry = new Registry();
  const stalls = [0, 1_250, 3];
  createRuntimeMetrics(registry, () => stalls.shift() ?? 0);
  const scraped = async (): Promise<number | undefined> => (await registry.getSingleMetric('event_loop_stall_seconds')?.get())?.values[0]?.value;
  expect([await scraped(), await scraped(), await scraped()]).toEqual([0, 1.25, 0.003]);
});

test('measuring begins with the first question; a question forgets what it was answered', () => {
  const calls: string[] = [];
  const histogram = { count: 0, max: 0, enable: () => calls.push('enable') > 0, reset: () => void calls.push('reset') };
  const longest = eventLoopStalls(histogram);
  expect(calls).toEqual([]);
  expect(longest()).toBe(0);
  expect(calls).toEqual(['enable', 'reset']);
  Object.assign(histogram, { count: 3, max: 220_000_000 }); // ns between two ticks that were to be 20 ms apart
  expect(longest()).toBe(200);
  Object.assign(histogram, { count: 1, max: 19_000_000 });
  expect(longest()).toBe(0);
});

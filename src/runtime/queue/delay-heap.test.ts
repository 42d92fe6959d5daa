import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { createDelayHeap } from './delay-heap.ts';

test('whatever is set, each key falls due once, at its earliest time, in order', async () => {
  const entry = fc.record({ key: fc.integer({ min: 0, max: 30 }).map(String), at: fc.integer({ min: 1, max: 500 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 80 }), async (entries) => {
      const clock = new VirtualClock();
      const due: { key: string; at: number }[] = [];
      const heap = createDelayHeap(clock, (key) => due.push({ key, at: clock.monotonic() }));
      const earliest = new Map<string, number>();
      for (const { key, at } of entries) {
        heap.set(key, at);
        earliest.set(key, Math.min(at, earliest.get(key) ?? Infinity));
      }
      expect(heap.size).toBe(earliest.size);
      await clock.advance(500);
      expect(new Map(due.map(({ key, at }) => [key, at]))).toEqual(earliest);
      expect(due).toHaveLength(earliest.size);
      expect(due.map(({ at }) => at)).toEqual(due.map(({ at }) => at).sort((a, b) => a - b));
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test('clearing leaves no timer', () => {
  const clock = new VirtualClock();
  const heap = createDelayHeap(clock, () => {});
  heap.set('a', 10);
  heap.clear();
  expect(clock.pending).toBe(0);
  expect(heap.size).toBe(0);
});

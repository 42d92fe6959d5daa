import { expect, test } from 'vitest';
import { Fifo } from './fifo.ts';

test('order and length hold across compaction', () => {
  const fifo = new Fifo<number>();
  const out: number[] = [];
  let next = 0;
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 100; i++) fifo.push(next++);
    for (let i = 0; i < 90; i++) out.push(fifo.shift()!);
  }
  expect(fifo.length).toBe(500);
  while (fifo.length > 0) out.push(fifo.shift()!);
  expect(out).toEqual(Array.from({ length: 5_000 }, (_, i) => i));
  expect(fifo.shift()).toBeUndefined();
});

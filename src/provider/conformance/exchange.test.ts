import { expect, it } from 'vitest';
import { Transcript } from './exchange.ts';

it('counts equal exchanges in a row', () => {
  const transcript = new Transcript();
  transcript.add(0, 'Get m', 'CREATING');
  transcript.add(1, 'Get m', 'CREATING');
  transcript.add(2, 'Get m', 'IDLE');
  transcript.add(3, 'Get m', 'CREATING');
  expect(transcript.exchanges().map(({ number, got, times }) => [number, got, times])).toEqual([[1, 'CREATING', 2], [2, 'IDLE', 1], [3, 'CREATING', 1]]);
});

it('keeps the beginning and the end of a long one, and how much is missing', () => {
  const transcript = new Transcript();
  for (let i = 1; i <= 10_000; i++) transcript.add(i, `call ${i}`, 'OK');
  const kept = transcript.exchanges();
  expect(kept.length + transcript.omitted).toBe(10_000);
  expect(kept.length).toBeLessThan(400);
  expect([kept[0]?.number, kept.at(-1)?.number]).toEqual([1, 10_000]);
});

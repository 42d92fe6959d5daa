import { expect, it } from 'vitest';
import { playSeed } from './world/world.ts';

it.each([3, 38])('a world is what its seed says, byte for byte: seed %i', { timeout: 60_000 }, async (seed) => {
  const first = await playSeed(seed);
  const second = await playSeed(seed);
  expect(second.transcript).toBe(first.transcript);
  expect(first.transcript.split('\n').length).toBeGreaterThan(50);
  expect(first.violations).toEqual([]);
});

it('other seeds are other worlds', { timeout: 60_000 }, async () => {
  expect((await playSeed(5)).transcript).not.toBe((await playSeed(6)).transcript);
});

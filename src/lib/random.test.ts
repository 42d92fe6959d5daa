import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom, stableHash } from './random.ts';

const take = (random: () => number, n: number): number[] => Array.from({ length: n }, () => random());

test('equal seeds give equal sequences, different seeds different ones', () => {
  expect(take(seededRandom(7), 5)).toEqual(take(seededRandom(7), 5));
  expect(take(seededRandom(7), 5)).not.toEqual(take(seededRandom(8), 5));
});

test('the sequence is the same on every platform', () => {
  expect(take(seededRandom(1), 2).map((x) => Math.floor(x * 2 ** 32))).toEqual([2693262067, 11749833]);
});

test('values lie in [0, 1) and cover it evenly', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const values = take(seededRandom(seed), 400);
      expect(values.every((x) => x >= 0 && x < 1)).toBe(true);
      for (let quarter = 0; quarter < 4; quarter++) {
        expect(values.filter((x) => Math.floor(x * 4) === quarter).length).toBeGreaterThan(50);
      }
    }),
    { numRuns: 20, seed: 1 },
  );
});

test('the hash is stable, fits 32 bits and spreads similar names over few partitions', () => {
  expect(stableHash('')).toBe(stableHash(''));
  const names = Array.from({ length: 1000 }, (_, i) => `machine-${i}`);
  const perPartition = [0, 0, 0, 0];
  for (const name of names) {
    const hash = stableHash(name);
    expect(Number.isInteger(hash) && hash >= 0 && hash < 2 ** 32).toBe(true);
    perPartition[hash % 4]!++;
  }
  expect(Math.min(...perPartition)).toBeGreaterThan(200);
  expect(new Set(names.map(stableHash)).size).toBe(1000);
});

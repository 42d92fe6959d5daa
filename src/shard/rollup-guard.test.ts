import { describe, expect, it } from 'vitest';
import type { Need } from '../engine/types.ts';
import { amounts, need } from '../engine/testing/builders.ts';
import { RollupGuard } from './rollup-guard.ts';

/** So many rows, each of the given amounts. */
const rows = (count: number, whole: Record<string, number> = { cpu: 10, memory: 10 }): Need[] =>
  Array.from({ length: count }, (_, i) => need({ group: `g${i}`, aggregate: amounts(whole) }));

function guard(accepted: readonly Need[]): RollupGuard {
  const it = new RollupGuard();
  expect(it.admit('east', accepted)).toBe(true);
  return it;
}

describe('a roll-up that keeps less than a tenth of the rows', () => {
  it('is held twice and believed the third time', () => {
    const g = guard(rows(100));
    expect([g.admit('east', rows(9)), g.admit('east', []), g.admit('east', rows(1))]).toEqual([false, false, true]);
    expect(g.heldCount('east')).toBe(0);
    expect(g.admit('east', [])).toBe(true); // the baseline is one row now
  });

  it('starts over when demand returns in between', () => {
    const g = guard(rows(100));
    expect([g.admit('east', []), g.admit('east', []), g.admit('east', rows(100)), g.admit('east', []), g.admit('east', [])]).toEqual([false, false, true, false, false]);
  });

  it.each([[100, 10, true], [100, 9, false], [10, 1, true], [10, 0, false], [9, 0, true]])('of %i, keeping %i: admitted %s', (before, after, admitted) => {
    // Larger rows, so that only their number can be suspicious.
    expect(guard(rows(before)).admit('east', rows(after, { cpu: 1_000, memory: 1_000 }))).toBe(admitted);
  });
});

describe('a roll-up that keeps its rows but not their quantities', () => {
  it('is held when every dimension shrinks below a tenth (X14)', () => {
    const g = guard(rows(100));
    expect(g.admit('east', rows(100, { cpu: 0, memory: 0 }))).toBe(false);
    expect(g.heldByCluster()).toEqual(new Map([['east', 1]]));
    expect(g.admit('east', rows(100, { cpu: 0.9, memory: 0.9 }))).toBe(false);
    expect(g.admit('east', rows(100, { cpu: 1, memory: 1 }))).toBe(true);
  });

  it('is held also when one row alone keeps its quantity', () => {
    expect(guard(rows(100)).admit('east', [...rows(99, { cpu: 0, memory: 0 }), ...rows(1)])).toBe(false);
  });

  it('passes when only some dimension vanishes: the last job of its kind has ended', () => {
    expect(guard(rows(100, { cpu: 10, gpu: 8 })).admit('east', rows(100, { cpu: 10 }))).toBe(true);
  });

  it('passes when a dimension that was zero stays zero', () => {
    const g = guard(rows(100, { cpu: 10, gpu: 0 }));
    expect(g.admit('east', rows(100, { cpu: 10, gpu: 0 }))).toBe(true);
  });
});

it('knows clusters apart, and accepts the first roll-up of each whatever it says', () => {
  const g = guard(rows(100));
  expect(g.admit('west', [])).toBe(true);
  expect(g.admit('east', [])).toBe(false);
  expect([g.heldCount('east'), g.heldCount('west')]).toEqual([1, 0]);
});

it('does not move its baseline while it holds', () => {
  const g = guard(rows(100));
  g.admit('east', rows(5));
  expect(g.admit('east', rows(9))).toBe(false);
});

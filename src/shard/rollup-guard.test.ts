import { describe, expect, it } from 'vitest';
import type { Need } from '../engine/types.ts';
import { deepFreeze } from '../engine/testing/arbitraries.ts';
import { amounts, need } from '../engine/testing/builders.ts';
import { judgeRollup } from './rollup-guard.ts';
import type { Accepted, RollupVerdict } from './rollup-guard.ts';

/** So many rows, each of the given amounts. */
const rows = (count: number, whole: Record<string, number> = { cpu: 10, memory: 10 }): Need[] =>
  Array.from({ length: count }, (_, i) => need({ group: `g${i}`, aggregate: amounts(whole) }));

/** One roll-up a second, the first one at 1 s. */
function judged(...rollups: (readonly Need[])[]): RollupVerdict[] {
  let state: Accepted | undefined;
  return rollups.map((needs, i) => {
    const judgement = judgeRollup(state, needs, (i + 1) * 1_000);
    state = judgement.state;
    return judgement.verdict;
  });
}

const accepts = (...rollups: (readonly Need[])[]): boolean[] => judged(...rollups).map(({ accept }) => accept);

describe('a roll-up that keeps less than a tenth of the rows, or none', () => {
  it.each<[number[], string]>([
    [[10, 0, 0, 0], 'accept hold hold accept'],
    [[10, 1], 'accept accept'],
    [[9, 0, 0, 0], 'accept hold hold accept'],
    [[1, 0, 0, 1], 'accept hold hold accept'],
    [[9, 1], 'accept accept'],
    [[100, 9, 10], 'accept hold accept'],
    [[100, 9, 9, 50, 0, 0, 0], 'accept hold hold accept hold hold accept'],
    [[20, 1, 1, 1, 0, 0, 0], 'accept hold hold accept hold hold accept'],
  ])('is held twice and believed the third time: %j', (counts, expected) => {
    expect(accepts(...counts.map((n) => rows(n))).map((accept) => (accept ? 'accept' : 'hold')).join(' ')).toBe(expected);
  });

  it('is held however much its rows ask for', () => {
    expect(accepts(rows(100), rows(10, { cpu: 1_000, memory: 1_000 }))).toEqual([true, true]);
    expect(judged(rows(100), rows(9, { cpu: 1_000, memory: 1_000 }))[1]).toEqual({ accept: false, held: 1, since: 2_000, shrunk: 'rows' });
  });
});

describe('a roll-up that keeps its rows but not their quantities (X14)', () => {
  it.each<[string, Record<string, number>, string | undefined]>([
    ['every dimension vanishes', { cpu: 0, memory: 0, gpu: 0 }, 'cpu'],
    ['one dimension vanishes', { cpu: 10, memory: 10, gpu: 0 }, 'gpu'],
    ['one dimension is not named any more', { cpu: 10, memory: 10 }, 'gpu'],
    ['one dimension falls below a tenth', { cpu: 10, memory: 0.9, gpu: 10 }, 'memory'],
    ['every dimension falls to a tenth', { cpu: 1, memory: 1, gpu: 1 }, undefined],
    ['another dimension comes', { cpu: 10, memory: 10, gpu: 10, disk: 1 }, undefined],
  ])('%s', (_, after, shrunk) => {
    for (const count of [1, 9, 100]) {
      const [, verdict] = judged(rows(count, { cpu: 10, memory: 10, gpu: 10 }), rows(count, after));
      expect(verdict).toEqual(shrunk === undefined ? { accept: true } : { accept: false, held: 1, since: 2_000, shrunk });
    }
  });

  it('is held also when one row of many keeps its quantity', () => {
    expect(accepts(rows(100), [...rows(99, { cpu: 0, memory: 0 }), ...rows(1)])).toEqual([true, false]);
  });

  it('is not held for demand of nothing that vanishes', () => {
    expect(accepts(rows(3, { cpu: 0 }), [])).toEqual([true, true]);
  });

  it('passes when a dimension that was zero stays zero', () => {
    expect(accepts(rows(100, { cpu: 10, gpu: 0 }), rows(100, { cpu: 10, gpu: 0 }))).toEqual([true, true]);
  });
});

describe('what the guard remembers', () => {
  it('is of the last accepted roll-up, and since when it doubts', () => {
    expect(judged(rows(100), rows(5), rows(9), rows(9), rows(9, { cpu: 0 })).slice(1)).toEqual([
      { accept: false, held: 1, since: 2_000, shrunk: 'rows' },
      { accept: false, held: 2, since: 2_000, shrunk: 'rows' }, // 9 of 100, not 9 of 5
      { accept: true },
      { accept: false, held: 1, since: 5_000, shrunk: 'cpu' },
    ]);
  });

  it('is nothing before the first roll-up, which is accepted whatever it says', () => {
    expect([accepts([]), accepts(rows(1, { cpu: 0 }))]).toEqual([[true], [true]]);
  });

  it('is handed back, never changed', () => {
    const { state } = judgeRollup(undefined, rows(100), 1);
    const { state: next } = judgeRollup(deepFreeze(state), deepFreeze(rows(5)), 2);
    expect([state.held, next]).toEqual([0, { ...state, held: 1, heldSince: 2 }]);
  });
});

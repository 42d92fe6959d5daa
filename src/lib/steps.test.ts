import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { finish, inSteps, sortedInSteps } from './steps.ts';
import { finishInTurns } from './turns.ts';

function stepsOf(steps: Generator<unknown, unknown>): number {
  let n = 0;
  while (steps.next().done !== true) n++;
  return n;
}

describe('work in steps', () => {
  it('visits every item and stops after every so many', () => {
    const seen: number[] = [];
    expect(stepsOf(inSteps([1, 2, 3, 4, 5], (n) => seen.push(n), 2))).toBe(2);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('sorts like Array.sort, equal items in the order in which they came, and changes nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ key: fc.nat(5), at: fc.nat() }), { maxLength: 40 }), fc.integer({ min: 1, max: 7 }), (items, perStep) => {
        const before = [...items];
        const compare = (a: { key: number }, b: { key: number }): number => a.key - b.key;
        const sorted = finish(sortedInSteps(items, compare, perStep));
        expect(sorted).toEqual([...items].sort(compare));
        expect(sorted.every((item, i) => item === [...items].sort(compare)[i])).toBe(true);
        expect(items).toEqual(before);
      }),
      { seed: 3 },
    );
    expect(stepsOf(sortedInSteps(Array.from({ length: 100 }, (_, i) => -i), (a, b) => a - b, 10))).toBeGreaterThan(10);
  });

  it('lets others get their turn in between', async () => {
    const order: string[] = [];
    setImmediate(() => order.push('other'));
    function* work(): Generator<undefined, string> {
      order.push('begun');
      yield;
      order.push('ended');
      return 'result';
    }
    expect(await finishInTurns(work())).toBe('result');
    expect(order).toEqual(['begun', 'other', 'ended']);
  });
});

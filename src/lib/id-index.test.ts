import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdIndex } from './id-index.ts';

describe('an index of ids', () => {
  it('finds what was added and not what was deleted, like a Map', () => {
    const steps = fc.array(fc.record({ id: fc.integer({ min: 0, max: 3000 }), add: fc.boolean() }), { minLength: 500, maxLength: 4000, size: 'max' });
    fc.assert(
      fc.property(steps, (sequence) => {
        const ids: (string | undefined)[] = [];
        const index = new IdIndex(ids);
        const expected = new Map<string, number>();
        for (const { id: n, add } of sequence) {
          const id = `machine-${n}`;
          const slot = expected.get(id);
          if (add && slot === undefined) {
            ids.push(id);
            index.add(id, ids.length - 1);
            expected.set(id, ids.length - 1);
          } else if (!add && slot !== undefined) {
            index.delete(id);
            ids[slot] = undefined;
            expected.delete(id);
          }
          expect(index.get(id)).toBe(expected.get(id));
        }
        expect(index.size).toBe(expected.size);
        for (let n = 0; n <= 3000; n++) expect(index.get(`machine-${n}`)).toBe(expected.get(`machine-${n}`));
        const all = Array.from({ length: 3001 }, (_, n) => `machine-${n}`);
        expect([...index.getAll(all)]).toEqual(all.map((id) => expected.get(id) ?? -1));
        expect([...index.slots()].sort((a, b) => a - b)).toEqual([...expected.values()].sort((a, b) => a - b));
      }),
      { numRuns: 30, seed: 5 },
    );
  });

  it('tells ids of equal hash apart', () => {
    const twins = ['liquid', 'costarring']; // equal under FNV-1a
    const index = new IdIndex(twins);
    index.add('liquid', 0);
    expect([...index.getAll([...twins, 'x'])]).toEqual([0, -1, -1]);
    index.add('costarring', 1);
    expect([...index.getAll([...twins, 'x'])]).toEqual([0, 1, -1]);
    expect(twins.map((id) => index.get(id))).toEqual([0, 1]);
  });
});

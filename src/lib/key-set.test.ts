import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeySet } from './key-set.ts';
import { TextMap } from './text-map.ts';

const edits = fc.array(fc.record({ key: fc.string({ maxLength: 2 }), edit: fc.constantFrom('add', 'delete', 'enter', 'leave') }), { maxLength: 400, size: 'max' });
const many = Array.from({ length: 40_000 }, (_, i) => `m-${i}`);

function marked(keys: readonly string[]): { map: TextMap<number>; set: KeySet } {
  const map = new TextMap<number>();
  for (const key of keys) map.set(key, 1);
  return { map, set: new KeySet(map) };
}

describe('a set of keys of a map', () => {
  it('is what a Set keeps, whatever enters the map and leaves it', () => {
    fc.assert(fc.property(edits, (list) => {
      const { map, set } = marked([]);
      const plain = new Set<string>();
      for (const { key, edit } of list) {
        if (edit === 'add') {
          set.add(key);
          plain.add(key);
        } else if (edit === 'enter') map.set(key, 1);
        else {
          expect(set.delete(key)).toBe(plain.delete(key));
          if (edit === 'leave') map.delete(key);
        }
        expect([set.size, set.has(key)]).toEqual([plain.size, plain.has(key)]);
      }
      expect([...set].sort()).toEqual([...plain].sort());
    }));
  });

  it('does not take the key that came to the place of another one for that one', () => {
    const { map, set } = marked(['a', 'b']);
    set.add('a');
    map.delete('a'); // without a word
    map.set('c', 1);
    expect([set.has('c'), set.has('a')]).toEqual([false, false]);
    set.add('c');
    expect([set.has('c'), set.delete('c'), set.has('c')]).toEqual([true, true, false]);
  });

  it('is met once and in full by who empties it in several walks, in the order in which it was added, and begins anew then', () => {
    const { set } = marked(many);
    for (const keys of [many.toReversed(), many]) {
      for (const key of [...keys, ...keys.toReversed()]) set.add(key);
      expect(set.size).toBe(many.length);
      const met: string[] = [];
      for (let walk = 1; walk <= 6; walk++) {
        for (const key of set) {
          if (met.length === walk * 7_000) break;
          met.push(key);
          set.delete(key);
        }
      }
      expect(met.join()).toBe(keys.join());
      expect([set.size, [...set]]).toEqual([0, []]);
    }
  });
});

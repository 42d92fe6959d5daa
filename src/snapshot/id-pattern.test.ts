import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareText } from '../lib/compare-text.ts';
import { expandPattern, patternsFor } from './id-pattern.ts';

describe('patterns of names', () => {
  it.each([
    ['plain', undefined, ['plain']],
    ['n{8..11}', undefined, ['n8', 'n9', 'n10', 'n11']],
    ['n{08..11}x', undefined, ['n08x', 'n09x', 'n10x', 'n11x']],
    ['r{1..2}-n{1..2}', undefined, ['r1-n1', 'r1-n2', 'r2-n1', 'r2-n2']],
    ['n{000..}', 2, ['n000', 'n001']],
    ['{{1..2}', undefined, ['{1..2}']],
    ['{{{1..2}', undefined, ['{1', '{2']],
  ])('%s stands for names', (pattern, count, names) => {
    expect(expandPattern(pattern, 'id', count)).toEqual(names);
  });

  it.each([
    ['n{3..1}', undefined, 'ends before it begins'],
    ['n{a}', undefined, 'write "{{" for a brace'],
    ['n{0..}', undefined, 'needs a count'],
    ['n{0..3}', 4, 'open at the end'],
    ['n{0..999999999}', undefined, 'more than 5000000'],
    ['n{0..99999}{0..99999}', undefined, 'more than 5000000'],
  ])('%s is refused', (pattern, count, message) => {
    expect(() => expandPattern(pattern, 'machines[0].id', count)).toThrow(expect.objectContaining({ name: 'SnapshotError', path: 'machines[0].id', message: expect.stringContaining(message) as string }));
  });

  it('are found for any names', () => {
    const name = fc.oneof(fc.string(), fc.nat(120).map((n) => `m${String(n)}`), fc.nat(120).map((n) => `m${String(n).padStart(3, '0')}.x`), fc.constantFrom('{', 'a{1..2}', '1{2', '99999999999999999999'));
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 150 }), (names) => {
        const back = patternsFor(names).flatMap((pattern) => expandPattern(pattern, ''));
        expect(back.sort(compareText)).toEqual([...names].sort(compareText));
      }),
      { numRuns: 300 },
    );
  });

  it('are few where names run on', () => {
    expect(patternsFor(Array.from({ length: 1500 }, (_, i) => `node-${String(i)}-z`))).toEqual(['node-{0..9}-z', 'node-{10..99}-z', 'node-{100..999}-z', 'node-{1000..1499}-z']);
  });
});

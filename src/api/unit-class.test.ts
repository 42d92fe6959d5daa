import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toBaseUnits } from './quantity.ts';
import { compareUnitClassDescending, isUnitClass, unitClass } from './unit-class.ts';

function classOf(unit: Record<string, string>): string {
  return unitClass(Object.entries(unit).map(([dimension, quantity]) => [dimension, toBaseUnits(dimension, quantity, 'up')] as const));
}

describe('unit class', () => {
  test.each([
    [{}, ''],
    [{ cpu: '0', memory: '0' }, ''],
    [{ cpu: '1m' }, 'cpu=1'], // 4^0
    [{ cpu: '2m' }, 'cpu=2'], // 4^1
    [{ cpu: '4m' }, 'cpu=2'],
    [{ cpu: '5m' }, 'cpu=3'],
    [{ cpu: '1' }, 'cpu=6'], // 1000 ≤ 4^5
    [{ cpu: '1024m' }, 'cpu=6'],
    [{ cpu: '1025m' }, 'cpu=7'],
    [{ cpu: '120' }, 'cpu=10'], // 120,000 ≤ 4^9
    [{ memory: '1' }, 'memory=1'], // one MiB begun
    [{ memory: '1Mi' }, 'memory=1'],
    [{ memory: '1048577' }, 'memory=2'],
    [{ memory: '4Gi' }, 'memory=7'], // 4096 = 4^6
    [{ memory: '4097Mi' }, 'memory=8'],
    [{ 'nvidia.com/gpu': '8' }, 'nvidia.com/gpu=8'],
    [{ 'nvidia.com/gpu': '9' }, 'nvidia.com/gpu=16'],
    [{ 'nvidia.com/gpu': '100m' }, 'nvidia.com/gpu=1'],
    [{ 'ephemeral-storage': '1k' }, 'ephemeral-storage=1024'],
    [{ memory: '1Gi', cpu: '1', b: '3', a: '1' }, 'a=1,b=4,cpu=6,memory=6'],
  ])('of %j is %j', (unit, expected) => {
    expect(classOf(unit)).toBe(expected);
  });

  test('the largest amounts are exact', () => {
    expect(unitClass([['x', Number.MAX_SAFE_INTEGER]])).toBe(`x=${2 ** 44}`); // ⌈(2^53−1)/1000⌉
    expect(unitClass([['storage', Number.MAX_SAFE_INTEGER]])).toBe('storage=9007199254740992');
  });

  test('does not depend on the order of dimensions', () => {
    fc.assert(
      fc.property(anyUnit, fc.nat(), (unit, seed) => {
        const rotated = [...unit.slice(seed % (unit.length || 1)), ...unit.slice(0, seed % (unit.length || 1))];
        expect(unitClass(rotated)).toBe(unitClass(unit));
      }),
    );
  });

  test('separators inside a name do not make two classes one', () => {
    expect(unitClass([['a=1,b', 1000]])).not.toBe(unitClass([['a', 1000], ['b', 1000]]));
    expect(unitClass([['a%3d', 1000]])).not.toBe(unitClass([['a=', 1000]]));
  });
});

describe('a text', () => {
  test.each(['cpu=0', 'cpu=6.5', 'cpu=06', 'cpu=1e1', 'cpu', 'big', 'cpu=', 'cpu=four', 'cpu=-1', 'cpu=NaN', 'cpu=Infinity', 'a=Infinity', 'a=3', 'a=0', 'cpu=6, memory=7', 'memory=7,cpu=6', 'cpu=6,a=1', 'cpu=6,cpu=6', 'cpu=6,', ',', '=', 'a%zz=1', `a=${2 ** 54}`])('that is the class of no unit is known: %j', (text) => {
    expect(isUnitClass(text)).toBe(false);
  });

  test('that is the class of a unit is known, whatever the unit', () => {
    fc.assert(
      fc.property(anyUnit, (unit) => {
        expect(isUnitClass(unitClass(unit))).toBe(true);
      }),
    );
    expect(isUnitClass(unitClass([['storage', Number.MAX_SAFE_INTEGER], ['x', Number.MAX_SAFE_INTEGER], ['cpu', Number.MAX_SAFE_INTEGER], ['memory', Number.MAX_SAFE_INTEGER]]))).toBe(true);
  });
});

describe('order', () => {
  test('other dimensions by name come first, then cpu, then memory, larger ones first', () => {
    const sorted = ['', 'memory=9', 'cpu=2', 'cpu=2,memory=1', 'b=1', 'a=1,memory=3', 'a=1,cpu=1', 'a=2', 'cpu=10', 'a=16'].sort(compareUnitClassDescending);
    expect(sorted).toEqual(['a=16', 'a=2', 'a=1,cpu=1', 'a=1,memory=3', 'b=1', 'cpu=10', 'cpu=2,memory=1', 'cpu=2', 'memory=9', '']);
  });

  test('is total: only equal classes are equal, and it is antisymmetric and transitive', () => {
    fc.assert(
      fc.property(anyUnit, anyUnit, anyUnit, (x, y, z) => {
        const [a, b, c] = [unitClass(x), unitClass(y), unitClass(z)];
        expect(compareUnitClassDescending(a, b) === 0).toBe(a === b);
        expect(Math.sign(compareUnitClassDescending(a, b)) + Math.sign(compareUnitClassDescending(b, a))).toBe(0);
        if (compareUnitClassDescending(a, b) <= 0 && compareUnitClassDescending(b, c) <= 0) expect(compareUnitClassDescending(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

const anyUnit = fc.uniqueArray(
  fc.tuple(fc.constantFrom('cpu', 'memory', 'a', 'b', 'a=1,b', 'a%3d1', 'ephemeral-storage'), fc.oneof(fc.nat({ max: 5000 }), fc.nat({ max: Number.MAX_SAFE_INTEGER }))),
  { selector: ([dimension]) => dimension, maxLength: 5 },
);

import { expect, test } from 'vitest';
import { cloneJson, equalJson, mergePatch } from './json.ts';

test('a merge patch removes with null, merges objects, replaces the rest, and leaves the target alone', () => {
  const target = { a: { b: 1, c: 2 }, list: [1, 2], keep: { same: true } };
  const result = mergePatch(target, { a: { b: null, d: { e: null, f: 1 } }, list: [3] }) as typeof target;
  expect(result).toEqual({ a: { c: 2, d: { f: 1 } }, list: [3], keep: { same: true } });
  expect(result.keep).toBe(target.keep);
  expect(target.a).toEqual({ b: 1, c: 2 });
  expect(mergePatch('text', { a: 1 })).toEqual({ a: 1 });
});

test('a merge patch cannot reach prototypes', () => {
  mergePatch({}, JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'));
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test.each([
  [{ a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2 }], a: 1 }, true],
  [{ a: undefined }, {}, true],
  [{}, { a: undefined }, true],
  [{ a: null }, {}, false],
  [[1, 2], [2, 1], false],
  [[1], { 0: 1 }, false],
  ['1', 1, false],
  [{ a: 1 }, { a: 1, b: 2 }, false],
])('equalJson(%j, %j) is %j', (a, b, equal) => {
  expect(equalJson(a, b)).toBe(equal);
});

test('a clone shares nothing and has no undefined fields', () => {
  const value = { a: [{ b: 1 }], gone: undefined };
  const copy = cloneJson(value);
  expect(Object.keys(copy)).toEqual(['a']);
  copy.a[0]!.b = 2;
  expect(value.a[0]!.b).toBe(1);
});

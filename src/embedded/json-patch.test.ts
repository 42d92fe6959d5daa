import { expect, test } from 'vitest';
import { jsonPatch } from './json-patch.ts';
import { StatusError } from './status-error.ts';

const document = { a: { b: [1, 2, 3], 'x/y': 1, '~': 2 } };

test.each([
  [[{ op: 'add', path: '/a/b/1', value: 9 }], { a: { b: [1, 9, 2, 3], 'x/y': 1, '~': 2 } }],
  [[{ op: 'add', path: '/a/b/-', value: 9 }], { a: { b: [1, 2, 3, 9], 'x/y': 1, '~': 2 } }],
  [[{ op: 'remove', path: '/a/b/0' }], { a: { b: [2, 3], 'x/y': 1, '~': 2 } }],
  [[{ op: 'replace', path: '/a/x~1y', value: 5 }], { a: { b: [1, 2, 3], 'x/y': 5, '~': 2 } }],
  [[{ op: 'replace', path: '/a/~0', value: 5 }], { a: { b: [1, 2, 3], 'x/y': 1, '~': 5 } }],
  [[{ op: 'move', from: '/a/b', path: '/c' }], { a: { 'x/y': 1, '~': 2 }, c: [1, 2, 3] }],
  [[{ op: 'copy', from: '/a/b/2', path: '/c' }], { ...document, c: 3 }],
  [[{ op: 'test', path: '/a/b', value: [1, 2, 3] }], document],
  [[{ op: 'replace', path: '', value: { new: 1 } }], { new: 1 }],
])('%j', (patch, expected) => {
  expect(jsonPatch(document, patch)).toEqual(expected);
  expect(document).toEqual({ a: { b: [1, 2, 3], 'x/y': 1, '~': 2 } });
});

test.each([
  [[{ op: 'test', path: '/a/b/0', value: 2 }], 422],
  [[{ op: 'remove', path: '/a/c' }], 422],
  [[{ op: 'replace', path: '/a/b/3', value: 1 }], 422],
  [[{ op: 'add', path: '/a/b/5', value: 1 }], 422],
  [[{ op: 'add', path: '/q/r', value: 1 }], 422],
  [[{ op: 'remove', path: '/a/constructor' }], 422],
  [[{ op: 'jump', path: '/a' }], 400],
  [[{ op: 'add', path: 'a', value: 1 }], 400],
  [{ op: 'add' }, 400],
])('%j fails with %i', (patch, code) => {
  try {
    jsonPatch(document, patch);
  } catch (error) {
    expect(error).toBeInstanceOf(StatusError);
    expect((error as StatusError).code).toBe(code);
    return;
  }
  throw new Error('it did not fail');
});

test('a field called __proto__ is a field', () => {
  const result = jsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: true } }]) as object;
  expect(Object.keys(result)).toEqual(['__proto__']);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

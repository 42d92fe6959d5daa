import { expect, test } from 'vitest';
import { humanDuration } from './human-duration.ts';
import { compileJsonPath } from './json-path.ts';
import { strategicMerge } from './strategic-merge.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

test.each([
  [0, '0s'],
  [119_999, '119s'],
  [2 * minute, '2m'],
  [2 * minute + 5000, '2m5s'],
  [10 * minute + 5000, '10m'],
  [179 * minute, '179m'],
  [3 * hour, '3h'],
  [3 * hour + minute, '3h1m'],
  [9 * hour + minute, '9h'],
  [48 * hour, '2d'],
  [50 * hour, '2d2h'],
  [9 * day, '9d'],
  [800 * day, '2y70d'],
  [-500, '0s'],
  [-5000, '<invalid>'],
])('%i ms is %s', (ms, text) => {
  expect(humanDuration(ms)).toBe(text);
});

test.each([
  ['.a.b', [1]],
  ["['a'].b", [1]],
  ['.list[0].n', ['x']],
  ['.list[*].n', ['x', 'y']],
  ['.list[?(@.n=="y")].v', [2]],
  ['.list[?(@.v==1)].n', ['x']],
  ['.a.dotted\\.name', [3]],
  ['.nothing.here', []],
  ['.list[7]', []],
])('%s', (path, expected) => {
  const root = { a: { b: 1, 'dotted.name': 3 }, list: [{ n: 'x', v: 1 }, { n: 'y', v: 2 }] };
  expect(compileJsonPath(path)(root)).toEqual(expected);
});

test('a JSONPath that is not understood is named', () => {
  expect(() => compileJsonPath('.a[?(@.b > 1)]')).toThrow('.a[?(@.b > 1)]');
});

test.each([
  [{ containers: [{ name: 'a', image: '1' }, { name: 'b' }] }, { containers: [{ name: 'a', image: '2' }, { name: 'c' }] }, { containers: [{ name: 'a', image: '2' }, { name: 'b' }, { name: 'c' }] }],
  [{ containers: [{ name: 'a' }, { name: 'b' }] }, { containers: [{ name: 'a', $patch: 'delete' }], '$setElementOrder/containers': [{ name: 'b' }] }, { containers: [{ name: 'b' }] }],
  [{ taints: [{ key: 'a' }] }, { taints: [{ key: 'b' }] }, { taints: [{ key: 'b' }] }],
  [{ finalizers: ['a', 'b'] }, { '$deleteFromPrimitiveList/finalizers': ['a'], finalizers: ['c'] }, { finalizers: ['b', 'c'] }],
  [{ a: { x: 1, y: 2 } }, { a: { $patch: 'replace', z: 3 } }, { a: { z: 3 } }],
  [{ a: { x: 1, y: 2 } }, { a: { $retainKeys: ['x', 'z'], z: 3 } }, { a: { x: 1, z: 3 } }],
  [{ a: 1, b: 2 }, { a: null }, { b: 2 }],
])('strategic merge of %j and %j', (target, patch, expected) => {
  expect(strategicMerge(target, patch)).toEqual(expected);
});

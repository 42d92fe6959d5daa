import { expect, test } from 'vitest';
import { formatResources, parseResources } from './resource-vector.ts';

test('amounts are sorted by dimension and rounded as asked', () => {
  const quantities = [['memory', '1.5Ki'], ['cpu', '1500u'], ['nvidia.com/gpu', 8]] as const;
  expect(parseResources(quantities, 'up')).toEqual([['cpu', 2], ['memory', 1536], ['nvidia.com/gpu', 8000]]);
  expect(parseResources(quantities, 'down')).toEqual([['cpu', 1], ['memory', 1536], ['nvidia.com/gpu', 8000]]);
});

test('zero stays in the vector', () => {
  expect(parseResources([['cpu', '0']], 'up')).toEqual([['cpu', 0]]);
  expect(formatResources([['cpu', 0]])).toEqual(new Map([['cpu', '0']]));
});

test('a dimension named like a property of every object is data', () => {
  const vector = parseResources(new Map([['__proto__', '1'], ['constructor', '2']]), 'up');
  expect(vector).toEqual([['__proto__', 1000], ['constructor', 2000]]);
  expect(formatResources(vector).get('__proto__')).toBe('1');
});

test('three machines of cpu 8 and memory 64Gi make cpu 24 and memory 192Gi', () => {
  const one = parseResources(Object.entries({ cpu: '8', memory: '64Gi' }), 'down');
  expect(formatResources(one.map(([dimension, amount]) => [dimension, 3 * amount]))).toEqual(new Map([['cpu', '24'], ['memory', '192Gi']]));
});

test('negative and malformed quantities are refused with the dimension named', () => {
  expect(() => parseResources([['cpu', '-1']], 'up')).toThrow(/^cpu: -1 is negative/);
  expect(() => parseResources([['memory', 'much']], 'up')).toThrow(/^memory: "much"/);
});

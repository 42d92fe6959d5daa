import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LabelSelector } from './core.ts';
import { canonicalGroup } from './gang-group.ts';

const rack = 'topology.bigfleet/rack';

test('a gang needs a topology key', () => {
  expect(canonicalGroup('ns', '', { matchLabels: { job: 'a' } })).toBe('');
  expect(canonicalGroup('ns', rack, undefined)).not.toBe('');
});

test('order inside a selector means nothing', () => {
  const a: LabelSelector = {
    matchLabels: { x: '1', y: '2' },
    matchExpressions: [{ key: 'k', operator: 'In', values: ['a', 'b'] }, { key: 'j', operator: 'Exists' }],
  };
  const b: LabelSelector = {
    matchExpressions: [{ key: 'j', operator: 'Exists', values: [] }, { key: 'k', operator: 'In', values: ['b', 'a'] }],
    matchLabels: { y: '2', x: '1' },
  };
  expect(canonicalGroup('ns', rack, a)).toBe(canonicalGroup('ns', rack, b));
});

test('namespace, key and selector each make a gang of their own', () => {
  const groups = [
    canonicalGroup('ns', rack, { matchLabels: { job: 'a' } }),
    canonicalGroup('ns', rack, { matchLabels: { job: 'b' } }),
    canonicalGroup('ns', 'zone', { matchLabels: { job: 'a' } }),
    canonicalGroup('other', rack, { matchLabels: { job: 'a' } }),
    canonicalGroup('ns', rack, { matchExpressions: [{ key: 'job', operator: 'In', values: ['a'] }] }),
    canonicalGroup('ns', rack, {}), // selects everything
    canonicalGroup('ns', rack, null), // selects nothing
  ];
  expect(new Set(groups).size).toBe(groups.length);
});

test('no text inside a name can imitate another gang', () => {
  const name = fc.string({ unit: fc.constantFrom('a', ',', ';', '=', '"', '[', ']', '\\', '\0', ' '), maxLength: 4 });
  const gang = fc.tuple(name, name.filter((n) => n !== ''), fc.uniqueArray(fc.tuple(name, name), { selector: ([key]) => key, maxLength: 2 }));
  fc.assert(
    fc.property(gang, gang, (x, y) => {
      const group = ([ns, key, labels]: typeof x) => canonicalGroup(ns, key, { matchLabels: Object.fromEntries(labels) });
      const sorted = ([ns, key, labels]: typeof x) => JSON.stringify([ns, key, [...labels].sort()]);
      expect(group(x) === group(y)).toBe(sorted(x) === sorted(y));
    }),
  );
});

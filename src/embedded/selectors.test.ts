import { expect, test } from 'vitest';
import { objectSelector, parseFieldSelector, parseLabelSelector } from './selectors.ts';

const labels = { app: 'web', tier: 'front', n: '5', 'example.com/role': '' };

test.each([
  ['app=web', true],
  ['app==web', true],
  ['app=db', false],
  ['app!=web', false],
  ['other!=web', true],
  ['app in (db, web)', true],
  ['app notin (db,web)', false],
  ['other notin (db)', true],
  ['app', true],
  ['!app', false],
  ['!other', true],
  ['example.com/role=', true],
  ['n>4', true],
  ['n<4', false],
  ['app=web,tier in (front,back),!other', true],
  ['app=web,tier=back', false],
])('%s', (text, matches) => {
  expect(parseLabelSelector(text)!(labels)).toBe(matches);
});

test.each(['a b', 'a in x', '=x', 'a=b=c', '-a'])('%s is refused', (text) => {
  expect(() => parseLabelSelector(text)).toThrow('unable to parse requirement');
});

test('an empty selector selects everything', () => {
  expect(parseLabelSelector('')).toBeUndefined();
  expect(objectSelector({})(undefined)).toBe(true);
});

test('field selectors', () => {
  expect(parseFieldSelector('spec.nodeName=n,status.phase!=Failed,x==')).toEqual([
    { field: 'spec.nodeName', equal: true, value: 'n' },
    { field: 'status.phase', equal: false, value: 'Failed' },
    { field: 'x', equal: true, value: '' },
  ]);
  expect(() => parseFieldSelector('what')).toThrow('invalid field selector');
});

test.each([
  [{ matchLabels: { app: 'web' } }, true],
  [{ matchLabels: { app: 'db' } }, false],
  [{ matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] }, true],
  [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, false],
  [{ matchExpressions: [{ key: 'app', operator: 'Exists' }, { key: 'x', operator: 'DoesNotExist' }] }, true],
  [{ matchExpressions: [{ key: 'app', operator: 'Sounds' }] }, false],
])('selector %j', (selector, matches) => {
  expect(objectSelector(selector)(labels)).toBe(matches);
});

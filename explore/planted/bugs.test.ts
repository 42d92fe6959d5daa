import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PLANTED_BUGS } from './bugs.ts';

it('there are at least ten, each with a name of its own', () => {
  expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(10);
  expect(new Set(PLANTED_BUGS.map(({ id }) => id)).size).toBe(PLANTED_BUGS.length);
});

it.each(PLANTED_BUGS.map((bug) => [bug.id, bug] as const))('%s fits its file, in one place, and changes something', (_id, { file, find, replace }) => {
  const source = readFileSync(file, 'utf8');
  expect(source.split(find).length - 1).toBe(1);
  expect(replace).not.toBe(find);
  expect(find.trim().split('\n')).toHaveLength(1);
});

it('the worlds that found them are among those that are always played', () => {
  for (const { foundBy } of PLANTED_BUGS) for (const seed of foundBy) expect(seed >= 1 && seed <= 1_000).toBe(true);
});

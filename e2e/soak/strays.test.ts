import { expect, it } from 'vitest';
import { Strays } from './strays.ts';

it('tells of what stays, not of what passes or comes again', async () => {
  let now: string[] = [];
  const strays = new Strays(() => Promise.resolve(now));
  for (let second = 0; second <= 300; second += 10) {
    now = ['stays', ...(second % 80 < 60 ? ['passes'] : [])];
    if (second > 120) now.shift();
    await strays.look(second * 1_000);
  }
  expect(strays.found).toEqual(['stays, for 100 s']);
  expect(strays.longestSeconds).toBe(100);
});

it('an API server that does not answer takes nothing away from what was seen', async () => {
  let answers = true;
  const strays = new Strays(() => (answers ? Promise.resolve(['stays']) : Promise.reject(new Error('timeout'))));
  await strays.look(0);
  answers = false;
  await strays.look(50_000);
  answers = true;
  await strays.look(100_000);
  expect(strays.found).toEqual(['stays, for 100 s']);
});

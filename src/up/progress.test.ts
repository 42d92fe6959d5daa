import { expect, it } from 'vitest';
import { Observation } from './observer/observation.ts';
import { Progress } from './progress.ts';

it('after the end, a line is written only when something has changed', () => {
  const written: string[] = [];
  const observation = new Observation([]);
  let waiting = 0;
  Object.defineProperty(observation, 'startedAt', { value: 0 });
  Object.defineProperty(observation.pods, 'waiting', { value: () => Array.from({ length: waiting }) });
  const progress = new Progress((text) => written.push(text), false);
  for (const at of [2_000, 4_000]) progress.tick(observation, at);
  expect(written.map((line) => line.slice(0, 5))).toEqual(['  2 s', '  4 s']);
  progress.ended(observation, 5_000);
  for (const at of [6_000, 8_000]) progress.tick(observation, at);
  expect(written).toHaveLength(2);
  waiting = 1;
  for (const at of [10_000, 12_000]) progress.tick(observation, at);
  expect(written.slice(2)).toEqual([expect.stringContaining(' 10 s')]);
  expect(written[2]).toContain('1 waiting');
  waiting = 0;
  progress.tick(observation, 14_000);
  expect(written.slice(3)).toEqual([expect.stringContaining(' 14 s')]);
});

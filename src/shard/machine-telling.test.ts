import { expect, it } from 'vitest';
import { codeOf, tellMachine } from './machine-telling.ts';

it('what is planned and not done is told as that', () => {
  const why = { code: 'Excess', cluster: 'east', sinceMs: 0 } as const;
  const sentence = 'Taken back: no demand of cluster east has needed it since 1970-01-01T00:00:00Z.';
  expect([tellMachine({ why }), codeOf(why, undefined)]).toEqual([sentence, 'Excess']);
  const withheld = 'the shard is in mode DryRun';
  expect([tellMachine({ why, withheld }), codeOf(why, withheld)]).toEqual([`Planned and not done, because the shard is in mode DryRun: ${sentence}`, 'Withheld']);
  expect(tellMachine({ why: undefined, withheld })).toBe('');
});

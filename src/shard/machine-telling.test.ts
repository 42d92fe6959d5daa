import { expect, it } from 'vitest';
import { codeOf, tellMachine } from './machine-telling.ts';

it('what is planned and not done is told as that', () => {
  const why = { code: 'Excess', cluster: 'east', sinceMs: 0 } as const;
  const sentence = 'Taken back: no demand of cluster east has needed it since 1970-01-01T00:00:00Z.';
  expect([tellMachine({ why }), codeOf(why, {})]).toEqual([sentence, 'Excess']);
  const withheld = 'the shard is in mode DryRun';
  expect([tellMachine({ why, withheld }), codeOf(why, { withheld })]).toEqual([`Planned and not done, because the shard is in mode DryRun: ${sentence}`, 'Withheld']);
  expect(tellMachine({ why: undefined, withheld })).toBe('');
});

it('what is decided and not begun is told as that, but what the plan would rather have comes first', () => {
  const why = { code: 'InFlight', cluster: 'east', fingerprint: 'f', group: '', unitClass: '', priority: 1 } as const;
  const standstill = 'cluster east is not connected';
  const sentence = 'On its way for demand f of cluster east (priority 1).';
  expect([tellMachine({ why }), tellMachine({ why, standstill }), codeOf(why, { standstill })]).toEqual([sentence, `Decided and not begun, because ${standstill}: ${sentence}`, 'Withheld']);
  const intent = { kind: 'release', reason: '', decidedAt: 0, byPerson: true } as const;
  expect(tellMachine({ why, intent })).toBe(sentence);
  expect([tellMachine({ why, standstill: 'a person holds it', intent }), codeOf(why, { standstill, intent })]).toEqual([`${sentence} That it is to go, as a person asked, is not begun, because a person holds it.`, 'InFlight']);
  expect(tellMachine({ why, standstill, withheld: 'the shard is in mode Paused' })).toBe(`Planned and not done, because the shard is in mode Paused: ${sentence}`);
});

it('what kept the last attempt from it is told as long as it is tried again', () => {
  const why = { code: 'Reserved', cluster: 'east', fingerprint: 'f', group: '', unitClass: '', priority: 1 } as const;
  const intent = { kind: 'unbind', reason: '', graceSeconds: 0, preemptorPriority: 1, decidedAt: 0 } as const;
  const sentence = 'Promised to demand f of cluster east (priority 1) and on its way to it.';
  expect(tellMachine({ why, intent, obstacle: '' })).toBe(sentence);
  expect(tellMachine({ why, intent, obstacle: 'drain: busy' })).toBe(`${sentence} What was decided is tried again, after this: drain: busy.`);
  expect(tellMachine({ why, intent: undefined, obstacle: 'drain: busy' })).toBe(sentence);
});

it('a hold is told whatever the plan says of the machine, once', () => {
  const why = { code: 'Serving', cluster: 'east', fingerprint: 'f', group: '', unitClass: '', priority: 1 } as const;
  expect([tellMachine({ why, hold: true }), codeOf(why, { hold: true })]).toEqual(['Serves demand f of cluster east (priority 1). It is on hold by a person.', 'Serving']);
  expect(tellMachine({ why, hold: false })).toBe('Serves demand f of cluster east (priority 1).');
  expect(tellMachine({ why: { code: 'HeldByPerson' }, hold: true })).toBe('On hold by a person: chosen for nothing and taken from no one.');
  expect(tellMachine({ why: undefined, hold: true })).toBe('');
});

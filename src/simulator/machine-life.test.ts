import { describe, expect, it } from 'vitest';
import { assignmentOf, bindTo, machine, need } from '../engine/testing/builders.ts';
import type { Action, ActionKind, EngineMachine } from '../engine/types.ts';
import { begin, decided, end } from './machine-life.ts';

const wanted = need();
const to = assignmentOf(wanted);

function action(kind: ActionKind, over: Partial<Action> = {}): Action {
  const acquires = kind === 'Bootstrap' || kind === 'Provision';
  return { kind, machineId: 'm', cluster: 'c1', graceSeconds: 0, preemptorPriority: 0, reason: { code: 'Available' }, ...(acquires && { to }), ...over };
}

const idle = machine('m', 'Idle', { capacityType: 'OnDemand' });

describe('what may be decided for a machine', () => {
  it.each<[ActionKind, EngineMachine, EngineMachine['intent']]>([
    ['Bootstrap', idle, bindTo(wanted)],
    ['Provision', machine('m', 'Speculative'), bindTo(wanted)],
    ['Reclaim', machine('m', 'Configured'), { kind: 'unbind' }],
    ['Preempt', machine('m', 'Configured'), { kind: 'unbind' }],
    ['Delete', idle, { kind: 'release' }],
    ['Withdraw', { ...idle, intent: bindTo(wanted) }, undefined],
  ])('%s', (kind, before, intent) => {
    expect(decided(before, action(kind)).intent).toEqual(intent);
  });

  it.each<[string, ActionKind, EngineMachine, Partial<Action>]>([
    ['a bootstrap of what does not exist', 'Bootstrap', machine('m', 'Speculative'), {}],
    ['a purchase of what exists', 'Provision', idle, {}],
    ['a bootstrap for nobody', 'Bootstrap', idle, { to: undefined as never }],
    ['a second bootstrap', 'Bootstrap', { ...idle, intent: bindTo(wanted) }, {}],
    ['a reclaim of what is being configured', 'Reclaim', machine('m', 'Configuring'), {}],
    ['a second reclaim', 'Preempt', machine('m', 'Configured', { intent: { kind: 'unbind' } }), {}],
    ['a reclaim from somebody else', 'Reclaim', machine('m', 'Configured'), { cluster: 'c2' }],
    ['a release of what is bound', 'Delete', machine('m', 'Configured', { capacityType: 'Spot' }), {}],
    ['a release of bare metal', 'Delete', machine('m', 'Idle'), {}],
    ['a release of what is promised', 'Delete', { ...idle, intent: bindTo(wanted) }, {}],
    ['a withdrawal of nothing', 'Withdraw', idle, {}],
    ['a withdrawal that comes too late', 'Withdraw', machine('m', 'Configuring', { intent: bindTo(wanted, true) }), {}],
    ['anything with a held machine', 'Bootstrap', { ...idle, hold: true }, {}],
    ['anything with a stuck machine', 'Reclaim', machine('m', 'Configured', { stuck: true }), {}],
  ])('not %s', (_, kind, before, over) => {
    expect(() => decided(before, action(kind, over))).toThrow(/machine "m"/);
  });
});

describe('how a machine moves', () => {
  it('from offer to Node and back', () => {
    let at = decided(machine('m', 'Speculative', { capacityType: 'Spot' }), action('Provision'));
    const states: string[] = [at.state];
    const go = (): void => {
      for (let next = begin(at)?.machine ?? end(at); next !== undefined; next = begin(at)?.machine ?? end(at)) states.push((at = next).state);
    };
    go();
    expect(at).toMatchObject({ cluster: 'c1', assigned: to });
    at = decided(at, action('Reclaim'));
    go();
    expect(at).not.toHaveProperty('assigned');
    at = decided(at, action('Delete'));
    go();
    expect(states).toEqual(['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Idle', 'Deleting', 'Speculative']);
    expect(at).toEqual(machine('m', 'Speculative', { capacityType: 'Spot' }));
  });
});

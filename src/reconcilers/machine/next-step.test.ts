import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { MachineState } from '../../engine/types.ts';
import type { MachineIntent, MachineRecord, OperationKind } from '../../shard/record.ts';
import { seen, toEast } from '../../shard/testing/machines.ts';
import { nextStep } from './next-step.ts';
import type { Circumstances } from './next-step.ts';

const STATES: readonly MachineState[] = ['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'];
const NOW = 1_000_000;

const intents = {
  bind: { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent: false },
  unbind: { kind: 'unbind', reason: '', graceSeconds: 5, preemptorPriority: 0, decidedAt: 0 },
  release: { kind: 'release', reason: '', decidedAt: 0 },
} as const satisfies Record<string, MachineIntent>;

function record(state: MachineState, intent: MachineIntent | undefined, fields: Partial<MachineRecord> = {}): MachineRecord {
  return {
    seen: seen('m', state), isListed: true, provider: 'metal', assigned: undefined, intent, hold: false, since: 0, operation: undefined,
    busy: false, recheck: false, stuck: false, coolUntil: 0, obstacle: '', missedLists: 0, why: undefined, ...fields,
  };
}

const FINE: Circumstances = { active: true, leaseProven: true, connected: true, demandKnown: true, clusterRests: false, now: NOW, monotonicMs: NOW - 500_000 };

/** The step in one word; what it waits for behind a colon. */
function step(machine: MachineRecord, circumstances: Partial<Circumstances> = {}): string {
  const next = nextStep(machine, { ...FINE, ...circumstances });
  return next.do === 'wait' ? `wait:${next.for}` : next.do;
}

describe('when nothing stands in the way', () => {
  const table: Record<keyof typeof intents, readonly string[]> = {
    //       Speculative      Creating         Idle             Configuring      Configured       Draining         Deleting         Failed
    bind: ['create', 'wait:provider', 'configure', 'wait:provider', 'wait:provider', 'wait:provider', 'wait:provider', 'wait:provider'],
    unbind: ['wait:provider', 'wait:provider', 'wait:provider', 'wait:provider', 'drain', 'wait:provider', 'wait:provider', 'wait:provider'],
    release: ['wait:provider', 'wait:provider', 'delete', 'wait:provider', 'wait:provider', 'wait:provider', 'wait:provider', 'wait:provider'],
  };
  for (const kind of Object.keys(intents) as (keyof typeof intents)[]) {
    test.each(STATES.map((state, i) => [state, table[kind][i]!] as const))(`${kind} of a machine that is %s: %s`, (state, expected) => {
      expect(step(record(state, intents[kind]))).toBe(expected);
    });
  }
  test('a failed machine is deleted if a person asked for it, and holds and Leases count there too', () => {
    const machine = record('Failed', { kind: 'release', reason: '', decidedAt: 0, byPerson: true });
    expect([step(machine), step({ ...machine, hold: true }), step(machine, { leaseProven: false })]).toEqual(['delete', 'wait:hold', 'wait:lease']);
  });
  test('what a person wants taken away waits for what is in the way, but not for an operator', () => {
    for (const [state, intent, call] of [['Configured', intents.unbind, 'drain'], ['Idle', intents.release, 'delete']] as const) {
      const machine = record(state, { ...intent, byPerson: true });
      expect([step({ ...machine, hold: true }), step(machine, { leaseProven: false }), step(machine, { active: false }), step(machine, { connected: false })])
        .toEqual(['wait:hold', 'wait:lease', 'wait:mode', call]);
    }
  });
  test.each(STATES)('nothing, if nothing is decided for a machine that is %s', (state) => {
    expect(step(record(state, undefined))).toBe('nothing');
  });
});

describe('what holds a step back', () => {
  test('a call that brought no answer a moment ago: the same one is not repeated yet, another one may be made', () => {
    const after = (kind: OperationKind, retryAt: number) => ({ operation: { kind, operationId: '', startedAt: 0, attempts: 2, lastError: '', retryAt } });
    const idle = (kind: OperationKind, retryAt: number): string => step(record('Idle', intents.bind, after(kind, retryAt)));
    expect([idle('Configure', NOW + 1), idle('Configure', NOW), idle('Create', NOW + 1)]).toEqual(['wait:cooldown', 'configure', 'configure']);
  });
  test('a refusal of what it was to be configured with', () => {
    const rested = (until: number): string => step(record('Idle', { ...intents.bind, rest: { refusals: 1, until } }));
    expect([rested(NOW + 1), rested(NOW)]).toEqual(['wait:cooldown', 'configure']);
  });

  const ready = [
    ['create', record('Speculative', intents.bind)],
    ['configure', record('Idle', intents.bind)],
    ['drain', record('Configured', intents.unbind)],
    ['delete', record('Idle', intents.release)],
  ] as const;

  it('a hold: the machine is chosen for nothing and taken from no one, whatever was decided before', () => {
    expect(ready.map(([, machine]) => step({ ...machine, hold: true }))).toEqual(['drop', 'drop', 'drop', 'drop']);
    expect(step(record('Creating', intents.bind, { hold: true }))).toBe('wait:provider');
    const sent = record('Idle', { ...intents.bind, configureSent: true }, { hold: true });
    expect([step(sent), step({ ...sent, recheck: true })]).toEqual(['wait:hold', 'look']);
  });

  it.each(ready)('a call in flight: %s', (_name, machine) => {
    expect(step({ ...machine, busy: true, recheck: true })).toBe('wait:provider');
  });

  it('of what the plan takes away what is in the way counts before rest and, if a person holds it, before doubt: meanwhile Pods may come', () => {
    for (const [, machine] of ready.slice(2)) {
      const resting = { ...machine, coolUntil: NOW + 1 };
      expect([step({ ...resting, hold: true }), step({ ...resting, recheck: true, hold: true }), step(resting, { active: false }), step(resting, { leaseProven: false })])
        .toEqual(['drop', 'drop', 'drop', 'drop']);
    }
    const [, draining] = ready[2];
    expect(step({ ...draining, coolUntil: NOW + 1 }, { connected: false })).toBe('drop');
    expect(step(record('Draining', intents.unbind, { hold: true }), { active: false })).toBe('wait:provider');
  });

  it.each(ready)('doubt about the state, in every mode: %s', (_name, machine) => {
    expect(step({ ...machine, recheck: true })).toBe('look');
    expect(step({ ...machine, recheck: true }, { active: false, leaseProven: false })).toBe('look');
  });

  it('the mode', () => {
    expect(ready.map(([, machine]) => step(machine, { active: false }))).toEqual(['wait:mode', 'wait:mode', 'drop', 'drop']);
  });

  it.each(ready)('rest after a refusal, until it is over: %s', (name, machine) => {
    expect(step({ ...machine, coolUntil: NOW + 1 })).toBe('wait:cooldown');
    expect(step({ ...machine, coolUntil: NOW })).toBe(name);
  });

  it('an unproven Lease, for what takes away and for nothing else', () => {
    expect(ready.map(([, machine]) => step(machine, { leaseProven: false }))).toEqual(['create', 'configure', 'drop', 'drop']);
  });

  it('an absent operator, for binding and unbinding: machines are bought and given back meanwhile', () => {
    expect(ready.map(([, machine]) => step(machine, { connected: false }))).toEqual(['create', 'wait:session', 'drop', 'delete']);
  });

  it('a cluster that rests because what was to join it has failed, for joining it only', () => {
    expect(ready.map(([, machine]) => step(machine, { clusterRests: true }))).toEqual(['create', 'wait:cooldown', 'drain', 'delete']);
  });

  it('demand that has not been reported yet, for acquiring only', () => {
    expect(ready.map(([, machine]) => step(machine, { demandKnown: false }))).toEqual(['wait:demand', 'wait:demand', 'drain', 'delete']);
  });
});

it('hands the decision on with the step', () => {
  expect(nextStep(record('Idle', intents.bind), FINE)).toEqual({ do: 'configure', intent: intents.bind });
  expect(nextStep(record('Configured', intents.unbind), FINE)).toEqual({ do: 'drain', intent: intents.unbind });
});

describe('in any situation', () => {
  const machines = fc.record({
    state: fc.constantFrom(...STATES),
    intent: fc.constantFrom<MachineIntent | undefined>(undefined, ...Object.values(intents)),
    busy: fc.boolean(),
    recheck: fc.boolean(),
    hold: fc.boolean(),
    stuck: fc.boolean(),
    coolUntil: fc.constantFrom(0, NOW - 1, NOW, NOW + 1),
  }).map(({ state, intent, ...fields }) => record(state, intent, fields));
  const circumstances = fc.record({ active: fc.boolean(), leaseProven: fc.boolean(), connected: fc.boolean(), demandKnown: fc.boolean(), clusterRests: fc.boolean(), now: fc.constant(NOW), monotonicMs: fc.constant(NOW - 500_000) });
  const ACTING = ['create', 'configure', 'drain', 'delete'];

  it('never drains or deletes without a proven Lease (D16)', () => {
    fc.assert(fc.property(machines, circumstances, (machine, about) => {
      if (!about.leaseProven) expect(['drain', 'delete']).not.toContain(nextStep(machine, about).do);
    }));
  });

  it('never acts in DryRun or Paused, nor while a call is in flight or in doubt, nor without a decision', () => {
    fc.assert(fc.property(machines, circumstances, (machine, about) => {
      const { do: what } = nextStep(machine, about);
      if (!about.active || machine.busy || machine.recheck || !machine.intent || machine.coolUntil > NOW) expect(ACTING).not.toContain(what);
    }));
  });

  it('never begins anything with a machine that a person holds', () => {
    fc.assert(fc.property(machines, circumstances, (machine, about) => {
      if (machine.hold) expect(ACTING).not.toContain(nextStep(machine, about).do);
    }));
  });

  it('does only what the state allows', () => {
    const from: Record<string, MachineState> = { create: 'Speculative', configure: 'Idle', drain: 'Configured', delete: 'Idle' };
    fc.assert(fc.property(machines, circumstances, (machine, about) => {
      const { do: what } = nextStep(machine, about);
      if (ACTING.includes(what)) expect(machine.seen.state).toBe(from[what]);
    }));
  });
});

describe('a refusal that is held, since an earlier try may take effect', () => {
  const held = { code: 'NOT_FOUND', words: 'drain: no', kind: 'Unknown', isFinal: true, isGone: true, isOfRequest: false } as const;
  const drain = { kind: 'Drain', operationId: '', startedAt: 0, attempts: 2, lastError: 'drain: no' } as const;
  const machine = (inDoubtUntilMonotonicMs: number | undefined, fields: Partial<MachineRecord> = {}): MachineRecord =>
    record('Configured', intents.unbind, { operation: { ...drain, held, ...(inDoubtUntilMonotonicMs !== undefined && { inDoubtUntilMonotonicMs }) }, ...fields });

  it('waits for the end of the doubt, a look after it, and nothing else', () => {
    expect([step(machine(FINE.monotonicMs + 1)), step(machine(FINE.monotonicMs)), step(machine(undefined))]).toEqual(['wait:doubt', 'look', 'conclude']);
    for (const circumstances of [{ active: false }, { leaseProven: false }, { connected: false }, { demandKnown: false }]) {
      expect([step(machine(FINE.monotonicMs + 1), circumstances), step(machine(undefined), circumstances)]).toEqual(['wait:doubt', 'conclude']);
    }
  });

  it('does not end sooner because the wall clock was set', () => {
    expect(step(machine(FINE.monotonicMs + 1), { now: NOW + 3_600_000 })).toBe('wait:doubt');
  });

  it('comes after a look that is due for another reason, and after a hold', () => {
    expect([step(machine(FINE.monotonicMs + 1, { recheck: true })), step(machine(undefined, { hold: true })), step(machine(undefined, { busy: true }))]).toEqual(['look', 'drop', 'wait:provider']);
  });
});

import { describe, expect, it } from 'vitest';
import { finish } from '../lib/steps.ts';
import { changesOf, createEngine, planOnce } from './engine.ts';
import { amounts, assignmentOf, bindTo, hint, machine, need, policy, RAILS_OFF, requirement, T0, world } from './testing/builders.ts';
import { idsOf, textOf } from './testing/summary.ts';
import type { Change, EngineMachine, MemoryChange, NodeHint, Policy } from './types.ts';

const told = (...changes: Change[]) => {
  const engine = createEngine(policy());
  for (const change of changes) engine.apply(change);
  return engine;
};
const machines = (...upserted: EngineMachine[]): Change => ({ kind: 'machines', upserted, removed: [] });
const demand = (...needs: ReturnType<typeof need>[]): Change => ({ kind: 'needs', cluster: 'c1', needs });
const connected: Change = { kind: 'session', cluster: 'c1', connected: true };

describe('apply', () => {
  it.each<[string, Change, RegExp]>([
    ['a price that is not an integer', machines(machine('x', 'Idle', { priceMicroUsdPerHour: 0.5 })), /machine "x": priceMicroUsdPerHour .* is 0.5/],
    ['a negative price', machines(machine('x', 'Idle', { priceMicroUsdPerHour: -1 })), /priceMicroUsdPerHour/],
    ['an infinite price', machines(machine('x', 'Idle', { priceMicroUsdPerHour: Infinity })), /priceMicroUsdPerHour/],
    ['a probability above 1', machines(machine('x', 'Idle', { interruptionProbability: 1.1 })), /interruptionProbability/],
    ['a probability that is no number', machines(machine('x', 'Idle', { interruptionProbability: NaN })), /interruptionProbability/],
    ['a configured machine without a cluster', machines(machine('x', 'Configured', { cluster: '' })), /machine "x": cluster must be set in state Configured/],
    ['a machine without an id', machines(machine('', 'Idle')), /id must not be empty/],
    ['a machine twice', machines(machine('x', 'Idle'), machine('x', 'Idle')), /machine "x": id must occur once/],
    ['a negative amount', machines(machine('x', 'Idle', { allocatable: [['cpu', -1]] })), /allocatable\.cpu/],
    ['a part of a base unit', machines(machine('x', 'Idle', { allocatable: [['cpu', 0.5]] })), /machine "x": allocatable\.cpu must be a whole number of base units from 0 to 2\^53 − 1, is 0.5$/],
    ['an amount beyond what is counted exactly', demand(need({ aggregate: [['cpu', 2 ** 53]] })), /of cluster "c1": aggregate\.cpu must be a whole number/],
    ['rows of one demand that are beyond it together', demand(need({ aggregate: [['cpu', 2 ** 52]] }), need({ aggregate: [['cpu', 2 ** 52]] })), /of cluster "c1": aggregate\.cpu must be at most 2\^53 − 1 base units in all rows of this demand together, is 9007199254740992$/],
    ['a vector out of order', machines(machine('x', 'Idle', { allocatable: [['memory', 1], ['cpu', 1]] })), /allocatable\.cpu must come in order/],
    ['a row of another cluster', demand(need({ cluster: 'c2' })), /cluster must be "c1"/],
    ['a demand without a smallest unit', demand(need({ minUnit: [] })), /minUnit/],
    ['a negative number of Pods', { kind: 'hints', cluster: 'c1', hints: [hint('x', { pods: -1 })] }, /machine "x": pods/],
    ['a time that is none', { kind: 'memory', changes: [{ what: 'idleSince', key: 'x', at: NaN }] }, /memory idleSince of "x"/],
    ['a grace that is no number', { kind: 'policy', policy: policy({ preemptionGraceSeconds: [1, Number.NaN, 1, 1] }) }, /preemptionGraceSeconds must be four finite numbers of at least 0/],
    ['a fraction above 1', { kind: 'policy', policy: policy({ reclaimCapFraction: 2 }) }, /reclaimCapFraction must be at most 1/],
    ['a negative limit', { kind: 'policy', policy: policy({ limits: { machines: -1 } }) }, /limits\.machines/],
  ])('refuses %s, names it, and stays as it was', (_, change, message) => {
    const engine = told(machines(machine('y', 'Idle')), demand(need()), connected);
    const before = textOf(engine.plan(T0));
    const bad: Change = change.kind === 'machines' ? { ...change, upserted: [machine('ok', 'Idle'), ...change.upserted], removed: ['y'] } : change;
    expect(() => engine.apply(bad)).toThrow(message);
    expect(textOf(engine.plan(T0))).toBe(before);
  });

  it('refuses an impossible policy from the start', () => {
    const bad: Policy = { ...RAILS_OFF, maxReclaimsPerMinute: -1 };
    expect(() => createEngine(bad)).toThrow(/maxReclaimsPerMinute/);
  });

  it('takes a demand of zero without a smallest unit', () => {
    expect(told(demand(need({ aggregate: amounts({ cpu: 0 }), minUnit: [] }))).plan(T0).verdicts[0]?.satisfied).toBe(true);
  });

  it('forgets removed machines and ignores unknown ones', () => {
    const engine = told(machines(machine('a', 'Idle'), machine('b', 'Idle')), demand(need()), connected);
    engine.apply({ kind: 'machines', upserted: [], removed: ['a', 'never-seen'] });
    const plan = engine.plan(T0);
    expect(idsOf(plan, 'Bootstrap')).toEqual(['b']);
    expect(plan.stats.machines).toBe(1);
  });

  it('calls for no new plan if it says again what is known', () => {
    const hinted = (pods: number): Change => ({ kind: 'hints', cluster: 'c1', hints: [hint('a', { pods })] });
    const two = [need({ units: 1 }), need({ units: 1, priority: 7 })];
    const again: Change[] = [
      demand(...two), connected, hinted(1), { kind: 'supply', trusted: true }, { kind: 'policy', policy: policy() },
      { kind: 'memory', changes: [] }, { kind: 'machines', upserted: [], removed: [] }, demand(...[...two].reverse()),
    ];
    const engine = told(machines(machine('a', 'Configured'), machine('b', 'Configured')), ...again);
    for (let i = 0; i < 3; i++) engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    const { stats } = engine.plan(T0);
    for (const change of again) {
      engine.apply(change);
      expect(engine.plan(T0 + 1).stats, change.kind).toBe(stats);
    }
    const news: Change[] = [
      demand(...two.slice(1)), { kind: 'session', cluster: 'c1', connected: false }, hinted(2), { kind: 'hints', cluster: 'c1', hints: [] },
      { kind: 'hints', cluster: 'c1', hints: null }, { kind: 'supply', trusted: false }, { kind: 'policy', policy: policy({ reclaimGraceSeconds: 1 }) },
    ];
    for (const change of news) {
      const before = engine.plan(T0 + 2).stats;
      engine.apply(change);
      expect(engine.plan(T0 + 2).stats, JSON.stringify(change)).not.toBe(before);
      expect(textOf(engine.plan(T0 + 2))).toBe(textOf(planOnce(engine.snapshot(), T0 + 2)));
    }
  });

  it('replaces the demand of one cluster and leaves the others alone', () => {
    const engine = told(demand(need(), need({ priority: 7 })), { kind: 'needs', cluster: 'c2', needs: [need({ cluster: 'c2' })] });
    engine.apply(demand(need({ priority: 9 })));
    expect(engine.plan(T0).verdicts.map((v) => [v.need.cluster, v.need.profile.priority])).toEqual([['c2', 100], ['c1', 9]]);
  });

  it('learns to tell machines apart by a label as soon as a Need asks about it', () => {
    const labelled = (id: string, pool: string) => machine(id, 'Idle', { labels: { pool } });
    const engine = told(machines(labelled('a', 'x'), labelled('b', 'y')), connected, demand(need()));
    expect(idsOf(engine.plan(T0), 'Bootstrap')).toEqual(['a']);
    engine.apply(demand(need({ requirements: [requirement('pool', 'In', 'y')] })));
    expect(idsOf(engine.plan(T0), 'Bootstrap')).toEqual(['b']);
  });

  it('says whom machines serve also when another cluster asks about a label of theirs', () => {
    const engine = told(machines(machine('a', 'Configured', { labels: { pool: 'x' } })), connected, demand(need()));
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    engine.plan(T0);
    engine.apply({ kind: 'needs', cluster: 'c2', needs: [need({ cluster: 'c2', requirements: [requirement('pool', 'Exists')] })] });
    expect(engine.plan(T0).machineReasons.get('a')).toMatchObject({ code: 'Serving', cluster: 'c1' });
  });

  it('counts each machine once when a Need asks about a label that only some of them have', () => {
    const engine = told(machines(machine('a', 'Idle', { labels: { pool: 'x' } }), machine('b', 'Idle')), connected, demand(need({ units: 9 })));
    const labelled = need({ units: 9, requirements: [requirement('pool', 'Exists')] });
    engine.apply(demand(need({ units: 9 }), labelled));
    expect(engine.plan(T0).verdicts.map(({ need: asked, matchingSupply }) => [asked.fingerprint === labelled.fingerprint, matchingSupply?.idle]).sort()).toEqual([[false, 2], [true, 1]]);
  });

  it('says of a machine that has come to those that serve that it serves', () => {
    const engine = told(machines(machine('a', 'Configured')), demand(need({ units: 2 })), connected);
    engine.plan(T0);
    engine.apply(machines(machine('b', 'Configured')));
    const { machineReasons } = engine.plan(T0);
    expect(machineReasons.get('b')?.code).toBe('Serving');
    expect([...machineReasons.changed]).toContain('b');
  });

  it.each<Partial<EngineMachine>>([
    { priceMicroUsdPerHour: 7 }, { interruptionProbability: 0.25 }, { zone: 'zb' }, { instanceType: 't2' }, { capacityType: 'Spot' }, { hold: true }, { labels: { rack: 'r' } }, { allocatable: amounts({ cpu: 9 }) },
  ])('hears of a machine of which only %j has changed', (trait) => {
    const before = machine('a', 'Idle');
    expect(told(machines(before), machines({ ...before, ...trait })).snapshot().machines).toEqual([{ ...before, ...trait }]);
  });

  it('forgets the arrival of what a cluster does not ask for in its first report', () => {
    const arrival = (key: string): MemoryChange => ({ what: 'arrival', key, at: T0 - 5 });
    const asked = need();
    const key = (fingerprint: string): string => JSON.stringify(['c1', fingerprint, '']);
    const engine = told({ kind: 'memory', changes: [arrival(key(asked.fingerprint)), arrival(key('gone'))] }, demand(asked));
    expect(engine.plan(T0).memory).toEqual([{ what: 'arrival', key: key('gone'), at: null }]);
  });

  it.each<Partial<NodeHint>>([{ disruptionCost: 5 }, { pods: 5 }, { ready: false }, { doNotDisrupt: true }])('hears of a Node of which only %j has changed', (trait) => {
    const hints = (...all: NodeHint[]): Change => ({ kind: 'hints', cluster: 'c1', hints: all });
    expect(told(machines(machine('a', 'Configured')), hints(hint('a')), hints(hint('a', trait))).snapshot().hints.get('c1')).toEqual([hint('a', trait)]);
  });

  it('hears of demand of which only the smallest unit has changed, though its size class is the same', () => {
    const asks = (cpu: number) => demand(need({ aggregate: amounts({ cpu: 2 }), minUnit: amounts({ cpu }) }));
    const engine = told(machines(...['a', 'b', 'c'].map((id) => machine(id, 'Idle', { allocatable: amounts({ cpu: 0.9 }) }))), connected, asks(1));
    expect(engine.plan(T0).verdicts[0]?.reason).toBe('NO_MATCHING_SUPPLY');
    engine.apply(asks(0.9));
    expect(idsOf(engine.plan(T0), 'Bootstrap')).toEqual(['a', 'b', 'c']);
  });

  it('forgets nothing of a demand that is gone before anybody has written down that it was there', () => {
    const engine = told(demand(need()));
    engine.plan(T0);
    engine.apply(demand());
    expect(engine.plan(T0).memory).toEqual([]);
  });

  it('follows changed hints, sessions, trust and policy', () => {
    const engine = told(machines(machine('a', 'Configured'), machine('b', 'Configured')), demand(need()), connected);
    expect(idsOf(engine.plan(T0), 'Reclaim')).toEqual(['b']);
    engine.apply({ kind: 'hints', cluster: 'c1', hints: [hint('b'), hint('a', { pods: 0, disruptionCost: 0 })] });
    expect(idsOf(engine.plan(T0), 'Reclaim')).toEqual(['a']);
    engine.apply({ kind: 'hints', cluster: 'c1', hints: null });
    expect(idsOf(engine.plan(T0), 'Reclaim')).toEqual(['b']);
    engine.apply({ kind: 'supply', trusted: false });
    expect(engine.plan(T0).actions).toEqual([]);
    engine.apply({ kind: 'supply', trusted: true });
    engine.apply({ kind: 'policy', policy: policy({ reclaimGraceSeconds: 7 }) });
    expect(engine.plan(T0).actions[0]?.graceSeconds).toBe(7);
    engine.apply({ kind: 'session', cluster: 'c1', connected: false });
    expect(engine.plan(T0).actions).toEqual([]);
  });

  it('reads contradictory hints about one machine with caution', () => {
    const engine = told(machines(machine('a', 'Configured')), demand(), connected);
    engine.apply({ kind: 'hints', cluster: 'c1', hints: [hint('a', { doNotDisrupt: true, ready: false }), hint('a', { pods: 0 })] });
    expect(engine.plan(T0).machineReasons.get('a')?.code).toBe('ExcessDoNotDisrupt');
    expect(engine.snapshot().hints.get('c1')).toEqual([hint('a', { pods: 1, doNotDisrupt: true, ready: true })]);
  });
});

describe('a plan', () => {
  it('counts what there is, what it costs and what is done', () => {
    const spec = world({
      machines: [
        machine('a', 'Idle', { priceMicroUsdPerHour: 3 }), machine('b', 'Configured', { priceMicroUsdPerHour: 4 }), machine('c', 'Failed', { priceMicroUsdPerHour: 50 }),
        machine('d', 'Speculative', { priceMicroUsdPerHour: 60 }), machine('e', 'Deleting', { priceMicroUsdPerHour: 5 }),
      ],
      needs: [need({ units: 2 }), need({ units: 9, priority: 1 })],
    });
    expect(planOnce(spec, T0).stats).toEqual({
      machines: 5, needs: 2, unmet: 1, microUsdPerHour: 12,
      byState: { Speculative: 1, Creating: 0, Idle: 1, Configuring: 0, Configured: 1, Draining: 0, Deleting: 1, Failed: 1 },
      actions: { Bootstrap: 1, Provision: 1 },
    });
  });

  it('says of each machine what it costs, also where a Need takes several kinds at once', () => {
    const priced = (id: string, price: number) => machine(id, 'Speculative', { priceMicroUsdPerHour: price });
    const { actions } = planOnce(world({ machines: [priced('a', 2), priced('b', 1), priced('c', 2)], needs: [need({ units: 3 })] }), T0);
    expect(actions.map(({ machineId, reason }) => [machineId, reason])).toEqual([
      ['b', expect.objectContaining({ code: 'AcquiredSpeculative', effectiveMicroUsdPerHour: 1 })],
      ['a', expect.objectContaining({ code: 'AcquiredSpeculative', effectiveMicroUsdPerHour: 2 })],
      ['c', expect.objectContaining({ code: 'AcquiredSpeculative', effectiveMicroUsdPerHour: 2 })],
    ]);
  });

  it('has nothing to wait for in a world that time does not change', () => {
    expect(planOnce(world({ machines: [machine('a', 'Idle'), machine('b', 'Configured')], needs: [need()] }), T0)).not.toHaveProperty('wakeAt');
  });

  it('is that of a fresh engine that is fed with the snapshot', () => {
    const wanted = need({ units: 3 });
    const engine = told(
      machines(machine('b', 'Idle', { capacityType: 'Spot' }), machine('a', 'Configured'), machine('c', 'Creating', { intent: bindTo(wanted) })),
      demand(wanted), connected, { kind: 'hints', cluster: 'c1', hints: [hint('a')] }, { kind: 'hints', cluster: 'c2', hints: null },
    );
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    const snapshot = engine.snapshot();
    expect(snapshot.machines.map((m) => m.id)).toEqual(['a', 'b', 'c']);
    expect(snapshot.memory.length).toBeGreaterThan(0);
    expect(textOf(planOnce(snapshot, T0 + 5))).toBe(textOf(engine.plan(T0 + 5)));
    expect(changesOf(snapshot).map((c) => c.kind)).toEqual(['supply', 'memory', 'needs', 'machines', 'hints', 'hints', 'session']);
  });
});

describe('what is captured', () => {
  it('stays as it was while the engine goes on', () => {
    const wanted = need({ units: 2 });
    const engine = told(
      machines(machine('b', 'Idle', { capacityType: 'Spot' }), machine('a', 'Configured'), machine('c', 'Creating', { intent: bindTo(wanted) })),
      demand(wanted), connected, { kind: 'hints', cluster: 'c1', hints: [hint('a')] },
      { kind: 'memory', changes: [{ what: 'idleSince', key: 'b', at: T0 - 5 }, { what: 'leftOverSince', key: 'a', at: T0 }, { what: 'reservation', key: 'z', to: assignmentOf(wanted) }] },
    );
    const plan = engine.plan(T0);
    const [known, reasons] = [engine.snapshot(), [...plan.machineReasons]];
    const captured = engine.capture();
    const rest = captured.rest();
    engine.apply({ kind: 'memory', changes: [...plan.memory, { what: 'idleSince', key: 'b', at: null }, { what: 'leftOverSince', key: 'a', at: null }, { what: 'reservation', key: 'z', to: null }] });
    engine.apply({ kind: 'hints', cluster: 'c1', hints: null });
    engine.apply({ kind: 'session', cluster: 'c1', connected: false });
    engine.apply(demand());
    engine.apply({ kind: 'machines', upserted: [machine('a', 'Failed', { instanceType: 't9' })], removed: ['b', 'c'] });
    engine.plan(T0 + 1);
    engine.apply(machines(machine('x', 'Idle', { zone: 'zz' }), machine('y', 'Configured', { assigned: assignmentOf(need({ priority: 3 })) })));
    engine.plan(T0 + 2);
    expect({ machines: [...captured.machines], ...finish(rest) }).toEqual(known);
    expect([...captured.machineReasons]).toEqual(reasons);
    expect(captured.machineReasons.get('c')).toEqual(reasons.find(([id]) => id === 'c')?.[1]);
    expect(captured.machineReasons.get('x')).toBeUndefined();
  });
});

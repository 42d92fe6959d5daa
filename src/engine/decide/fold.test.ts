import { describe, expect, it } from 'vitest';
import { changesOf, createEngine, planOnce } from '../engine.ts';
import { ANY_GANG } from '../facts/need-row.ts';
import { amounts, assignmentOf, bindTo, machine, machinesChange, need, policy, sameZone, T0, typeIn, world, zoneSpread } from '../testing/builders.ts';
import type { NeedSpec, WorldSpec } from '../testing/builders.ts';
import { committed } from '../testing/commit.ts';
import { Simulation } from '../testing/simulation.ts';
import { actionsOf, idsOf, textOf } from '../testing/summary.ts';
import type { Assignment, EngineMachine, MachineState, MemoryChange, Need } from '../types.ts';

const plan = (spec: WorldSpec) => planOnce(world(spec), T0);
/** A gang of `cpus` × 1 cpu. */
const gang = (group: string, cpus = 4, over: NeedSpec = {}) => need({ units: cpus, group, requirements: [sameZone()], ...over });
const big = (id: string, state: MachineState, over: Partial<EngineMachine> = {}): EngineMachine => machine(id, state, { allocatable: amounts({ cpu: 8 }), ...over });
const small = (id: string, state: MachineState, over: Partial<EngineMachine> = {}): EngineMachine => machine(id, state, { allocatable: amounts({ cpu: 2 }), ...over });
/** For whom machines are bound that gangs of this kind share. */
const sharedBy = (of: Need): Assignment => ({ ...assignmentOf(of), group: ANY_GANG });
const isFolded = (spec: WorldSpec): boolean => plan(spec).verdicts[0]?.sharedBy === 2;

describe('gangs that fit on one machine', () => {
  it('share machines, instead of one being rounded up for each', () => {
    const machines = ['a', 'b', 'c', 'd'].map((id) => big(id, 'Idle'));
    const result = plan({ machines, needs: ['g1', 'g2', 'g3'].map((g) => gang(g)) });
    expect(actionsOf(result)).toEqual(['Bootstrap a c1', 'Bootstrap b c1']);
    expect(result.verdicts.map(({ need: { group }, satisfied, sharedBy, machines: n, bootstraps }) => ({ group, satisfied, sharedBy, n, bootstraps }))).toEqual(
      ['g1', 'g2', 'g3'].map((group) => ({ group, satisfied: true, sharedBy: 3, n: 2, bootstraps: 2 })),
    );
    for (const verdict of result.verdicts) expect(verdict).not.toHaveProperty('sameDomain');
  });

  it('are as old as the oldest of them, also once that is written down', () => {
    const engine = createEngine(policy());
    const asks = (...needs: Need[]): void => engine.apply({ kind: 'needs', cluster: needs[0]?.cluster ?? '', needs });
    for (const cluster of ['c1', 'c2']) engine.apply({ kind: 'session', cluster, connected: true });
    engine.apply(machinesChange(big('a', 'Idle')));
    asks(gang('g1', 4, { cluster: 'c2' }), gang('g2', 4, { cluster: 'c2' }));
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory.filter(({ what }) => what === 'arrival') });
    asks(need({ units: 8 }));
    expect(actionsOf(engine.plan(T0 + 1))).toEqual(['Bootstrap a c2']);
  });

  it('take no machine that is in no place of theirs: it would be none for them when they are planned apart again', () => {
    const nowhere = big('a', 'Idle', { zone: '', priceMicroUsdPerHour: 1 });
    const needs = [gang('g1'), gang('g2')];
    expect(actionsOf(plan({ machines: [nowhere, big('b', 'Idle', { priceMicroUsdPerHour: 9 })], needs }))).toEqual(['Bootstrap b c1']);
    const only = { key: 'topology.kubernetes.io/zone', operator: 'Same', values: ['zb'] } as const;
    const elsewhere = [big('a', 'Idle', { zone: 'za' }), big('b', 'Idle', { zone: 'zb', priceMicroUsdPerHour: 9 })];
    expect(actionsOf(plan({ machines: elsewhere, needs: ['g1', 'g2'].map((g) => gang(g, 4, { requirements: [only] })) }))).toEqual(['Bootstrap b c1']);
  });

  it('are not planned as one if they want to be in different places', () => {
    const inZone = (zone: string, group: string): Need => gang(group, 4, { requirements: [{ key: 'topology.kubernetes.io/zone', operator: 'Same', values: [zone] }] });
    const machines = [big('a', 'Idle', { zone: 'za' }), big('b', 'Idle', { zone: 'zb' })];
    expect(actionsOf(plan({ machines, needs: [inZone('za', 'g1'), inZone('zb', 'g2')] }))).toEqual(['Bootstrap a c1', 'Bootstrap b c1']);
    expect(plan({ machines: machines.slice(0, 1), needs: [inZone('za', 'g1'), inZone('zb', 'g2')] }).verdicts.map((v) => v.satisfied)).toEqual([true, false]);
  });

  it('are bound for gangs of their profile in general, with the requirements of the Need without Same', () => {
    const asked = gang('g1');
    const [action] = plan({ machines: [big('a', 'Idle')], needs: [asked, gang('g2')] }).actions;
    expect(action?.to).toMatchObject({ cluster: 'c1', group: ANY_GANG, fingerprint: asked.fingerprint, priority: 100 });
    expect(action?.need).toMatchObject({ profile: { requirements: [] }, minUnit: [['cpu', 4000]], aggregate: [['cpu', 8000]] });
  });

  it.each<[string, WorldSpec['machines'], boolean]>([
    ['a machine of its cluster holds one', [big('a', 'Configured')], true],
    ['a machine of its cluster that is being configured does', [big('a', 'Configuring')], true],
    ['a machine that serves somebody else in its cluster does', [big('a', 'Configured', { assigned: assignmentOf(need({ priority: 5000 })) })], true],
    ['an idle machine does', [big('a', 'Idle')], true],
    ['a speculative machine does', [big('a', 'Speculative')], true],
    ['an idle machine that is decided for somebody else does', [big('a', 'Idle', { intent: bindTo(need({ priority: 5000, cluster: 'c2', units: 8 }), true) })], true],
  ])('are planned as one if %s', (_, machines, expected) => {
    expect(isFolded({ machines: machines ?? [], needs: [gang('g1'), gang('g2')], reported: ['c2'] })).toBe(expected);
  });

  it.each<[string, EngineMachine[]]>([
    ['another cluster has it', [big('a', 'Configured', { cluster: 'c2' })]],
    ['it is held', [big('a', 'Idle', { hold: true })]],
    ['it is stuck', [big('a', 'Configured', { stuck: true })]],
    ['it has failed', [big('a', 'Failed')]],
    ['it is on its way out', [big('a', 'Draining')]],
    ['it is being created for nobody', [big('a', 'Creating')]],
    ['it is too small', [small('a', 'Idle')]],
    ['it does not match', [big('a', 'Idle', { instanceType: 't9' })]],
    ['it has no zone', [big('a', 'Idle', { zone: '' })]],
  ])('remain gangs when %s', (_, machines) => {
    const needs = [gang('g1', 4, { requirements: [sameZone(), typeIn('t1')] }), gang('g2', 4, { requirements: [sameZone(), typeIn('t1')] })];
    expect(isFolded({ machines, needs, reported: ['c2'] })).toBe(false);
  });

  describe('remain gangs when the limit leaves no room for a larger machine', () => {
    const lower = need({ cluster: 'c2', priority: 10, units: 8 });
    const serves = big('y', 'Configured', { zone: 'zb', cluster: 'c2', assigned: assignmentOf(lower), priceMicroUsdPerHour: 1 });
    const needs = [gang('g1', 4, { priority: 1000 }), lower];
    const machines = [...['a', 'b'].map((id) => small(id, 'Idle')), big('z', 'Speculative', { priceMicroUsdPerHour: 5 }), serves];

    it.each<[string, object, boolean]>([
      ['since it is used up', { machines: 3 }, false],
      ['since it costs more than is left', { microUsdPerHour: 5 }, false],
      ['and not when it just does', { machines: 4, microUsdPerHour: 6 }, true],
    ])('%s', (_, limits, isBought) => {
      expect(actionsOf(plan({ machines, needs, policy: policy({ limits }) }))).toEqual(isBought ? ['Provision z c1'] : ['Bootstrap a c1', 'Bootstrap b c1']);
    });

    it('as soon as it does, and share again when it leaves room, though nothing else has changed', () => {
      const few = [...machines.slice(1, 3), machine('o', 'Failed', { hasHost: true, priceMicroUsdPerHour: 1 })];
      const engine = createEngine(policy({ limits: { machines: 2 } }));
      for (const change of changesOf(world({ machines: few, needs: needs.slice(0, 1) }))) if (change.kind !== 'policy') engine.apply(change);
      const folds = (): boolean => {
        const plan = engine.plan(T0);
        expect(textOf(plan)).toBe(textOf(planOnce(engine.snapshot(), T0)));
        return plan.verdicts[0]?.foldedAs !== undefined;
      };
      expect(folds()).toBe(false);
      engine.apply(machinesChange({ ...few[2] as EngineMachine, hasHost: false }));
      expect(folds()).toBe(true);
      engine.apply({ kind: 'policy', policy: policy({ limits: { machines: 1 } }) });
      expect(folds()).toBe(false);
    });
  });

  it('remain gangs as soon as only what may not be bought is left of what held them, though as much is free as before', () => {
    const engine = createEngine(policy({ limits: { machines: 1 } }));
    for (const change of changesOf(world({ machines: [big('y', 'Speculative'), big('z', 'Idle')], needs: [gang('g1')], policy: policy({ limits: { machines: 1 } }) }))) engine.apply(change);
    expect(engine.plan(T0).verdicts[0]).toMatchObject({ satisfied: true, foldedAs: expect.any(String) as string });
    engine.apply(machinesChange(big('z', 'Idle', { hold: true })));
    expect(engine.plan(T0).verdicts[0]).not.toHaveProperty('foldedAs');
    expect(textOf(engine.plan(T0))).toBe(textOf(planOnce(engine.snapshot(), T0)));
  });

  it('share with their equals in size, cluster and profile only', () => {
    const machines = ['a', 'b', 'c', 'd', 'e'].map((id) => big(id, 'Idle'));
    const needs = [gang('g1'), gang('g2'), gang('g3', 3), gang('g4', 4, { priority: 50 }), gang('g5', 4, { cluster: 'c2' })];
    const result = plan({ machines, needs });
    expect(result.verdicts.map(({ need: asked, sharedBy }) => [asked.group, sharedBy])).toEqual([['g1', 2], ['g2', 2], ['g3', undefined], ['g5', undefined], ['g4', undefined]]);
    expect(result.actions).toHaveLength(4);
  });

  it('take no machine that does not hold a whole one', () => {
    expect(idsOf(plan({ machines: [...['a', 'b', 'c', 'd'].map((id) => small(id, 'Idle')), big('z', 'Speculative')], needs: [gang('g1'), gang('g2')] }), 'Bootstrap')).toEqual([]);
  });

  it('say of what they take from others that it was for a gang, not for the plain Need as which they are planned', () => {
    const asked = gang('g1', 4, { priority: 1000 });
    const lower = need({ cluster: 'c2', priority: 1, units: 4 });
    const result = plan({ machines: [big('v', 'Configured', { cluster: 'c2', assigned: assignmentOf(lower) }), big('z', 'Configured')], needs: [need({ units: 8, priority: 5000 }), asked, lower] });
    expect(result.verdicts[1]).toMatchObject({ foldedAs: expect.any(String) as string });
    expect(result.machineReasons.get('v')).toMatchObject({ code: 'Preempted', forCluster: 'c1', fingerprint: asked.fingerprint, priority: 1000 });
  });

  it('keep their spread: whole gangs are spread', () => {
    const spreading = (group: string) => gang(group, 4, { requirements: [{ key: 'rack', operator: 'Same', values: [] }], spread: [zoneSpread(1)] });
    const four = (id: string, zone: string): EngineMachine => machine(id, 'Idle', { zone, allocatable: amounts({ cpu: 4 }), labels: { rack: 'r' } });
    const machines = [four('a1', 'za'), four('a2', 'za'), four('a3', 'za'), four('b1', 'zb')];
    expect(idsOf(plan({ machines, needs: ['g1', 'g2', 'g3', 'g4'].map(spreading) }), 'Bootstrap').sort()).toEqual(['a1', 'a2', 'b1']);
  });

  it('choose when the oldest of them does', () => {
    const key = (group: string) => JSON.stringify(['c1', gang(group).fingerprint, group]);
    const memory: MemoryChange[] = [
      { what: 'arrival', key: key('g1'), at: T0 - 1 }, { what: 'arrival', key: key('g2'), at: T0 - 50 },
      { what: 'arrival', key: JSON.stringify(['c2', need().fingerprint, '']), at: T0 - 10 },
    ];
    const result = plan({ machines: [big('a', 'Idle')], needs: [gang('g1'), gang('g2'), need({ cluster: 'c2' })], memory });
    expect(actionsOf(result)).toEqual(['Bootstrap a c1']);
  });

  it('lay what lacks to those that choose last; of a machine only whole gangs count', () => {
    const result = plan({ machines: [big('a', 'Idle')], needs: ['g1', 'g2', 'g3', 'g4'].map((g) => gang(g, 3)) });
    expect(result.verdicts.map(({ need: { group }, satisfied, deficit, reason }) => [group, satisfied, deficit[0]?.[1], reason])).toEqual([
      ['g1', true, 0, undefined], ['g2', true, 0, undefined], ['g3', false, 3000, 'SUPPLY_EXHAUSTED'], ['g4', false, 3000, 'SUPPLY_EXHAUSTED'],
    ]);
    expect(result.verdicts[0]).not.toHaveProperty('matchingSupply');
    expect(result.verdicts[3]).toHaveProperty('matchingSupply');
  });

  it('become gangs again when the last machine that holds one is gone, and one Need again when there is one', () => {
    const needs = [gang('g1'), gang('g2')];
    const smalls = ['a', 'b', 'c', 'd'].map((id) => small(id, 'Idle', { zone: id < 'c' ? 'za' : 'zb' }));
    const start = world({ machines: [...smalls, big('z', 'Speculative', { hold: false })], needs });
    const engine = createEngine(policy());
    for (const change of changesOf(start)) engine.apply(change);
    const folds = (): (number | undefined)[] => engine.plan(T0).verdicts.map((v) => v.sharedBy);
    expect(folds()).toEqual([2, 2]);
    engine.apply({ kind: 'machines', upserted: [], removed: ['z'] });
    expect(folds()).toEqual([undefined, undefined]);
    expect(engine.plan(T0).verdicts.map((v) => v.sameDomain)).toEqual(['za', 'zb']);
    engine.apply(machinesChange(big('z', 'Idle')));
    expect(folds()).toEqual([2, 2]);
    expect(textOf(engine.plan(T0))).toBe(textOf(planOnce(engine.snapshot(), T0)));
  });

  it('fold as soon as a free machine holds one, though nothing else has changed in their cluster', () => {
    const wanted = gang('g1');
    const engine = createEngine(policy());
    for (const change of changesOf(world({ machines: [small('a', 'Configured', { assigned: assignmentOf(wanted) })], needs: [wanted] }))) engine.apply(change);
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    expect(engine.plan(T0).verdicts[0]).toMatchObject({ satisfied: false, sameDomain: 'za' });
    engine.apply(machinesChange(big('z', 'Idle')));
    expect(actionsOf(engine.plan(T0))).toEqual(['Bootstrap z c1']);
  });

  it('are planned apart again as soon as no free machine holds one, though what was decided for them is on its way and nothing else has changed', () => {
    const wanted = gang('g1');
    const engine = createEngine(policy());
    for (const change of changesOf(world({ machines: [big('a', 'Creating', { intent: bindTo(wanted, true) }), big('z', 'Idle')], needs: [wanted] }))) engine.apply(change);
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    expect(engine.plan(T0).verdicts[0]).toMatchObject({ satisfied: true, machines: 1, foldedAs: expect.any(String) as string });
    engine.apply({ kind: 'machines', upserted: [], removed: ['z'] });
    expect(engine.plan(T0).verdicts[0]).not.toHaveProperty('foldedAs');
    expect(textOf(engine.plan(T0))).toBe(textOf(planOnce(engine.snapshot(), T0)));
  });

  describe('and that several machines serve already', () => {
    const ask = { requirements: [sameZone(), typeIn('t1')] };
    const wanted = gang('g1', 4, ask);
    const neighbour = gang('g9', 1, { minUnit: amounts({ gpu: 1 }), aggregate: amounts({ gpu: 1 }) });
    const member = (id: string, state: MachineState, over: Partial<EngineMachine> = {}): EngineMachine => small(id, state, { assigned: assignmentOf(wanted), ...over });
    const bigs = (...states: MachineState[]): EngineMachine[] => states.map((state, i) => big(`z${i}`, state));

    it.each<[string, EngineMachine[], boolean]>([
      ['which were bound for it', [member('a', 'Configured'), member('b', 'Configured')], true],
      ['one of which is being configured', [member('a', 'Configured'), member('b', 'Configuring')], true],
      ['one of which was decided', [member('a', 'Configured'), small('b', 'Creating', { intent: bindTo(wanted) })], true],
      ['which were bound for it when it had another priority', ['a', 'b'].map((id) => member(id, 'Configured', { assigned: assignmentOf(gang('g1', 4, { ...ask, priority: 7 })) })), true],
      ['of which nobody knows for whom they were bound', [small('a', 'Configured'), small('b', 'Configured')], true],
      ['which are too few', [member('a', 'Configured')], false],
      ['which are in two domains', [member('a', 'Configured'), member('b', 'Configured', { zone: 'zb' })], false],
      ['which were bound for another gang of its cluster', ['a', 'b'].map((id) => small(id, 'Configured', { assigned: assignmentOf(neighbour) })), true],
      ['which were bound for a demand that its cluster no longer has', ['a', 'b'].map((id) => small(id, 'Configured', { assigned: assignmentOf(need({ priority: 7 })) })), true],
      ['which do not match', [member('a', 'Configured'), member('b', 'Configured', { instanceType: 't9' })], false],
    ])('do not fold onto a free machine: %s', (_, own, keeps) => {
      const result = plan({ machines: [...own, ...bigs('Idle', 'Speculative')], needs: [wanted, neighbour] });
      expect(idsOf(result, 'Bootstrap')).toEqual(keeps ? [] : ['z0']);
    });

    it('fold if others of their cluster, who come first, are served by them', () => {
      const first = need({ units: 4, priority: 500 });
      const result = plan({ machines: [member('a', 'Configured'), member('b', 'Configured'), ...bigs('Idle')], needs: [first, wanted] });
      expect(actionsOf(result)).toEqual(['Bootstrap z0 c1']);
      expect(result.verdicts[1]).not.toHaveProperty('sameDomain');
    });

    it('keep them where a gang that comes first leaves enough of them: it takes what a plan gives it, planned as one with nobody', () => {
      const cpu = (m: number) => [['cpu', m]] as const;
      const halves = (group: string, m: number): Need => gang(group, 0, { minUnit: cpu(500), aggregate: cpu(m) });
      const asked = [halves('g1', 2500), halves('g3', 500)];
      const first = gang('g1', 1, { priority: 500, requirements: [typeIn('t1'), sameZone()] });
      const bound = (id: string, cpus: number, group: string, over: Partial<EngineMachine> = {}): EngineMachine =>
        machine(id, 'Configured', { allocatable: amounts({ cpu: cpus }), assigned: { ...assignmentOf(asked[0] as Need), group }, ...over });
      const machines = [bound('a', 2, 'g2'), bound('b', 2, 'g3', { priceMicroUsdPerHour: 1 }), bound('c', 8, ANY_GANG), machine('d', 'Idle', { allocatable: amounts({ cpu: 4 }) })];
      expect(actionsOf(plan({ machines, needs: [...asked, first] }))).toEqual([]);
    });

    it('keep them, though there are more of them than the larger machine can be bought for', () => {
      const machines = ['a', 'b'].map((id) => small(id, 'Configured', { assigned: assignmentOf(need({ priority: 7 })) }));
      const result = plan({ machines: [...machines, big('z', 'Speculative')], needs: [wanted], policy: policy({ limits: { machines: 2 } }) });
      expect(actionsOf(result)).toEqual([]);
      expect(result.verdicts[0]).toMatchObject({ satisfied: true, machines: 2 });
    });

    it('keep them, though a larger machine is on its way for others of their profile that nothing smaller serves', () => {
      const larger = gang('g2', 8, { ...ask, minUnit: amounts({ cpu: 8 }) });
      const before = world({ machines: [...['a', 'b'].map((id) => small(id, 'Configured', { assigned: assignmentOf(neighbour) })), big('z', 'Idle')], needs: [wanted, larger] });
      const first = planOnce(before, T0);
      expect(actionsOf(first)).toEqual(['Bootstrap z c1']);
      expect(actionsOf(planOnce(committed(before, first), T0))).toEqual([]);
    });

    it('keep them, though a larger machine was taken from another cluster for others of their profile that nothing smaller serves', () => {
      const larger = gang('g2', 8, { ...ask, minUnit: amounts({ cpu: 8 }) });
      const low = need({ cluster: 'c2', priority: 1, units: 8 });
      const machines = [...['a', 'b'].map((id) => small(id, 'Configured', { assigned: assignmentOf(neighbour) })), big('z', 'Configured', { cluster: 'c2', assigned: assignmentOf(low) })];
      const before = world({ machines, needs: [wanted, larger, low] });
      const first = planOnce(before, T0);
      expect(actionsOf(first)).toEqual(['Preempt z c2']);
      const after = planOnce(committed(before, first), T0);
      expect(actionsOf(after)).toEqual([]);
      expect(after.verdicts.map((v) => [v.need.group, v.satisfied, v.machines])).toEqual([['g1', true, 2], ['g2', false, 0], ['', false, 0]]);
    });

    it('sit down on larger machines in the same order, whichever was told of first', () => {
      const size = (cpu: number, memory: number, gpu = 0) => ({ allocatable: amounts({ cpu, memory, ...(gpu > 0 && { gpu }) }) });
      const byMemory = (group: string): Need => gang(group, 0, { interruptionBucket: 27, minUnit: amounts({ memory: 2 }), aggregate: amounts({ memory: 6 }) });
      const needs = [gang('g1', 4), byMemory('g2'), byMemory('g3')];
      const machines = [
        machine('m0', 'Configured', { zone: 'za', ...size(1.5, 3) }), machine('m2', 'Configured', { zone: 'za', ...size(1.5, 3) }),
        machine('m1', 'Configuring', { zone: 'zc', ...size(4, 8, 1), assigned: sharedBy(needs[0] as Need) }),
        machine('m3', 'Configured', { zone: 'za', ...size(4, 8), assigned: sharedBy(needs[0] as Need) }),
      ];
      const plans = new Set([[0, 1, 2, 3], [2, 3, 0, 1], [3, 2, 1, 0], [2, 0, 3, 1]].map((order) => textOf(plan({ machines: order.map((i) => machines[i] as EngineMachine), needs }))));
      expect(plans.size).toBe(1);
    });

    it('sit on a larger machine as many as hold in every dimension', () => {
      const size = (cpu: number, memory: number): Partial<EngineMachine> => ({ allocatable: amounts({ cpu, memory }) });
      const hungry = (group: string): Need => gang(group, 4, { ...ask, minUnit: amounts({ cpu: 1, memory: 2 }), aggregate: amounts({ cpu: 4, memory: 8 }) });
      const needs = [hungry('g1'), hungry('g2')];
      const shared = machine('z', 'Configured', { ...size(8, 8), assigned: sharedBy(needs[0] as Need) });
      const smaller = ['a', 'b'].map((id) => machine(id, 'Configured', { ...size(2, 4), assigned: assignmentOf(need({ priority: 7 })) }));
      const result = plan({ machines: [shared, ...smaller], needs });
      expect(actionsOf(result)).toEqual([]);
      expect(result.verdicts.map((v) => [v.satisfied, v.machines])).toEqual([[true, 2], [true, 1]]);
    });

    it('stay on the larger machine that they share, though smaller ones that nobody needs any more would serve one of them', () => {
      const needs = [wanted, gang('g2', 4, ask)];
      const shared: EngineMachine = big('z', 'Configured', { assigned: sharedBy(wanted) });
      const result = plan({ machines: [shared, ...['a', 'b'].map((id) => small(id, 'Configured', { assigned: assignmentOf(need({ priority: 7 })) }))], needs });
      expect(result.verdicts.map((v) => [v.sharedBy, v.machines])).toEqual([[2, 1], [2, 1]]);
    });

    it('keep them, though another machine of their cluster would hold them', () => {
      const machines = [member('a', 'Configured'), member('b', 'Configured'), big('z', 'Configured', { assigned: assignmentOf(need({ units: 8, priority: 500 })) })];
      expect(actionsOf(plan({ machines, needs: [wanted, need({ units: 8, priority: 500 })] }))).toEqual([]);
    });

    it('keep what they have until the larger machine serves them, where whole gangs are spread as well', () => {
      const asked = gang('g1', 4, { requirements: [{ key: 'rack', operator: 'Same', values: [] }], spread: [zoneSpread(1)] });
      const inRack = { zone: 'za', labels: { rack: 'r' } };
      const result = plan({ machines: [small('a', 'Configured', { ...inRack, assigned: assignmentOf(asked) }), big('z', 'Speculative', inRack)], needs: [asked] });
      expect(result.verdicts[0]).toMatchObject({ foldedAs: expect.any(String) as string });
      expect(actionsOf(result)).toEqual(['Provision z c1']);
      expect(result.machineReasons.get('a')).toMatchObject({ code: 'Serving' });
    });

    it('keep until then also what was bound for them when their profile was another, and nothing that was bound for others of their name', () => {
      const before = gang('g1', 4, { ...ask, priority: 5 });
      const machines = [small('a', 'Configured', { assigned: assignmentOf(before) }), big('z', 'Speculative')];
      expect(actionsOf(plan({ machines, needs: [wanted] }))).toEqual(['Provision z c1']);
      expect(actionsOf(plan({ machines, needs: [wanted, { ...before, aggregate: amounts({ cpu: 0 }) }] }))).toEqual(['Provision z c1', 'Reclaim a c1']);
      const named = { ...before, group: '' };
      expect(actionsOf(plan({ machines: [small('a', 'Configured', { assigned: assignmentOf(named) }), big('z', 'Speculative')], needs: [{ ...wanted, group: '' }] }))).toEqual(['Provision z c1', 'Reclaim a c1']);
    });

    it('keep what they have until the larger machine serves them', () => {
      const loop = new Simulation(world({ machines: [member('a', 'Configured'), big('z', 'Idle')], needs: [wanted] }), T0, { delay: () => 2 });
      const cycles = Array.from({ length: 8 }, () => actionsOf(loop.step()));
      expect(cycles).toEqual([['Bootstrap z c1'], [], [], ['Reclaim a c1'], [], [], [], []]);
    });
  });

  it('keep apart from demand without Same that asks for the same: what serves that is none of theirs', () => {
    const web = need({ units: 1, minUnit: amounts({ cpu: 2 }) });
    const wanted = gang('g', 2);
    const machines = [
      small('large', 'Configured', { assigned: assignmentOf(web) }), ...['s1', 's2'].map((id) => machine(id, 'Configured', { assigned: assignmentOf(wanted) })), small('offer', 'Speculative'),
    ];
    const result = plan({ machines, needs: [web, wanted] });
    expect(actionsOf(result)).toEqual([]);
    expect(result.machineReasons.get('large')).toMatchObject({ code: 'Serving', fingerprint: web.fingerprint });
  });

  describe('where a larger machine was decided for one of two, and smaller ones serve the other', () => {
    const oneCpu = { requirements: [typeIn('t1')], units: 2 };
    const needs = [gang('g1', 2), need(oneCpu), gang('g2', 2)];
    const memory = needs.map(({ fingerprint, group }, i): MemoryChange => ({ what: 'arrival', key: JSON.stringify(['c1', fingerprint, group]), at: T0 - 100 + i }));
    const smalls = (assigned: Assignment | undefined) => ['s1', 's2'].map((id) => machine(id, 'Configured', assigned && { assigned }));
    const first = gang('g1', 2);

    it.each<[string, Assignment | undefined]>([
      ['which were bound for it', assignmentOf(first)],
      ['of which nobody knows for whom they were bound', undefined],
    ])('the one without them has it, though it comes later: %s', (_, assigned) => {
      const before = world({ machines: [...smalls(assigned), small('large', 'Idle', { instanceType: 't2' })], needs, memory });
      const decision = planOnce(before, T0);
      expect(actionsOf(decision)).toEqual(['Bootstrap large c1']);
      const after = planOnce(committed(before, decision), T0);
      expect(actionsOf(after)).toEqual([]);
      expect(after.verdicts.map((v) => [v.need.group, v.satisfied, v.machines])).toEqual([['g1', true, 2], ['', false, 0], ['g2', true, 1]]);
    });

    it.each<[string, Assignment, string]>([
      ['though it comes later, if they were bound for it', assignmentOf(gang('g2', 2)), 'g2'],
      ['though it comes first, if they were bound for it', assignmentOf(first), 'g1'],
    ])('the one with them keeps them, %s', (_, assigned, owner) => {
      const machines = [...smalls(assigned), small('large', 'Configured', { instanceType: 't2', assigned: sharedBy(first) })];
      const { verdicts, machineReasons } = plan({ machines, needs: [gang('g1', 2), gang('g2', 2)], memory });
      expect(verdicts.map((v) => v.satisfied)).toEqual([true, true]);
      expect(machineReasons.get('s1')).toMatchObject({ code: 'Serving', group: owner });
    });

    it.each([['g1'], ['g2']])('it is for as many as it holds, though smaller ones would do; who has smaller ones of its own keeps them: %s', (owner) => {
      const machines = Array.from({ length: 8 }, (_, i) => machine(`s${String(i)}`, 'Configured', { assigned: assignmentOf(i < 4 ? gang(owner) : need({ priority: 7 })) }));
      const result = plan({ machines: [...machines, big('large', 'Configured', { instanceType: 't2', assigned: sharedBy(first) })], needs: ['g1', 'g2', 'g3'].map((g) => gang(g)) });
      expect(result.verdicts.map((v) => (v.sharedBy === undefined ? v.need.group : ''))).toEqual(['g1', 'g2', 'g3'].map((g) => (g === owner ? g : '')));
      expect(idsOf(result, 'Reclaim')).toEqual(['s4', 's5', 's6', 's7']);
    });
  });

  it('do not fold onto what is preempted for them and still draining: they keep what serves them', () => {
    const wanted = gang('g1', 5);
    const low = need({ cluster: 'c2', priority: 1, units: 8, requirements: [typeIn('t2')] });
    const own = ['a', 'b'].map((id) => machine(id, 'Configured', { assigned: assignmentOf(wanted) }));
    const loop = new Simulation(world({ machines: [...own, big('z', 'Configured', { cluster: 'c2', instanceType: 't2', assigned: assignmentOf(low) })], needs: [wanted, low] }), T0, { delay: () => 2 });
    const plans = Array.from({ length: 8 }, () => loop.step());
    expect(plans.map(actionsOf)).toEqual([['Preempt z c2'], [], [], ['Bootstrap z c1'], [], [], ['Reclaim a c1', 'Reclaim b c1'], []]);
    expect(plans[1]?.verdicts[0]).toMatchObject({ sameDomain: 'za', machines: 2, deficit: [['cpu', 3000]] });
  });

  it('stay folded while what was preempted for them as one is draining, though no other machine holds one', () => {
    const needs = [gang('g1'), gang('g2')];
    const memory: MemoryChange[] = [{ what: 'reservation', key: 'z', to: sharedBy(gang('g1')) }];
    const result = plan({ machines: [big('z', 'Draining', { cluster: 'c2' })], needs, reported: ['c2'], memory });
    expect(result.verdicts.map((v) => [v.sharedBy, v.reason])).toEqual([[2, 'PREEMPTION_IN_PROGRESS'], [2, 'PREEMPTION_IN_PROGRESS']]);
  });

  it('take from others as one Need does', () => {
    const low = need({ cluster: 'c2', priority: 10, units: 16 });
    const machines = [big('x', 'Configured', { cluster: 'c2', assigned: assignmentOf(low) }), big('y', 'Configured', { cluster: 'c2', zone: 'zb', assigned: assignmentOf(low) }), big('own', 'Configured')];
    const before = world({ machines, needs: [...['g1', 'g2', 'g3', 'g4', 'g5', 'g6'].map((g) => gang(g)), low] });
    const first = planOnce(before, T0);
    expect(actionsOf(first)).toEqual(['Preempt x c2', 'Preempt y c2']);
    expect(first.verdicts.slice(0, 6).map((v) => v.reason)).toEqual([undefined, undefined, ...Array.from({ length: 4 }, () => 'PREEMPTION_IN_PROGRESS')]);
    expect(planOnce(committed(before, first), T0).actions).toEqual([]);
  });

  it('leave to the other rows of their group what was decided for it, and it counts once there', () => {
    const rows = [gang('g1', 2, { minUnit: amounts({ cpu: 2 }) }), gang('g1', 8, { minUnit: amounts({ cpu: 1 }) })];
    const machines = [machine('a', 'Creating', { intent: bindTo(gang('g1')) }), small('b', 'Idle'), ...['c', 'd', 'e', 'f', 'g', 'h'].map((id) => machine(id, 'Idle'))];
    const result = plan({ machines, needs: rows });
    expect(result.verdicts.map((v) => [v.need.aggregate[0]?.[1], v.reason, v.machines])).toEqual([[2000, undefined, 1], [8000, 'TOPOLOGY_UNSATISFIABLE', 1]]);
  });

  it.each([0, 1, 2, 5])('are bought for once when Creates and Configures take %i cycles, though no free machine holds one meanwhile', (k) => {
    const loop = new Simulation(world({ machines: [big('a', 'Speculative')], needs: [gang('g1'), gang('g2')] }), T0, { delay: () => k });
    expect(loop.run(30)).toEqual({ Provision: 1 });
  });

  it('keep nothing that they were bound and that does not match them any more', () => {
    const wanted = gang('g1', 1, { requirements: [typeIn('a'), sameZone()] });
    const machines = [
      machine('m', 'Configured', { instanceType: 'c', assigned: assignmentOf(wanted) }), machine('n', 'Configured', { instanceType: 'a', zone: '', assigned: assignmentOf(wanted) }),
      machine('offer-a', 'Speculative', { instanceType: 'a' }), machine('offer-c', 'Speculative', { instanceType: 'c' }),
    ];
    const result = plan({ machines, needs: [wanted, need({ priority: 10, units: 2 })] });
    expect(actionsOf(result)).toEqual(['Provision offer-a c1']);
    expect(result.verdicts.map((v) => v.machines)).toEqual([1, 2]);
  });
});

import { describe, expect, it } from 'vitest';
import { changesOf, createEngine, planOnce } from '../engine.ts';
import { amounts, assignmentOf, bindTo, machine, machinesChange, need, policy, sameZone, T0, typeIn, world } from '../testing/builders.ts';
import type { NeedSpec, WorldSpec } from '../testing/builders.ts';
import { actionsOf, codesOf, idsOf } from '../testing/summary.ts';
import type { EngineMachine, MachineState } from '../types.ts';

const plan = (spec: WorldSpec) => planOnce(world(spec), T0);
const gang = (units: number, over: NeedSpec = {}) => need({ units, group: 'A', requirements: [sameZone()], ...over });
const inZone = (zone: string, n: number, state: MachineState, over: Partial<EngineMachine> = {}): EngineMachine[] =>
  Array.from({ length: n }, (_, i) => machine(`${zone}-${state}-${i}`, state, { zone, ...over }));

describe('a Same Need', () => {
  it.each<[string, WorldSpec, string[]]>([
    ['acquires all its machines in one domain', { machines: [...inZone('za', 3, 'Idle'), ...inZone('zb', 3, 'Idle')], needs: [gang(3)] }, ['za-Idle-0', 'za-Idle-1', 'za-Idle-2']],
    ['goes where there is room for all of it', { machines: [...inZone('za', 2, 'Idle'), ...inZone('zb', 4, 'Idle')], needs: [gang(4)] }, ['zb-Idle-0', 'zb-Idle-1', 'zb-Idle-2', 'zb-Idle-3']],
    ['fills up with speculative machines of the domain', { machines: [...inZone('za', 1, 'Idle'), ...inZone('za', 2, 'Speculative'), ...inZone('zb', 2, 'Idle')], needs: [gang(3)] }, ['za-Idle-0', 'za-Speculative-0', 'za-Speculative-1']],
    ['takes idle machines before it buys', { machines: [...inZone('za', 2, 'Speculative'), ...inZone('za', 2, 'Idle')], needs: [gang(2)] }, ['za-Idle-0', 'za-Idle-1']],
    ['acquires nothing when no domain has room for all of it (D7)', { machines: [...inZone('za', 3, 'Idle'), ...inZone('zb', 3, 'Idle')], needs: [gang(5)] }, []],
    ['completes what it holds', { machines: [...inZone('za', 3, 'Idle'), ...inZone('zb', 2, 'Configured'), ...inZone('zb', 1, 'Idle')], needs: [gang(3)] }, ['zb-Idle-0']],
    ['leaves to the next gang what it does not take', { machines: [...inZone('za', 3, 'Idle'), ...inZone('zb', 3, 'Idle')], needs: [gang(3), gang(3, { group: 'B', priority: 50 })] }, ['za-Idle-0', 'za-Idle-1', 'za-Idle-2', 'zb-Idle-0', 'zb-Idle-1', 'zb-Idle-2']],
    ['acquires nothing for a cluster without a session', { machines: inZone('za', 3, 'Idle'), needs: [gang(3)], sessions: [] }, []],
    ['acquires nothing when the limit has no room for all of it', { machines: inZone('za', 3, 'Speculative'), needs: [gang(3)], policy: policy({ limits: { machines: 2 } }) }, []],
    ['ignores machines without the label', { machines: inZone('', 3, 'Idle'), needs: [gang(3)] }, []],
  ])('%s', (_, spec, expected) => {
    expect([...idsOf(plan(spec), 'Bootstrap'), ...idsOf(plan(spec), 'Provision')]).toEqual(expected);
  });

  it('leaves the supply to others when the limit stops it', () => {
    const spec: WorldSpec = {
      machines: [...inZone('za', 1, 'Idle'), ...inZone('za', 2, 'Speculative')],
      needs: [gang(3), need({ priority: 5 })], policy: policy({ limits: { machines: 2 } }),
    };
    expect(actionsOf(plan(spec))).toEqual(['Bootstrap za-Idle-0 c1']);
    expect(plan(spec).verdicts.map((v) => v.reason)).toEqual(['LIMIT_REACHED', undefined]);
  });

  it('is stopped by the limit though another gang was before it, on the same offers', () => {
    const needs = [need({ priority: 500 }), gang(3), gang(3, { group: 'B' })];
    const result = plan({ machines: inZone('za', 8, 'Speculative'), needs, policy: policy({ limits: { machines: 2 } }) });
    expect(actionsOf(result)).toEqual(['Provision za-Speculative-0 c1']);
    expect(result.verdicts.map((v) => [v.reason, v.sameSatisfiable])).toEqual([[undefined, undefined], ['LIMIT_REACHED', true], ['LIMIT_REACHED', true]]);
  });

  it('keeps what it holds while it is incomplete, and says why (D7)', () => {
    const result = plan({ machines: [...inZone('zb', 2, 'Configured'), ...inZone('za', 3, 'Idle')], needs: [gang(5)] });
    expect(result.actions).toEqual([]);
    expect(result.verdicts[0]).toMatchObject({ satisfied: false, reason: 'TOPOLOGY_UNSATISFIABLE', sameDomain: 'zb', machines: 2, deficit: [['cpu', 3000]] });
  });

  it('keeps its own members elsewhere too while no place is whole', () => {
    const own = { assigned: assignmentOf(gang(5)) };
    const machines = [...inZone('za', 1, 'Configured', own), ...inZone('zb', 2, 'Configured', own), ...inZone('zc', 1, 'Configured')];
    const result = plan({ machines, needs: [gang(5)] });
    expect(idsOf(result, 'Reclaim')).toEqual(['zc-Configured-0']);
    expect(result.verdicts[0]?.deficit).toEqual([['cpu', 3000]]);
  });

  it('moves when its place cannot be made whole and another can, and gives up what serves it once the others do', () => {
    const own = { assigned: assignmentOf(gang(3)) };
    const members = inZone('za', 2, 'Configured', own);
    const moving = plan({ machines: [...members, ...inZone('zb', 3, 'Idle')], needs: [gang(3)] });
    expect(actionsOf(moving)).toEqual(['Bootstrap zb-Idle-0 c1', 'Bootstrap zb-Idle-1 c1', 'Bootstrap zb-Idle-2 c1']);
    expect(moving.verdicts[0]).toMatchObject({ satisfied: true, sameDomain: 'zb', machines: 5, inFlight: 3 });
    expect(plan({ machines: [...members, ...inZone('zb', 2, 'Configured', own), ...inZone('zb', 1, 'Configuring', own)], needs: [gang(3)] }).actions).toEqual([]);
    const there = plan({ machines: [...members, ...inZone('zb', 3, 'Configured', own)], needs: [gang(3)] });
    expect(actionsOf(there)).toEqual(['Reclaim za-Configured-0 c1', 'Reclaim za-Configured-1 c1']);
  });

  it('withdraws what is on its way to where it no longer moves', () => {
    const wanted = gang(2);
    const machines = [...inZone('za', 2, 'Configured', { assigned: assignmentOf(wanted) }), ...inZone('zb', 1, 'Creating', { intent: bindTo(wanted) })];
    expect(actionsOf(plan({ machines, needs: [wanted] }))).toEqual(['Withdraw zb-Creating-0 c1']);
  });

  it('stays where it is while what it holds beyond the whole is given back', () => {
    const own = { assigned: assignmentOf(gang(2)) };
    const machines = (left: number): EngineMachine[] => [...inZone('za', 3, 'Configured', own), ...inZone('zb', left, 'Configured', own)];
    for (const left of [4, 3, 2]) expect(plan({ machines: machines(left), needs: [gang(2)] }).verdicts[0]?.sameDomain).toBe('za');
  });

  describe('without a whole place', () => {
    const web = need({ units: 2, priority: 10 });
    const free = inZone('zb', 2, 'Speculative');

    it('takes no machine that others of its cluster need', () => {
      const result = plan({ machines: [...inZone('za', 2, 'Configured', { assigned: assignmentOf(web) }), ...free], needs: [web, gang(50)] });
      expect(result.actions).toEqual([]);
      expect(result.verdicts.map(({ machines, reason }) => [machines, reason])).toEqual([[0, 'TOPOLOGY_UNSATISFIABLE'], [2, undefined]]);
    });

    it('keeps what was bound for it when its profile was another, though lower ones of its cluster could use it and others would take it from them', () => {
      const before = { assigned: assignmentOf(gang(3, { priority: 5 })) };
      const needs = [gang(3), need({ priority: 1, units: 2 }), need({ cluster: 'c2', priority: 10, units: 2 })];
      const result = plan({ machines: inZone('za', 2, 'Configured', before), needs });
      expect(actionsOf(result)).toEqual([]);
      expect(result.verdicts.map((v) => v.machines)).toEqual([2, 0, 0]);
    });

    it('does not take for its own what was bound for another gang of its name that is asked for as well', () => {
      const other = gang(1, { priority: 5 });
      const result = plan({ machines: inZone('za', 1, 'Configured', { assigned: assignmentOf(other) }), needs: [gang(3), other] });
      expect(result.verdicts.map((v) => v.machines)).toEqual([0, 1]);
    });

    it('keeps those that nobody needs, and its own before them', () => {
      const wanted = gang(50);
      const machines = [...inZone('za', 3, 'Configured', { assigned: assignmentOf(web) }), ...inZone('zb', 1, 'Configured', { assigned: assignmentOf(wanted) })];
      const atOwn = plan({ machines, needs: [web, wanted] });
      expect(atOwn.verdicts[0]).toMatchObject({ sameDomain: 'zb', machines: 1 });
      expect(idsOf(atOwn, 'Reclaim')).toEqual(['za-Configured-2']);
      const nowhere = plan({ machines: machines.slice(0, 3), needs: [web, wanted] });
      expect(nowhere.verdicts[0]).toMatchObject({ sameDomain: 'za', machines: 1, deficit: [['cpu', 49_000]] });
      expect(nowhere.actions).toEqual([]);
    });
  });

  describe('under a limit on purchases', () => {
    const limited = (machines: number) => policy({ limits: { machines } });
    const own = { assigned: assignmentOf(gang(3)) };

    it('keeps what it holds if nothing may be bought where it would be whole (D7)', () => {
      const result = plan({ machines: [...inZone('za', 2, 'Configured', own), ...inZone('zb', 3, 'Speculative')], needs: [gang(3)], policy: limited(2) });
      expect(result.actions).toEqual([]);
      expect(result.verdicts[0]).toMatchObject({ reason: 'LIMIT_REACHED', sameDomain: 'za', machines: 2, deficit: [['cpu', 1000]] });
    });

    it('tells of no place in which only what may not be bought could serve it', () => {
      const before = need({ cluster: 'c2', units: 9, priority: 5000, requirements: [typeIn('t2')] });
      const machines = [...inZone('za', 2, 'Configured', own), ...inZone('zb', 3, 'Speculative'), machine('t2', 'Speculative', { zone: 'zc', instanceType: 't2' })];
      const { verdicts } = plan({ machines, needs: [before, gang(50)], policy: limited(2) });
      expect(verdicts.map(({ reason, sameCandidates }) => [reason, sameCandidates?.map(({ domain }) => domain)])).toEqual([['LIMIT_REACHED', undefined], ['TOPOLOGY_UNSATISFIABLE', ['za']]]);
    });

    it.each<[string, WorldSpec, string[]]>([
      [
        'is whole with Idle machines elsewhere',
        { machines: [...inZone('za', 4, 'Idle'), ...inZone('zb', 3, 'Speculative')], needs: [gang(3)], policy: limited(4) },
        ['Bootstrap za-Idle-0 c1', 'Bootstrap za-Idle-1 c1', 'Bootstrap za-Idle-2 c1'],
      ],
      [
        'is whole where fewer machines are enough',
        { machines: [...inZone('za', 3, 'Speculative'), ...inZone('zb', 2, 'Speculative', { allocatable: amounts({ cpu: 2 }) })], needs: [gang(3)], policy: limited(2) },
        ['Provision zb-Speculative-0 c1', 'Provision zb-Speculative-1 c1'],
      ],
      [
        'leaves the room to others as it was if it has got what it lacks elsewhere',
        { machines: [...inZone('za', 3, 'Speculative'), ...inZone('zb', 4, 'Idle')], needs: [gang(3), need({ priority: 5, units: 3 })], policy: limited(6) },
        ['Bootstrap zb-Idle-0 c1', 'Bootstrap zb-Idle-1 c1', 'Bootstrap zb-Idle-2 c1', 'Bootstrap zb-Idle-3 c1', 'Provision za-Speculative-0 c1', 'Provision za-Speculative-1 c1'],
      ],
      [
        'and lets nobody after it buy what it waits for (B2)',
        { machines: [machine('o', 'Configured'), ...inZone('za', 3, 'Speculative')], needs: [need({ priority: 5000 }), gang(3), need({ priority: 5 })], policy: limited(3) },
        [],
      ],
      [
        'but waits for nothing if the whole of it has more machines than the limit',
        { machines: inZone('za', 3, 'Speculative'), needs: [gang(3), need({ priority: 5 })], policy: limited(2) },
        ['Provision za-Speculative-0 c1'],
      ],
      [
        'what it holds included',
        { machines: [...inZone('za', 1, 'Configured', own), ...inZone('za', 3, 'Speculative')], needs: [gang(3), need({ priority: 5 })], policy: limited(2) },
        ['Provision za-Speculative-0 c1'],
      ],
      [
        'or costs more',
        { machines: inZone('za', 3, 'Speculative', { priceMicroUsdPerHour: 2_000_000 }), needs: [gang(3), need({ priority: 5 })], policy: policy({ limits: { microUsdPerHour: 5_999_999 } }) },
        ['Provision za-Speculative-0 c1'],
      ],
      [
        'waits in the place that is within the limit',
        {
          machines: [machine('o', 'Configured'), ...inZone('za', 3, 'Speculative'), ...inZone('zb', 2, 'Speculative', { allocatable: amounts({ cpu: 2 }) })],
          needs: [need({ priority: 5000 }), gang(3), need({ priority: 5 })], policy: limited(2),
        },
        [],
      ],
      [
        'waits if it is within the limit in one of several places',
        {
          machines: [machine('o', 'Configured', { priceMicroUsdPerHour: 3_000_000 }), ...inZone('za', 3, 'Speculative', { priceMicroUsdPerHour: 1_000_000 }), ...inZone('zb', 3, 'Speculative', { priceMicroUsdPerHour: 2_000_000 })],
          needs: [need({ priority: 5000 }), gang(3), need({ priority: 5 })], policy: policy({ limits: { microUsdPerHour: 5_000_000 } }),
        },
        [],
      ],
      [
        'and if it costs just the limit',
        { machines: [machine('o', 'Configured', { priceMicroUsdPerHour: 1_000_000 }), ...inZone('za', 3, 'Speculative', { priceMicroUsdPerHour: 1_000_000 })], needs: [need({ priority: 5000 }), gang(3), need({ priority: 5 })], policy: policy({ limits: { microUsdPerHour: 3_000_000 } }) },
        [],
      ],
      [
        'but not with members elsewhere that it keeps until it has moved',
        {
          machines: [...inZone('za', 3, 'Configured', { assigned: assignmentOf(gang(4)) }), ...inZone('zb', 4, 'Speculative')],
          needs: [gang(4), need({ priority: 5 })], policy: limited(5),
        },
        ['Provision zb-Speculative-0 c1'],
      ],
      [
        'nor with what it would have to take from others',
        {
          machines: [...inZone('za', 1, 'Configured', { cluster: 'c2' }), ...inZone('za', 2, 'Speculative')],
          needs: [gang(3), need({ cluster: 'c2', priority: 5 }), need({ priority: 5 })], policy: limited(2),
        },
        ['Provision za-Speculative-0 c1'],
      ],
      [
        'is whole without the machines that cost more than the whole limit, though they rank before others',
        {
          machines: [...inZone('za', 2, 'Speculative', { priceMicroUsdPerHour: 9_000_000, interruptionProbability: 0 }), ...inZone('zb', 2, 'Speculative', { priceMicroUsdPerHour: 1_000_000 })],
          needs: [gang(2)], policy: policy({ limits: { microUsdPerHour: 5_000_000 } }),
        },
        ['Provision zb-Speculative-0 c1', 'Provision zb-Speculative-1 c1'],
      ],
      [
        'preempts what it may not buy, if that is enough',
        {
          machines: [...inZone('za', 2, 'Speculative'), machine('v', 'Configured', { cluster: 'c2' }), machine('w', 'Configured', { cluster: 'c2' })],
          needs: [gang(3), need({ cluster: 'c2', priority: 5, units: 2 })], policy: limited(3),
        },
        ['Provision za-Speculative-0 c1', 'Preempt v c2', 'Preempt w c2'],
      ],
      [
        'but nobody loses what serves for it where another place is whole without',
        {
          machines: [...inZone('za', 2, 'Idle'), ...inZone('za', 2, 'Speculative'), ...inZone('za', 2, 'Configured', { cluster: 'c2' }), ...inZone('zb', 4, 'Idle')],
          needs: [gang(4), need({ cluster: 'c2', priority: 5, units: 2 })], policy: limited(8),
        },
        [0, 1, 2, 3].map((i) => `Bootstrap zb-Idle-${String(i)} c1`),
      ],
      [
        'nor where what it may buy and what nobody needs is enough',
        {
          machines: [
            ...inZone('za', 2, 'Speculative'), ...inZone('za', 2, 'Configured', { cluster: 'c2' }),
            ...inZone('zb', 3, 'Speculative', { priceMicroUsdPerHour: 2_000_000 }), ...inZone('zb', 1, 'Configured', { cluster: 'c3' }),
          ],
          needs: [gang(3), need({ cluster: 'c2', priority: 5, units: 2 }), need({ cluster: 'c3', priority: 5, units: 0 })], policy: policy({ limits: { machines: 5 } }),
        },
        ['Provision zb-Speculative-0 c1', 'Provision zb-Speculative-1 c1', 'Preempt zb-Configured-0 c3'],
      ],
      [
        'but takes the fewest it can, beside what it may buy',
        {
          machines: [...inZone('za', 2, 'Idle'), ...inZone('za', 2, 'Speculative'), ...inZone('za', 2, 'Configured', { cluster: 'c2' }), ...inZone('zb', 2, 'Idle'), ...inZone('zb', 2, 'Configured', { cluster: 'c2' })],
          needs: [gang(4), need({ cluster: 'c2', priority: 5, units: 4 })], policy: limited(9),
        },
        ['Bootstrap za-Idle-0 c1', 'Bootstrap za-Idle-1 c1', 'Provision za-Speculative-0 c1', 'Bootstrap zb-Idle-0 c2', 'Preempt za-Configured-0 c2'],
      ],
      [
        'and nothing if that is not enough',
        { machines: [...inZone('za', 3, 'Speculative'), machine('v', 'Configured', { cluster: 'c2' })], needs: [gang(3), need({ cluster: 'c2', priority: 5 })], policy: limited(2) },
        [],
      ],
    ])('%s', (_, spec, expected) => {
      expect(actionsOf(plan(spec))).toEqual(expected);
    });
  });

  it('says that it is the limit if only what costs more than all of it would make it whole', () => {
    const dear = inZone('za', 1, 'Speculative', { priceMicroUsdPerHour: 9_000_000 });
    const limits = { microUsdPerHour: 5_000_000 };
    const reasonWith = (machines: EngineMachine[]) => plan({ machines, needs: [gang(2)], policy: policy({ limits }) }).verdicts[0]?.reason;
    expect([reasonWith([...dear, ...inZone('za', 1, 'Idle')]), reasonWith(dear), reasonWith([...dear, ...inZone('zb', 1, 'Idle')])]).toEqual(['LIMIT_REACHED', 'TOPOLOGY_UNSATISFIABLE', 'TOPOLOGY_UNSATISFIABLE']);
  });

  it('keeps what serves it while all of another place is still being drained for it', () => {
    const wanted = gang(2);
    const machines = [...inZone('za', 1, 'Configured', { assigned: assignmentOf(wanted) }), ...inZone('zb', 2, 'Configured', { cluster: 'c2' })];
    const result = plan({ machines, needs: [wanted, need({ cluster: 'c2', priority: 5, units: 2 })] });
    expect(actionsOf(result)).toEqual(['Preempt zb-Configured-0 c2', 'Preempt zb-Configured-1 c2']);
    expect(codesOf(result)['za-Configured-0']).toBe('Serving');
  });

  it('credits its own machines before others of its domain', () => {
    const own = { assigned: assignmentOf(gang(2)) };
    const other = { assigned: assignmentOf(gang(2, { group: 'B' })) };
    const machines = [machine('g-aaa', 'Configured', other), machine('g-mmm', 'Configured', own), machine('g-nnn', 'Configured', own)];
    expect(idsOf(plan({ machines, needs: [gang(2)] }), 'Reclaim')).toEqual(['g-aaa']);
  });

  it('gives up nothing that serves for members that are still on their way', () => {
    const wanted = gang(2);
    const machines = [...inZone('za', 1, 'Configured'), ...inZone('za', 2, 'Creating', { intent: bindTo(wanted) })];
    expect(actionsOf(plan({ machines, needs: [wanted] }))).toEqual(['Withdraw za-Creating-1 c1']);
  });

  it('counts members on their way as its own', () => {
    const wanted = gang(3);
    const machines = [...inZone('za', 3, 'Creating', { intent: bindTo(wanted) }), ...inZone('zb', 3, 'Idle')];
    const result = plan({ machines, needs: [wanted] });
    expect(result.actions).toEqual([]);
    expect(result.verdicts[0]).toMatchObject({ satisfied: true, sameDomain: 'za', inFlight: 3 });
  });

  it('stays where its members on their way are, incomplete as it is', () => {
    const wanted = gang(3);
    const result = plan({ machines: inZone('za', 2, 'Creating', { intent: bindTo(wanted) }), needs: [wanted] });
    expect(result.actions).toEqual([]);
    expect(codesOf(result)).toEqual({ 'za-Creating-0': 'InFlight', 'za-Creating-1': 'InFlight' });
  });

  it('reads NO_SESSION, and of the places that would hold it, while its cluster is away', () => {
    expect(plan({ machines: inZone('za', 3, 'Idle'), needs: [gang(3)], sessions: [] }).verdicts[0]).toMatchObject({ reason: 'NO_SESSION', sameSatisfiable: true });
    const member = machine('own', 'Configured', { zone: 'zb', assigned: assignmentOf(gang(3)) });
    const [verdict] = plan({ machines: [...inZone('za', 2, 'Idle'), member], needs: [gang(3)], sessions: [] }).verdicts;
    expect(verdict).toMatchObject({ reason: 'NO_SESSION', sameDomain: 'zb', sameSatisfiable: false, machines: 1 });
    expect(verdict?.sameCandidates?.map(({ domain, coveragePerMille }) => [domain, coveragePerMille])).toEqual([['za', 666], ['zb', 333]]);
  });

  it('gives one zone up when two hold enough', () => {
    const result = plan({ machines: [...inZone('za', 2, 'Configuring'), ...inZone('za', 1, 'Configured'), ...inZone('zb', 3, 'Configured')], needs: [gang(3)] });
    expect(idsOf(result, 'Reclaim')).toEqual(['zb-Configured-0', 'zb-Configured-1', 'zb-Configured-2']);
  });

  it('stays where it is, of places that serve it equally well, when what is free there changes', () => {
    const engine = createEngine(policy());
    const machines = [...inZone('za', 2, 'Configured'), ...inZone('zb', 2, 'Configured')];
    for (const change of changesOf(world({ machines, needs: [gang(2), need({ units: 2, priority: 50 })] }))) engine.apply(change);
    for (let i = 0; i < 2; i++) engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    expect(engine.plan(T0).verdicts[0]?.sameDomain).toBe('za');
    engine.apply(machinesChange(...inZone('za', 1, 'Idle')));
    expect(engine.plan(T0).verdicts[0]?.sameDomain).toBe('za');
  });

  it('knows as its own what is being configured for it, though only the decision says so', () => {
    const own = machine('b', 'Configuring', { zone: 'zb', intent: bindTo(gang(2), true) });
    const result = plan({ machines: [machine('a', 'Configuring', { zone: 'za' }), own, ...inZone('za', 1, 'Idle'), ...inZone('zb', 1, 'Idle')], needs: [gang(2)] });
    expect(result.verdicts[0]?.sameDomain).toBe('zb');
  });

  it('lets a lower gang keep what a higher one left behind', () => {
    const machines = [machine('a-0', 'Configured', { zone: 'za' }), machine('b-0', 'Configured', { zone: 'zb' }), ...inZone('zc', 2, 'Idle')];
    const result = plan({ machines, needs: [gang(2, { group: 'g1' }), gang(2, { group: 'g2' })] });
    expect(actionsOf(result)).toEqual(['Bootstrap zc-Idle-0 c1', 'Bootstrap zc-Idle-1 c1', 'Reclaim b-0 c1']);
  });
});

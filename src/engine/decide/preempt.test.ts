import { describe, expect, it } from 'vitest';
import { changesOf, createEngine, planOnce } from '../engine.ts';
import { amounts, assignmentOf, bindTo, DOLLAR, hint, machine, need, policy, sameZone, T0, typeIn, world } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import { committed } from '../testing/commit.ts';
import { actionsOf, codesOf, idsOf } from '../testing/summary.ts';
import type { EngineMachine, Need } from '../types.ts';
import { graceSeconds, victimScore } from './preempt.ts';

const plan = (spec: WorldSpec) => planOnce(world(spec), T0);
const low = (priority: number, units = 1, over: Parameters<typeof need>[0] = {}): Need => need({ cluster: 'c2', priority, units, ...over });
/** A machine that c2 has, bound for demand of this priority; undefined = nobody knows for what. */
const bound = (id: string, priority: number | undefined, over: Partial<EngineMachine> = {}): EngineMachine =>
  machine(id, 'Configured', { cluster: 'c2', ...(priority !== undefined && { assigned: assignmentOf(low(priority)) }), ...over });

describe('whom a Need may take from', () => {
  const other = machine('y', 'Configured', { cluster: 'c3', assigned: assignmentOf(need({ cluster: 'c3', priority: 50 })) });

  it.each<[string, WorldSpec, string[]]>([
    ['who ranks strictly below', { machines: [bound('x', 99)], needs: [need(), low(99)] }, ['x']],
    ['never an equal', { machines: [bound('x', 100)], needs: [need(), low(100)] }, []],
    ['never an equal, however much lower its penalties', { machines: [bound('x', 100)], needs: [need({ interruptionBucket: 20, reclamationBucket: 20 }), low(100)] }, []],
    ['not what was bound for a lower one and serves a higher one (X3)', { machines: [bound('x', 10)], needs: [need(), low(500)] }, []],
    ['not what was bound for a lower one and serves an equal (X3)', { machines: [bound('x', 10)], needs: [need(), low(100)] }, []],
    ['what was bound for a higher one and serves a lower one (X3)', { machines: [bound('x', 500)], needs: [need(), low(50)] }, ['x']],
    ['what was bound for an equal and serves a lower one (X3)', { machines: [bound('x', 100)], needs: [need(), low(50)] }, ['x']],
    ['what was bound for a higher one and serves nobody (X24)', { machines: [bound('x', 500)], needs: [need()], reported: ['c2'] }, ['x']],
    ['not what was bound for one that is not lower and serves nobody while Pods run on it (D32)', { machines: [bound('x', 100)], needs: [need()], reported: ['c2'], hints: { c2: [hint('x')] } }, []],
    ['not that either if nobody says what its Pods cost', { machines: [bound('x', 100)], needs: [need()], reported: ['c2'], hints: { c2: [hint('x', { disruptionCost: 0 })] } }, []],
    ['it if it runs no Pod, whatever is said of the cost', { machines: [bound('x', 100)], needs: [need()], reported: ['c2'], hints: { c2: [hint('x', { pods: 0 })] } }, ['x']],
    ['what was bound for a lower one and serves nobody, though Pods run on it (D32)', { machines: [bound('x', 99)], needs: [need()], reported: ['c2'], hints: { c2: [hint('x')] } }, ['x']],
    [
      'who ranks below, though somebody before found nobody: it was of their own cluster',
      { machines: [bound('x', 10), bound('y', 10, { zone: 'zb' })], needs: [low(200, 2, { requirements: [sameZone()], group: 'g' }), need({ requirements: [sameZone()], group: 'h' }), low(10)] },
      ['y'],
    ],
    [
      'who ranks below, though somebody before who accepts the same machines lacked something else',
      { machines: [bound('x', 10), machine('i', 'Idle')], needs: [need({ cluster: 'c3', priority: 200, aggregate: amounts({ cpu: 1, gpu: 1 }) }), need(), low(10)] },
      ['x'],
    ],
    ['what was bound for an equal and is all that an incomplete gang of a lower one has, though Pods run on it (X3)', { machines: [bound('x', 100)], needs: [need(), low(50, 2, { group: 'g', requirements: [sameZone()] })], hints: { c2: [hint('x')] } }, ['x']],
    ['not that if the gang is of an equal', { machines: [bound('x', 100)], needs: [need(), low(100, 2, { group: 'g', requirements: [sameZone()] })], hints: { c2: [hint('x')] } }, []],
    [
      'not that if a gang that had its turn before has it, though one of a lower one would keep it',
      { machines: [bound('x', 100)], needs: [need(), low(200, 2, { group: 'g', requirements: [sameZone()] }), low(50, 2, { group: 'h', requirements: [sameZone()] })], hints: { c2: [hint('x')] } },
      [],
    ],
    [
      'what a gang of a higher one leaves behind that was foreseen to keep it, and is whole elsewhere in its turn',
      {
        machines: [bound('x', 5), ...['i', 'j'].map((id) => machine(id, 'Idle', { zone: 'zb', instanceType: 't2' }))],
        needs: [
          need({ cluster: 'c3', priority: 1000, minUnit: amounts({ cpu: 4 }), aggregate: amounts({ cpu: 4 }) }),
          low(500, 2, { group: 'g', requirements: [sameZone()] }),
          need({ requirements: [typeIn('t1')] }),
        ],
      },
      ['x'],
    ],
    ['not what an incomplete gang of a higher one has, though it was bound for a lower one (X3)', { machines: [bound('x', 5)], needs: [need(), low(1000, 2, { group: 'g', requirements: [sameZone()] })] }, []],
    ['not that while Pods run on it either', { machines: [bound('x', 5)], needs: [need(), low(1000, 2, { group: 'g', requirements: [sameZone()] })], hints: { c2: [hint('x')] } }, []],
    ['not what such a gang has of which nobody knows the purpose', { machines: [bound('x', undefined)], needs: [need(), low(1000, 2, { group: 'g', requirements: [sameZone()] })] }, []],
    ['not what such a gang has of what was bound for a higher one, while a Need of an equal is to come that it serves', { machines: [bound('x', 500)], needs: [need(), low(50, 2, { group: 'g', requirements: [sameZone()] }), low(100)], hints: { c2: [hint('x')] } }, []],
    ['what nobody knows the purpose of', { machines: [bound('x', undefined)], needs: [need(), low(50)] }, ['x']],
    ['not what nobody knows the purpose of if it serves a higher one', { machines: [bound('x', undefined)], needs: [need(), low(500)] }, []],
    ['never its own cluster', { machines: [machine('x', 'Configured', { assigned: assignmentOf(need({ priority: 5 })) })], needs: [need({ units: 2 }), need({ priority: 5 })] }, []],
    ['not a cluster that has not reported', { machines: [bound('x', 50)], needs: [need()], unreported: ['c2'], sessions: ['c1', 'c2'] }, []],
    ['not a cluster without a session', { machines: [bound('x', 50)], needs: [need(), low(50)], sessions: ['c1'] }, []],
    ['not a cluster that has not reported, though another one gives up some', { machines: [bound('x', 5), other], needs: [need({ units: 2 })], unreported: ['c2'], reported: ['c3'], sessions: ['c1', 'c2', 'c3'] }, ['y']],
    ['not a cluster without a session, though another one gives up some', { machines: [bound('x', 5), other], needs: [need({ units: 2 })], reported: ['c2', 'c3'], sessions: ['c1', 'c3'] }, ['y']],
    ['nobody while supply is not trusted', { machines: [bound('x', 50)], needs: [need(), low(50)], supplyTrusted: false }, []],
    ['nobody without a session of its own', { machines: [bound('x', 50)], needs: [need(), low(50)], sessions: ['c2'] }, []],
    ['not what must not be disrupted', { machines: [bound('x', 50), bound('y', 50)], needs: [need({ units: 2 }), low(50, 2)], hints: { c2: [hint('x', { doNotDisrupt: true })] } }, ['y']],
    ['not what its provider has just refused to drain', { machines: [bound('x', 50, { drainRefused: true }), bound('y', 50)], needs: [need({ units: 2 }), low(50, 2)] }, ['y']],
    ['not what is of a provider that is not to be relied on', { machines: [bound('x', 50, { untrusted: true }), bound('y', 50)], needs: [need({ units: 2 }), low(50, 2)] }, ['y']],
    ['not what a person holds', { machines: [bound('x', 50, { hold: true }), bound('y', 50)], needs: [need({ units: 2 }), low(50, 2)] }, ['y']],
    ['not what is stuck', { machines: [bound('x', 50, { stuck: true }), bound('y', 50)], needs: [need({ units: 2 }), low(50, 2)] }, ['y']],
    ['not what is being configured', { machines: [{ ...bound('x', 50), state: 'Configuring' }, bound('y', 50)], needs: [need({ units: 2 }), low(50, 2)] }, ['y']],
    ['not what was only decided for a lower one', { machines: [machine('x', 'Idle', { intent: bindTo(low(50)) })], needs: [need(), low(50)] }, []],
    ['not what does not match', { machines: [bound('x', 50, { instanceType: 't9' }), bound('y', 50)], needs: [need({ units: 2, requirements: [typeIn('t1')] }), low(50, 2)] }, ['y']],
    ['not what does not cover the smallest unit', { machines: [bound('x', 50), bound('y', 50, { allocatable: amounts({ cpu: 2 }) })], needs: [need({ units: 4, minUnit: amounts({ cpu: 2 }) }), low(50, 3)] }, ['y']],
    ['not what adds nothing to what lacks (X20)', { machines: [bound('x', 50), bound('y', 50, { allocatable: amounts({ cpu: 1, gpu: 1 }) })], needs: [need({ aggregate: amounts({ gpu: 1 }) }), low(50, 2)] }, ['y']],
    ['no more than adds to what lacks, though something else lacks that nobody has (X20)', { machines: [bound('x', 50), bound('y', 50)], needs: [need({ aggregate: amounts({ cpu: 1, gpu: 1 }) }), low(50, 2)] }, ['x']],
    ['machines of one kind from two who rank alike', { machines: [bound('x', undefined), bound('y', undefined)], needs: [need({ units: 2 }), low(50, 1, { group: 'g' }), low(50, 1, { group: 'h' })] }, ['x', 'y']],
    ['nobody while something free will do', { machines: [bound('x', 50), machine('i', 'Speculative', { priceMicroUsdPerHour: 900 * DOLLAR })], needs: [need(), low(50)] }, []],
    ['as many as lack and no more', { machines: ['x', 'y', 'z'].map((id) => bound(id, 50)), needs: [need({ units: 2 }), low(50, 3)] }, ['x', 'y']],
    ['whoever there is, if they are not enough', { machines: [bound('x', 50), bound('y', 50)], needs: [need({ units: 5 }), low(50, 2)] }, ['x', 'y']],
    ['one victim is nobody else\'s victim', { machines: [bound('x', 50)], needs: [need({ priority: 200 }), need({ cluster: 'c3' }), low(50)] }, ['x']],
  ])('%s', (_, spec, expected) => {
    expect(idsOf(plan(spec), 'Preempt')).toEqual(expected);
  });

  it('who ranks below, though its own cluster serves a still lower one in another place', () => {
    const gang = need({ units: 2, group: 'g', requirements: [sameZone()] });
    const searches = need({ cluster: 'c3', priority: 1000, aggregate: amounts({ gpu: 1 }) });
    const machines = [machine('own-a', 'Configured'), machine('own-b', 'Configured', { zone: 'zb' }), bound('x', 50)];
    expect(idsOf(plan({ machines, needs: [searches, gang, need({ priority: 5 }), low(50)] }), 'Preempt')).toEqual(['x', 'own-b']); // who loses x takes from the lowest
  });

  it('not what a gang has become whole with, though it was foreseen to be incomplete and nobody to need it', () => {
    const gang = low(500, 2, { requirements: [sameZone()], group: 'g' });
    const before = need({ cluster: 'c3', priority: 1000, aggregate: amounts({ gpu: 1 }) });
    const result = plan({ machines: [bound('x', 5), machine('i', 'Idle', { instanceType: 't2' })], needs: [before, gang, need({ requirements: [typeIn('t1')] })] });
    expect(actionsOf(result)).toEqual(['Bootstrap i c2']);
  });

  it('not first what a gang will be whole with, because a Need before it turned out to do without the rest', () => {
    const searches = need({ cluster: 'c3', priority: 1000, aggregate: amounts({ gpu: 1 }) });
    const rich = low(500, 1, { requirements: [typeIn('t2')] });
    const gang = low(400, 2, { requirements: [sameZone(), typeIn('t1', 't2', 't4')], group: 'g' });
    const machines = [
      bound('x', 5, { instanceType: 't1', zone: 'zb' }), bound('p', 500, { instanceType: 't2', zone: 'zc' }), bound('y', 50, { instanceType: 't3' }),
      machine('s', 'Creating', { instanceType: 't2', zone: 'zb', intent: bindTo(rich) }),
      // Where the gang would be, were it not whole: then nobody would need x.
      bound('w', 5, { instanceType: 't4', zone: 'zd', allocatable: amounts({ cpu: 1.5 }), priceMicroUsdPerHour: DOLLAR }),
    ];
    const result = plan({ machines, needs: [searches, rich, need({ priority: 450, requirements: [typeIn('t1', 't3')] }), gang, low(50, 1, { requirements: [typeIn('t3')] })] });
    expect(actionsOf(result)).toEqual(['Preempt y c2', 'Reclaim w c2']);
  });

  it('goes down the ladder: what it takes from one, that one takes from the next', () => {
    const machines = [bound('x', 50), machine('y', 'Configured', { cluster: 'c3', assigned: assignmentOf(need({ cluster: 'c3', priority: 5 })), zone: 'zb' })];
    const only = (zone: string) => ({ requirements: [{ key: 'topology.kubernetes.io/zone', operator: 'In' as const, values: [zone] }] });
    const result = plan({ machines, needs: [need(only('za')), low(50), need({ cluster: 'c3', priority: 5 })] });
    expect(actionsOf(result)).toEqual(['Preempt x c2', 'Preempt y c3']);
    expect(result.verdicts.map((v) => v.reason)).toEqual(['PREEMPTION_IN_PROGRESS', 'PREEMPTION_IN_PROGRESS', 'PRIORITY_STARVED']);
  });
});

describe('which machine is taken', () => {
  it.each<[string, WorldSpec, string[]]>([
    ['that of the lowest first', { machines: [bound('x', 60), bound('y', 50)], needs: [need(), low(60), low(50)] }, ['y']],
    ['what nobody needs before everything else', { machines: [bound('x', 5), bound('y', 60)], needs: [need(), low(60, 1, { requirements: [typeIn('t1')] })] }, ['y']],
    ['what nobody needs, whatever it was bound for, and it is not reclaimed as well', { machines: [bound('x', 2000), bound('y', 60, { instanceType: 't2' })], needs: [need(), low(60, 1, { requirements: [typeIn('t2')] })] }, ['x']],
    ['that of the lowest, whatever it was bound for', { machines: [bound('x', 5, { instanceType: 't2' }), bound('y', 90)], needs: [need(), low(60, 1, { requirements: [typeIn('t2')] }), low(50)] }, ['y']],
    ['then the cheapest to interrupt', { machines: [bound('x', 50, { instanceType: 't2' }), bound('y', 50)], needs: [need(), low(50, 1, { requirements: [typeIn('t2')], interruptionBucket: 9 }), low(50)] }, ['y']],
    ['then the cheapest to reclaim', { machines: [bound('x', 50, { instanceType: 't2' }), bound('y', 50)], needs: [need(), low(50, 1, { requirements: [typeIn('t2')], reclamationBucket: 9 }), low(50)] }, ['y']],
    ['of what nobody needs that which was bound for the lowest', { machines: [bound('x', 60), bound('y', 50)], needs: [need()], reported: ['c2'] }, ['y']],
    ['then the smallest id', { machines: [bound('y', 50, { zone: 'zb' }), bound('x', 50)], needs: [need(), low(50, 2)] }, ['x']],
  ])('%s', (_, spec, expected) => {
    expect(idsOf(plan(spec), 'Preempt')).toEqual(expected);
  });

  it('may be one that the rails or a patience keep from being reclaimed, and it is not reclaimed as well (X24)', () => {
    const machines = ['x', 'y', 'z'].map((id) => bound(id, 50));
    const hints = { c2: machines.map(({ id }) => hint(id, { disruptionCost: 0 })) };
    const busy = plan({ machines, needs: [need()], reported: ['c2'], hints });
    expect(actionsOf(busy)).toEqual(['Preempt x c2']);
    expect(codesOf(busy)).toEqual({ x: 'Preempted', y: 'ExcessWithinPatience', z: 'ExcessWithinPatience' });
    const idle = plan({ machines, needs: [need()], reported: ['c2'] });
    expect(actionsOf(idle)).toEqual(['Preempt x c2', 'Reclaim y c2', 'Reclaim z c2']);
  });

  it('keeps to no rail but is counted as a drain by them', () => {
    const machines = ['v', 'w', 'x', 'y', 'z'].map((id) => bound(id, 50));
    const rails = policy({ reclaimCapFraction: 0.01, maxConcurrentDrainsPerCluster: 2, maxReclaimsPerMinute: 1 });
    const before = world({ machines, needs: [need({ units: 3 })], reported: ['c2'], policy: rails });
    const first = planOnce(before, T0);
    expect(idsOf(first, 'Preempt')).toEqual(['v', 'w', 'x']);
    expect(codesOf(planOnce(committed(before, { ...first, actions: first.actions.filter((a) => a.kind === 'Preempt'), memory: first.memory.filter((m) => m.what !== 'reclaims') }), T0)))
      .toMatchObject({ y: 'ExcessCapped', z: 'ExcessCapped' });
  });

  it.each<[string, number, Parameters<typeof victimScore>[1], number]>([
    ['the gap counts most', 100, { priority: 40, interruptionBucket: 27, reclamationBucket: 27 }, 60],
    ['there is no gap upwards', 100, { priority: 500, interruptionBucket: 27, reclamationBucket: 27 }, 0],
    ['no penalty is as good as a cent', 100, { priority: 100, interruptionBucket: 0, reclamationBucket: 27 }, 10],
    ['each for itself', 100, { priority: 100, interruptionBucket: 0, reclamationBucket: 0 }, 20],
  ])('scores: %s', (_, preemptor, victim, expected) => {
    expect(victimScore(preemptor, victim)).toBeCloseTo(expected + 0.1 / 30, 9);
  });
});

describe('the grace of what is taken', () => {
  it.each<[number, number]>([
    [1, 600], [100_000, 600], [100_001, 120], [500_000, 120], [500_001, 30], [900_000, 30], [900_001, 10], [4_294_967_295, 10],
  ])('is, for a gap of %i, %i s', (gap, expected) => {
    expect(graceSeconds(gap, 0, [10, 30, 120, 600])).toBe(expected);
    const top = 2 ** 31 - 1;
    expect(graceSeconds(top, top - gap, [10, 30, 120, 600])).toBe(expected); // 64-bit arithmetic (X7)
  });

  it.each<[string, number | undefined, number]>([
    ['that', 10, 120], ['nothing shorter, if that ranks above', 2_000_000, 600], ['the shortest, if nobody knows', undefined, 10],
  ])('follows, where nobody needs the machine any more, from what it was bound for, which may still run there: %s', (_, stamp, grace) => {
    const [action] = plan({ machines: [bound('x', stamp)], needs: [need({ priority: 400_000 })], reported: ['c2'] }).actions;
    expect(action).toMatchObject({ kind: 'Preempt', graceSeconds: grace, reason: { code: 'Preempted', priority: 400_000 } });
    expect(action?.reason).not.toHaveProperty('victimPriority');
  });

  it('follows from what the machine serves, which may be more than what it was bound for', () => {
    const result = plan({ machines: [bound('x', 5)], needs: [need({ priority: 600_000 }), low(400_000)] });
    expect(result.actions).toEqual([
      {
        kind: 'Preempt', machineId: 'x', cluster: 'c2', graceSeconds: 120, preemptorPriority: 600_000,
        reason: { code: 'Preempted', cluster: 'c2', victimPriority: 400_000, forCluster: 'c1', fingerprint: need({ priority: 600_000 }).fingerprint, priority: 600_000 },
      },
    ]);
  });
});

describe('what is said of it', () => {
  const taking: WorldSpec = { machines: [bound('x', 50), machine('i', 'Idle')], needs: [need({ units: 2 }), low(50)] };

  it('the preemptor lacks what has not arrived, and reads how much is on its way', () => {
    const [verdict] = plan(taking).verdicts;
    expect(verdict).toMatchObject({
      satisfied: false, reason: 'PREEMPTION_IN_PROGRESS', machines: 1, deficit: [['cpu', 1000]], preemption: { victims: 1, freed: [['cpu', 1000]] },
    });
  });

  it('the machine is reserved for it', () => {
    expect(plan(taking).memory).toContainEqual({ what: 'reservation', key: 'x', to: assignmentOf(need({ units: 2 })) });
  });

  it('the victim\'s Need lacks it from then on, and may acquire anew', () => {
    const result = plan({ ...taking, machines: [bound('x', 50), machine('s', 'Speculative', { instanceType: 't2' })], needs: [need({ requirements: [typeIn('t1')] }), low(50)] });
    expect(actionsOf(result)).toEqual(['Provision s c2', 'Preempt x c2']);
    expect(plan(taking).verdicts[1]).toMatchObject({ satisfied: false, reason: 'PRIORITY_STARVED', machines: 0 });
  });
});

describe('a preemption that was not carried out', () => {
  it('leaves no trace once its preemptor asks no more', () => {
    const engine = createEngine(policy());
    for (const change of changesOf(world({ machines: [bound('x', 50), bound('y', 50)], needs: [need(), low(50, 2)] }))) engine.apply(change);
    expect(idsOf(engine.plan(T0), 'Preempt')).toEqual(['x']);
    engine.apply({ kind: 'needs', cluster: 'c1', needs: [] });
    expect(codesOf(engine.plan(T0))).toEqual({ x: 'Serving', y: 'Serving' });
  });
});

describe('the limit on purchases', () => {
  const full = policy({ limits: { machines: 1 } });

  it('does not stop a plain Need from taking what is paid for already', () => {
    const result = plan({ machines: [bound('x', 50), machine('s', 'Speculative')], needs: [need(), low(50)], policy: full });
    expect(actionsOf(result)).toEqual(['Preempt x c2']);
    expect(result.verdicts[0]?.reason).toBe('PREEMPTION_IN_PROGRESS');
  });

  it('is not spent by a preemption', () => {
    const result = plan({ machines: [bound('x', 50), machine('s', 'Speculative')], needs: [need({ units: 2 }), low(50)], policy: policy({ limits: { machines: 2 } }) });
    expect(actionsOf(result)).toEqual(['Provision s c1', 'Preempt x c2']);
  });

  it('reads as the reason of the victim', () => {
    const result = plan({ machines: [bound('x', 50), machine('s', 'Speculative', { instanceType: 't2' })], needs: [need({ requirements: [typeIn('t1')] }), low(50)], policy: full });
    expect(result.verdicts[1]?.reason).toBe('LIMIT_REACHED');
  });
});

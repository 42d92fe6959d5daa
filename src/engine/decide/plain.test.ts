import { describe, expect, it } from 'vitest';
import { planOnce } from '../engine.ts';
import { ZONE_KEY } from '../match.ts';
import { amounts, bindTo, DOLLAR, hint, machine, need, policy, requirement, T0, typeIn, world, zoneSpread } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import { actionsOf, codesOf, idsOf } from '../testing/summary.ts';

const plan = (spec: WorldSpec) => planOnce(world(spec), T0);

describe('acquisition', () => {
  it.each<[string, WorldSpec, string[]]>([
    ['idle machines precede speculative ones, whatever the price', {
      machines: [machine('s1', 'Speculative', { priceMicroUsdPerHour: DOLLAR }), machine('i1', 'Idle', { priceMicroUsdPerHour: 5 * DOLLAR })],
      needs: [need()],
    }, ['Bootstrap i1 c1']],
    ['idle machines go by price, then by id', {
      machines: [machine('b', 'Idle', { priceMicroUsdPerHour: 2 }), machine('a', 'Idle', { priceMicroUsdPerHour: 2, zone: 'zb' }), machine('c', 'Idle', { priceMicroUsdPerHour: 1 })],
      needs: [need({ units: 2 })],
    }, ['Bootstrap c c1', 'Bootstrap a c1']],
    ['what idle machines do not cover is bought', {
      machines: [machine('s1', 'Speculative'), machine('i1', 'Idle')],
      needs: [need({ units: 2 })],
    }, ['Bootstrap i1 c1', 'Provision s1 c1']],
    ['a machine must cover the smallest unit on its own', {
      machines: [...['1', '2', '3'].map((n) => machine(`small${n}`, 'Idle', { allocatable: amounts({ cpu: 2 }) })), machine('big', 'Idle', { allocatable: amounts({ cpu: 8 }), priceMicroUsdPerHour: 9 * DOLLAR })],
      needs: [need({ units: 6, minUnit: amounts({ cpu: 4 }) })],
    }, ['Bootstrap big c1']],
    ['the scarcest dimension decides how many', {
      machines: ['a', 'b', 'c'].map((id) => machine(id, 'Idle', { allocatable: amounts({ cpu: 16, memory: 32 }) })),
      needs: [need({ aggregate: amounts({ cpu: 8, memory: 33 }), minUnit: amounts({ cpu: 1, memory: 4 }) })],
    }, ['Bootstrap a c1', 'Bootstrap b c1']],
    ['a machine that adds nothing to what lacks is not taken', {
      machines: [machine('cpu-only', 'Idle')],
      needs: [need({ aggregate: amounts({ 'nvidia.com/gpu': 8 }), minUnit: amounts({ cpu: 1 }) })],
    }, []],
    ['a demand of zero takes nothing', { machines: [machine('a', 'Idle')], needs: [need({ units: 0 })] }, []],
    ['machines that are held, stuck, leaving, failed or in transition for nobody are chosen for nothing', {
      machines: [
        machine('held', 'Idle', { hold: true }), machine('held-s', 'Speculative', { hold: true }), machine('stuck', 'Idle', { stuck: true }),
        machine('releasing', 'Idle', { intent: { kind: 'release' } }), machine('failed', 'Failed'), machine('creating', 'Creating'),
        machine('deleting', 'Deleting'), machine('draining', 'Draining'), machine('configuring', 'Configuring', { cluster: 'c2' }),
      ],
      needs: [need()],
    }, []],
    ['without a session a cluster gets nothing', { machines: [machine('a', 'Idle')], needs: [need()], sessions: [] }, []],
    ['a lower Need of a connected cluster may have what the unconnected one may not', {
      machines: [machine('a', 'Idle')], needs: [need({ priority: 500 }), need({ cluster: 'c2' })], sessions: ['c2'],
    }, ['Bootstrap a c2']],
  ])('%s', (_, spec, expected) => {
    expect(actionsOf(plan(spec))).toEqual(expected);
  });

  it('weighs interruptions at the upper bound of the penalty bucket', () => {
    const machines = [
      machine('risky', 'Speculative', { priceMicroUsdPerHour: DOLLAR, interruptionProbability: 0.5 }),
      machine('safe', 'Speculative', { priceMicroUsdPerHour: 3 * DOLLAR }),
    ];
    expect(actionsOf(plan({ machines, needs: [need({ interruptionBucket: 6 })] }))).toEqual(['Provision safe c1']); // $8: 5 vs 3
    expect(actionsOf(plan({ machines, needs: [need({ interruptionBucket: 4 })] }))).toEqual(['Provision risky c1']); // $2: 2 vs 3
  });

  it('takes the least risk first, then the price, when the penalty is pinned (D11)', () => {
    const machines = [
      machine('cheap-risk', 'Speculative', { priceMicroUsdPerHour: 1, interruptionProbability: 0.01 }),
      machine('a-dear', 'Speculative', { priceMicroUsdPerHour: 9 * DOLLAR, instanceType: 't2' }),
      machine('b-cheap', 'Speculative', { priceMicroUsdPerHour: DOLLAR }),
    ];
    expect(actionsOf(plan({ machines, needs: [need({ interruptionBucket: 27, units: 2 })] }))).toEqual(['Provision b-cheap c1', 'Provision a-dear c1']);
  });

  it('carries for whom, and what to send with the bootstrap', () => {
    const wanted = need({ priority: 7, interruptionBucket: 3, reclamationBucket: 4, group: 'g' });
    const [action] = plan({ machines: [machine('a', 'Idle', { priceMicroUsdPerHour: DOLLAR, interruptionProbability: 0.25 })], needs: [wanted] }).actions;
    expect(action).toMatchObject({
      kind: 'Bootstrap',
      to: { cluster: 'c1', fingerprint: wanted.fingerprint, group: 'g', priority: 7, interruptionBucket: 3, reclamationBucket: 4 },
      need: wanted,
      reason: { code: 'AcquiredIdle', priority: 7, effectiveMicroUsdPerHour: 1_250_000 },
    });
  });
});

describe('order of Needs', () => {
  const one = { machines: [machine('a', 'Idle')] };
  const fp = (n: ReturnType<typeof need>) => JSON.stringify([n.cluster, n.fingerprint, n.group]);
  const older = need({ cluster: 'c9' });

  it.each<[string, WorldSpec, string]>([
    ['priority comes first', { ...one, needs: [need({ cluster: 'c1' }), need({ cluster: 'c9', priority: 101 })] }, 'c9'],
    ['then the interruption bucket', { ...one, needs: [need({ cluster: 'c1', interruptionBucket: 3 }), need({ cluster: 'c9', interruptionBucket: 16 })] }, 'c9'],
    ['then the reclamation bucket', { ...one, needs: [need({ cluster: 'c1' }), need({ cluster: 'c9', reclamationBucket: 2 })] }, 'c9'],
    ['then age', { ...one, needs: [need({ cluster: 'c1' }), older], memory: [{ what: 'arrival', key: fp(older), at: T0 - 1 }] }, 'c9'],
    ['then the cluster', { ...one, needs: [need({ cluster: 'c9' }), need({ cluster: 'c1' })] }, 'c1'],
  ])('%s', (_, spec, winner) => {
    expect(actionsOf(plan(spec))).toEqual([`Bootstrap a ${winner}`]);
  });

  it('lets the larger unit of one profile choose first (D2)', () => {
    const small = need({ units: 1, minUnit: amounts({ cpu: 1 }) });
    const large = need({ units: 8, minUnit: amounts({ cpu: 8 }) });
    const machines = [machine('big', 'Idle', { allocatable: amounts({ cpu: 8 }) }), machine('small', 'Idle', { priceMicroUsdPerHour: DOLLAR })];
    const result = plan({ machines, needs: [small, large] });
    expect(result.verdicts.map((v) => [v.need.unitClass, v.satisfied])).toEqual([[large.unitClass, true], [small.unitClass, true]]);
  });

  it.each([[[3, 4]], [[4, 3]]])('asks of rows of equal identity for the larger unit, in whichever order they come: %j', (cpus) => {
    const rows = cpus.map((cpu) => need({ units: cpu, minUnit: amounts({ cpu }) }));
    expect(new Set(rows.map((row) => row.unitClass)).size).toBe(1);
    const machines = [machine('a', 'Idle', { allocatable: amounts({ cpu: 3 }) }), machine('b', 'Idle', { allocatable: amounts({ cpu: 4 }) })];
    expect(idsOf(plan({ machines, needs: rows }), 'Bootstrap')).toEqual(['b']);
  });

  it('sums rows of equal identity', () => {
    const result = plan({ machines: [machine('a', 'Idle'), machine('b', 'Idle'), machine('c', 'Idle')], needs: [need(), need()] });
    expect(actionsOf(result)).toEqual(['Bootstrap a c1', 'Bootstrap b c1']);
    expect(result.verdicts).toHaveLength(1);
  });
});

describe('credit', () => {
  it.each<[string, WorldSpec, Record<string, string>]>([
    ['configured and configuring machines of the cluster count', {
      machines: [machine('a', 'Configured'), machine('b', 'Configuring'), machine('i', 'Idle')], needs: [need({ units: 2 })],
    }, { a: 'Serving', b: 'InFlight', i: 'IdleKept' }],
    ['another cluster\'s machines do not', {
      machines: [machine('b', 'Configured', { cluster: 'c2' }), machine('i', 'Idle')], needs: [need(), need({ cluster: 'c2' })],
    }, { b: 'Serving', i: 'AcquiredIdle' }],
    ['configured ones come before configuring ones', {
      machines: [machine('a', 'Configuring'), machine('b', 'Configured', { priceMicroUsdPerHour: DOLLAR })], needs: [need()],
    }, { a: 'ExcessConfiguring', b: 'Serving' }],
    ['without hints the cheap are kept', {
      machines: [machine('a', 'Configured', { priceMicroUsdPerHour: 2 }), machine('b', 'Configured', { priceMicroUsdPerHour: 1 })], needs: [need()],
    }, { a: 'Excess', b: 'Serving' }],
    ['then those that are dear to reclaim', {
      machines: [machine('a', 'Configured'), machine('b', 'Configured', { assigned: { cluster: 'c1', fingerprint: 'x', group: '', priority: 1, interruptionBucket: 1, reclamationBucket: 9 } })], needs: [need()],
    }, { a: 'Excess', b: 'Serving' }],
    ['then by id', { machines: [machine('b', 'Configured'), machine('a', 'Configured')], needs: [need()] }, { a: 'Serving', b: 'Excess' }],
    ['with hints the busiest are kept, whatever their price (D13)', {
      machines: [machine('a', 'Configured'), machine('b', 'Configured', { priceMicroUsdPerHour: 9 }), machine('c', 'Configured')],
      needs: [need()], hints: { c1: [hint('b', { disruptionCost: 3 }), hint('c', { disruptionCost: 2, pods: 0 })] },
    }, { a: 'Excess', b: 'Serving', c: 'Excess' }],
    ['what must not be disrupted is kept before what is busy', {
      machines: [machine('a', 'Configured'), machine('b', 'Configured')],
      needs: [need()], hints: { c1: [hint('a', { disruptionCost: 99, pods: 0 }), hint('b', { doNotDisrupt: true })] },
    }, { a: 'Excess', b: 'Serving' }],
    ['hints of a cluster that does not own the machine are ignored', {
      machines: [machine('a', 'Configured'), machine('b', 'Configured')], needs: [need()], hints: { c2: [hint('b', { disruptionCost: 99 })] },
    }, { a: 'Serving', b: 'Excess' }],
    ['a machine that does not match is not credited', {
      machines: [machine('a', 'Configured', { instanceType: 't2' })], needs: [need({ requirements: [typeIn('t1')] })],
    }, { a: 'Excess' }],
    ['a machine that adds nothing to what lacks is not credited', {
      machines: [machine('a', 'Configured')], needs: [need({ aggregate: amounts({ 'nvidia.com/gpu': 8 }), minUnit: amounts({ cpu: 1 }) })],
    }, { a: 'Excess' }],
    ['an obsolete assignment does not prevent a match', {
      machines: [machine('a', 'Configured', { assigned: { cluster: 'c1', fingerprint: 'old', group: 'g', priority: 1, interruptionBucket: 1, reclamationBucket: 1 } })], needs: [need()],
    }, { a: 'Serving' }],
    ['what a person holds serves on, and is not bought a second time', {
      machines: [machine('a', 'Configured', { hold: true }), machine('b', 'Configuring', { hold: true }), machine('c', 'Idle'), machine('d', 'Configured', { hold: true, intent: { kind: 'unbind' } })],
      needs: [need({ units: 3 })],
    }, { a: 'Serving', b: 'InFlight', c: 'IdleKept', d: 'Serving' }],
    ['stuck and leaving machines count for nobody, nor does one that a person holds and that serves nobody', {
      machines: [machine('a', 'Idle', { hold: true }), machine('f', 'Configured', { hold: true, stuck: true }), machine('b', 'Configured', { stuck: true }), machine('c', 'Configured', { intent: { kind: 'unbind' } }), machine('d', 'Draining'), machine('e', 'Idle')],
      needs: [need({ units: 9 })],
    }, { a: 'HeldByPerson', f: 'HeldByPerson', b: 'Stuck', c: 'Leaving', d: 'Leaving', e: 'AcquiredIdle' }],
    ['machines of a provider that is not to be relied on serve on and come as was decided; free ones are chosen for nothing', {
      machines: [
        machine('a', 'Configured', { untrusted: true }), machine('b', 'Creating', { untrusted: true, intent: bindTo(need()) }), machine('c', 'Idle', { untrusted: true }),
        machine('d', 'Speculative', { untrusted: true }), machine('e', 'Speculative', { priceMicroUsdPerHour: 9 }), machine('f', 'Draining', { untrusted: true }),
      ],
      needs: [need({ units: 3 })],
    }, { a: 'Serving', b: 'InFlight', c: 'SupplyUntrusted', e: 'AcquiredSpeculative', f: 'Leaving' }],
    ['bound machines stay credited without a session (D14)', { machines: [machine('a', 'Configured')], needs: [need()], sessions: [] }, { a: 'Serving' }],
  ])('%s', (_, spec, expected) => {
    expect(codesOf(plan(spec))).toEqual(expected);
  });

  it('gives a machine to the higher Need of its cluster', () => {
    const result = plan({ machines: [machine('a', 'Configured', { allocatable: amounts({ cpu: 4 }) })], needs: [need({ units: 4 }), need({ units: 4, priority: 500 })] });
    expect(result.verdicts.map((v) => [v.need.profile.priority, v.satisfied])).toEqual([[500, true], [100, false]]);
    expect(result.verdicts[1]?.deficit).toEqual([['cpu', 4000]]);
  });
});

describe('bindings that are decided but not reality yet (D34)', () => {
  const wanted = need();

  it.each(['Creating', 'Idle', 'Speculative'] as const)('count from the decision on, in state %s', (state) => {
    const result = plan({ machines: [machine('a', state, { intent: bindTo(wanted) }), machine('i', 'Idle')], needs: [wanted] });
    expect(result.actions).toEqual([]);
    expect(result.verdicts[0]).toMatchObject({ satisfied: true, machines: 1, inFlight: 1, bootstraps: 0 });
    expect(result.machineReasons.get('a')?.code).toBe('InFlight');
  });

  it.each<[string, ReturnType<typeof need>]>([
    ['cluster', need({ cluster: 'c2' })],
    ['fingerprint', need({ priority: 7 })],
    ['group', need({ group: 'g' })],
  ])('count for no other %s', (_, other) => {
    const result = plan({ machines: [machine('a', 'Idle', { intent: bindTo(other) }), machine('i', 'Idle')], needs: [wanted], reported: ['c2'] });
    expect(actionsOf(result)).toEqual(['Bootstrap i c1', `Withdraw a ${other.cluster}`]);
  });

  it('come after what is bound', () => {
    const result = plan({ machines: [machine('a', 'Idle', { intent: bindTo(wanted) }), machine('b', 'Configured')], needs: [wanted] });
    expect(actionsOf(result)).toEqual(['Withdraw a c1']);
  });

  it('are credited in the order of how hard they are to undo', () => {
    const machines = [
      machine('a', 'Speculative', { intent: bindTo(wanted) }), machine('b', 'Creating', { intent: bindTo(wanted) }),
      machine('c', 'Idle', { intent: bindTo(wanted) }), machine('d', 'Idle', { intent: bindTo(wanted, true) }),
    ];
    expect(codesOf(plan({ machines, needs: [need({ units: 3 })] }))).toEqual({ a: 'NoLongerNeeded', b: 'InFlight', c: 'InFlight', d: 'InFlight' });
  });

  it('can be withdrawn only before Configure was sent, so those that cannot are credited first', () => {
    const machines = [machine('a', 'Idle', { intent: bindTo(wanted) }), machine('b', 'Idle', { intent: bindTo(wanted, true) })];
    expect(codesOf(plan({ machines, needs: [wanted] }))).toEqual({ a: 'NoLongerNeeded', b: 'InFlight' });
  });

  it('serve another Need of the cluster once the Need they were decided for does without', () => {
    // "early" was meant for `low`, became ready first and is credited to `high`: what was meant for `high` now serves `low`.
    const high = need({ priority: 500 });
    const low = need({ priority: 5 });
    const machines = [machine('early', 'Configured'), machine('late', 'Idle', { intent: bindTo(high) }), machine('free', 'Idle')];
    const result = plan({ machines, needs: [high, low] });
    expect(result.actions).toEqual([]);
    expect(result.machineReasons.get('late')).toMatchObject({ code: 'InFlight', priority: 5 });
  });

  it('serve no other Need while a row of their own has not had its turn', () => {
    const large = need({ units: 8, minUnit: amounts({ cpu: 8 }) });
    const small = need();
    const machines = [machine('x', 'Idle', { intent: bindTo(small) }), machine('big', 'Idle', { allocatable: amounts({ cpu: 8 }) })];
    expect(actionsOf(plan({ machines, needs: [large, small] }))).toEqual(['Bootstrap big c1']);
  });
});

describe('limits (D12)', () => {
  const bought = (id: string, price = DOLLAR) => machine(id, 'Speculative', { priceMicroUsdPerHour: price });

  it.each<[string, WorldSpec, string[]]>([
    ['stop purchases at a number of machines', { machines: [bought('a'), bought('b')], needs: [need({ units: 2 })], policy: policy({ limits: { machines: 1 } }) }, ['Provision a c1']],
    ['count what is there already', { machines: [bought('a'), machine('x', 'Configured')], needs: [need({ units: 2 })], policy: policy({ limits: { machines: 1 } }) }, []],
    ['count what is decided already', { machines: [bought('a'), machine('x', 'Speculative', { intent: bindTo(need()) })], needs: [need({ units: 2 })], policy: policy({ limits: { machines: 1 } }) }, []],
    ['count what failed as long as it has a host', { machines: [bought('a'), machine('x', 'Failed', { hasHost: true })], needs: [need()], policy: policy({ limits: { machines: 1 } }) }, []],
    ['count what it costs', { machines: [bought('a'), machine('x', 'Failed', { hasHost: true, priceMicroUsdPerHour: DOLLAR })], needs: [need()], policy: policy({ limits: { microUsdPerHour: 1.5 * DOLLAR } }) }, []],
    ['do not count what failed and is gone', { machines: [bought('a'), machine('x', 'Failed')], needs: [need()], policy: policy({ limits: { machines: 1 } }) }, ['Provision a c1']],
    ['pass over what costs more than all of it, though it ranks first', {
      machines: [machine('d', 'Speculative', { priceMicroUsdPerHour: 10 * DOLLAR }), machine('s', 'Speculative', { priceMicroUsdPerHour: 2 * DOLLAR, interruptionProbability: 0.3 })],
      needs: [need({ interruptionBucket: 27 })], policy: policy({ limits: { microUsdPerHour: 5 * DOLLAR } }),
    }, ['Provision s c1']],
    ['pass over it also where machines are spread', {
      machines: [machine('d', 'Speculative', { zone: 'za', priceMicroUsdPerHour: 10 * DOLLAR }), machine('s', 'Speculative', { zone: 'za', priceMicroUsdPerHour: 2 * DOLLAR, interruptionProbability: 0.3 })],
      needs: [need({ interruptionBucket: 27, spread: [zoneSpread(1)] })], policy: policy({ limits: { microUsdPerHour: 5 * DOLLAR } }),
    }, ['Provision s c1']],
    ['stop purchases at an amount of money', { machines: [bought('a'), bought('b')], needs: [need({ units: 2 })], policy: policy({ limits: { microUsdPerHour: 1.5 * DOLLAR } }) }, ['Provision a c1']],
    ['count the money that is decided already', { machines: [bought('a'), bought('x')].map((m, i) => (i === 0 ? m : { ...m, intent: bindTo(need({ units: 9 })) })), needs: [need({ units: 9 })], policy: policy({ limits: { microUsdPerHour: 1.5 * DOLLAR } }) }, []],
    ['stop what costs nothing as well once they are exceeded', { machines: [bought('a', 0), machine('x', 'Configured', { priceMicroUsdPerHour: 2 * DOLLAR })], needs: [need({ units: 2 })], policy: policy({ limits: { microUsdPerHour: DOLLAR } }) }, []],
    ['leave idle machines alone: they cost money already', { machines: [machine('i', 'Idle'), bought('a')], needs: [need({ units: 2 })], policy: policy({ limits: { machines: 1 } }) }, ['Bootstrap i c1']],
    ['serve the highest precedence first', { machines: [bought('a'), bought('b')], needs: [need(), need({ cluster: 'c2', priority: 500 })], policy: policy({ limits: { machines: 1 } }) }, ['Provision a c2']],
    ['do not let a lower Need eat the money a higher one waits for', {
      machines: [{ ...bought('dear', 5 * DOLLAR), zone: 'zb' }, bought('cheap'), machine('x', 'Failed', { hasHost: true, priceMicroUsdPerHour: DOLLAR })],
      needs: [need({ priority: 500, requirements: [requirement(ZONE_KEY, 'In', 'zb')] }), need({ requirements: [requirement(ZONE_KEY, 'In', 'za')] })],
      policy: policy({ limits: { microUsdPerHour: 5 * DOLLAR } }),
    }, []],
    ['keep no money for what costs more than all of it: no waiting affords that', {
      machines: [{ ...bought('dear', 5 * DOLLAR + 1), zone: 'zb' }, bought('cheap')],
      needs: [need({ priority: 500, requirements: [requirement(ZONE_KEY, 'In', 'zb')] }), need({ requirements: [requirement(ZONE_KEY, 'In', 'za')] })],
      policy: policy({ limits: { microUsdPerHour: 5 * DOLLAR } }),
    }, ['Provision cheap c1']],
    ['let a Need buy what fits where its first choice never does', {
      machines: [{ ...bought('dear', 2 * DOLLAR), capacityType: 'OnDemand' }, { ...bought('cheap'), capacityType: 'Spot', interruptionProbability: 0.9 }],
      needs: [need({ interruptionBucket: 3 })], policy: policy({ limits: { microUsdPerHour: 1.5 * DOLLAR } }),
    }, ['Provision cheap c1']],
  ])('%s', (_, spec, expected) => {
    const result = plan(spec);
    expect(actionsOf(result)).toEqual(expected);
    if (result.stats.unmet > 0) expect(result.verdicts.find((v) => !v.satisfied)?.reason).toBe('LIMIT_REACHED');
  });

  it('do not keep the money from lower Needs for one that gets elsewhere what it could not buy', () => {
    const high = need({ priority: 500, requirements: [requirement(ZONE_KEY, 'In', 'zb')] });
    const low = need({ cluster: 'c3', priority: 5, units: 2 });
    const victim = machine('victim', 'Configured', { cluster: 'c3', zone: 'zb' });
    const machines = [{ ...bought('dear', 5 * DOLLAR), zone: 'zb' }, bought('cheap'), victim, machine('x', 'Failed', { hasHost: true, priceMicroUsdPerHour: DOLLAR })];
    const limits = policy({ limits: { microUsdPerHour: 5 * DOLLAR } });
    expect(actionsOf(plan({ machines, needs: [high, need({ cluster: 'c2' }), low], policy: limits }))).toEqual(['Provision cheap c2', 'Preempt victim c3']);
    // It lacks one more: the money is kept for it.
    expect(actionsOf(plan({ machines, needs: [{ ...high, aggregate: amounts({ cpu: 2 }) }, need({ cluster: 'c2' }), low], policy: limits }))).toEqual(['Preempt victim c3']);
    // Whoever comes later does not open what was closed before.
    const after = need({ cluster: 'c2', priority: 400, requirements: [requirement(ZONE_KEY, 'In', 'zb')] });
    const lacking = need({ priority: 600, requirements: [requirement(ZONE_KEY, 'In', 'zc')] });
    expect(actionsOf(plan({ machines: [...machines, { ...bought('far', 5 * DOLLAR), zone: 'zc' }], needs: [lacking, after, low, need({ cluster: 'c2' })], policy: limits }))).toEqual(['Preempt victim c3']);
  });
});

import { describe, expect, it } from 'vitest';
import { formatResources } from '../../api/resource-vector.ts';
import { createEngine, planOnce } from '../engine.ts';
import { amounts, assignmentOf, bindTo, hint, machine, machinesChange, need, policy, sameZone, T0, typeIn, world, zoneSpread } from '../testing/builders.ts';
import type { NeedSpec, WorldSpec } from '../testing/builders.ts';
import type { Change, EngineMachine, MemoryChange, Need, UnmetReason } from '../types.ts';

const plan = (spec: WorldSpec) => planOnce(world(spec), T0);
const lacking = (spec: WorldSpec) => plan(spec).verdicts.find((v) => !v.satisfied);
const many = (n: number, state: 'Idle' | 'Speculative' = 'Idle') => Array.from({ length: n }, (_, i) => machine(`m${i}`, state));

describe('why a Need is unmet', () => {
  const higher = need({ cluster: 'c2', priority: 5000 });
  it.each<[string, EngineMachine]>([
    ['serves another cluster', machine('x', 'Configured', { cluster: 'c2', assigned: assignmentOf(higher) })],
    ['is being configured for it', machine('x', 'Configuring', { cluster: 'c2', assigned: assignmentOf(higher) })],
    ['is being created for it', machine('x', 'Creating', { intent: bindTo(higher) })],
    ['is decided for it', machine('x', 'Idle', { intent: bindTo(higher) })],
  ])('is priority where the only machine that matches %s', (_, only) => {
    expect(lacking({ machines: [only], needs: [need(), higher] })).toMatchObject({ need: need(), reason: 'PRIORITY_STARVED' });
  });

  it('is priority where the only machine that matches is on its way out to those who rank above', () => {
    const leaving = machine('x', 'Draining', { assigned: assignmentOf(need()) });
    const memory: MemoryChange[] = [{ what: 'reservation', key: 'x', to: assignmentOf(higher) }];
    const { verdicts } = plan({ machines: [leaving], needs: [need(), higher], memory });
    expect(verdicts.map(({ need: { cluster }, reason }) => [cluster, reason])).toEqual([['c2', 'PREEMPTION_IN_PROGRESS'], ['c1', 'PRIORITY_STARVED']]);
  });

  const foreign = (priority: number) => machine('x', 'Configured', { cluster: 'c2', assigned: assignmentOf(need({ cluster: 'c2', priority })) });
  const lower = need({ cluster: 'c2', priority: 50, units: 2 });
  /** Two machines of a lower one. */
  const takable: WorldSpec = { machines: [foreign(50), { ...foreign(50), id: 'y' }], needs: [need({ units: 2 }), lower] };
  const gang = (units: number) => need({ units, group: 'g', requirements: [sameZone()] });

  it.each<[UnmetReason, string, WorldSpec]>([
    ['NO_MATCHING_SUPPLY', 'there is no machine', { needs: [need()] }],
    ['NO_MATCHING_SUPPLY', 'no machine has the type', { machines: [machine('a', 'Idle')], needs: [need({ requirements: [typeIn('t9')] })] }],
    ['NO_MATCHING_SUPPLY', 'no machine is large enough', { machines: [machine('a', 'Idle')], needs: [need({ minUnit: amounts({ cpu: 2 }) })] }],
    ['NO_MATCHING_SUPPLY', 'all that match count for nobody', { machines: [machine('a', 'Idle', { hold: true }), machine('b', 'Failed'), machine('c', 'Idle', { stuck: true })], needs: [need()] }],
    ['SUPPLY_EXHAUSTED', 'all that match are its own already', { machines: many(2), needs: [need({ units: 3 })] }],
    ['SUPPLY_EXHAUSTED', 'equals hold all that match', { machines: many(1), needs: [need(), need({ cluster: 'c2' })] }],
    ['PREEMPTION_IN_PROGRESS', 'what matches is taken from a lower one', { machines: [foreign(50)], needs: [need(), need({ cluster: 'c2', priority: 50 })] }],
    ['PREEMPTION_EXHAUSTED', 'what can be taken from lower ones is not enough', { machines: [foreign(50)], needs: [need({ units: 2 }), need({ cluster: 'c2', priority: 50 })] }],
    ['DISRUPTION_BLOCKED', 'what could be taken must not be disrupted', { machines: [foreign(50)], needs: [need(), need({ cluster: 'c2', priority: 50 })], hints: { c2: [hint('x', { doNotDisrupt: true })] } }],
    ['DISRUPTION_BLOCKED', 'some of what could be taken is, and the rest must not be disrupted', { ...takable, hints: { c2: [hint('x', { doNotDisrupt: true })] } }],
    ['PREEMPTION_EXHAUSTED', 'what must not be disrupted would be of no use for what lacks', { ...takable, needs: [need({ aggregate: amounts({ cpu: 1, gpu: 1 }) }), lower], hints: { c2: [hint('x', { doNotDisrupt: true })] } }],
    ['DISRUPTION_BLOCKED', 'a gang would be whole if one machine might be disrupted', { ...takable, needs: [gang(2), lower], hints: { c2: [hint('x', { doNotDisrupt: true })] } }],
    ['TOPOLOGY_UNSATISFIABLE', 'a gang would not be whole even if all might be disrupted', { ...takable, needs: [gang(3), lower], hints: { c2: [hint('x', { doNotDisrupt: true })] } }],
    ['DISRUPTION_BLOCKED', 'lower ones of a cluster that is not connected hold all that match', { machines: [foreign(50)], needs: [need(), need({ cluster: 'c2', priority: 50 })], sessions: ['c1'] }],
    ['PRIORITY_STARVED', 'a higher one took what matches', { machines: many(1), needs: [need(), need({ cluster: 'c2', priority: 500 })] }],
    ['PRIORITY_STARVED', 'a higher penalty took what matches', { machines: many(1), needs: [need(), need({ cluster: 'c2', interruptionBucket: 9 })] }],
    ['PRIORITY_STARVED', 'a higher one of another cluster is served by what matches', { machines: [foreign(500)], needs: [need(), need({ cluster: 'c2', priority: 500 })] }],
    ['PRIORITY_STARVED', 'what matches is bound for a higher one that has not reported yet', { machines: [foreign(500)], needs: [need()], unreported: ['c2'] }],
    ['SUPPLY_EXHAUSTED', 'what matches is bound for a lower one that has not reported yet', { machines: [foreign(100)], needs: [need()], unreported: ['c2'] }],
    ['DISRUPTION_BLOCKED', 'what matches was bound for a higher one that is gone, and its cluster is not connected', { machines: [foreign(500)], needs: [need()], reported: ['c2'], sessions: ['c1'] }],
    ['DISRUPTION_BLOCKED', 'what matches serves a lower one that has not reported yet', { machines: [foreign(50)], needs: [need()], unreported: ['c2'] }],
    ['DISRUPTION_BLOCKED', 'what could be taken is of a fleet whose List is in doubt', { machines: [foreign(50)], needs: [need(), need({ cluster: 'c2', priority: 50 })], supplyTrusted: false }],
    ['DISRUPTION_BLOCKED', 'what could be taken is not ready yet', { machines: [{ ...foreign(50), state: 'Configuring' }], needs: [need(), need({ cluster: 'c2', priority: 50 })] }],
    ['DISRUPTION_BLOCKED', 'what nobody needs is of a cluster that is not connected', { machines: [foreign(50)], needs: [need()], reported: ['c2'], sessions: ['c1'] }],
    ['SUPPLY_EXHAUSTED', 'an equal of a cluster that is not connected holds all that match', { machines: [foreign(100)], needs: [need(), need({ cluster: 'c2' })], sessions: ['c1'] }],
    ['NO_SESSION', 'its cluster is not connected', { machines: many(1), needs: [need()], sessions: [] }],
    ['NO_SESSION', 'its cluster is not connected, even if nothing matched', { needs: [need()], sessions: [] }],
    ['LIMIT_REACHED', 'what can be taken is not enough, and the limit keeps it from buying as well', { machines: [foreign(50), ...many(1, 'Speculative')], needs: [need({ units: 3 }), need({ cluster: 'c2', priority: 50 })], policy: policy({ limits: { machines: 0 } }) }],
    ['LIMIT_REACHED', 'the limit is reached, though what could be taken must not be disrupted either', { machines: [foreign(50), ...many(1, 'Speculative')], needs: [need(), need({ cluster: 'c2', priority: 50 })], policy: policy({ limits: { machines: 0 } }), hints: { c2: [hint('x', { doNotDisrupt: true })] } }],
    ['SPREAD_UNSATISFIABLE', 'more would break the spread, though what could be taken elsewhere must not be disrupted', { machines: [...many(3), { ...foreign(50), zone: 'zb' }], needs: [need({ units: 3, spread: [zoneSpread(1)] }), need({ cluster: 'c2', priority: 50 })], hints: { c2: [hint('x', { doNotDisrupt: true })] } }],
    ['SPREAD_UNSATISFIABLE', 'more of what could be bought would break the spread', { machines: [...many(3, 'Speculative'), { ...foreign(500), zone: 'zb' }], needs: [need({ units: 3, spread: [zoneSpread(1)] }), need({ cluster: 'c2', priority: 500 })] }],
    ['LIMIT_REACHED', 'what the limit leaves too little for is where the spread wants it, and more elsewhere would break it', { machines: [machine('a', 'Speculative', { priceMicroUsdPerHour: 5 }), machine('b', 'Speculative', { priceMicroUsdPerHour: 5 }), machine('c', 'Speculative', { zone: 'zb', priceMicroUsdPerHour: 50 })], needs: [need({ units: 2, spread: [zoneSpread(1)] })], policy: policy({ limits: { microUsdPerHour: 20 } }) }],
    ['SPREAD_UNSATISFIABLE', 'more would break the spread, whatever the limit leaves', { machines: [machine('i', 'Idle'), machine('b', 'Configured', { cluster: 'c2', zone: 'zb', assigned: assignmentOf(need({ cluster: 'c2', priority: 500 })) }), machine('c', 'Speculative', { priceMicroUsdPerHour: 50 })], needs: [need({ units: 2, spread: [zoneSpread(1)] }), need({ cluster: 'c2', priority: 500 })], policy: policy({ limits: { microUsdPerHour: 20 } }) }],
    ['PRIORITY_STARVED', 'what the limit leaves too little for is in no place over which it might be spread', { machines: [{ ...foreign(500) }, machine('c', 'Speculative', { zone: '', priceMicroUsdPerHour: 50 })], needs: [need({ spread: [zoneSpread(1)] }), need({ cluster: 'c2', priority: 500 })], policy: policy({ limits: { microUsdPerHour: 20 } }) }],
    ['SPREAD_UNSATISFIABLE', 'what is free is in no place over which it might be spread', { machines: [machine('a', 'Idle', { zone: '' }), machine('b', 'Speculative', { zone: '' })], needs: [need({ spread: [zoneSpread(1)] })] }],
    ['SPREAD_UNSATISFIABLE', 'what could be taken is in no place over which it might be spread', { machines: [{ ...foreign(50), zone: '' }], needs: [need({ spread: [zoneSpread(1)] }), need({ cluster: 'c2', priority: 50 })] }],
    ['NO_MATCHING_SUPPLY', 'all that match are on their way out', { machines: [machine('a', 'Idle', { intent: { kind: 'release' } }), machine('c', 'Deleting')], needs: [need()] }],
    ['SUPPLY_EXHAUSTED', 'all that match are on their way to nobody, and a spread waits for nothing', { machines: [machine('a', 'Draining', { cluster: 'c2' })], needs: [need({ spread: [zoneSpread(1)] })], reported: ['c2'] }],
    ['SUPPLY_EXHAUSTED', 'what is on its way is all that matches, and too little', { machines: [machine('a', 'Draining', { cluster: 'c2' })], needs: [need({ units: 2 })], reported: ['c2'] }],
    ['LIMIT_REACHED', 'the limit is reached', { machines: many(1, 'Speculative'), needs: [need()], policy: policy({ limits: { machines: 0 } }) }],
  ])('%s: %s', (reason, _, spec) => {
    expect(lacking(spec)?.reason).toBe(reason);
  });

  it('is absent when it is not', () => {
    const [verdict] = plan({ machines: many(1), needs: [need()] }).verdicts;
    expect(verdict).toEqual({ need: need(), arrival: T0, satisfied: true, deficit: [['cpu', 0]], machines: 1, inFlight: 1, bootstraps: 1, provisions: 0 });
  });
});

describe('sums that are too large to be counted exactly', () => {
  const TB30 = 30e12;
  const disks = (units: number, over: NeedSpec = {}): Need => need({ aggregate: [['ephemeral-storage', units * TB30]], minUnit: [['ephemeral-storage', TB30]], ...over });
  const machines = many(400).map((one): EngineMachine => ({ ...one, allocatable: [['ephemeral-storage', TB30]] }));

  it('of what preemption frees are told', () => {
    const held = machines.map((one): EngineMachine => ({ ...one, state: 'Configured', cluster: 'c2', allocatable: [['cpu', 1000], ...one.allocatable], assigned: assignmentOf(disks(1, { cluster: 'c2', priority: 1 })) }));
    const wanted = need({ priority: 1000, aggregate: [['cpu', 400_000], ['ephemeral-storage', 1]], minUnit: [['ephemeral-storage', 1]] });
    const [verdict] = plan({ machines: held, needs: [wanted], reported: ['c2'] }).verdicts;
    expect(verdict?.preemption).toEqual({ victims: 400, freed: [['cpu', 400_000], ['ephemeral-storage', 12e15]] });
    expect(formatResources(verdict?.preemption?.freed ?? [])).toEqual(new Map([['cpu', '400'], ['ephemeral-storage', '11718750000000Ki']]));
  });

  it('of gangs that share machines take as many of them', () => {
    const gangs = machines.map((_, i) => disks(1, { group: `g${String(i)}`, requirements: [sameZone()] }));
    const served = plan({ machines, needs: gangs });
    expect(served.actions).toHaveLength(400);
    expect(served.stats.unmet).toBe(0);
    const bound = machines.map((one, i): EngineMachine => ({ ...one, state: 'Configured', cluster: 'c1', assigned: assignmentOf(gangs[i] as Need) }));
    expect(plan({ machines: bound, needs: gangs }).actions).toEqual([]);
  });
});

describe('a verdict', () => {
  it('counts what is served, on its way and newly decided', () => {
    const wanted = need({ units: 6 });
    const machines = [
      machine('a', 'Configured'), machine('b', 'Configuring'), machine('c', 'Creating', { intent: bindTo(wanted) }), machine('d', 'Idle'), machine('e', 'Speculative'),
    ];
    expect(plan({ machines, needs: [wanted] }).verdicts[0]).toMatchObject({ machines: 5, inFlight: 4, bootstraps: 1, provisions: 1, deficit: [['cpu', 1000]] });
  });

  it('counts anew the gangs that it is planned with when one more shares their machines', () => {
    const gangs = (...names: string[]): Change => ({ kind: 'needs', cluster: 'c1', needs: names.map((group) => need({ units: 2, group, requirements: [sameZone()] })) });
    const engine = createEngine(policy());
    for (const change of [machinesChange(machine('m', 'Configured', { allocatable: amounts({ cpu: 8 }) })), gangs('a', 'b')]) engine.apply(change);
    expect(engine.plan(T0).verdicts.map(({ sharedBy }) => sharedBy)).toEqual([2, 2]);
    engine.apply(gangs('a', 'b', 'c'));
    expect(engine.plan(T0).verdicts.map(({ sharedBy }) => sharedBy)).toEqual([3, 3, 3]);
  });

  it('counts matching supply whoever holds it or has just had it, up to 256', () => {
    const machines = [...many(300, 'Speculative'), machine('i', 'Idle', { intent: bindTo(need()) }), machine('c', 'Configured', { cluster: 'c2' }), machine('d', 'Draining', { cluster: 'c2' }), machine('r', 'Draining', { cluster: 'c2', intent: { kind: 'release' } }), machine('x', 'Configured', { cluster: 'c2', instanceType: 't9' })];
    const verdict = lacking({ machines, needs: [need({ units: 400, requirements: [typeIn('t1')] })], reported: ['c2'] });
    expect(verdict?.matchingSupply).toEqual({ idle: 1, speculative: 256, configured: 2, capped: true });
  });

  it('is not capped at exactly 256', () => {
    expect(lacking({ machines: many(256), needs: [need({ units: 400 })] })?.matchingSupply).toEqual({ idle: 256, speculative: 0, configured: 0, capped: false });
  });

  it('remembers when a demand was first seen, and forgets it when its cluster stops asking (D5)', () => {
    const key = JSON.stringify(['c1', need().fingerprint, '']);
    const first = plan({ needs: [need()] });
    expect(first.memory).toEqual([{ what: 'arrival', key, at: T0 }]);
    expect(planOnce(world({ needs: [need()], memory: first.memory }), T0 + 5).verdicts[0]?.arrival).toBe(T0);
    expect(planOnce(world({ memory: first.memory }), T0 + 5).memory).toEqual([{ what: 'arrival', key, at: null }]);
    expect(planOnce(world({ memory: first.memory, unreported: ['c1'] }), T0 + 5).memory).toEqual([]);
  });
});

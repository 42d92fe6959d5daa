import { describe, expect, it } from 'vitest';
import { createEngine, planOnce, changesOf } from '../engine.ts';
import { assignmentOf, bindTo, DOLLAR, hint, machine, MINUTE, need, policy, requirement, T0, world } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import { actionsOf, codesOf, idsOf } from '../testing/summary.ts';
import type { EngineMachine, MemoryChange, Millis, Policy } from '../types.ts';

const plan = (spec: WorldSpec, now = T0) => planOnce(world(spec), now);
const configured = (n: number, over: Partial<EngineMachine> = {}): EngineMachine[] =>
  Array.from({ length: n }, (_, i) => machine(`m${String(i).padStart(3, '0')}`, 'Configured', over));
const leftOver = (id: string, at: number): MemoryChange => ({ what: 'leftOverSince', key: id, at });

describe('reclaim', () => {
  it('takes what no Need is credited with, and nothing else', () => {
    const result = plan({ machines: configured(3), needs: [need({ units: 2 })] });
    expect(result.actions).toEqual([
      { kind: 'Reclaim', machineId: 'm002', cluster: 'c1', graceSeconds: 600, preemptorPriority: 0, reason: { code: 'Excess', cluster: 'c1', sinceMs: T0 } },
    ]);
  });

  it('takes everything when a cluster reports that it needs nothing', () => {
    expect(idsOf(plan({ machines: configured(4) }), 'Reclaim')).toHaveLength(4);
  });

  it('never takes what is configuring', () => {
    expect(codesOf(plan({ machines: [machine('a', 'Configuring')] }))).toEqual({ a: 'ExcessConfiguring' });
  });

  it.each<[string, WorldSpec, string]>([
    ['its cluster has not reported', { unreported: ['c1'] }, 'ExcessNoRollupYet'],
    ['its cluster has no session', { sessions: [] }, 'ExcessNoSession'],
    ['supply is not trusted', { supplyTrusted: false }, 'SupplyUntrusted'],
    ['supply is not trusted and its cluster has no session', { sessions: [], supplyTrusted: false }, 'SupplyUntrusted'],
    ['a Pod on it must not be disrupted', { hints: { c1: [hint('m000', { doNotDisrupt: true, pods: 0 })] } }, 'ExcessDoNotDisrupt'],
    ['a person holds it', { machines: configured(1).map((m) => ({ ...m, hold: true })) }, 'HeldByPerson'],
    ['its provider has just refused to drain it', { machines: configured(1).map((m) => ({ ...m, drainRefused: true })) }, 'ExcessDrainRefused'],
    ['its provider is not to be relied on', { machines: configured(1).map((m) => ({ ...m, untrusted: true })) }, 'SupplyUntrusted'],
    ['it has been left over for less than the patience', { hints: { c1: [hint('m000')] } }, 'ExcessWithinPatience'],
  ])('keeps a machine while %s', (_, spec, code) => {
    const result = plan({ machines: configured(1), ...spec });
    expect(result.actions).toEqual([]);
    expect(codesOf(result)).toEqual({ m000: code });
  });

  it('decides cluster by cluster', () => {
    const machines = [machine('a', 'Configured'), machine('b', 'Configured', { cluster: 'c2' })];
    expect(idsOf(plan({ machines, unreported: ['c1'], reported: ['c2'] }), 'Reclaim')).toEqual(['b']);
  });

  it.each<[string, EngineMachine[], WorldSpec['hints'], string[]]>([
    ['the dearest first', [machine('a', 'Configured', { priceMicroUsdPerHour: 1 }), machine('b', 'Configured', { priceMicroUsdPerHour: 2 })], {}, ['b', 'a']],
    ['then the cheapest to reclaim', ['a', 'b'].map((id) => machine(id, 'Configured', { assigned: { cluster: 'c1', fingerprint: 'f', group: '', priority: 1, interruptionBucket: 1, reclamationBucket: id === 'a' ? 5 : 4 } })), {}, ['b', 'a']],
    ['then the cheapest to reclaim, by what was decided where its provider does not say for whom it is bound', [['a', 5], ['b', 4]].map(([id, bucket]) => machine(String(id), 'Configured', { intent: bindTo(need({ reclamationBucket: Number(bucket) }), true) })), {}, ['b', 'a']],
    ['then by id', [machine('b', 'Configured'), machine('a', 'Configured')], {}, ['a', 'b']],
    ['of two hints about one machine the more cautious one', [machine('a', 'Configured'), machine('b', 'Configured')], { c1: [hint('a', { disruptionCost: 5 }), hint('a', { pods: 0, disruptionCost: 0 }), hint('b', { disruptionCost: 3 })] }, ['b', 'a']],
    ['what is cheapest to disturb before everything else', [machine('a', 'Configured', { priceMicroUsdPerHour: 9 }), machine('b', 'Configured')], { c1: [hint('a')] }, ['b', 'a']],
    ['what is empty first, though its operator says nothing of what Pods cost (B53)', ['a', 'b'].map((id) => machine(id, 'Configured')), { c1: [hint('a', { pods: 3, disruptionCost: 0 }), hint('b', { pods: 0, disruptionCost: 7 })] }, ['b', 'a']],
  ])('takes %s', (_, machines, hints, expected) => {
    expect(idsOf(plan({ machines, ...(hints && { hints }), policy: policy({ holds: { onDemandMs: 0, spotMs: 0, occupiedExcessMs: 0 } }) }), 'Reclaim')).toEqual(expected);
  });

  it('never takes a machine that a lacking Need is credited with', () => {
    const result = plan({ machines: configured(2), needs: [need({ units: 5 })], policy: policy() });
    expect(result.actions).toEqual([]);
    expect(result.verdicts[0]?.satisfied).toBe(false);
  });
});

describe('patience with occupied machines (D32)', () => {
  const spec: WorldSpec = { machines: configured(1), hints: { c1: [hint('m000', { pods: 2 })] } };

  it('starts its clock when the machine is first left over, and wakes when it ends', () => {
    const result = plan(spec);
    expect(result.memory).toContainEqual(leftOver('m000', T0));
    expect(result.wakeAt).toBe(T0 + 5 * MINUTE);
    expect(result.machineReasons.get('m000')).toEqual({ code: 'ExcessWithinPatience', cluster: 'c1', sinceMs: T0, untilMs: T0 + 5 * MINUTE, pods: 2 });
  });

  it.each<[string, number, string[]]>([
    ['a millisecond before the end nothing is taken', 5 * MINUTE - 1, []],
    ['at the end it is', 5 * MINUTE, ['m000']],
  ])('%s', (_, waited, expected) => {
    expect(idsOf(plan({ ...spec, memory: [leftOver('m000', T0)] }, T0 + waited), 'Reclaim')).toEqual(expected);
  });

  it('begins anew after the machine was needed in between', () => {
    const engine = createEngine(policy());
    for (const change of changesOf(world(spec))) engine.apply(change);
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    engine.apply({ kind: 'needs', cluster: 'c1', needs: [need()] });
    const needed = engine.plan(T0 + MINUTE);
    expect(needed.memory).toContainEqual({ what: 'leftOverSince', key: 'm000', at: null });
    engine.apply({ kind: 'memory', changes: needed.memory });
    engine.apply({ kind: 'needs', cluster: 'c1', needs: [] });
    engine.apply({ kind: 'memory', changes: engine.plan(T0 + 2 * MINUTE).memory });
    expect(engine.plan(T0 + 6 * MINUTE).actions).toEqual([]);
    expect(idsOf(engine.plan(T0 + 7 * MINUTE), 'Reclaim')).toEqual(['m000']);
  });

  it('begins anew after the cluster was away: silence is no time left over', () => {
    const away = plan({ ...spec, memory: [leftOver('m000', T0)], sessions: [] }, T0 + 4 * MINUTE);
    expect(away.memory).toContainEqual({ what: 'leftOverSince', key: 'm000', at: null });
    expect(away.machineReasons.get('m000')).toEqual({ code: 'ExcessNoSession', cluster: 'c1' });
  });

  it('does not run while the cluster has not reported', () => {
    expect(plan({ ...spec, unreported: ['c1'] }).memory.filter((m) => m.what === 'leftOverSince')).toEqual([]);
  });

  it.each<[string, WorldSpec]>([
    ['supply is not trusted', { supplyTrusted: false }],
    ['a person holds the machine', { machines: configured(1, { hold: true }) }],
  ])('runs while %s: nobody needs the machine then either', (_, over) => {
    expect(plan({ ...spec, ...over }).memory).toContainEqual(leftOver('m000', T0));
    expect(plan({ ...spec, ...over, memory: [leftOver('m000', T0)] }, T0 + MINUTE).memory.filter((m) => m.what === 'leftOverSince')).toEqual([]);
  });

  it('ends with a reason that says since when nobody has needed the machine', () => {
    const [action] = plan({ ...spec, memory: [leftOver('m000', T0)] }, T0 + 5 * MINUTE).actions;
    expect(action?.reason).toEqual({ code: 'Excess', cluster: 'c1', sinceMs: T0 });
  });

  it.each<[string, WorldSpec['hints']]>([
    ['an empty machine', { c1: [hint('m000', { pods: 0 })] }],
    ['a machine without a hint', { c1: [] }],
    ['a machine whose cluster sends no hints', { c1: null }],
  ])('is not had with %s', (_, hints) => {
    expect(idsOf(plan({ machines: configured(1), ...(hints && { hints }) }), 'Reclaim')).toEqual(['m000']);
  });

  it('uses up none of the share that one plan may take', () => {
    const hints = { c1: [hint('m000'), hint('m001'), hint('m002', { pods: 0, disruptionCost: 50 })] };
    const result = plan({ machines: configured(3), hints, policy: policy({ reclaimCapFraction: 0.01 }) });
    expect(idsOf(result, 'Reclaim')).toEqual(['m002']);
  });
});

describe('rails', () => {
  const taken = (n: number, over: Partial<Policy>, extra: Partial<WorldSpec> = {}, now = T0): number =>
    idsOf(plan({ machines: configured(n), policy: policy(over), ...extra }, now), 'Reclaim').length;

  it.each([
    [100, 0.05, 5],
    [5, 0.05, 1],
    [39, 0.05, 1],
    [40, 0.05, 2],
    [100, 0.29, 29],
    [50, 0.57, 28],
    [100, 0, 100],
  ])('of %i machines a fraction of %d lets %i go per plan', (n, fraction, expected) => {
    expect(taken(n, { reclaimCapFraction: fraction })).toBe(expected);
  });

  it('counts the share of each cluster on its own, over all its configured machines', () => {
    const machines = [...configured(40), ...configured(20, { cluster: 'c2' }).map((m) => ({ ...m, id: `x${m.id}` }))];
    const result = plan({ machines, needs: [need({ units: 30 })], reported: ['c2'], policy: policy({ reclaimCapFraction: 0.1 }) });
    expect(idsOf(result, 'Reclaim').filter((id) => id.startsWith('m'))).toHaveLength(4);
    expect(idsOf(result, 'Reclaim').filter((id) => id.startsWith('x'))).toHaveLength(2);
  });

  it.each(['unbind', 'release'] as const)('lets only so many machines of a cluster drain at a time, those among them that are told to %s', (kind) => {
    const draining = [machine('d1', 'Draining'), machine('d2', 'Configured', { intent: { kind } }), machine('d3', 'Draining', { cluster: 'c2' })];
    expect(taken(5, { maxConcurrentDrainsPerCluster: 3 }, { machines: [...configured(5), ...draining] })).toBe(1);
    expect(taken(5, { maxConcurrentDrainsPerCluster: 2 }, { machines: [...configured(5), ...draining] })).toBe(0);
  });

  describe('where the share is one of the time', () => {
    const capped = (fraction: number): Policy => policy({ reclaimCapFraction: fraction, reclaimCapMs: 10_000 });
    const before = (...at: Millis[]): MemoryChange[] => [{ what: 'reclaims', key: 'c1', at }];

    it.each<[string, number, number, Millis[], number]>([
      ['nothing was taken before', 100, 0.05, [], 5],
      ['the share was', 95, 0.05, Array.from({ length: 5 }, () => T0 - 9_999), 0],
      ['a part of it was', 98, 0.05, [T0 - 10, T0 - 1], 3],
      ['it was longer ago', 95, 0.05, Array.from({ length: 5 }, () => T0 - 10_000), 4],
      ['the one machine of a small cluster was', 4, 0.05, [T0 - 1], 0],
      ['half of the cluster was, and others came since: the share is one of all of them', 7, 0.5, Array.from({ length: 5 }, () => T0 - 1), 1],
      ['the whole of it may be, and was', 3, 1, Array.from({ length: 10 }, () => T0 - 1), 3],
    ])('what was taken before counts: %s', (_, machines, fraction, at, expected) => {
      const result = plan({ machines: configured(machines), policy: capped(fraction), memory: before(...at) });
      expect(idsOf(result, 'Reclaim')).toHaveLength(expected);
    });

    it.each([['told to leave', 'Configured'], ['draining', 'Draining']] as const)('counts what is %s once', (_, state) => {
      const leaving = Array.from({ length: 5 }, (__, i) => machine(`l${i}`, state, { intent: { kind: 'unbind' } }));
      const result = plan({ machines: [...configured(5), ...leaving], policy: capped(0.5), memory: before(...leaving.map(() => T0 - 1)) });
      expect(idsOf(result, 'Reclaim')).toEqual([]);
    });

    it('remembers what it takes and wakes when the first of it counts no longer', () => {
      const result = plan({ machines: configured(100), policy: capped(0.03), memory: before(T0 - 10_000, T0 - 4_000) });
      expect(result.memory).toContainEqual({ what: 'reclaims', key: 'c1', at: [T0 - 4_000, T0, T0] });
      expect([result.wakeAt, result.machineReasons.get('m099')]).toEqual([T0 + 6_000, { code: 'ExcessCapped', cluster: 'c1', rail: 'fraction' }]);
    });

    it('remembers nothing where there is no share', () => {
      expect(plan({ machines: configured(3), policy: policy({ reclaimCapFraction: 0, reclaimCapMs: 10_000 }) }).memory.filter(({ what }) => what === 'reclaims')).toEqual([]);
    });

    it('counts for the minute what the share counts no more', () => {
      const both = policy({ reclaimCapFraction: 0.5, reclaimCapMs: 10_000, maxReclaimsPerMinute: 3 });
      const result = plan({ machines: configured(10), policy: both, memory: before(T0 - 30_000, T0 - 20_000) });
      expect([idsOf(result, 'Reclaim').length, result.wakeAt]).toEqual([1, T0 + 30_000]);
    });

    it('forgets it only when it counts for nothing any more', () => {
      const long = policy({ reclaimCapFraction: 0.5, reclaimCapMs: 100_000 });
      expect(plan({ policy: long, memory: before(T0 - 99_999) }).memory).toEqual([]);
      expect(plan({ policy: long, memory: before(T0 - 100_000) }).memory).toEqual([{ what: 'reclaims', key: 'c1', at: null }]);
    });
  });

  it('lets only so many go per minute, remembers them and wakes when the minute is over', () => {
    const memory: MemoryChange[] = [{ what: 'reclaims', key: 'c1', at: [T0 - MINUTE, T0 - MINUTE + 1, T0 - 5] }];
    const result = plan({ machines: configured(5), policy: policy({ maxReclaimsPerMinute: 3 }), memory });
    expect(idsOf(result, 'Reclaim')).toEqual(['m000']);
    expect(result.memory).toContainEqual({ what: 'reclaims', key: 'c1', at: [T0 - MINUTE + 1, T0 - 5, T0] });
    expect(result.wakeAt).toBe(T0 + 1);
  });

  it('remembers nothing where nobody counts by the minute, and wakes for no minute that is not full', () => {
    expect(plan({ machines: configured(3) }).memory.filter(({ what }) => what === 'reclaims')).toEqual([]);
    const few = plan({ machines: configured(3), policy: policy({ maxReclaimsPerMinute: 5, reclaimCapFraction: 0.01 }) });
    expect([idsOf(few, 'Reclaim'), few.wakeAt]).toEqual([['m000'], undefined]);
  });

  it('forgets it also if nothing else has changed since the last plan', () => {
    const engine = createEngine(policy());
    engine.apply({ kind: 'memory', changes: [{ what: 'reclaims', key: 'c1', at: [T0] }] });
    expect(engine.plan(T0 + 1).memory).toEqual([]);
    expect(engine.plan(T0 + MINUTE).memory).toEqual([{ what: 'reclaims', key: 'c1', at: null }]);
  });

  it('forgets what was taken more than a minute ago', () => {
    const at = [T0 - MINUTE];
    expect(plan({ memory: [{ what: 'reclaims', key: 'c1', at }] }).memory).toEqual([{ what: 'reclaims', key: 'c1', at: null }]);
    expect(plan({ memory: [{ what: 'reclaims', key: 'c1', at: [T0 - MINUTE + 1] }] }).memory).toEqual([]);
    expect(plan({ memory: [{ what: 'reclaims', key: 'c1', at: [T0 - MINUTE, T0 - 1] }] }).memory).toEqual([]);
    const still = plan({ machines: configured(1), policy: policy({ maxReclaimsPerMinute: 1 }), memory: [{ what: 'reclaims', key: 'c1', at }] });
    expect(still.memory.filter((m) => m.what === 'reclaims')).toEqual([{ what: 'reclaims', key: 'c1', at: [T0] }]);
  });

  it.each<[string, Partial<Policy>]>([
    ['fraction', { reclaimCapFraction: 0.01 }],
    ['concurrentDrains', { maxConcurrentDrainsPerCluster: 1 }],
    ['perMinute', { maxReclaimsPerMinute: 1 }],
  ])('names the rail that keeps a machine: %s', (rail, over) => {
    const result = plan({ machines: configured(2), policy: policy(over) });
    expect(result.machineReasons.get('m001')).toEqual({ code: 'ExcessCapped', cluster: 'c1', rail });
  });

  it('counts what the same plan preempts there as on its way out', () => {
    const gpu = { labels: { gpu: 'y' } };
    const low = need({ cluster: 'c1', priority: 1, requirements: [requirement('gpu', 'Exists')], units: 2 });
    const high = need({ cluster: 'c2', priority: 1000, requirements: [requirement('gpu', 'Exists')], units: 2 });
    const machines = [...['g1', 'g2'].map((id) => machine(id, 'Configured', { ...gpu, assigned: assignmentOf(low) })), ...configured(2)];
    const of = (maxConcurrentDrainsPerCluster: number): string[] => actionsOf(plan({ machines, needs: [low, high], policy: policy({ maxConcurrentDrainsPerCluster }) }));
    expect(of(1)).toEqual(['Preempt g1 c1', 'Preempt g2 c1']);
    expect(of(3)).toEqual(['Preempt g1 c1', 'Preempt g2 c1', 'Reclaim m000 c1']);
  });

  it('lets the dearest go first when not all may', () => {
    const machines = configured(2).map((m, i) => ({ ...m, priceMicroUsdPerHour: i * DOLLAR }));
    expect(idsOf(plan({ machines, policy: policy({ reclaimCapFraction: 0.01 }) }), 'Reclaim')).toEqual(['m001']);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesOf, createEngine, planOnce } from './engine.ts';
import { breaksOff } from './testing/breaks-off.ts';
import { amounts, assignmentOf, DOLLAR, machine, need, policy, requirement, sameZone, T0, world, zoneSpread } from './testing/builders.ts';
import { differing } from './testing/differing.ts';
import { actionsOf, textOf } from './testing/summary.ts';
import { unitClass } from '../api/profile.ts';
import type { Need } from './types.ts';

/** What the searches of `incremental.test.ts` meet too seldom. */
describe('an engine that is told bit by bit', () => {
  it('files machines as a fresh one files them when a Need asks about a label that nobody has asked about before', () => {
    let reclaimed = 0;
    const drawn = fc.array(fc.record({ id: fc.integer({ min: 100, max: 999 }), price: fc.integer({ min: 1, max: 9 }), rack: fc.constantFrom('r1', 'r2', 'r3') }), { minLength: 20, maxLength: 40, size: 'max' });
    fc.assert(
      fc.property(drawn, (ones) => {
        const plain = need({ cluster: 'c1', aggregate: amounts({ cpu: ones.length }) });
        const machines = [...new Map(ones.map((one) => [one.id, one])).values()].map(({ id, price, rack }) => machine(`m${String(id)}`, 'Configured', {
          cluster: 'c1', labels: { rack }, allocatable: amounts({ cpu: 1 }), priceMicroUsdPerHour: price * DOLLAR, assigned: assignmentOf(plain),
        }));
        const engine = createEngine(policy());
        for (const change of changesOf(world({ machines, needs: [plain] }))) engine.apply(change);
        engine.apply({ kind: 'needs', cluster: 'c2', needs: [need({ cluster: 'c2', requirements: [requirement('rack', 'Exists')], aggregate: amounts({ cpu: 0 }) })] });
        engine.apply({ kind: 'needs', cluster: 'c1', needs: [{ ...plain, aggregate: amounts({ cpu: 10 }) }] });
        const fresh = planOnce(engine.snapshot(), T0);
        reclaimed += fresh.actions.length;
        expect(textOf(engine.plan(T0))).toBe(textOf(fresh));
        expect(textOf(engine.planInFull(T0))).toBe(textOf(fresh));
      }),
      { seed: 1, numRuns: 200 },
    );
    expect(reclaimed).toBeGreaterThan(1_000);
  });

  it.each([['goes', true], ['comes', false]])('plans what a fresh one plans for a spread that is served when the last machine of a domain elsewhere %s', (_, isThere) => {
    const spread = need({ units: 4, priority: 10, spread: [zoneSpread(2)] });
    const inZone = (zone: string): Need => need({ priority: 5, requirements: [requirement('topology.kubernetes.io/zone', 'In', zone)] });
    const own = ['a1', 'a2', 'a3', 'a4', 'b1', 'b2'].map((id) => machine(id, 'Configured', { zone: `z${id.charAt(0)}` }));
    const offer = machine('c1', 'Speculative', { zone: 'zc' });
    const engine = createEngine(policy());
    for (const change of changesOf(world({ machines: [...own, ...(isThere ? [offer] : [])], needs: [spread, inZone('za'), inZone('zb')] }))) engine.apply(change);
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    const before = engine.plan(T0);
    expect(before).toMatchObject({ actions: [], memory: [] });
    engine.apply({ kind: 'machines', upserted: isThere ? [] : [offer], removed: isThere ? ['c1'] : [] });
    expect(textOf(engine.plan(T0))).toBe(textOf(planOnce(engine.snapshot(), T0)));
    expect(engine.plan(T0)).toMatchObject({ actions: [], memory: [], verdicts: before.verdicts });
  });

  it('plans what a fresh one plans when a place comes up elsewhere, for rows of a spread that share their machines', () => {
    const one = need({ units: 1, spread: [zoneSpread(1)] });
    const unit = amounts({ cpu: 1, memory: 1 });
    const other: Need = { ...one, minUnit: unit, unitClass: unitClass(unit), aggregate: amounts({ cpu: 4, memory: 4 }) };
    const own = ['a1', 'a2', 'a3', 'b1', 'b2'].map((id) => machine(id, 'Configured', { zone: `z${id.charAt(0)}`, allocatable: unit, assigned: assignmentOf(one) }));
    const engine = createEngine(policy());
    for (const change of changesOf(world({ machines: own, needs: [one, other] }))) engine.apply(change);
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    expect(engine.plan(T0)).toMatchObject({ actions: [], memory: [], stats: { unmet: 0 } });
    engine.apply({ kind: 'machines', upserted: [machine('c1', 'Speculative', { zone: 'zc', allocatable: unit })], removed: [] });
    const fresh = planOnce(engine.snapshot(), T0);
    expect(fresh.actions).not.toEqual([]);
    expect(textOf(engine.plan(T0))).toBe(textOf(fresh));
  });

  it('knows no more of gangs that were planned as one once the last of them is gone', () => {
    const low = need({ cluster: 'c2', priority: 10 });
    const gang = need({ cluster: 'c3', priority: 1000, group: 'g', requirements: [sameZone()] });
    const machines = [machine('m', 'Draining', { cluster: 'c2', zone: 'za' }), machine('s', 'Speculative', { zone: 'za' }), machine('v', 'Configured', { cluster: 'c2', zone: 'za', assigned: assignmentOf(low) })];
    const told = world({ machines, needs: [gang, low], reported: ['c1'], memory: [{ what: 'reservation', key: 'm', to: assignmentOf(gang) }] });
    const engine = createEngine(told.policy);
    for (const change of changesOf(told)) engine.apply(change);
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    expect(engine.plan(T0).machineReasons.get('m')?.code).toBe('Reserved');
    engine.apply({ kind: 'machines', upserted: [machine('m', 'Idle', { zone: 'za' })], removed: ['s'] });
    engine.apply({ kind: 'needs', cluster: 'c3', needs: [] });
    engine.apply({ kind: 'needs', cluster: 'c1', needs: [need({ priority: 1000 })] });
    const fresh = planOnce(engine.snapshot(), T0 + 1);
    expect(actionsOf(fresh)).toEqual([]);
    expect(fresh.memory).toContainEqual({ what: 'reservation', key: 'm', to: null });
    expect(textOf(engine.plan(T0 + 1))).toBe(textOf(fresh));
  });

  it('says which reasons have changed since the last plan that came to something, wherever one broke off since', () => {
    let broken = 0;
    for (let steps = 0; ; steps++) {
      const engine = createEngine(policy());
      const machines = ['i', 'j', 'k'].map((id) => machine(id, 'Speculative', { zone: `z${id}` }));
      const asks = (cluster: string, zone: string): Need => need({ cluster, requirements: [requirement('topology.kubernetes.io/zone', 'In', zone)] });
      for (const change of changesOf(world({ machines, needs: [asks('c1', 'zi')], sessions: ['c1', 'c2'] }))) engine.apply(change);
      const before = new Map(engine.plan(T0).machineReasons);
      expect(before.get('i')?.code).toBe('AcquiredSpeculative');
      engine.apply({ kind: 'needs', cluster: 'c1', needs: [] });
      engine.apply({ kind: 'needs', cluster: 'c2', needs: [asks('c2', 'zj'), asks('c2', 'zk')] });
      if (!breaksOff(steps, () => engine.plan(T0))) break;
      broken++;
      const next = engine.plan(T0);
      const differs = differing(before, new Map(next.machineReasons));
      expect(differs.sort()).toEqual(['i', 'j', 'k']);
      expect(differs.filter((id) => !new Set(next.machineReasons.changed).has(id))).toEqual([]);
    }
    expect(broken).toBeGreaterThan(3);
  });
});

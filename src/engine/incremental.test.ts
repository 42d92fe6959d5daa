import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { differenceBetween, kept } from './compare-plans.ts';
import { Market } from './decide/market.ts';
import { changesOf, createEngine, planOnce } from './engine.ts';
import { Inventory } from './facts/inventory.ts';
import { worlds } from './testing/arbitraries.ts';
import { amounts, assignmentOf, DOLLAR, machine, need, policy, requirement, T0, world, zoneSpread } from './testing/builders.ts';
import { Coverage } from './testing/coverage.ts';
import { applyEdit, edits } from './testing/edits.ts';
import { overFleets, PATIENCE_MS } from './testing/over-fleets.ts';
import { textOf } from './testing/summary.ts';
import { unitClass } from '../api/profile.ts';
import type { MachineReason, Need, Plan } from './types.ts';

const file = new Coverage();

/** Plans that came after an edit, by what was in them. */
const met = { kept: 0, preempted: 0, folded: 0, dropped: 0, quiet: 0, edited: 0 };

describe('an engine that is told bit by bit', { timeout: PATIENCE_MS }, () => {
  it('plans what a fresh one plans that is told everything, after every edit, and says which reasons have changed', () => {
    const fleets = overFleets(worlds(), (world, _, { other, sequence }) => {
      const engine = createEngine(world.policy);
      for (const change of changesOf(world)) engine.apply(change);
      let now = T0;
      let plan = engine.plan(now);
      let reasons = new Map(plan.machineReasons);
      for (const edit of sequence) {
        met.edited++;
        now += edit.pick;
        applyEdit(edit, engine, plan, other);
        const next = engine.plan(now);
        const fresh = planOnce(engine.snapshot(), now);
        const text = textOf(fresh);
        expect(textOf(next)).toBe(text);
        const changed = new Set(next.machineReasons.changed);
        const latest = new Map(fresh.machineReasons);
        expect(differing(reasons, latest).filter((id) => !changed.has(id))).toEqual([]);
        const before = reasons;
        const noted = kept(next, (id) => before.get(id));
        const full = engine.planInFull(now);
        expect(differenceBetween(noted, full)).toBeUndefined();
        expect(textOf(full)).toBe(text);
        expect(textOf(engine.plan(now))).toBe(text);
        meet(plan, next);
        plan = next;
        reasons = latest;
      }
    }, { file, also: fc.record({ other: worlds(), sequence: edits }) });
    console.log(['plans after an edit, of which with', ...Object.entries(met).map(([what, times]) => `  ${what.padEnd(12)} ${String(times).padStart(6)}`)].join('\n'));
    for (const [what, times] of Object.entries(met)) expect(times, what).toBeGreaterThan(fleets / 10);
  });

  it('plans what a fresh one plans after a plan that came to nothing, wherever it broke off', () => {
    let broken = 0;
    const fleets = overFleets(worlds(), (world, plan, { after, inFull, edited }) => {
      const engine = createEngine(world.policy);
      for (const change of changesOf(world)) engine.apply(change);
      if (edited) engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
      const reasons = new Map(engine.plan(T0).machineReasons);
      if (edited) engine.apply({ kind: 'session', cluster: 'c1', connected: !world.sessions.has('c1') });
      const expected = edited ? planOnce(engine.snapshot(), T0) : plan;
      const isBroken = breaksOff(after, () => (inFull ? engine.planInFull(T0) : engine.plan(T0)));
      if (isBroken) broken++;
      const next = engine.plan(T0);
      expect(textOf(next)).toBe(textOf(expected));
      if (!isBroken) return;
      const changed = new Set(next.machineReasons.changed);
      expect(differing(reasons, new Map(next.machineReasons)).filter((id) => !changed.has(id))).toEqual([]);
    }, { file, also: fc.record({ after: fc.nat(120), inFull: fc.boolean(), edited: fc.boolean() }) });
    expect(broken).toBeGreaterThan(fleets / 10);
  });

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

  it('takes no step at a time too small', () => {
    overFleets(worlds(), (world, plan, step) => {
      const engine = createEngine(world.policy);
      for (const change of changesOf(world)) {
        engine.apply(change);
        for (let more = true, turns = 0; more; turns++) {
          more = engine.settle(step);
          if (turns > 100) expect.unreachable();
        }
      }
      expect(textOf(engine.plan(T0))).toBe(textOf(plan));
    }, { file, also: fc.integer({ min: 1, max: 5 }) });
  });

  afterAll(() => {
    console.log(file.lineOfFile());
    expect(file.missingOfFile()).toEqual([]);
  });
});

/** True if `run` came so far that it was ended: after so many steps of some that plans are full of. */
function breaksOff(steps: number, run: () => unknown): boolean {
  let left = steps;
  const step = (): void => {
    if (left-- === 0) throw new Error('broken off');
  };
  const { classOf } = Market.prototype;  
  const { id } = Inventory.prototype;  
  vi.spyOn(Market.prototype, 'classOf').mockImplementation(function (this: Market, group) {
    step();
    return classOf.call(this, group);
  });
  vi.spyOn(Inventory.prototype, 'id').mockImplementation(function (this: Inventory, slot) {
    step();
    return id.call(this, slot);
  });
  try {
    run();
    return false;
  } catch {
    return true;
  } finally {
    vi.restoreAllMocks();
  }
}

function meet(before: Plan, after: Plan): void {
  if (after.actions.length === 0 && after.memory.length === 0) met.quiet++;
  if (after.actions.some(({ kind }) => kind === 'Preempt')) met.preempted++;
  if (after.memory.some((m) => m.what === 'reservation' && m.to === null)) met.dropped++;
  if (after.verdicts.some(({ sharedBy, need, sameDomain }) => sharedBy !== undefined || (sameDomain === undefined && need.fingerprint.includes(':5:')))) met.folded++;
  if (after.verdicts.some((verdict, i) => verdict === before.verdicts[i])) met.kept++;
}

function differing(a: ReadonlyMap<string, MachineReason>, b: ReadonlyMap<string, MachineReason>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((id) => JSON.stringify(a.get(id)) !== JSON.stringify(b.get(id)));
}

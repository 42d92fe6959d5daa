import { describe, expect, it } from 'vitest';
import { planOnce } from '../engine.ts';
import { amounts, assignmentOf, bindTo, DOLLAR, hint, machine, need, T0, world, zoneSpread } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import { committed } from '../testing/commit.ts';
import { Simulation } from '../testing/simulation.ts';
import { actionsOf } from '../testing/summary.ts';
import type { Assignment, EngineMachine, Need } from '../types.ts';

const low = need({ cluster: 'c2', priority: 10, units: 40 });
const two = amounts({ cpu: 2 });
const victim = (id: string, over: Partial<EngineMachine> = {}): EngineMachine => machine(id, 'Configured', { cluster: 'c2', assigned: assignmentOf(low), allocatable: two, ...over });
const boundFor = (id: string, wanted: Need, over: Partial<EngineMachine> = {}): EngineMachine => machine(id, 'Configured', { assigned: assignmentOf(wanted), allocatable: two, ...over });
const unclassed = ({ unitClass: _, ...to }: Assignment): Assignment => to;
const plan = (spec: WorldSpec) => planOnce(world(spec), T0);

describe('rows of one demand that differ in unit class', () => {
  it.each<[string, WorldSpec]>([
    ['', {}],
    [', while their cluster has no session', { sessions: [] }],
  ])('take what was bound for another where nothing else is to be had, spread or not%s', (_, spec) => {
    for (const spread of [[], [zoneSpread(5)]]) {
      const one = need({ spread });
      const pairs = need({ spread, minUnit: two, aggregate: amounts({ cpu: 6 }) });
      const result = plan({ machines: [boundFor('b', one, { allocatable: amounts({ cpu: 4 }) })], needs: [pairs, one], ...spec });
      expect(result.verdicts.map(({ need: asked, machines, deficit }) => [asked.unitClass, machines, deficit])).toEqual([[pairs.unitClass, 1, two], [one.unitClass, 0, amounts({ cpu: 1 })]]);
    }
  });

  it('have what was decided for one of them that asks for nothing any more', () => {
    const gone = need({ units: 0 });
    const pairs = need({ minUnit: two, aggregate: two });
    const decided = machine('a', 'Creating', { allocatable: two, intent: bindTo(gone) });
    expect(actionsOf(plan({ machines: [decided, machine('i', 'Idle', { allocatable: two })], needs: [pairs, gone] }))).toEqual([]);
  });

  // The larger one chooses first. It may not preempt more in its only zone; the smaller one, which counts for itself, may.
  const spread = { priority: 1000, spread: [zoneSpread(1)] };
  const large = need({ ...spread, minUnit: two, aggregate: amounts({ cpu: 8 }) });
  const small = need({ ...spread, aggregate: two });
  const elsewhere = victim('z', { zone: 'zb' });
  const victims = Array.from({ length: 9 }, (_, i) => victim(`v${String(i)}`));
  const start = world({ machines: [...victims, elsewhere], needs: [large, small, low], hints: { c2: [hint('z', { doNotDisrupt: true })] } });

  it.each([0, 2, 5])('preempt once for what each of them lacks when drains and Configures take %i cycles', (k) => {
    const loop = new Simulation(start, T0, { delay: () => k });
    expect(loop.run(60)).toEqual({ Preempt: 2, Bootstrap: 2 });
    expect(loop.engine.plan(loop.now).verdicts.slice(0, 2).map((v) => [v.need.unitClass, v.machines])).toEqual([[large.unitClass, 1], [small.unitClass, 1]]);
  });

  it.each<[string, Assignment, string[]]>([
    ['of the smaller one is not the larger one\'s', assignmentOf(small), []],
    ['for nobody knows which row is the first one\'s', unclassed(assignmentOf(small)), ['Preempt v3 c2']],
    ['of a row that has gone is the first one\'s', { ...assignmentOf(small), unitClass: 'cpu=9' }, ['Preempt v3 c2']],
  ])('a reservation %s', (_, to, actions) => {
    const draining = ['v0', 'v1'].map((id) => victim(id, { state: 'Draining' }));
    const result = plan({
      machines: [...draining, victim('v3'), elsewhere], needs: [large, small, low], hints: { c2: [hint('z', { doNotDisrupt: true })] },
      memory: [{ what: 'reservation', key: 'v0', to: assignmentOf(large) }, { what: 'reservation', key: 'v1', to }],
    });
    expect(actionsOf(result)).toEqual(actions);
  });

  it('have each what the other has left over', () => {
    const result = plan({
      machines: [victim('v0', { state: 'Draining' }), boundFor('a', large, { allocatable: amounts({ cpu: 8 }) }), victim('v3')], needs: [large, small, low],
      memory: [{ what: 'reservation', key: 'v0', to: assignmentOf(large) }],
    });
    expect(actionsOf(result)).toEqual([]);
    expect(result.verdicts[1]).toMatchObject({ reason: 'PREEMPTION_IN_PROGRESS' });
  });

  describe('and have machines', () => {
    const wide = need({ priority: 1000, minUnit: amounts({ cpu: 1, memory: 2 }), aggregate: amounts({ cpu: 8, memory: 8 }) });
    const deep = need({ priority: 1000, minUnit: amounts({ cpu: 1, memory: 1 }), aggregate: amounts({ cpu: 1, memory: 8 }) });
    const size = { wide: amounts({ cpu: 8, memory: 12 }), deep: amounts({ cpu: 2, memory: 8 }) };
    const others = ['v0', 'v1', 'v2'].map((id) => victim(id, { allocatable: size.deep }));

    it('each keep their own, in whatever order they would otherwise be credited', () => {
      const machines = [boundFor('a', deep, { allocatable: size.deep }), boundFor('b', wide, { allocatable: size.wide }), ...others];
      expect(actionsOf(plan({ machines, needs: [wide, deep, low] }))).toEqual([]);
    });

    it('are credited in order where nobody knows whose they are', () => {
      const machines = [boundFor('a', deep, { allocatable: size.deep }), boundFor('b', wide, { allocatable: size.wide })].map((m) => ({ ...m, assigned: unclassed(assignmentOf(wide)) }));
      expect(actionsOf(plan({ machines: [...machines, ...others], needs: [wide, deep, low] }))).toEqual(['Preempt v0 c2']);
    });

    it('buy nothing while the others have enough for both', () => {
      const small2 = need({ units: 1 });
      const large2 = need({ minUnit: two, aggregate: amounts({ cpu: 4 }) });
      const machines = [boundFor('a', large2), boundFor('b', small2), boundFor('c', small2), machine('i', 'Idle', { allocatable: two })];
      expect(actionsOf(plan({ machines, needs: [large2, small2] }))).toEqual([]);
    });

    it('leave to each other what is on its way, and so decide nothing anew once they have', () => {
      const small4 = need({ units: 4 });
      const large4 = need({ minUnit: two, aggregate: amounts({ cpu: 4 }) });
      const before = world({
        machines: [boundFor('a', large4), machine('b', 'Creating', { allocatable: two, intent: bindTo(small4) }), machine('i', 'Idle', { allocatable: two }), machine('j', 'Idle', { allocatable: two, priceMicroUsdPerHour: DOLLAR })],
        needs: [large4, small4],
      });
      const first = planOnce(before, T0);
      expect(actionsOf(first)).toEqual(['Bootstrap i c1', 'Bootstrap j c1']);
      expect(first.machineReasons.get('b')).toMatchObject({ code: 'InFlight', unitClass: small4.unitClass });
      expect(actionsOf(planOnce(committed(before, first), T0))).toEqual([]);
    });

    it('leave to each other what is on its way, though nothing else is to be had', () => {
      const small5 = need({ units: 1 });
      const result = plan({ machines: [machine('b', 'Creating', { allocatable: two, intent: bindTo(small5) })], needs: [need({ minUnit: two, aggregate: two }), small5] });
      expect(result.verdicts.map((v) => v.machines)).toEqual([0, 1]);
    });

    it('take them from each other only when nothing else is to be had', () => {
      const small3 = need({ units: 1 });
      const large3 = need({ minUnit: two, aggregate: amounts({ cpu: 4 }) });
      const held = boundFor('b', small3);
      const free = ['i', 'j'].map((id) => machine(id, 'Idle', { allocatable: two }));
      const enough = plan({ machines: [held, ...free], needs: [large3, small3] });
      expect(actionsOf(enough)).toEqual(['Bootstrap i c1', 'Bootstrap j c1']);
      expect(enough.machineReasons.get('b')).toMatchObject({ code: 'Serving', unitClass: small3.unitClass });
      const short = plan({ machines: [held, free[0] as EngineMachine, machine('k', 'Idle')], needs: [large3, small3] });
      expect(actionsOf(short)).toEqual(['Bootstrap i c1', 'Bootstrap k c1']);
      expect(short.verdicts.map((v) => [v.machines, v.satisfied])).toEqual([[2, true], [1, true]]);
    });

    it('have each what one before them has left over, though others are still to come', () => {
      const rows = [8, 2, 1].map((cpu) => need({ minUnit: amounts({ cpu }), aggregate: amounts({ cpu: cpu === 2 ? 4 : cpu }) }));
      const [largest, middle, smallest] = rows as [Need, Need, Need];
      const free = ['i', 'j'].map((id) => machine(id, 'Idle', { allocatable: two }));
      const machines = [boundFor('a', largest, { allocatable: amounts({ cpu: 8 }) }), boundFor('b', largest), boundFor('c', smallest, { allocatable: amounts({ cpu: 1 }) }), ...free];
      const result = plan({ machines, needs: rows });
      expect(result.machineReasons.get('b')).toMatchObject({ code: 'Serving', unitClass: middle.unitClass });
      expect(actionsOf(result)).toEqual(['Bootstrap i c1']);
    });
  });
});

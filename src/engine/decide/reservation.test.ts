import { describe, expect, it } from 'vitest';
import { planOnce } from '../engine.ts';
import { amounts, assignmentOf, machine, need, policy, sameZone, T0, typeIn, world, zoneSpread } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import { committed } from '../testing/commit.ts';
import { Simulation } from '../testing/simulation.ts';
import { actionsOf, codesOf } from '../testing/summary.ts';
import type { EngineMachine, MemoryChange, Need, Plan } from '../types.ts';

const high = need({ priority: 1000 });
const low = need({ cluster: 'c2', priority: 10 });
const reserved = (id: string, to: Need = high): MemoryChange => ({ what: 'reservation', key: id, to: assignmentOf(to) });
const dropped = (id: string): MemoryChange => ({ what: 'reservation', key: id, to: null });
const victim = (id: string, over: Partial<EngineMachine> = {}): EngineMachine => machine(id, 'Configured', { cluster: 'c2', assigned: assignmentOf(low), ...over });
const leaving = (id: string, over: Partial<EngineMachine> = {}): EngineMachine => victim(id, { intent: { kind: 'unbind' }, ...over });
const draining = (id: string, over: Partial<EngineMachine> = {}): EngineMachine => victim(id, { state: 'Draining', ...over });
const plan = (spec: WorldSpec) => planOnce(world(spec), T0);

describe('what was preempted (X2)', () => {
  it.each([
    ['is to be unbound', leaving('x')],
    ['is draining', draining('x', { intent: { kind: 'unbind' } })],
    ['is draining and nobody remembers why', draining('x')],
  ])('keeps its preemptor from taking more while it %s', (_, machineOnItsWay) => {
    const result = plan({ machines: [machineOnItsWay, victim('y')], needs: [high, low], memory: [reserved('x')] });
    expect(result.actions).toEqual([]);
    expect(codesOf(result)).toEqual({ x: 'Reserved', y: 'Serving' });
    expect(result.memory.filter((m) => m.what === 'reservation')).toEqual([]);
    expect(result.verdicts[0]).toMatchObject({ satisfied: false, reason: 'PREEMPTION_IN_PROGRESS', preemption: { victims: 1, freed: [['cpu', 1000]] }, machines: 0 });
  });

  it('is taken where it has arrived before where it is still on its way', () => {
    const result = plan({ machines: [draining('a'), machine('b', 'Idle')], needs: [high], reported: ['c2'], memory: [reserved('a'), reserved('b')] });
    expect(actionsOf(result)).toEqual(['Bootstrap b c1']);
  });

  it('is remembered though the plan before was not carried out: one change for each machine', () => {
    const again = plan({ machines: [victim('x'), victim('y')], needs: [high, need({ cluster: 'c2', priority: 10, units: 2 })], memory: [reserved('x')] });
    expect(actionsOf(again)).toEqual(['Preempt x c2']);
    expect(again.memory.filter((m) => m.what === 'reservation')).toEqual([reserved('x')]);
    const others = plan({ machines: [victim('x'), victim('y')], needs: [high, need({ cluster: 'c2', priority: 10, units: 2 })], memory: [reserved('y')] });
    expect(actionsOf(others)).toEqual(['Preempt x c2']);
    expect(others.memory.filter((m) => m.what === 'reservation')).toEqual([reserved('x'), dropped('y')]);
  });

  it('keeps its preemptor from buying as well', () => {
    expect(plan({ machines: [draining('x'), machine('i', 'Idle'), machine('s', 'Speculative')], needs: [high], memory: [reserved('x')], reported: ['c2'] }).actions).toEqual([]);
  });

  it('counts for what it brings: the rest is looked for', () => {
    const result = plan({ machines: [draining('x'), victim('y'), victim('z')], needs: [need({ priority: 1000, units: 2 }), need({ cluster: 'c2', priority: 10, units: 2 })], memory: [reserved('x', high)] });
    expect(actionsOf(result)).toEqual(['Preempt y c2']);
  });

  it('counts together with the others', () => {
    const result = plan({ machines: [leaving('v'), leaving('w', { allocatable: amounts({ cpu: 3 }) })], needs: [need({ priority: 1000, units: 4 }), low], memory: [reserved('v', need({ priority: 1000, units: 4 })), reserved('w', need({ priority: 1000, units: 4 }))] });
    expect(result.verdicts[0]?.preemption).toEqual({ victims: 2, freed: [['cpu', 4000]] });
  });

  it('is bound for its preemptor once it has arrived, whoever else wants it', () => {
    const above = need({ cluster: 'c3', priority: 5000 });
    const result = plan({ machines: [machine('x', 'Idle')], needs: [above, high, low], memory: [reserved('x')] });
    expect(actionsOf(result)).toEqual(['Bootstrap x c1']);
    expect(result.actions[0]?.to).toEqual(assignmentOf(high));
    expect(result.verdicts.map((v) => v.satisfied)).toEqual([false, true, false]);
    expect(result.memory).not.toContainEqual(dropped('x'));
  });

  it('is bound for its preemptor before a free one is', () => {
    expect(actionsOf(plan({ machines: [machine('a', 'Idle'), machine('x', 'Idle')], needs: [high], memory: [reserved('x')] }))).toEqual(['Bootstrap x c1']);
  });

  it('is remembered until it is bound', () => {
    const before = world({ machines: [machine('x', 'Idle')], needs: [high], memory: [reserved('x')] });
    const after = planOnce(committed(before, planOnce(before, T0)), T0);
    expect(after.actions).toEqual([]);
    expect(after.memory).toContainEqual(dropped('x'));
    expect(codesOf(after)).toEqual({ x: 'InFlight' });
  });

  it('is not released while it waits, however long', () => {
    const memory: MemoryChange[] = [reserved('x'), { what: 'idleSince', key: 'x', at: 0 }];
    expect(actionsOf(plan({ machines: [machine('x', 'Idle', { capacityType: 'Spot' })], needs: [high], memory }))).toEqual(['Bootstrap x c1']);
  });

  it.each<[string, WorldSpec]>([
    ['the demand goes', { machines: [draining('x')], reported: ['c1', 'c2'] }],
    ['the demand is met otherwise', { machines: [draining('x'), machine('a', 'Configured')], needs: [high] }],
    ['it fails', { machines: [machine('x', 'Failed')], needs: [high] }],
    ['it gets stuck', { machines: [draining('x', { stuck: true })], needs: [high] }],
    ['a person holds it', { machines: [draining('x', { hold: true })], needs: [high] }],
    ['it is gone', { machines: [], needs: [high] }],
    ['it no longer matches', { machines: [draining('x')], needs: [{ ...high, minUnit: amounts({ cpu: 2 }) }] }],
    ['it was not given up after all', { machines: [victim('x'), machine('own', 'Configured')], needs: [high, low] }],
    ['its preemptor has lost its session and it has arrived', { machines: [machine('x', 'Idle')], needs: [high], sessions: ['c2'] }],
  ])('is nobody\'s any more when %s', (_, spec) => {
    expect(plan({ ...spec, memory: [reserved('x')] }).memory).toContainEqual(dropped('x'));
  });

  it('stays reserved while its preemptor has lost its session and it has not arrived', () => {
    const result = plan({ machines: [draining('x')], needs: [high], reported: ['c2'], sessions: ['c2'], memory: [reserved('x')] });
    expect(result.memory).not.toContainEqual(dropped('x'));
    expect(result.verdicts[0]).toMatchObject({ reason: 'PREEMPTION_IN_PROGRESS' });
  });

  it('is somebody else\'s in the plan after it was given up', () => {
    const before = world({ machines: [machine('x', 'Idle')], needs: [low], reported: ['c1'], memory: [reserved('x')] });
    const first = planOnce(before, T0);
    expect(first.actions).toEqual([]);
    expect(actionsOf(planOnce(committed(before, first), T0))).toEqual(['Bootstrap x c2']);
  });

  describe('and is on its way to nobody any more', () => {
    const reservations = ({ memory }: Plan) => memory.filter((m) => m.what === 'reservation');
    const takes = (spec: WorldSpec): [string[], MemoryChange[]] => {
      const result = plan({ reported: ['c2', 'c3'], ...spec });
      return [actionsOf(result), reservations(result)];
    };
    const promised = (id: string, to: Need): MemoryChange => ({ what: 'reservation', key: id, to: assignmentOf(to) });

    it.each<[string, EngineMachine, string]>([
      ['that is to be unbound', leaving('x'), 'Leaving'],
      ['that is being drained', draining('x'), 'Leaving'],
      ['that is being created', machine('x', 'Creating', { cluster: '' }), 'ArrivingForNobody'],
    ])('is waited for by who would take a machine from others: one %s', (_, coming, code) => {
      const result = plan({ machines: [coming, victim('a')], needs: [high, low] });
      expect(actionsOf(result)).toEqual([]);
      expect(reservations(result)).toEqual([]);
      expect(codesOf(result)).toEqual({ x: code, a: 'Serving' });
      expect(result.verdicts[0]).toMatchObject({ satisfied: false, deficit: [['cpu', 1000]], reason: 'PREEMPTION_IN_PROGRESS' });
      expect(result.verdicts[0]?.preemption).toBeUndefined();
    });

    it.each<[string, WorldSpec]>([
      ['is of a provider that is not to be relied on', { machines: [draining('x', { untrusted: true }), victim('a')] }],
      ['is to be given back', { machines: [machine('w', 'Idle', { intent: { kind: 'release' } }), draining('x', { intent: { kind: 'release' } }), machine('y', 'Deleting'), victim('z', { intent: { kind: 'release' } }), victim('a')] }],
      ['does not match', { machines: [draining('x', { allocatable: amounts({ memory: 1 }) }), victim('a')] }],
      ['is drained by nobody, its cluster not being connected', { machines: [draining('x', { cluster: 'c9' }), victim('a')], reported: ['c9'], sessions: ['c1', 'c2', 'c3'] }],
      ['is to be unbound where nobody is connected', { machines: [leaving('x', { cluster: 'c9' }), victim('a')], reported: ['c9'], sessions: ['c1', 'c2', 'c3'] }],
      ['cannot be drained, as was found', { machines: [leaving('x', { drainRefused: true }), victim('a')] }],
    ])('is not what %s', (_, spec) => {
      expect(takes({ needs: [high, low], ...spec })).toEqual([['Preempt a c2'], [reserved('a')]]);
    });

    it('is waited for only by who finds too little that is there or may be bought', () => {
      const machines = [draining('x'), machine('i', 'Idle'), machine('s', 'Speculative'), victim('a')];
      expect(takes({ machines, needs: [need({ priority: 1000, units: 3 }), low] })).toEqual([['Bootstrap i c1', 'Provision s c1'], []]);
      expect(takes({ machines, needs: [need({ priority: 1000, units: 4 }), low] })).toEqual([['Bootstrap i c1', 'Provision s c1', 'Preempt a c2'], [promised('a', need({ priority: 1000, units: 4 }))]]);
    });

    it('is for whose turn comes first, who then takes it before others do', () => {
      const picky = need({ priority: 1000, requirements: [typeIn('t2')] });
      const mid = need({ cluster: 'c3', priority: 500 });
      const before = world({ machines: [draining('x', { instanceType: 't2' }), victim('a')], needs: [picky, mid, low] });
      const first = planOnce(before, T0);
      expect(actionsOf(first)).toEqual(['Preempt a c2']);
      expect(first.verdicts.map((v) => v.reason)).toEqual(['PREEMPTION_IN_PROGRESS', 'PREEMPTION_IN_PROGRESS', 'PRIORITY_STARVED']);
      const after = committed(before, first);
      const free = { ...after, machines: after.machines.map((m) => (m.id === 'x' ? machine('x', 'Idle', { instanceType: 't2' }) : m)) };
      expect(actionsOf(planOnce(free, T0))).toEqual(['Bootstrap x c1']);
    });

    it('keeps nobody from what is there, or may be bought, before it has come', () => {
      const machines = [draining('x'), machine('i', 'Idle')];
      expect(takes({ machines, needs: [need({ priority: 0 })] })).toEqual([['Bootstrap i c1'], []]);
      expect(takes({ machines, needs: [need({ priority: 0, spread: [zoneSpread(1)] })] })).toEqual([['Bootstrap i c1'], []]);
    });

    it('is promised to a gang and to a strict spread, which acquire the rest by it, instead of what they would take', () => {
      const machines = [draining('x', { zone: 'za' }), draining('y', { zone: 'zb' }), victim('a', { zone: 'zb' }), victim('b', { zone: 'zb' })];
      const gang = need({ priority: 1000, units: 2, group: 'g', requirements: [sameZone()] });
      const spread = need({ priority: 1000, units: 2, spread: [zoneSpread(1)] });
      const two = need({ cluster: 'c2', priority: 10, units: 2 });
      expect(takes({ machines, needs: [gang, two] })).toEqual([['Preempt a c2'], [promised('a', gang), promised('y', gang)]]);
      expect(takes({ machines, needs: [spread, two] })).toEqual([[], [promised('x', spread), promised('y', spread)]]);
      // D7: what others would have to give up is not enough to make the gang whole.
      expect(takes({ machines: machines.slice(0, 3), needs: [gang, low] })).toEqual([[], []]);
      expect(takes({ machines: machines.slice(0, 2), needs: [spread] })).toEqual([[], []]);
    });

    it('is taken from demand that ranks below and waits for it, whether there is a victim or not, and not from an equal', () => {
      const above = need({ cluster: 'c3', priority: 5000 });
      expect(takes({ machines: [draining('x')], needs: [above, high], memory: [reserved('x')] })).toEqual([[], [promised('x', above)]]);
      expect(takes({ machines: [draining('x'), victim('a')], needs: [above, high, low], memory: [reserved('x')] })).toEqual([['Preempt a c2'], [reserved('a'), promised('x', above)]]);
      const equal = need({ cluster: 'c0', priority: 1000 });
      expect(takes({ machines: [draining('x'), victim('a')], needs: [equal, high, low], memory: [reserved('x')] })).toEqual([['Preempt a c2'], [promised('a', equal)]]);
    });

    it('is not taken from who ranks below if nobody can tell whether it comes', () => {
      const above = need({ cluster: 'c3', priority: 5000 });
      for (const over of [{ cluster: 'c9' }, { drainRefused: true }, { untrusted: true }]) {
        expect(takes({ machines: [draining('x', over), victim('a')], needs: [above, high, low], memory: [reserved('x')], reported: ['c9'], sessions: ['c1', 'c2', 'c3'] })).toEqual([['Preempt a c2'], [promised('a', above)]]);
      }
    });

    it('is taken one by one where others of the same promise may never come, or were promised to demand that is gone', () => {
      const above = need({ cluster: 'c3', priority: 5000, units: 3 });
      const three = need({ priority: 1000, units: 5 });
      const machines = [draining('r'), draining('s', { drainRefused: true }), draining('t'), draining('u'), draining('v', { untrusted: true }), victim('w')];
      const memory = ['r', 's', 't', 'u', 'v'].map((id) => reserved(id, three));
      expect(takes({ machines, needs: [above, three, low], memory, reported: [] })).toEqual([['Preempt w c2'], ['r', 't', 'u'].map((id) => promised(id, above)).concat(promised('w', three))]);
      expect(takes({ machines, needs: [above, low], memory, reported: ['c1'] })[0]).toEqual([]);
      expect(takes({ machines, needs: [{ ...above, ...need({ cluster: 'c3', priority: 5000, units: 4 }) }, low], memory, reported: ['c1'] })[0]).toEqual(['Preempt w c2']);
    });

    it('is taken from the lowest first, of equals that with the smallest id; of what is nobody\'s the cheapest first', () => {
      const above = need({ cluster: 'c3', priority: 5000 });
      const mid = need({ cluster: 'c4', priority: 500 });
      expect(takes({ machines: [draining('x'), draining('y', { instanceType: 't2' })], needs: [above, high, mid], memory: [reserved('x'), reserved('y', mid)] })[1]).toEqual([promised('y', above)]);
      const equals = ['g', 'h'].map((group) => need({ cluster: 'c4', priority: 100, group }));
      for (const [one, other] of [['x', 'y'], ['y', 'x']] as const) {
        const memory = [reserved(one, equals[0]), reserved(other, equals[1])];
        expect(takes({ machines: [draining(one), draining(other), victim('a')], needs: [high, ...equals, low], memory, reported: ['c2'] })[1]).toContainEqual(reserved('x'));
      }
      const gang = need({ priority: 1000, group: 'g', requirements: [sameZone()] });
      const machines = [draining('x', { zone: 'za', priceMicroUsdPerHour: 2 }), draining('y', { zone: 'za', priceMicroUsdPerHour: 1 }), victim('a', { zone: 'za' })];
      expect(takes({ machines, needs: [gang, low] })[1]).toEqual([promised('y', gang)]);
    });

    it('is missed where it was promised to one of several rows of a demand, which then has what another row leaves over', () => {
      const unit = amounts({ cpu: 4 });
      const big = need({ cluster: 'c2', priority: 500, aggregate: unit, minUnit: unit });
      const small = need({ cluster: 'c2', priority: 500 });
      const above = need({ priority: 1000, aggregate: unit, minUnit: unit });
      const below = need({ cluster: 'c3', priority: 100, aggregate: unit, minUnit: unit });
      const first = need({ cluster: 'c4', priority: 2000, aggregate: unit, minUnit: unit, requirements: [typeIn('t2')] });
      const ofSmall = (id: string, over: Partial<EngineMachine>): EngineMachine => machine(id, 'Configured', { cluster: 'c2', assigned: assignmentOf(small), ...over });
      const machines = [draining('x', { cluster: 'c5', allocatable: unit }), ofSmall('a', {}), ofSmall('m', { allocatable: unit }), victim('v', { cluster: 'c6', instanceType: 't2', allocatable: unit, assigned: assignmentOf(need({ cluster: 'c6', priority: 1 })) })];
      const result = plan({ machines, needs: [first, above, big, small, below, need({ cluster: 'c6', priority: 1, aggregate: unit, minUnit: unit })], memory: [{ what: 'reservation', key: 'x', to: assignmentOf(big) }], reported: ['c5'] });
      expect(reservations(result)).toContainEqual(promised('x', above));
      expect(actionsOf(result)).toEqual(['Preempt v c6']);
      expect(codesOf(result)).toMatchObject({ a: 'Serving', m: 'Serving' });
      expect(result.verdicts.filter((v) => v.need.cluster === 'c2').map((v) => v.satisfied)).toEqual([true, true]);
    });

    it('is left to a gang that it was preempted for', () => {
      const gang = need({ cluster: 'c3', priority: 100, units: 2, group: 'g', requirements: [sameZone()] });
      const machines = [draining('x', { zone: 'za' }), draining('y', { zone: 'za' }), victim('a', { zone: 'za' })];
      expect(takes({ machines, needs: [high, gang, low], memory: [reserved('x', gang), reserved('y', gang)], reported: ['c2'] })).toEqual([['Preempt a c2'], [reserved('a')]]);
    });

    it('is nobody\'s when the profile or the group of the demand changes that it was preempted for, whose new name waits for it', () => {
      for (const changed of [need({ priority: 2000 }), need({ priority: 500 }), need({ priority: 1000, group: 'g' })]) {
        for (const coming of [draining('x'), machine('x', 'Idle')]) {
          expect(takes({ machines: [coming, victim('a')], needs: [changed, low], memory: [reserved('x')] })).toEqual([[], [dropped('x')]]);
        }
      }
    });

    it('serves demand again that comes and goes: nobody is evicted anew (A-59)', () => {
      for (const one of [high, need({ priority: 1000, group: 'g', requirements: [sameZone()] }), need({ priority: 1000, spread: [zoneSpread(1)] })]) {
        let at = world({ machines: ['a', 'b', 'c', 'd'].map((id) => victim(id, { zone: 'za' })), needs: [one, need({ cluster: 'c2', priority: 10, units: 4 })] });
        const without = new Map([...at.needs, ['c1', []]]);
        const evicted: string[] = [];
        for (let cycle = 0; cycle < 12; cycle++) {
          const asked = cycle % 3 === 2 ? { ...at, needs: without } : at;
          const result = planOnce(asked, T0 + cycle * 10_000);
          evicted.push(...actionsOf(result));
          at = { ...committed(asked, result), needs: at.needs };
        }
        expect(evicted).toEqual(['Preempt a c2']);
      }
    });
  });

  it('replaces a victim that fails by another', () => {
    const before = world({ machines: [draining('x'), victim('y')], needs: [high, low], memory: [reserved('x')] });
    expect(planOnce(before, T0).actions).toEqual([]);
    const failed = { ...before, machines: [machine('x', 'Failed'), victim('y')] };
    const next = planOnce(failed, T0);
    expect(actionsOf(next)).toEqual(['Preempt y c2']);
    expect(next.memory).toEqual(expect.arrayContaining([dropped('x'), { what: 'reservation', key: 'y', to: assignmentOf(high) }]));
  });

  it('serves the rows of one demand in their order', () => {
    const big = need({ priority: 1000, aggregate: amounts({ cpu: 4 }), minUnit: amounts({ cpu: 4 }) });
    const wide = machine('b', 'Idle', { allocatable: amounts({ cpu: 4 }) });
    const result = plan({ machines: [machine('a', 'Idle'), wide], needs: [high, big], memory: [reserved('a'), reserved('b', big)] });
    expect(actionsOf(result)).toEqual(['Bootstrap b c1', 'Bootstrap a c1']);
    expect(result.actions.map((a) => a.need?.unitClass)).toEqual([big.unitClass, high.unitClass]);
  });
});

describe('a preemption from its decision to its end', () => {
  const machines = ['v', 'w', 'x', 'y'].map((id) => victim(id));
  const demand = [need({ priority: 1000, units: 3 }), need({ cluster: 'c2', priority: 10, units: 4 })];

  it.each([0, 1, 2, 5])('takes each machine once when a drain and a Configure take %i cycles', (k) => {
    const loop = new Simulation(world({ machines, needs: demand, policy: policy() }), T0, { delay: () => k });
    expect(loop.run(30)).toEqual({ Preempt: 3, Bootstrap: 3 });
    expect(loop.machines().filter((m) => m.cluster === 'c1' && m.state === 'Configured').map((m) => m.id)).toEqual(['v', 'w', 'x']);
    expect(loop.engine.snapshot().memory.filter((m) => m.what === 'reservation')).toEqual([]);
  });

  it('gives back what is not needed any more when the demand goes half way', () => {
    const loop = new Simulation(world({ machines, needs: demand }), T0, { delay: () => 3 });
    expect(loop.run(2)).toEqual({ Preempt: 3 });
    loop.apply({ kind: 'needs', cluster: 'c1', needs: [need({ priority: 1000, units: 1 })] });
    expect(loop.run(30)).toEqual({ Bootstrap: 3 });
    expect(loop.machines().filter((m) => m.cluster === 'c1').map((m) => m.id)).toEqual(['v']);
    expect(loop.machines().filter((m) => m.cluster === 'c2')).toHaveLength(3);
  });
});

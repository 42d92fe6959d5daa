import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planOnce } from './engine.ts';
import { amounts, assignmentOf, DOLLAR, hint, machine, MINUTE, need, policy, RAILS_OFF, sameZone, T0, world } from './testing/builders.ts';
import { worlds } from './testing/arbitraries.ts';
import type { Subject } from './testing/coverage.ts';
import { overFleets, PATIENCE_MS } from './testing/over-fleets.ts';
import { Simulation } from './testing/simulation.ts';
import type { Transition } from './testing/simulation.ts';
import { textOf } from './testing/summary.ts';
import type { Action, EngineMachine, MachineState, Need, Snapshot } from './types.ts';

const CYCLES = 60;
/** Where one step leads to the next under a limit, and each takes many cycles, rest comes later. */
const MOST_CYCLES = 300;
/** So many cycles at the end nothing may be decided any more. */
const LATE = 20;

/** Machines differ in how long their transitions take, so that they overtake each other. */
function delays(cycles: readonly number[]): (id: string, transition: Transition) => number {
  return (id, transition) => cycles[(id.charCodeAt(id.length - 1) + transition.length) % cycles.length] ?? 0;
}

const fleet = (n: number, state: MachineState, over: Partial<EngineMachine> = {}): EngineMachine[] =>
  Array.from({ length: n }, (_, i) => machine(`${state}-${i}`, state, { capacityType: 'OnDemand', priceMicroUsdPerHour: DOLLAR, ...over }));

/** The same fleet without what only makes everything take longer. */
function quick(drawn: Snapshot): Snapshot {
  const holds = { onDemandMs: 3000, spotMs: 1000, occupiedExcessMs: 2000 };
  return { ...drawn, policy: { ...drawn.policy, holds, maxReclaimsPerMinute: 0, maxConcurrentDrainsPerCluster: 0 } };
}

function subjectsOf(actions: readonly Action[]): Subject[] {
  const of = (kind: Action['kind'], subject: Subject): Subject[] => (actions.some((action) => action.kind === kind) ? [subject] : []);
  return [...of('Preempt', 'preemption'), ...of('Provision', 'Creating')];
}

const DISTURBED = 12;
const DISTURBANCES = ['demand', 'fails', 'returns', 'moves', 'price', 'size', 'session'] as const;

interface Disturbance {
  readonly what: (typeof DISTURBANCES)[number];
  readonly cycle: number;
  readonly machine: number;
  readonly cluster: string;
  readonly value: number;
}

const aDisturbance: fc.Arbitrary<Disturbance> = fc.record({
  what: fc.constantFrom(...DISTURBANCES),
  cycle: fc.integer({ min: 0, max: DISTURBED - 1 }),
  machine: fc.nat(15),
  cluster: fc.constantFrom('c1', 'c2', 'c3'),
  value: fc.nat(3),
});

/** False: there was nothing to disturb. */
function disturb(loop: Simulation, { what, machine: nth, cluster, value }: Disturbance, other: Snapshot): boolean {
  if (what === 'demand') loop.apply({ kind: 'needs', cluster, needs: other.needs.get(cluster) ?? [] });
  if (what === 'session') loop.apply({ kind: 'session', cluster, connected: value > 1 });
  if (what === 'demand' || what === 'session') return true;
  const machines = loop.machines().filter(({ state }) => (state === 'Failed') === (what === 'returns'));
  const machine = machines[nth % machines.length];
  if (machine === undefined) return false;
  loop.become(disturbed(machine, what, value));
  return true;
}

function disturbed(machine: EngineMachine, what: Disturbance['what'], value: number): EngineMachine {
  const { intent: _, assigned: __, ...alone } = machine;
  switch (what) {
    case 'fails':
      return { ...alone, state: 'Failed', cluster: '' };
    case 'returns':
      return { ...alone, state: value > 1 ? 'Idle' : 'Speculative' };
    case 'moves':
      return { ...machine, zone: ['za', 'zb', 'zc', ''][value] as string };
    case 'price':
      return { ...machine, priceMicroUsdPerHour: value * DOLLAR };
    default:
      return { ...machine, allocatable: amounts({ cpu: 2 ** value, memory: 4 }) };
  }
}

describe('constant demand', { timeout: PATIENCE_MS }, () => {
  it('comes to rest, whatever the delays, and the engine that was told bit by bit agrees with a fresh one all the way', () => {
    let busy = 0;
    let preempting = 0;
    const fleets = overFleets(worlds({ calm: true }), (drawn, _, cycles) => {
      const loop = new Simulation(quick(drawn), T0, { delay: delays(cycles) });
      let late: Action[] = [];
      const met = new Set<Subject>();
      for (let i = 0; i < CYCLES; i++) {
        const { actions } = loop.step();
        if (i === 0 && actions.length > 0) busy++;
        for (const subject of subjectsOf(actions)) met.add(subject);
        if (i >= CYCLES - LATE) late.push(...actions);
        if (i % 12 === 0) expect(textOf(loop.engine.plan(loop.now))).toBe(textOf(planOnce(loop.engine.snapshot(), loop.now)));
      }
      for (let i = CYCLES; i < MOST_CYCLES && late.length > 0; i += LATE) late = Array.from({ length: LATE }, () => loop.step().actions).flat();
      if (met.has('preemption')) preempting++;
      expect(late).toEqual([]);
      expect(loop.engine.snapshot().memory.filter(({ what }) => what === 'reservation')).toEqual([]);
      return met;
    }, { also: fc.constantFrom([0], [2], [5], [0, 2, 5], [5, 0, 2]) });
    console.log(`  of ${String(fleets)} fleets ${String(busy)} were acted on`);
    expect(busy).toBeGreaterThan(fleets / 3);
    expect(preempting).toBeGreaterThan(fleets / 10);
  });

  it('comes to rest after a time in which demand changed, machines failed and became others, and decisions were not carried out', () => {
    let dropped = 0;
    const met = new Map<Disturbance['what'], number>();
    const fleets = overFleets(worlds({ calm: true }), (drawn, _, { other, disturbances, carriedOut, cycles }) => {
      const loop = new Simulation(quick(drawn), T0, { delay: delays(cycles) });
      const subjects = new Set<Subject>();
      let decisions = 0;
      for (let i = 0; i < DISTURBED; i++) {
        for (const disturbance of disturbances) {
          if (disturbance.cycle === i && disturb(loop, disturbance, other)) met.set(disturbance.what, (met.get(disturbance.what) ?? 0) + 1);
        }
        const { actions } = loop.step(() => {
          const isCarriedOut = carriedOut[decisions++ % carriedOut.length] === true;
          if (!isCarriedOut) dropped++;
          return isCarriedOut;
        });
        for (const subject of subjectsOf(actions)) subjects.add(subject);
      }
      for (const cluster of loop.engine.snapshot().needs.keys()) loop.apply({ kind: 'session', cluster, connected: true });
      let late = loop.run(LATE);
      for (let i = LATE; i < MOST_CYCLES && Object.keys(late).length > 0; i += LATE) late = loop.run(LATE);
      expect(late).toEqual({});
      expect(textOf(loop.engine.plan(loop.now))).toBe(textOf(planOnce(loop.engine.snapshot(), loop.now)));
      return subjects;
    }, {
      also: fc.record({
        other: worlds({ calm: true }),
        disturbances: fc.array(aDisturbance, { maxLength: 12, size: 'max' }),
        carriedOut: fc.array(fc.boolean(), { minLength: 1, maxLength: 9 }),
        cycles: fc.constantFrom([0], [2], [5], [0, 2, 5]),
      }),
      times: 0.5,
    });
    console.log(`  in ${String(fleets)} fleets ${String(dropped)} decisions were not carried out; ${[...met].map(([what, n]) => `${what} ${String(n)}`).join(', ')}`);
    expect(dropped).toBeGreaterThan(fleets);
    for (const what of DISTURBANCES) expect(met.get(what), what).toBeGreaterThan(fleets / 10);
  });

  it.each([0, 2, 3, 5])('leaves a gang where it is while what it holds beyond the whole is given back, one machine at a time, each in %i cycles', (k) => {
    const gang = need({ units: 2, group: 'g', requirements: [sameZone()] });
    const own = (zone: string, n: number, priceMicroUsdPerHour: number): EngineMachine[] =>
      Array.from({ length: n }, (_, i) => machine(`${zone}-${String(i)}`, 'Configured', { zone, priceMicroUsdPerHour, assigned: assignmentOf(gang) }));
    const loop = new Simulation(world({ machines: [...own('za', 3, 0), ...own('zb', 4, 1000)], needs: [gang], policy: policy({ reclaimCapFraction: 0.05 }) }), T0, { delay: () => k });
    for (let i = 0; i < 40; i++) expect(loop.step().verdicts[0]).toMatchObject({ satisfied: true, sameDomain: 'za' });
    expect(loop.machines().filter((m) => m.state === 'Configured').map(({ id }) => id)).toEqual(['za-0', 'za-1']);
  });

  it.each([0, 1, 2, 5])('buys each missing machine exactly once when Creates and Configures take %i cycles', (k) => {
    const loop = new Simulation(world({ machines: fleet(9, 'Speculative'), needs: [need({ units: 4 })] }), T0, { delay: () => k });
    expect(loop.run(40)).toEqual({ Provision: 4 });
    expect(loop.machines().filter((m) => m.state === 'Configured')).toHaveLength(4);
  });

  it('withdraws and buys nothing when machines of several Needs overtake each other', () => {
    const demand = [need({ priority: 500, units: 3 }), need({ priority: 50, units: 3 }), need({ priority: 5, units: 3 })];
    const loop = new Simulation(world({ machines: [...fleet(3, 'Idle'), ...fleet(12, 'Speculative')], needs: demand }), T0, { delay: delays([0, 1, 2, 3, 5, 8]) });
    expect(loop.run(60)).toEqual({ Bootstrap: 3, Provision: 6 });
  });

  it('takes nothing from and gives nothing to a fleet that fits', () => {
    const demand = [need({ units: 5 }), need({ cluster: 'c2', units: 3 })];
    const machines = [...fleet(5, 'Configured'), ...fleet(3, 'Configured', { cluster: 'c2' }).map((m) => ({ ...m, id: `x${m.id}` })), ...fleet(4, 'Speculative')];
    expect(new Simulation(world({ machines, needs: demand }), T0, { delay: () => 1 }).run(50)).toEqual({});
  });
});

describe('a drop in demand', () => {
  it('reclaims the surplus once, releases what is not free of charge once, then rests', () => {
    const machines = [
      ...fleet(12, 'Configured', { capacityType: 'BareMetal', priceMicroUsdPerHour: 0 }),
      ...fleet(3, 'Idle', { capacityType: 'BareMetal', priceMicroUsdPerHour: 0 }), ...fleet(9, 'Speculative'),
    ];
    const holds = policy({ holds: { ...RAILS_OFF.holds, onDemandMs: 1000 } });
    const loop = new Simulation(world({ machines, needs: [need({ units: 20 })], policy: holds }), T0, { delay: () => 0 });
    expect(loop.run(10)).toEqual({ Bootstrap: 3, Provision: 5 });
    loop.apply({ kind: 'needs', cluster: 'c1', needs: [need({ units: 12 })] });
    expect(loop.run(1)).toEqual({ Reclaim: 8 });
    expect(loop.run(3)).toEqual({ Delete: 5 });
    expect(loop.run(30)).toEqual({});
    expect(loop.machines().filter((m) => m.state === 'Configured')).toHaveLength(12);
  });

  it.each([
    [100, [5, 4, 4, 4, 4, 3], 60],
    [1000, [50, 47, 45, 42, 40, 38], 107],
  ])('under a cap of 5 percent %i machines leave in steps of %j…, %i cycles in all', (n, first, cycles) => {
    const loop = new Simulation(world({ machines: fleet(n, 'Configured'), policy: policy({ reclaimCapFraction: 0.05 }) }), T0, { delay: () => 0 });
    const steps: number[] = [];
    while (steps.length < 500) {
      const taken = loop.step().actions.filter((a) => a.kind === 'Reclaim').length;
      if (taken === 0) break;
      steps.push(taken);
    }
    expect(steps.slice(0, first.length)).toEqual(first);
    expect(steps).toHaveLength(cycles);
  });

  it('spares busy machines for the length of the patience, and all of them if demand returns', () => {
    const start = world({ machines: fleet(4, 'Configured'), needs: [need({ units: 2 })], hints: { c1: fleet(4, 'Configured').map((m) => hint(m.id)) } });
    const loop = new Simulation(start, T0, { delay: () => 0, cycleMs: MINUTE });
    expect(loop.run(4)).toEqual({});
    loop.apply({ kind: 'needs', cluster: 'c1', needs: [need({ units: 4 })] });
    expect(loop.run(3)).toEqual({});
    loop.apply({ kind: 'needs', cluster: 'c1', needs: [need({ units: 2 })] });
    expect(loop.run(5)).toEqual({});
    expect(loop.run(1)).toEqual({ Reclaim: 2 });
  });
});

describe('a gang', () => {
  it('assembles once, however its members overtake each other', () => {
    const gang: Need = need({ units: 8, minUnit: amounts({ cpu: 2 }), group: 'g', requirements: [{ key: 'topology.kubernetes.io/zone', operator: 'Same', values: [] }] });
    const machines = ['za', 'zb'].flatMap((zone) => fleet(5, 'Speculative', { zone, allocatable: amounts({ cpu: 2 }) }).map((m) => ({ ...m, id: `${zone}-${m.id}` })));
    const loop = new Simulation(world({ machines, needs: [gang] }), T0, { delay: delays([0, 2, 5]) });
    expect(loop.run(50)).toEqual({ Provision: 4 });
    expect(new Set(loop.machines().filter((m) => m.state === 'Configured').map((m) => m.zone))).toEqual(new Set(['za']));
  });
});

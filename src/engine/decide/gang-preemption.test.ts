import { describe, expect, it } from 'vitest';
import { changesOf, createEngine, planOnce } from '../engine.ts';
import { amounts, assignmentOf, hint, machine, need, policy, sameZone, T0, world } from '../testing/builders.ts';
import type { NeedSpec, WorldSpec } from '../testing/builders.ts';
import { committed } from '../testing/commit.ts';
import { Simulation } from '../testing/simulation.ts';
import { actionsOf, idsOf } from '../testing/summary.ts';
import type { EngineMachine, MachineState, MemoryChange, NeedVerdict } from '../types.ts';

const gang = (units: number, over: NeedSpec = {}) => need({ units, group: 'A', priority: 1000, requirements: [sameZone()], ...over });
const low = (units: number, over: NeedSpec = {}) => need({ cluster: 'c2', priority: 10, units, ...over });
const inZone = (zone: string, n: number, state: MachineState, over: Partial<EngineMachine> = {}): EngineMachine[] =>
  Array.from({ length: n }, (_, i) => machine(`${zone}-${state}-${i}`, state, { zone, ...over }));
const victims = (zone: string, n: number, over: Partial<EngineMachine> = {}): EngineMachine[] =>
  Array.from({ length: n }, (_, i) => machine(`${zone}-v${i}`, 'Configured', { zone, cluster: 'c2', assigned: assignmentOf(low(1)), ...over }));
const own = (units: number) => ({ assigned: assignmentOf(gang(units)) });
const plan = (spec: WorldSpec) => planOnce(world(spec), T0);

describe('a gang that takes from others (D7)', () => {
  it.each<[string, WorldSpec, string[]]>([
    ['takes all that lacks, in one domain', { machines: [...victims('za', 2), ...victims('zb', 3)], needs: [gang(3), low(5)] }, ['Preempt zb-v0 c2', 'Preempt zb-v1 c2', 'Preempt zb-v2 c2']],
    ['takes nothing when no domain is whole even so', { machines: [...victims('za', 2), ...victims('zb', 3)], needs: [gang(4), low(5)] }, []],
    ['acquires what is free there and takes the rest', { machines: [...inZone('za', 1, 'Idle'), ...victims('za', 1), ...inZone('za', 1, 'Speculative')], needs: [gang(3), low(1)] }, ['Bootstrap za-Idle-0 c1', 'Provision za-Speculative-0 c1', 'Preempt za-v0 c2']],
    ['takes nothing where it can do without', { machines: [...victims('za', 3), ...inZone('zb', 3, 'Speculative')], needs: [gang(3), low(3)] }, ['Provision zb-Speculative-0 c1', 'Provision zb-Speculative-1 c1', 'Provision zb-Speculative-2 c1']],
    ['but rather takes from others than leave where it holds more', {
      machines: [...inZone('za', 2, 'Configured', own(3)), ...victims('za', 1), ...inZone('zb', 3, 'Idle')], needs: [gang(3), low(1)],
    }, ['Bootstrap zb-Idle-0 c2', 'Preempt za-v0 c2']],
    ['wastes as little as possible', { machines: [...victims('za', 4), ...victims('zb', 3)], needs: [gang(3), low(7)] }, ['Preempt zb-v0 c2', 'Preempt zb-v1 c2', 'Preempt zb-v2 c2']],
    ['takes what nobody needs rather than what serves elsewhere (X24)', {
      machines: [...inZone('za', 2, 'Idle'), ...victims('za', 1), ...inZone('zb', 2, 'Idle'), machine('zb-excess', 'Configured', { zone: 'zb', cluster: 'c3' })], needs: [gang(3), low(1)], reported: ['c3'],
    }, ['Bootstrap zb-Idle-0 c1', 'Bootstrap zb-Idle-1 c1', 'Preempt zb-excess c3']],
    ['waits for what is coming rather than take what serves elsewhere', {
      machines: [...inZone('za', 2, 'Idle'), ...victims('za', 1), ...inZone('zb', 2, 'Idle'), ...victims('zb', 1), machine('zb-coming', 'Draining', { zone: 'zb', cluster: 'c3' })], needs: [gang(3), low(2)], reported: ['c3'],
    }, ['Bootstrap zb-Idle-0 c1', 'Bootstrap zb-Idle-1 c1']],
    ['but counts no domain as whole for what is coming', {
      machines: [...inZone('za', 2, 'Idle'), ...victims('za', 1), ...inZone('zb', 2, 'Idle'), machine('zb-coming', 'Draining', { zone: 'zb', cluster: 'c3' })], needs: [gang(3), low(1)], reported: ['c3'],
    }, ['Bootstrap za-Idle-0 c1', 'Bootstrap za-Idle-1 c1', 'Bootstrap zb-Idle-0 c2', 'Preempt za-v0 c2']],
    ['takes over what is promised rather than take what serves elsewhere', {
      machines: [...inZone('za', 2, 'Idle'), ...victims('za', 1), ...inZone('zb', 2, 'Idle'), machine('zb-promised', 'Draining', { zone: 'zb', cluster: 'c3' })], needs: [gang(3), low(2)], reported: ['c3'],
      memory: [{ what: 'reservation', key: 'zb-promised', to: assignmentOf(low(2)) }],
    }, ['Bootstrap zb-Idle-0 c1', 'Bootstrap zb-Idle-1 c1', 'Bootstrap za-Idle-0 c2']],
    ['takes from others as little as possible', { machines: [...victims('za', 3), ...inZone('zb', 2, 'Idle'), ...victims('zb', 1)], needs: [gang(3), low(4)] }, ['Bootstrap zb-Idle-0 c1', 'Bootstrap zb-Idle-1 c1', 'Preempt zb-v0 c2']],
    ['wastes nothing that others have and nobody would touch', {
      machines: [...inZone('za', 3, 'Idle'), ...victims('za', 4), ...inZone('zb', 4, 'Idle'), ...inZone('zc', 1, 'Configured', own(3))], needs: [gang(3), low(4)],
    }, ['Bootstrap za-Idle-0 c1', 'Bootstrap za-Idle-1 c1', 'Bootstrap za-Idle-2 c1']],
    ['takes what is more machines, where that is as much', {
      machines: [...victims('za', 1, { allocatable: amounts({ cpu: 4 }) }), ...victims('zb', 2, { allocatable: amounts({ cpu: 2 }) })], needs: [gang(4), low(8)],
    }, ['Preempt zb-v0 c2', 'Preempt zb-v1 c2']],
    ['wastes as little of what others have as possible, all dimensions together', {
      machines: [...victims('za', 1, { allocatable: amounts({ cpu: 4, memory: 6 }) }), ...victims('zb', 1, { allocatable: amounts({ cpu: 5, memory: 4 }) })],
      needs: [gang(0, { minUnit: amounts({ cpu: 1, memory: 1 }), aggregate: amounts({ cpu: 4, memory: 4 }) }), low(9)],
    }, ['Preempt zb-v0 c2']],
    ['nor of what nobody needs', {
      machines: [
        machine('za-excess', 'Configured', { zone: 'za', cluster: 'c3', allocatable: amounts({ cpu: 4, memory: 6 }) }),
        machine('zb-excess', 'Configured', { zone: 'zb', cluster: 'c3', allocatable: amounts({ cpu: 5, memory: 4 }) }),
      ],
      needs: [gang(0, { minUnit: amounts({ cpu: 1, memory: 1 }), aggregate: amounts({ cpu: 4, memory: 4 }) })], reported: ['c3'],
    }, ['Preempt zb-excess c3', 'Reclaim za-excess c3']],
    ['takes from nobody of its own rank', { machines: victims('za', 3, { assigned: assignmentOf(low(1, { priority: 1000 })) }), needs: [gang(3), low(3, { priority: 1000 })] }, []],
    ['is not whole with machines that must not be disrupted', { machines: victims('za', 3), needs: [gang(3), low(3)], hints: { c2: [hint('za-v1', { doNotDisrupt: true })] } }, []],
    ['is not whole with its own cluster\'s machines of lower rank that serve', {
      machines: inZone('za', 3, 'Configured'), needs: [need({ priority: 5000, units: 3 }), gang(3)],
    }, []],
    ['takes nothing when the limit has no room for the rest', { machines: [...victims('za', 1), ...inZone('za', 2, 'Speculative')], needs: [gang(3), low(1)], policy: policy({ limits: { machines: 2 } }) }, []],
    ['binds nothing that has arrived for it either when the limit has no room for the rest', {
      machines: [...inZone('za', 1, 'Idle'), ...inZone('za', 2, 'Speculative')], needs: [gang(3)], policy: policy({ limits: { machines: 1 } }),
      memory: [{ what: 'reservation', key: 'za-Idle-0', to: assignmentOf(gang(3)) }],
    }, []],
    ['takes nothing without a session', { machines: victims('za', 3), needs: [gang(3), low(3)], sessions: ['c2'] }, []],
  ])('%s', (_, spec, expected) => {
    expect(actionsOf(plan(spec))).toEqual(expected);
  });

  it('reads where it will be and what is on its way', () => {
    expect(plan({ machines: victims('za', 2), needs: [gang(2), low(2)] }).verdicts[0]).toMatchObject({
      satisfied: false, reason: 'PREEMPTION_IN_PROGRESS', sameDomain: 'za', sameSatisfiable: true, preemption: { victims: 2, freed: [['cpu', 2000]] },
    });
  });

  it('goes on waiting for what is draining for it while the limit has no room for the rest', () => {
    const memory = ['za-v0', 'za-Idle-0'].map((key): MemoryChange => ({ what: 'reservation', key, to: assignmentOf(gang(3)) }));
    const machines = [...victims('za', 1, { state: 'Draining' }), ...inZone('za', 1, 'Idle'), ...inZone('za', 1, 'Speculative')];
    const result = plan({ machines, needs: [gang(3), low(1)], policy: policy({ limits: { machines: 1 } }), memory });
    expect(actionsOf(result)).toEqual([]);
    expect(result.memory.filter(({ what }) => what === 'reservation')).toEqual([{ what: 'reservation', key: 'za-Idle-0', to: null }]);
    expect(result.verdicts[0]).toMatchObject({ satisfied: false, machines: 0, deficit: [['cpu', 3000]], preemption: { victims: 1, freed: [['cpu', 1000]] } });
  });

  it('reads what is missing when no domain is whole', () => {
    const [verdict] = plan({ machines: [...victims('za', 1), ...victims('zb', 2)], needs: [gang(4), low(3)] }).verdicts;
    expect(verdict).toMatchObject({
      reason: 'TOPOLOGY_UNSATISFIABLE', sameSatisfiable: false,
      sameCandidates: [{ domain: 'zb', coveragePerMille: 500, satisfiable: false }, { domain: 'za', coveragePerMille: 250, satisfiable: false }],
    });
    expect(verdict).not.toHaveProperty('preemption');
  });

  it('names the five places that cover most of it', () => {
    const machines = ['za', 'zb', 'zc', 'zd', 'ze', 'zf'].flatMap((zone, i) => inZone(zone, i + 1, 'Idle'));
    const [verdict] = plan({ machines, needs: [gang(10)] }).verdicts;
    expect(verdict?.sameCandidates?.map(({ domain, coveragePerMille }) => [domain, coveragePerMille])).toEqual([['zf', 600], ['ze', 500], ['zd', 400], ['zc', 300], ['zb', 200]]);
  });

  it('names places that cover as much of it in order of their names', () => {
    const [verdict] = plan({ machines: ['zb', 'zc', 'za'].flatMap((zone) => inZone(zone, 1, 'Idle')), needs: [gang(2)] }).verdicts;
    expect(verdict?.sameCandidates?.map(({ domain }) => domain)).toEqual(['za', 'zb', 'zc']);
  });

  it('says how much of it a domain covers where it asks for nothing of something', () => {
    const [verdict] = plan({ machines: inZone('za', 1, 'Idle'), needs: [gang(2, { aggregate: amounts({ cpu: 2, gpu: 0 }) })] }).verdicts;
    expect(verdict?.sameCandidates).toEqual([{ domain: 'za', coveragePerMille: 500, satisfiable: false }]);
  });

  it('names no places where only the limit on purchases stops it', () => {
    const [verdict] = plan({ machines: [...inZone('za', 2, 'Configured', own(3)), ...inZone('zb', 3, 'Speculative')], needs: [gang(3)], policy: policy({ limits: { machines: 2 } }) }).verdicts;
    expect(verdict).toMatchObject({ reason: 'LIMIT_REACHED', sameDomain: 'za', sameSatisfiable: true });
    expect(verdict).not.toHaveProperty('sameCandidates');
  });

  it('counts what is on its way to it elsewhere as on its way, though it is whole nowhere', () => {
    const [verdict] = plan({ machines: [...inZone('za', 2, 'Configured', own(5)), ...inZone('zb', 1, 'Configuring', own(5))], needs: [gang(5)] }).verdicts;
    expect(verdict).toMatchObject({ satisfied: false, sameDomain: 'za', machines: 3, inFlight: 1 });
  });

  it('binds nothing that has arrived for it without a session', () => {
    const memory = ['za-Idle-0', 'za-Idle-1'].map((key): MemoryChange => ({ what: 'reservation', key, to: assignmentOf(gang(2)) }));
    const result = plan({ machines: inZone('za', 2, 'Idle'), needs: [gang(2)], sessions: [], memory });
    expect(actionsOf(result)).toEqual([]);
    expect(result.verdicts[0]).toMatchObject({ satisfied: false, reason: 'NO_SESSION', sameSatisfiable: false });
  });

  it('is in no place when it asks for nothing', () => {
    const [verdict] = plan({ machines: inZone('za', 2, 'Configured', own(2)), needs: [gang(0)] }).verdicts;
    expect(verdict).toEqual({ need: gang(0), arrival: T0, satisfied: true, deficit: [['cpu', 0]], machines: 0, inFlight: 0, bootstraps: 0, provisions: 0 });
  });

  it.each<[string, EngineMachine[], EngineMachine[], Partial<NeedVerdict>]>([
    ['is', [...inZone('za', 2, 'Configured', own(2))], [...inZone('zb', 2, 'Configured', own(2))], { satisfied: true, sameDomain: 'zb' }],
    ['might have been', [...inZone('zc', 2, 'Configured', own(2)), machine('i', 'Idle')], [...inZone('zc', 2, 'Configured', own(2)), machine('i', 'Idle', { zone: 'zb' })], {
      satisfied: false, sameDomain: 'zc', sameCandidates: [{ domain: 'zc', coveragePerMille: 400, satisfiable: false }, { domain: 'zb', coveragePerMille: 200, satisfiable: false }],
    }],
  ])('reads anew where it %s when nothing else has changed', (_, before, after, said) => {
    const wanted = gang(said.satisfied === true ? 2 : 5);
    const engine = createEngine(policy());
    for (const change of changesOf(world({ machines: before, needs: [wanted] }))) engine.apply(change);
    engine.plan(T0);
    const ids = new Set(after.map(({ id }) => id));
    engine.apply({ kind: 'machines', upserted: after, removed: before.map(({ id }) => id).filter((id) => !ids.has(id)) });
    expect(engine.plan(T0).verdicts[0]).toMatchObject(said);
  });

  it('says how much of it a domain covers, rounded down: two thirds are not 667 ‰', () => {
    const [verdict] = plan({ machines: inZone('za', 2, 'Idle'), needs: [gang(3)] }).verdicts;
    expect(verdict?.sameCandidates).toEqual([{ domain: 'za', coveragePerMille: 666, satisfiable: false }]);
  });

  it('says what is on its way to it in a domain that it had to leave', () => {
    const memory: MemoryChange[] = [{ what: 'reservation', key: 'za-v0', to: assignmentOf(gang(4)) }];
    const result = plan({ machines: [...victims('za', 1, { state: 'Draining' }), ...inZone('zb', 2, 'Configured', own(4))], needs: [gang(4)], reported: ['c2'], memory });
    expect(result.verdicts[0]).toMatchObject({ reason: 'TOPOLOGY_UNSATISFIABLE', sameDomain: 'zb', machines: 2, preemption: { victims: 1 } });
    expect(result.memory.filter((m) => m.what === 'reservation')).toEqual([]);
  });

  it('leaves a victim\'s gang whole or without: its members left over are reclaimed or kept by it, never half taken twice', () => {
    const lowGang = gang(3, { cluster: 'c2', priority: 10, group: 'B' });
    const machines = victims('za', 3, { assigned: assignmentOf(lowGang) });
    const before = world({ machines, needs: [gang(2), lowGang] });
    const first = planOnce(before, T0);
    expect(actionsOf(first)).toEqual(['Preempt za-v0 c2', 'Preempt za-v1 c2']);
    expect(first.verdicts[1]).toMatchObject({ reason: 'TOPOLOGY_UNSATISFIABLE', machines: 1 });
    expect(planOnce(committed(before, first), T0).actions).toEqual([]);
  });

  it('counts victims on their way for its domain', () => {
    const memory: MemoryChange[] = ['za-v0', 'za-v1'].map((key) => ({ what: 'reservation', key, to: assignmentOf(gang(3)) }));
    const machines = [...victims('za', 2, { state: 'Draining' }), ...inZone('za', 1, 'Configured', own(3)), ...inZone('zb', 3, 'Idle')];
    const result = plan({ machines, needs: [gang(3)], reported: ['c2'], memory });
    expect(result.actions).toEqual([]);
    expect(result.verdicts[0]).toMatchObject({ sameDomain: 'za', reason: 'PREEMPTION_IN_PROGRESS' });
  });

  it.each([0, 2, 5])('assembles once when every transition takes %i cycles', (k) => {
    const loop = new Simulation(world({ machines: [...victims('za', 3), ...inZone('zb', 2, 'Idle')], needs: [gang(3), low(3)] }), T0, { delay: () => k });
    expect(loop.run(40)).toEqual({ Preempt: 3, Bootstrap: 5 });
    expect(loop.machines().filter((m) => m.cluster === 'c1').map((m) => m.zone)).toEqual(['za', 'za', 'za']);
  });

  it('binds nothing and gives back what it took when one victim is lost and no domain is whole any more', () => {
    const memory: MemoryChange[] = ['za-v0', 'za-v1'].map((key) => ({ what: 'reservation', key, to: assignmentOf(gang(2)) }));
    const machines = [machine('za-v0', 'Idle', { zone: 'za' }), machine('za-v1', 'Failed', { zone: 'za' })];
    const result = plan({ machines, needs: [gang(2), low(1)], memory });
    expect(idsOf(result, 'Bootstrap')).toEqual([]);
    expect(result.verdicts[0]).toMatchObject({ reason: 'TOPOLOGY_UNSATISFIABLE' });
    expect(result.memory).toEqual(expect.arrayContaining([{ what: 'reservation', key: 'za-v0', to: null }, { what: 'reservation', key: 'za-v1', to: null }]));
  });
});

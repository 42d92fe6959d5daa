import { describe, expect, it } from 'vitest';
import { planOnce } from '../engine.ts';
import { assignmentOf, hint, machine, need, policy, T0, world, zoneSpread } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import { committed } from '../testing/commit.ts';
import { actionsOf, idsOf } from '../testing/summary.ts';
import type { EngineMachine, MachineState } from '../types.ts';

const spread = (units: number, maxSkew = 1) => need({ units, priority: 1000, spread: [zoneSpread(maxSkew)] });
const low = need({ cluster: 'c2', priority: 10, units: 9 });
const inZone = (zone: string, n: number, state: MachineState, over: Partial<EngineMachine> = {}): EngineMachine[] =>
  Array.from({ length: n }, (_, i) => machine(`${zone}-${state}-${i}`, state, { zone, ...over }));
const victims = (zone: string, n: number): EngineMachine[] =>
  Array.from({ length: n }, (_, i) => machine(`${zone}-v${i}`, 'Configured', { zone, cluster: 'c2', assigned: assignmentOf(low) }));
const plan = (spec: WorldSpec) => planOnce(world({ ...spec, needs: [...(spec.needs ?? []), low] }), T0);

describe('a strict spread that takes from others', () => {
  it.each<[string, WorldSpec, string[]]>([
    ['takes evenly', { machines: [...victims('za', 4), ...victims('zb', 4)], needs: [spread(4)] }, ['za-v0', 'za-v1', 'zb-v0', 'zb-v1']],
    ['stops where it would widen the skew', { machines: [...victims('za', 4), ...victims('zb', 1)], needs: [spread(5)] }, ['za-v0', 'za-v1', 'zb-v0']],
    ['may lean as far as the skew allows', { machines: [...victims('za', 4), ...victims('zb', 1)], needs: [spread(5, 2)] }, ['za-v0', 'za-v1', 'za-v2', 'zb-v0']],
    ['counts what it has (X10)', { machines: [...inZone('za', 1, 'Configured'), ...victims('za', 2), ...victims('zb', 2)], needs: [spread(3)] }, ['za-v0', 'zb-v0']],
    ['counts what it acquires in the same plan', { machines: [...inZone('za', 1, 'Idle'), ...victims('za', 2), ...victims('zb', 2)], needs: [spread(2)] }, ['zb-v0']],
    ['counts a domain where nothing can be taken any more', { machines: [...inZone('zb', 1, 'Configured'), ...victims('za', 4)], needs: [spread(4)] }, ['za-v0', 'za-v1']],
    ['takes nothing without a domain', { machines: victims('', 3), needs: [spread(1)] }, []],
    ['takes nothing that must not be disrupted', { machines: [...victims('za', 1), ...victims('zb', 1)], needs: [spread(2)], hints: { c2: [hint('za-v0', { doNotDisrupt: true })] } }, ['zb-v0']],
    ['goes on where the limit keeps it from buying (D12)', { machines: [...victims('za', 1), ...inZone('zb', 1, 'Speculative')], needs: [spread(2)], policy: policy({ limits: { machines: 1 } }) }, ['za-v0']],
    ['takes in each domain in which it may not buy', { machines: [...victims('za', 1), ...victims('zb', 1), ...inZone('za', 1, 'Speculative'), ...inZone('zb', 1, 'Speculative')], needs: [spread(2)], policy: policy({ limits: { machines: 2 } }) }, ['za-v0', 'zb-v0']],
  ])('%s', (_, spec, expected) => {
    expect([...idsOf(plan(spec), 'Preempt')].sort()).toEqual(expected);
  });

  it('takes the smallest id of those that are equally good, in whatever order they were told (D6)', () => {
    const two = [{ ...victims('za', 1)[0], id: 'v2', labels: { a: '1' }, assigned: assignmentOf({ ...low, group: 'g' }) }, { ...victims('za', 1)[0], id: 'v1' }] as EngineMachine[];
    for (const machines of [two, [...two].reverse()]) {
      expect(idsOf(plan({ machines, needs: [spread(1)] }), 'Preempt')).toEqual(['v1']);
    }
  });

  it('acquires what a victim opens to it, before a lower Need buys it and must give it up again', () => {
    const before = world({ machines: [...inZone('za', 3, 'Speculative'), ...victims('zb', 2)], needs: [spread(5), low] });
    const first = planOnce(before, T0);
    expect(actionsOf(first)).toEqual(['Provision za-Speculative-0 c1', 'Provision za-Speculative-1 c1', 'Provision za-Speculative-2 c1', 'Preempt zb-v0 c2', 'Preempt zb-v1 c2']);
    expect(actionsOf(planOnce(committed(before, first), T0))).toEqual([]);
  });

  it('takes no more than it takes to open what is free', () => {
    const result = plan({ machines: [...inZone('za', 2, 'Idle'), ...victims('zb', 3)], needs: [spread(3)] });
    expect(actionsOf(result).filter((text) => text.endsWith(' c1') || text.startsWith('Preempt'))).toEqual(['Bootstrap za-Idle-0 c1', 'Bootstrap za-Idle-1 c1', 'Preempt zb-v0 c2']);
  });

  it('says that the limit stops it if nothing is to be taken either, and takes what is free after a victim has opened it', () => {
    const machines = [...inZone('za', 1, 'Configured'), ...inZone('zb', 1, 'Speculative')];
    const limited = policy({ limits: { machines: 1 } });
    expect(plan({ machines, needs: [spread(2)], policy: limited }).verdicts[0]).toMatchObject({ satisfied: false, reason: 'LIMIT_REACHED' });
    const beyond = [...machines, ...victims('za', 1)];
    expect(plan({ machines: beyond, needs: [spread(3)], policy: policy({ limits: { machines: 2 } }) }).verdicts[0]).toMatchObject({ satisfied: false, reason: 'LIMIT_REACHED' });
    const opened = [...inZone('za', 1, 'Speculative'), ...inZone('za', 1, 'Idle'), ...inZone('zb', 1, 'Speculative'), ...victims('zb', 1)];
    expect(actionsOf(plan({ machines: opened, needs: [spread(2)], policy: limited }))).toEqual(['Bootstrap za-Idle-0 c1', 'Preempt zb-v0 c2']);
  });

  it('says that the skew keeps it from taking more', () => {
    const one = plan({ machines: [...victims('za', 4), ...inZone('zb', 1, 'Configured', { assigned: assignmentOf(spread(1)) })], needs: [spread(9)] });
    expect(one.verdicts[0]).toMatchObject({ satisfied: false, reason: 'PREEMPTION_EXHAUSTED', preemption: { victims: 2 } });
    const none = plan({ machines: [...victims('za', 4), ...inZone('za', 2, 'Configured'), ...inZone('zb', 1, 'Configured')], needs: [spread(9)] });
    expect(none.verdicts[0]?.reason).toBe('SPREAD_UNSATISFIABLE');
  });

  it('takes nothing more once that is written down', () => {
    const before = world({ machines: [...victims('za', 4), ...victims('zb', 1)], needs: [spread(5), low] });
    const first = planOnce(before, T0);
    expect(idsOf(first, 'Preempt')).toHaveLength(3);
    expect(actionsOf(planOnce(committed(before, first), T0))).toEqual([]);
  });
});

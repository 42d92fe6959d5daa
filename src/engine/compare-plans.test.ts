import { describe, expect, it } from 'vitest';
import { differenceBetween, kept } from './compare-plans.ts';
import { changesOf, createEngine } from './engine.ts';
import { machine, need, T0, world } from './testing/builders.ts';
import type { Action, MachineReason, Plan } from './types.ts';

const engine = createEngine(world().policy);
for (const change of changesOf(world({ machines: [machine('a', 'Idle'), machine('b', 'Speculative')], needs: [need({ units: 3 })] }))) engine.apply(change);
const plan = engine.plan(T0);

describe('two plans of the same facts', () => {
  it('agree when the one is made in full', () => {
    expect(differenceBetween(plan, engine.planInFull(T0))).toBeUndefined();
    expect(plan.actions).toHaveLength(2);
  });

  it.each<[string, Partial<Plan>]>([
    ['actions[0]: ', { actions: [...plan.actions].reverse() }],
    ['actions[1]: ', { actions: plan.actions.slice(0, 1) }],
    ['verdicts[0]: ', { verdicts: plan.verdicts.map((verdict) => ({ ...verdict, machines: 9 })) }],
    ['memory[0]: ', { memory: [] }],
    ['wakeAt[0]: ', { wakeAt: T0 + 1 }],
    ['stats[0]: ', { stats: { ...plan.stats, unmet: 0 } }],
  ])('differ: %s', (what, fields) => {
    expect(differenceBetween({ ...plan, ...fields }, plan)?.startsWith(what)).toBe(true);
    expect(differenceBetween(plan, { ...plan, ...fields })?.startsWith(what)).toBe(true);
  });
});

describe('a plan that is kept', () => {
  it('says of machines what it said when the engine makes another, and of others what was told', () => {
    const other = createEngine(world().policy);
    for (const change of changesOf(world({ machines: [machine('a', 'Configured'), machine('b', 'Configured')], needs: [need({ units: 1 })] }))) other.apply(change);
    const told: MachineReason = { code: 'Failed' };
    const first = kept(other.plan(T0), () => told);
    const before = [first.machineReasons.get('a')?.code, first.machineReasons.get('b')?.code, first.machineReasons.get('c')];
    other.apply({ kind: 'needs', cluster: 'c1', needs: [] });
    const second = other.plan(T0 + 1);
    expect(before).toEqual(['Serving', 'Excess', told]);
    expect([first.machineReasons.get('a')?.code, first.machineReasons.get('b')?.code]).toEqual(before.slice(0, 2));
    expect(differenceBetween({ ...first, ...withoutReasons(second) }, second)).toMatch(/^reason of a: .*"Serving".* instead of .*"Excess"/);
  });

  it('is compared entry by entry up to some number, then by what entries say without going into it', () => {
    const many = Array.from({ length: 10_002 }, (_, i) => ({ what: 'idleSince', key: `m${String(i)}`, at: T0 }) as const);
    const changed = (at: number): Partial<Plan> => ({ memory: many.map((m, i) => (i === at ? { ...m, at: 1 } : { ...m })) });
    expect(differenceBetween({ ...plan, memory: many }, { ...plan, ...changed(-1) })).toBeUndefined();
    expect(differenceBetween({ ...plan, memory: many }, { ...plan, ...changed(9_999) })).toMatch(/^memory\[9999\]: /);
    expect(differenceBetween({ ...plan, memory: many }, { ...plan, ...changed(10_001) })).toMatch(/^memory\[10001\]: /);
    expect(differenceBetween({ ...plan, memory: many }, { ...plan, memory: many.slice(0, 10_001) })).toMatch(/^memory\[10001\]: .* instead of nothing/);
    const actions = (of: number, reason: MachineReason, over = {}): Partial<Plan> =>
      ({ actions: many.map(({ key }, i) => ({ ...(plan.actions[0] as Action), machineId: key, ...(i === of && { reason, ...over }) })) });
    const other: MachineReason = { code: 'Failed' };
    expect(differenceBetween({ ...plan, ...actions(-1, other) }, { ...plan, ...actions(9_999, other) })).toMatch(/^actions\[9999\]: /);
    expect(differenceBetween({ ...plan, ...actions(-1, other) }, { ...plan, ...actions(10_001, other) })).toBeUndefined();
    expect(differenceBetween({ ...plan, ...actions(-1, other) }, { ...plan, ...actions(10_001, other, { cluster: 'elsewhere' }) })).toMatch(/^actions\[10001\]: /);
  });
});

function withoutReasons({ machineReasons: _, ...rest }: Plan): Omit<Plan, 'machineReasons'> {
  return rest;
}

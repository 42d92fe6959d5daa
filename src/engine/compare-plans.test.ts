import { describe, expect, it } from 'vitest';
import { differenceBetween } from './compare-plans.ts';
import { changesOf, createEngine } from './engine.ts';
import { machine, need, T0, world } from './testing/builders.ts';
import type { Plan } from './types.ts';

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

import { describe, expect, it } from 'vitest';
import { changesOf, createEngine, planOnce } from '../engine/engine.ts';
import { assignmentOf, bindTo, machine, need, T0, world } from '../engine/testing/builders.ts';
import { codesOf, textOf } from '../engine/testing/summary.ts';
import type { Engine } from '../engine/types.ts';
import { finish } from '../lib/steps.ts';
import { PlannedStates } from './planned-state.ts';

const high = need({ priority: 1000, units: 2 });

/** An engine that has to acquire, to remember and to forget: nothing of it is committed yet. */
function busy(): Engine {
  const facts = world({
    machines: [machine('idle', 'Idle', { capacityType: 'Spot' }), machine('freed', 'Draining', { cluster: 'c2' }), machine('late', 'Idle', { intent: bindTo(need({ priority: 7 })) })],
    needs: [high], reported: ['c2'], memory: [{ what: 'reservation', key: 'freed', to: assignmentOf(high) }],
  });
  const engine = createEngine(facts.policy);
  for (const change of changesOf(facts)) engine.apply(change);
  return engine;
}

describe('a state with its plan', () => {
  it('is what the engine knew before anything of the plan was committed', async () => {
    const engine = busy();
    let woken = 0;
    const states = new PlannedStates({ capture: () => engine.capture(), wake: () => void woken++ });
    const state = states.next();
    expect(woken).toBe(1);
    const plan = engine.plan(T0);
    const [text, codes] = [textOf({ ...plan }), codesOf(plan)];
    states.planned(plan);
    // The shard goes on: what was decided and is remembered changes why machines are where they are.
    engine.apply({ kind: 'memory', changes: [...plan.memory, { what: 'reservation', key: 'freed', to: null }] });
    engine.apply({ kind: 'machines', upserted: [], removed: ['idle'] });
    engine.plan(T0 + 1);
    const { facts, plan: kept } = await state;
    expect(kept.actions.length).toBeGreaterThan(0);
    expect(textOf(kept)).toBe(text);
    expect(textOf(planOnce({ ...finish(facts.rest()), machines: [...facts.machines] }, kept.at))).toBe(text);
    expect(kept.machineReasons.get('freed')?.code).toBe(codes['freed']);
  });

  it('is not made for nobody, and is one for all who wait', async () => {
    const engine = busy();
    let made = 0;
    const states = new PlannedStates({ capture: () => (made++, engine.capture()), wake: () => undefined });
    states.planned(engine.plan(T0));
    expect(made).toBe(0);
    const [a, b] = [states.next(), states.next()];
    states.planned(engine.plan(T0));
    states.planned(engine.plan(T0));
    expect(await a).toBe(await b);
    expect(made).toBe(1);
  });

  it('does not come once the shard ends, nor if it cannot be made', async () => {
    const states = new PlannedStates({ capture: () => { throw new Error('no memory'); }, wake: () => undefined });
    const refused = expect(states.next()).rejects.toThrow('no memory');
    states.planned(busy().plan(T0));
    await refused;
    const ended = expect(states.next()).rejects.toThrow('ending');
    states.stop();
    await ended;
  });
});

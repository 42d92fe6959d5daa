import { describe, expect, it } from 'vitest';
import { arrivalKey, changesOf, createEngine } from '../engine.ts';
import { bindTo, machine, need, policy, T0, world } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';

/** Clusters of which nothing has changed are kept as they are only if the last plan left nothing open there. */
describe('an engine that nothing was done for', () => {
  it.each<[string, WorldSpec]>([
    ['acquired', { machines: [machine('i', 'Idle'), machine('s', 'Speculative')], needs: [need({ units: 2 })] }],
    ['preempted', { machines: [machine('v', 'Configured', { cluster: 'c2' })], needs: [need(), need({ cluster: 'c2', priority: 1 })] }],
    ['withdrawn', { machines: [machine('a', 'Creating', { intent: bindTo(need()) })] }],
    ['reclaimed', { machines: [machine('a', 'Configured')] }],
  ])('decides again what is to be %s until that is done, whatever changes elsewhere', (_, spec) => {
    const engine = createEngine(policy());
    for (const change of changesOf(world(spec))) engine.apply(change);
    const { actions, memory } = engine.plan(T0);
    expect(actions).not.toEqual([]);
    engine.apply({ kind: 'memory', changes: memory });
    for (const connected of [true, false]) {
      engine.apply({ kind: 'session', cluster: 'other', connected });
      expect(engine.plan(T0).actions).toEqual(actions);
    }
  });

  it('says again why it leaves something as it is, whatever changes elsewhere', () => {
    const engine = createEngine(policy());
    for (const change of changesOf(world({ machines: [machine('a', 'Creating', { intent: bindTo(need()) })], unreported: ['c1'] }))) engine.apply(change);
    engine.plan(T0);
    engine.apply({ kind: 'session', cluster: 'other', connected: true });
    expect(engine.plan(T0).machineReasons.get('a')).toEqual({ code: 'ExcessNoRollupYet', cluster: 'c1' });
  });

  it('wants it remembered since when demand is there until that is done, whatever changes elsewhere', () => {
    const engine = createEngine(policy());
    for (const change of changesOf(world({ machines: [machine('a', 'Configured')], needs: [need()] }))) engine.apply(change);
    const { memory } = engine.plan(T0);
    expect(memory).toEqual([{ what: 'arrival', key: arrivalKey('c1', need().fingerprint, ''), at: T0 }]);
    engine.apply({ kind: 'session', cluster: 'other', connected: true });
    expect(engine.plan(T0).memory).toEqual(memory);
  });

  it('serves what lacks as soon as something is free for it', () => {
    const engine = createEngine(policy());
    for (const change of changesOf(world({ needs: [need()] }))) engine.apply(change);
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    expect(engine.plan(T0).actions).toEqual([]);
    engine.apply({ kind: 'machines', upserted: [machine('i', 'Idle')], removed: [] });
    expect(engine.plan(T0).actions).toMatchObject([{ kind: 'Bootstrap', machineId: 'i' }]);
  });
});

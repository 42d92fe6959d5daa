import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesOf, createEngine, planOnce } from './engine.ts';
import { worlds } from './testing/arbitraries.ts';
import { breaksOff } from './testing/breaks-off.ts';
import { T0 } from './testing/builders.ts';
import { differing } from './testing/differing.ts';
import { overFleets, PATIENCE_MS } from './testing/over-fleets.ts';
import { textOf } from './testing/summary.ts';

describe('an engine that is told bit by bit', { timeout: PATIENCE_MS }, () => {
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
    }, { also: fc.record({ after: fc.nat(120), inFull: fc.boolean(), edited: fc.boolean() }) });
    expect(broken).toBeGreaterThan(fleets / 10);
  });
});

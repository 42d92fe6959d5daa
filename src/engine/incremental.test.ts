import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { differenceBetween, kept } from './compare-plans.ts';
import { finish } from '../lib/steps.ts';
import { changesOf, createEngine, planOnce } from './engine.ts';
import { worlds } from './testing/arbitraries.ts';
import { T0 } from './testing/builders.ts';
import { Coverage } from './testing/coverage.ts';
import { differing } from './testing/differing.ts';
import { applyEdit, edits } from './testing/edits.ts';
import { overFleets, PATIENCE_MS } from './testing/over-fleets.ts';
import { textOf } from './testing/summary.ts';
import type { Plan } from './types.ts';

const file = new Coverage();

/** Plans that came after an edit, by what was in them. */
const met = { kept: 0, preempted: 0, folded: 0, dropped: 0, quiet: 0, edited: 0 };

describe('an engine that is told bit by bit', { timeout: PATIENCE_MS }, () => {
  it('plans what a fresh one plans that is told everything, after every edit, and says which reasons have changed', () => {
    const fleets = overFleets(worlds(), (world, _, { other, sequence }) => {
      const engine = createEngine(world.policy);
      for (const change of changesOf(world)) engine.apply(change);
      let now = T0;
      let plan = engine.plan(now);
      let reasons = new Map(plan.machineReasons);
      for (const edit of sequence) {
        met.edited++;
        now += edit.pick;
        applyEdit(edit, engine, plan, other);
        expect(finish(engine.audit())).toEqual([]);
        const next = engine.plan(now);
        const fresh = planOnce(engine.snapshot(), now);
        const text = textOf(fresh);
        expect(textOf(next)).toBe(text);
        const changed = new Set(next.machineReasons.changed);
        const latest = new Map(fresh.machineReasons);
        expect(differing(reasons, latest).filter((id) => !changed.has(id))).toEqual([]);
        const before = reasons;
        const noted = kept(next, (id) => before.get(id));
        const full = engine.planInFull(now);
        expect(differenceBetween(noted, full)).toBeUndefined();
        expect(textOf(full)).toBe(text);
        expect(textOf(engine.plan(now))).toBe(text);
        meet(plan, next);
        plan = next;
        reasons = latest;
      }
    }, { file, also: fc.record({ other: worlds(), sequence: edits }) });
    console.log(['plans after an edit, of which with', ...Object.entries(met).map(([what, times]) => `  ${what.padEnd(12)} ${String(times).padStart(6)}`)].join('\n'));
    for (const [what, times] of Object.entries(met)) expect(times, what).toBeGreaterThan(fleets / 10);
  });

  it('takes no step at a time too small', () => {
    overFleets(worlds(), (world, plan, step) => {
      const engine = createEngine(world.policy);
      for (const change of changesOf(world)) {
        engine.apply(change);
        for (let more = true, turns = 0; more; turns++) {
          more = engine.settle(step);
          if (turns > 100) expect.unreachable();
        }
      }
      expect(textOf(engine.plan(T0))).toBe(textOf(plan));
    }, { file, also: fc.integer({ min: 1, max: 5 }) });
  });

  afterAll(() => {
    console.log(file.lineOfFile());
    expect(file.missingOfFile()).toEqual([]);
  });
});

function meet(before: Plan, after: Plan): void {
  if (after.actions.length === 0 && after.memory.length === 0) met.quiet++;
  if (after.actions.some(({ kind }) => kind === 'Preempt')) met.preempted++;
  if (after.memory.some((m) => m.what === 'reservation' && m.to === null)) met.dropped++;
  if (after.verdicts.some(({ sharedBy, need, sameDomain }) => sharedBy !== undefined || (sameDomain === undefined && need.fingerprint.includes(':5:')))) met.folded++;
  if (after.verdicts.some((verdict, i) => verdict === before.verdicts[i])) met.kept++;
}

import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { changesOf, createEngine, planOnce } from './engine.ts';
import { worlds } from './testing/arbitraries.ts';
import { T0 } from './testing/builders.ts';
import { decided } from './testing/simulation.ts';
import { textOf } from './testing/summary.ts';
import type { Change, Engine, EngineMachine, MachineReason, Plan, Snapshot } from './types.ts';

const RUNS = { seed: Number(process.env['SEED'] ?? 20_260_102), numRuns: Number(process.env['RUNS'] ?? 500) };

type Edit = { readonly pick: number; readonly kind: 'machine' | 'remove' | 'needs' | 'hints' | 'session' | 'supply' | 'policy' | 'commit' | 'nothing' };

const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.record({
    pick: fc.nat(1000),
    kind: fc.constantFrom<Edit['kind']>('machine', 'machine', 'machine', 'remove', 'needs', 'hints', 'session', 'supply', 'policy', 'commit', 'commit', 'commit', 'nothing'),
  }),
  { minLength: 1, maxLength: 12, size: 'max' },
);

const met = { kept: 0, preempted: 0, folded: 0, edited: 0, quiet: 0 };

describe('an engine that is told bit by bit', () => {
  it('plans what a fresh one plans that is told everything, after every edit, and says which reasons have changed', () => {
    fc.assert(
      fc.property(worlds(), worlds(), edits, (world, other, sequence) => {
        const engine = createEngine(world.policy);
        for (const change of changesOf(world)) engine.apply(change);
        let now = T0;
        let plan = engine.plan(now);
        let reasons = new Map(plan.machineReasons);
        for (const edit of sequence) {
          met.edited++;
          now += edit.pick;
          apply(edit, engine, plan, other);
          const next = engine.plan(now);
          const fresh = planOnce(engine.snapshot(), now);
          expect(textOf(next)).toBe(textOf(fresh));
          for (const changed of differing(reasons, new Map(fresh.machineReasons))) expect([...next.machineReasons.changed]).toContain(changed);
          expect(textOf(engine.planInFull(now))).toBe(textOf(fresh));
          expect(textOf(engine.plan(now))).toBe(textOf(fresh));
          meet(plan, next);
          plan = next;
          reasons = new Map(next.machineReasons);
        }
      }),
      RUNS,
    );
  });

  it('takes no step at a time too small', () => {
    fc.assert(
      fc.property(worlds(), fc.integer({ min: 1, max: 5 }), (world, step) => {
        const engine = createEngine(world.policy);
        for (const change of changesOf(world)) {
          engine.apply(change);
          for (let more = true, turns = 0; more; turns++) {
            more = engine.settle(step);
            expect(turns).toBeLessThan(100);
          }
        }
        expect(textOf(engine.plan(T0))).toBe(textOf(planOnce(world, T0)));
      }),
      RUNS,
    );
  });

  afterAll(() => {
    for (const [what, times] of Object.entries(met)) expect(times, what).toBeGreaterThan(RUNS.numRuns / 10);
  });
});

function meet(before: Plan, after: Plan): void {
  if (after.actions.length === 0 && after.memory.length === 0) met.quiet++;
  if (after.actions.some(({ kind }) => kind === 'Preempt')) met.preempted++;
  if (after.verdicts.some(({ sharedBy, need, sameDomain }) => sharedBy !== undefined || (sameDomain === undefined && need.fingerprint.includes(':5:')))) met.folded++;
  if (after.verdicts.some((verdict, i) => verdict === before.verdicts[i])) met.kept++;
}

function apply({ kind, pick }: Edit, engine: Engine, plan: Plan, other: Snapshot): void {
  const known = engine.snapshot();
  const clusters = [...other.needs.keys(), 'c1'];
  const cluster = clusters[pick % clusters.length] as string;
  const change = (what: Change): void => engine.apply(what);
  const machine = other.machines[pick % Math.max(1, other.machines.length)];
  if (kind === 'machine' && machine) change({ kind: 'machines', upserted: [machine], removed: [] });
  if (kind === 'remove') change({ kind: 'machines', upserted: [], removed: known.machines.slice(pick % 3, (pick % 3) + 1).map(({ id }) => id) });
  if (kind === 'needs') change({ kind: 'needs', cluster, needs: other.needs.get(cluster) ?? [] });
  if (kind === 'hints') change({ kind: 'hints', cluster, hints: other.hints.get(cluster) ?? null });
  if (kind === 'session') change({ kind: 'session', cluster, connected: !known.sessions.has(cluster) });
  if (kind === 'supply') change({ kind: 'supply', trusted: !known.supplyTrusted });
  if (kind === 'policy') change({ kind: 'policy', policy: other.policy });
  if (kind !== 'commit') return;
  change({ kind: 'memory', changes: plan.memory });
  const byId = new Map(known.machines.map((m) => [m.id, m]));
  const upserted = plan.actions.flatMap((action): EngineMachine[] => {
    const target = byId.get(action.machineId);
    return target ? [decided(target, action)] : [];
  });
  change({ kind: 'machines', upserted, removed: [] });
}

function differing(a: ReadonlyMap<string, MachineReason>, b: ReadonlyMap<string, MachineReason>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((id) => JSON.stringify(a.get(id)) !== JSON.stringify(b.get(id)));
}

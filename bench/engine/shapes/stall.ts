/**
 * `engine/stall`: a process that also serves others takes in 500,000 machines, in slices between turns of the event loop,
 * lets the engine file them bit by bit, hears of the demand cluster by cluster, and plans. What is measured is how long one
 * turn holds the loop: every sample is a turn. Making the machine objects is the caller's work and stays outside.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Engine, EngineMachine, Need } from '../../../src/engine/types.ts';
import type { BenchRow } from '../../suite.ts';
import { mismatch, planFailures } from '../checks.ts';
import type { Expected } from '../checks.ts';
import type { Fleet } from '../fleet.ts';
import { goalsFor } from '../goals.ts';
import { spreadOf, timed } from '../measure.ts';
import { POLICY } from '../workbench.ts';
import type { ShapeRun } from '../workbench.ts';

export async function measureStall(run: ShapeRun, fleet: Fleet, needs: Map<string, Need[]>, expected: Expected): Promise<void> {
  const engine = run.engine.createEngine(POLICY);
  const turns = new Turns();
  await loadInSlices(engine, fleet, run.slice, turns);
  for (const [cluster, rows] of needs) {
    await turns.take('demand', () => {
      engine.apply({ kind: 'needs', cluster, needs: rows });
      engine.apply({ kind: 'session', cluster, connected: true });
    });
    await settle(engine, run.slice, turns);
  }
  const plan = await turns.take('plan', () => engine.plan(1_800_000_000_000));
  const needCount = [...needs.values()].flat().length;
  for (const failure of [...planFailures(plan, fleet, needCount, expected), ...mismatch('turns that plan', turns.of('plan').length, 1)]) {
    run.failures.push(`${run.shape}, engine/stall: ${failure}`);
  }
  const { samples, p50Ms, p99Ms, maxMs } = spreadOf(turns.all);
  const longest = (what: Phase): number => (turns.of(what).length === 0 ? 0 : round(spreadOf(turns.of(what)).maxMs));
  const row: BenchRow = {
    bench: 'engine/stall',
    shape: run.shape,
    machines: fleet.size,
    needs: needCount,
    actions: plan.actions.length,
    samples,
    p50Ms: round(p50Ms),
    p99Ms: round(p99Ms),
    maxMs: round(maxMs),
    rssBytes: process.memoryUsage().rss,
    slice: run.slice,
    maxLoadingMs: Math.max(longest('apply'), longest('settle')),
    maxApplyMs: longest('apply'),
    ...(turns.of('settle').length > 0 && { maxSettleMs: longest('settle') }),
    maxDemandMs: longest('demand'),
    planMs: longest('plan'),
    turnsMs: Math.round(turns.all.reduce((sum, ms) => sum + ms, 0)),
  };
  run.rows.push({ ...row, goals: goalsFor(row) });
  run.progress(`${run.shape}: engine/stall longest turn ${row.maxMs} ms, while loading ${String(row['maxLoadingMs'])} ms, ${samples} turns`);
}

async function loadInSlices(engine: Engine, fleet: Fleet, slice: number, turns: Turns): Promise<void> {
  for (let from = 0; from < fleet.size; from += slice) {
    const upserted: EngineMachine[] = [];
    for (let i = from; i < Math.min(fleet.size, from + slice); i++) upserted.push(fleet.machine(i));
    await nextTurn();
    await turns.take('apply', () => engine.apply({ kind: 'machines', upserted, removed: [] }));
    await settle(engine, slice, turns);
  }
}

async function settle(engine: Engine, slice: number, turns: Turns): Promise<void> {
  while (await turns.take('settle', () => engine.settle(slice)));
}

type Phase = 'apply' | 'settle' | 'demand' | 'plan';

/** Every piece of work gets a turn of the event loop of its own. */
class Turns {
  readonly all: number[] = [];
  readonly #byPhase = new Map<Phase, number[]>();

  async take<T>(phase: Phase, work: () => T): Promise<T> {
    const { ms, result } = timed(work);
    this.all.push(ms);
    const of = this.#byPhase.get(phase);
    if (of === undefined) this.#byPhase.set(phase, [ms]);
    else of.push(ms);
    await nextTurn();
    return result;
  }

  of(phase: Phase): readonly number[] {
    return this.#byPhase.get(phase) ?? [];
  }
}

function round(ms: number): number {
  return Number(ms.toPrecision(4));
}

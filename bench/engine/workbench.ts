/** One shape in one process: a fleet and its demand in an engine, plans that are checked, rows that come out of it. */
import type * as EngineModule from '../../src/engine/engine.ts';
import type { Engine, EngineMachine, Millis, Need, Plan, Policy } from '../../src/engine/types.ts';
import type { BenchRow } from '../suite.ts';
import { actionsByKind, machinesOfVerdicts, mismatch, planFailures, reasonFailures } from './checks.ts';
import type { Expected } from './checks.ts';
import type { Fleet } from './fleet.ts';
import { floorMs } from './floor.ts';
import { goalsFor } from './goals.ts';
import { liveBytes, sample, spreadOf, timed } from './measure.ts';
import type { Sampling } from './measure.ts';

export interface ShapeRun extends Sampling {
  readonly shape: string;
  readonly slice: number;
  readonly engine: typeof EngineModule;
  readonly progress: (line: string) => void;
  readonly rows: BenchRow[];
  readonly failures: string[];
}

/** The holds and rails of a careful operator. */
export const POLICY: Policy = {
  reclaimCapFraction: 0.05,
  maxConcurrentDrainsPerCluster: 0,
  maxReclaimsPerMinute: 0,
  holds: { onDemandMs: 600_000, spotMs: 60_000, occupiedExcessMs: 300_000 },
  limits: {},
  reclaimGraceSeconds: 600,
  preemptionGraceSeconds: [10, 30, 120, 600],
};

const LOAD_SLICE = 5_000;
const SETTLE_AT_ONCE = 20_000;
const PLANS_TO_REST = 20;

export class Workbench {
  readonly run: ShapeRun;
  readonly fleet: Fleet;
  readonly needs: Map<string, Need[]>;
  readonly engine: Engine;
  now: Millis = 1_800_000_000_000;
  #bytesPerMachine: number | undefined;
  /** The same before the first plan with machines. */
  #bytesFiled: number | undefined;
  /** What was alive before any machine came in. */
  #emptyBytes: number | undefined;
  #loadMs = 0;

  constructor(run: ShapeRun, fleet: Fleet, needs: Map<string, Need[]>, policy: Policy = POLICY) {
    this.run = run;
    this.fleet = fleet;
    this.needs = needs;
    this.engine = run.engine.createEngine(policy);
  }

  get rowsOfDemand(): Need[] {
    return [...this.needs.values()].flat();
  }

  /** Says what was built is what the shape is. */
  assertInputs(what: string, seen: unknown, expected: unknown): void {
    this.#fail(`input, ${what}`, mismatch(what, seen, expected));
  }

  /**
   * Feeds demand first, then the machines in slices that are dropped at once, and weighs what the engine keeps per machine:
   * after its filing and one plan. A plan without machines goes before, so that what is kept per row is not counted.
   */
  load(): void {
    const { engine, fleet } = this;
    for (const [cluster, needs] of this.needs) {
      engine.apply({ kind: 'needs', cluster, needs });
      engine.apply({ kind: 'session', cluster, connected: true });
    }
    engine.plan(this.now);
    const before = liveBytes();
    this.#emptyBytes = before;
    this.#loadMs = timed(() => {
      for (let at = 0; at < fleet.size; at += LOAD_SLICE) this.#applySlice(at, Math.min(fleet.size, at + LOAD_SLICE));
      this.settle();
    }).ms;
    this.#bytesFiled = (liveBytes() - before) / fleet.size;
    const first = timed(() => engine.plan(this.now)).ms;
    const after = liveBytes();
    this.#bytesPerMachine = (after - before) / fleet.size;
    this.run.progress(
      `${this.run.shape}: ${fleet.size.toLocaleString('en-US')} machines, ${this.rowsOfDemand.length.toLocaleString('en-US')} rows loaded in ` +
        `${(this.#loadMs / 1000).toFixed(1)} s, first plan ${first.toFixed(0)} ms, ${this.#bytesFiled.toFixed(0)} B per machine, ` +
        `${this.#bytesPerMachine.toFixed(0)} B after a plan`,
    );
  }

  /** Commits what a plan wants remembered, without doing anything about its actions. */
  commitMemory(): void {
    this.engine.apply({ kind: 'memory', changes: this.engine.plan(this.now).memory });
  }

  /** Commits what was decided as a shard does: memory, and each action as an intent on its machine. */
  commit(plan: Plan): void {
    this.engine.apply({ kind: 'memory', changes: plan.memory });
    const changed: number[] = [];
    for (const action of plan.actions) {
      const index = this.fleet.indexOf(action.machineId);
      const state = this.fleet.stateOf(index);
      const serves = this.fleet.assignmentOf(index);
      if (action.kind === 'Bootstrap' || action.kind === 'Provision') this.fleet.set(index, state, 'bind', action.to);
      else if (action.kind === 'Withdraw') this.fleet.set(index, state, 'none', undefined);
      else this.fleet.set(index, state, action.kind === 'Delete' ? 'release' : 'unbind', serves);
      changed.push(index);
    }
    this.apply(changed);
    this.settle();
  }

  apply(indices: readonly number[]): void {
    this.engine.apply({ kind: 'machines', upserted: this.machines(indices), removed: [] });
  }

  machines(indices: readonly number[]): EngineMachine[] {
    const machines = indices.map((index) => this.fleet.machine(index));
    // A caller that keeps machines by id has looked these ids up before: they are flat strings, not the ropes they were built as.
    for (const { id } of machines) if (Number.isNaN(id.charCodeAt(0))) throw new Error('a machine has no name');
    return machines;
  }

  settle(): void {
    while (this.engine.settle(SETTLE_AT_ONCE));
  }

  /** `engine/full`: the whole plan, with nothing kept from the last one. Facts and memory are committed, its actions are not. */
  full(expected: Expected): void {
    this.commitMemory();
    this.settle();
    const { engine, run } = this;
    const first = engine.planInFull(this.now);
    this.#fail('engine/full', reasonFailures(first, this.fleet));
    let last = first;
    const floor = floorMs(this.fleet, this.rowsOfDemand);
    const times = sample(run, () => {
      const { ms, result } = timed(() => engine.planInFull(this.now));
      last = result;
      return ms;
    });
    this.#fail('engine/full, the first plan', planFailures(first, this.fleet, this.needCount, expected));
    this.#fail('engine/full, the last plan', planFailures(last, this.fleet, this.needCount, expected));
    this.#fail('engine/full', mismatch('decisions of plan and planInFull', decisionsOf(engine.plan(this.now)), decisionsOf(engine.planInFull(this.now))));
    this.row('engine/full', times, floor, last, {
      ...(this.#bytesPerMachine !== undefined && { bytesPerMachine: Math.round(this.#bytesPerMachine) }),
      ...(this.#bytesFiled !== undefined && { bytesPerMachineFiled: Math.round(this.#bytesFiled) }),
      loadMs: Math.round(this.#loadMs),
    });
  }

  /** `engine/unchanged`: everything that was decided is committed, and nothing happens but that a second passes. */
  unchanged(expected: Omit<Expected, 'actions'>): void {
    this.rest();
    const floor = floorMs(undefined, this.rowsOfDemand);
    let last = this.tick();
    const bytes = this.#emptyBytes === undefined ? undefined : Math.round((liveBytes() - this.#emptyBytes) / this.fleet.size);
    const times = sample(this.run, () => {
      this.now += 1000;
      const { ms, result } = timed(() => this.engine.plan(this.now));
      last = result;
      return ms;
    });
    this.#fail('engine/unchanged', planFailures(last, this.fleet, this.needCount, { ...expected, actions: {} }));
    this.#fail('engine/unchanged', mismatch('memory of a plan in which nothing happened', last.memory.length, 0));
    this.row('engine/unchanged', times, floor, last, bytes === undefined ? {} : { bytesPerMachine: bytes });
  }

  /**
   * A row of plans that each follow a change. `prepare` (not timed) gives what is applied (timed, with the plan) and what
   * comes of it; `after` (not timed) brings the engine back to where the next change can start.
   */
  changed(bench: string, step: (index: number) => ChangeStep, warm?: number): void {
    const applies: number[] = [];
    const plans: number[] = [];
    let last: Plan | undefined;
    let floor: number | undefined;
    let wrong = false; // one bad sample says enough
    const times = sample(
      this.run,
      (index) => {
        const { changes, touched, rows, expected, after } = step(index);
        floor ??= floorMs(this.fleet, rows, Int32Array.from(touched));
        this.now += 1000;
        const apply = timed(() => changes.forEach((change) => this.engine.apply(change)));
        const plan = timed(() => this.engine.plan(this.now));
        last = plan.result;
        if (!wrong) {
          const failures = planFailures(plan.result, this.fleet, this.needCount, expected(plan.result));
          wrong = failures.length > 0;
          this.#fail(`${bench}, sample ${index}`, failures);
        }
        after(plan.result);
        applies.push(apply.ms);
        plans.push(plan.ms);
        return apply.ms + plan.ms;
      },
      warm,
    );
    if (last === undefined || floor === undefined) throw new Error(`${bench} took no sample`);
    const p50 = (all: readonly number[]): number => round(spreadOf(all.slice(-times.length)).p50Ms);
    this.row(bench, times, floor, last, { applyP50Ms: p50(applies), planP50Ms: p50(plans) });
  }

  row(bench: string, times: readonly number[], floor: number, plan: Plan, more: Readonly<Record<string, unknown>> = {}): void {
    const { samples, p50Ms, p99Ms, maxMs } = spreadOf(times);
    const row: BenchRow = {
      bench,
      shape: this.run.shape,
      machines: this.fleet.size,
      needs: this.needCount,
      actions: plan.actions.length,
      samples,
      p50Ms: round(p50Ms),
      p99Ms: round(p99Ms),
      maxMs: round(maxMs),
      floorMs: round(floor),
      ratioToFloor: round(p99Ms / floor),
      rssBytes: process.memoryUsage().rss,
      actionsByKind: actionsByKind(plan),
      unmet: plan.stats.unmet,
      decisionsPerSecond: Math.round((this.#decisionsIn(plan) * 1000) / p50Ms),
      ...more,
    };
    this.run.rows.push({ ...row, goals: goalsFor(row) });
    const { applyP50Ms, planP50Ms } = row;
    const parts = applyP50Ms === undefined ? '' : ` (apply ${String(applyP50Ms)}, plan ${String(planP50Ms)})`;
    this.run.progress(`${this.run.shape}: ${bench} p50 ${row.p50Ms} ms${parts}, p99 ${row.p99Ms} ms, floor ${row.floorMs} ms, ${samples} samples`);
  }

  /** What a plan says, whether it was worked out anew or stands from an earlier one. */
  #decisionsIn(plan: Plan): number {
    const taken = plan.actions.filter((a) => a.kind !== 'Bootstrap' && a.kind !== 'Provision').length;
    return this.needCount + machinesOfVerdicts(plan) + taken;
  }

  /** Commits plan after plan until one wants nothing. */
  rest(): void {
    for (let n = 0; n < PLANS_TO_REST; n++) {
      const plan = this.tick();
      if (plan.actions.length === 0 && plan.memory.length === 0) return;
      this.commit(plan);
    }
    this.#fail('constant demand', [`the engine has not come to rest after ${PLANS_TO_REST} plans`]);
  }

  /** A second passes, and there is a plan. */
  tick(): Plan {
    this.now += 1000;
    return this.engine.plan(this.now);
  }

  get needCount(): number {
    let count = 0;
    for (const needs of this.needs.values()) count += needs.length;
    return count;
  }

  #applySlice(from: number, to: number): void {
    const upserted: EngineMachine[] = [];
    for (let i = from; i < to; i++) upserted.push(this.fleet.machine(i));
    this.engine.apply({ kind: 'machines', upserted, removed: [] });
  }

  #fail(where: string, failures: readonly string[]): void {
    for (const failure of failures) this.run.failures.push(`${this.run.shape}, ${where}: ${failure}`);
  }
}

export interface ChangeStep {
  readonly changes: readonly Parameters<Engine['apply']>[0][];
  /** Machines and rows that the change names: what its floor reads. */
  readonly touched: readonly number[];
  readonly rows: readonly Need[];
  readonly expected: (plan: Plan) => Expected;
  readonly after: (plan: Plan) => void;
}

/** Enough to tell two plans apart where it matters, small enough to print. */
function decisionsOf(plan: Plan): object {
  return { ...actionsByKind(plan), unmet: plan.stats.unmet, machines: machinesOfVerdicts(plan) };
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

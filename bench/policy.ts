/**
 * What the policies on demand and disruption cost and bring: a recorded trace played through the closed-loop simulator,
 * in virtual time, once per policy. The same inputs give the same figures on every machine.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../src/lib/usage-error.ts';
import { playTrace } from '../src/simulator/trace-world.ts';
import type { TraceOutcome, TracePolicy } from '../src/simulator/trace-world.ts';
import { readTrace } from '../src/world/trace/read-trace.ts';
import type { Trace } from '../src/world/trace/read-trace.ts';
import type { BenchOptions, BenchRow, SuiteResult } from './suite.ts';

const DEFAULT_TRACE = fileURLToPath(new URL('../../shared/data/gpu-trace-2023', import.meta.url));
const CLUSTERS = 3;
const DURATION_MS = 60_000;
const PATIENCE_MS = 10_000;

export const help = `policy plays a trace (one CSV of nodes, one of pods) with one policy after another:
  --trace DIR       the folder of the trace (default ${DEFAULT_TRACE})
p50, p99 and max are milliseconds of simulated time from a Pod's creation to its binding. Prices are invented.`;

interface Variant {
  readonly shape: string;
  readonly policy: TracePolicy;
}

const bare: TracePolicy = { unitClasses: false, busyFirst: false, patienceMs: 0, allowances: false };

/** Each adds one thing to the one before. */
const VARIANTS: readonly Variant[] = [
  { shape: 'one row per profile', policy: bare },
  { shape: '+ unit classes (D2)', policy: { ...bare, unitClasses: true } },
  { shape: '+ busy machines first (D13)', policy: { ...bare, unitClasses: true, busyFirst: true } },
  { shape: '+ 10 s of patience (D32)', policy: { ...bare, unitClasses: true, busyFirst: true, patienceMs: PATIENCE_MS } },
  { shape: '+ allowances (D3)', policy: { unitClasses: true, busyFirst: true, patienceMs: PATIENCE_MS, allowances: true } },
];

export function run(options: Pick<BenchOptions, 'progress' | 'trace'>): Promise<SuiteResult> {
  const trace = load(options.trace ?? DEFAULT_TRACE);
  options.progress(`policy: ${trace.machines.length} machines, ${trace.demand.steps.length} Pods within ${DURATION_MS / 1000} s, ${CLUSTERS} clusters; prices are invented`);
  const outcomes = VARIANTS.map((variant) => {
    const outcome = playTrace(trace, variant.policy);
    options.progress(`policy: ${variant.shape}: ${outcome.evictions} evictions in ${outcome.simulatedMs / 1000} simulated seconds`);
    return { ...variant, outcome };
  });
  return Promise.resolve({
    rows: outcomes.map(({ shape, outcome }) => rowOf(shape, trace, outcome)),
    failures: [...outcomes.flatMap(({ shape, outcome }) => unfinished(shape, outcome)), ...disorder(outcomes.map(({ outcome }) => outcome))],
  });
}

/** The table for people. */
export function table(rows: readonly BenchRow[]): string {
  const columns: readonly (readonly [string, (row: BenchRow) => string])[] = [
    ['policy', (row) => row.shape],
    ['evictions', (row) => String(row['evictions'])],
    ['cost in use $', (row) => dollars(row['spentInUseMicroUsd'])],
    ['cost in all $', (row) => dollars(row['spentMicroUsd'])],
    ['p50 s', (row) => seconds(row.p50Ms)],
    ['p99 s', (row) => seconds(row.p99Ms)],
    ['max s', (row) => seconds(row.maxMs)],
    ['machines at the peak', (row) => String(row['machinesPeak'])],
    ['Pods at the peak', (row) => String(row['podsPeak'])],
    ['simulated s', (row) => seconds(row['simulatedMs'])],
  ];
  const lines = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, cell]) => cell(row)))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines.map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')).join('\n');
}

function load(folder: string): Trace {
  if (!existsSync(folder)) throw new UsageError(`no trace at ${folder}: name a folder that holds one CSV of nodes and one of pods with --trace DIR`);
  return readTrace(folder, { clusters: CLUSTERS, durationMs: DURATION_MS });
}

function rowOf(shape: string, trace: Trace, outcome: TraceOutcome): BenchRow {
  const { waitsMs, actions, ...figures } = outcome;
  const at = (share: number): number => waitsMs[Math.min(waitsMs.length - 1, Math.floor(waitsMs.length * share))] ?? 0;
  return {
    bench: 'policy/trace',
    shape,
    machines: trace.machines.length,
    actions: Object.values(actions).reduce((sum, n) => sum + n, 0),
    samples: waitsMs.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: waitsMs.at(-1) ?? 0,
    ...figures,
    actionsByKind: actions,
  };
}

function unfinished(shape: string, { pendingAtEnd, pods, finished, machinesAtEnd }: TraceOutcome): string[] {
  if (finished === pods && machinesAtEnd === 0) return [];
  return [`${shape}: ${finished} of ${pods} Pods finished, ${pendingAtEnd} wait, ${machinesAtEnd} machines are still bound at the end`];
}

/** What each decision is for must show, or its record claims too much. */
function disorder([rows, classes, busy, patience, allowances]: readonly TraceOutcome[]): string[] {
  const failures: string[] = [];
  const expect = (claim: string, holds: boolean | undefined): void => void (holds !== true && failures.push(`it does not show that ${claim}`));
  const p99 = (outcome: TraceOutcome | undefined): number => outcome?.waitsMs[Math.floor(outcome.waitsMs.length * 0.99)] ?? NaN;
  const longest = (outcome: TraceOutcome | undefined): number => outcome?.waitsMs.at(-1) ?? NaN;
  const evictions = (outcome: TraceOutcome | undefined): number => outcome?.evictions ?? NaN;
  const cost = (outcome: TraceOutcome | undefined): number => outcome?.spentInUseMicroUsd ?? NaN;
  expect('unit classes shorten the wait (p99)', p99(classes) * 2 < p99(rows));
  expect('unit classes cost less', cost(classes) < cost(rows));
  expect('unit classes evict fewer Pods', evictions(classes) < evictions(rows));
  expect('busy machines first evict far fewer Pods', evictions(busy) * 2 < evictions(classes));
  expect('patience evicts still fewer Pods', evictions(patience) < evictions(busy));
  expect('patience costs more than none', cost(patience) > cost(busy));
  expect('allowances shorten the longest wait', longest(allowances) < longest(patience));
  return failures;
}

function dollars(microUsd: unknown): string {
  return typeof microUsd === 'number' ? (microUsd / 1e6).toFixed(1) : '';
}

function seconds(ms: unknown): string {
  return typeof ms === 'number' ? (ms / 1000).toFixed(1) : '';
}

/** The BenchReport, for machines and for people. */
import { availableParallelism } from 'node:os';
import type { BenchRow } from './suite.ts';

export function benchReport(rows: readonly BenchRow[], failures: readonly string[]): object {
  return { kind: 'BenchReport', node: process.version, cores: availableParallelism(), rows, failures };
}

const COLUMNS: readonly (readonly [title: string, cell: (row: BenchRow) => string])[] = [
  ['shape', (r) => r.shape],
  ['bench', (r) => r.bench],
  ['machines', (r) => count(r.machines)],
  ['needs', (r) => count(r.needs)],
  ['actions', (r) => count(r.actions)],
  ['n', (r) => count(r.samples)],
  ['p50 ms', (r) => ms(r.p50Ms)],
  ['p99 ms', (r) => ms(r.p99Ms)],
  ['max ms', (r) => ms(r.maxMs)],
  ['floor ms', (r) => ms(r.floorMs)],
  ['× floor', (r) => (r.ratioToFloor === undefined ? '' : r.ratioToFloor.toFixed(1))],
  ['B/machine', (r) => count(r.bytesPerMachine)],
  ['RSS MB', (r) => (r.rssBytes === undefined ? '' : count(r.rssBytes / 1e6))],
  ['decisions/s', (r) => count(r.decisionsPerSecond)],
  ['goals', (r) => (r.goals ?? []).map((g) => `${g.field} < ${g.below}: ${g.met ? 'met' : 'missed'}`).join('; ')],
];

/** Rows as aligned text; columns that no row has are left out. */
export function benchTable(rows: readonly BenchRow[]): string {
  const columns = COLUMNS.filter(([, cell]) => rows.some((row) => cell(row) !== ''));
  const lines = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, cell]) => cell(row)))];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  const isText = (i: number): boolean => ['shape', 'bench', 'goals'].includes(columns[i]?.[0] ?? '');
  return lines
    .map((line) => line.map((cell, i) => (isText(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ').trimEnd())
    .join('\n');
}

function count(value: number | undefined): string {
  return value === undefined ? '' : Math.round(value).toLocaleString('en-US');
}

function ms(value: number | undefined): string {
  if (value === undefined) return '';
  return value.toFixed(value < 0.1 ? 4 : value < 10 ? 2 : value < 100 ? 1 : 0);
}

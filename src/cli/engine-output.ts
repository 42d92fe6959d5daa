/** Plans and differences as tables for a terminal. */
import { explainMachine } from '../engine/explain.ts';
import { formatInstant } from '../engine/instant.ts';
import type { MachineReason } from '../engine/types.ts';
import type { Difference } from '../snapshot/plan-diff.ts';
import { patternsFor } from '../snapshot/id-pattern.ts';
import type { PlanReport, VerdictReport } from '../snapshot/plan-report.ts';

const WIDEST = 48;

/** What a plan decides and why: actions and machines that share a reason stand on one line. */
export function planTable(report: PlanReport): string {
  const { stats } = report;
  const money = (stats.microUsdPerHour / 1_000_000).toFixed(2);
  return [
    `Plan at ${formatInstant(report.at)}: ${count(stats.machines, 'machine')} for $${money} per hour; ${count(stats.needs, 'need')}, ${String(stats.unmet)} unmet; ${count(report.actions.length, 'action')}.`,
    ...section('ACTIONS', ['ACTION', 'MACHINES', 'N', 'CLUSTER', 'WHY'], actionRows(report)),
    ...section('NEEDS', ['CLUSTER', 'PRIORITY', 'GROUP', 'UNIT', 'WHAT BECAME OF IT', 'REASON'], report.verdicts.map(needRow)),
    ...section('OTHER MACHINES', ['MACHINES', 'N', 'WHY'], reasonRows(report)),
  ].join('\n');
}

export function differenceTable(differences: readonly Difference[], a: string, b: string): string {
  const lines = differences.flatMap(({ section, of, a: before, b: after }) => [
    `${section} ${of}`,
    ...(before === undefined ? [] : [`  - ${said(section, before, after)}`]),
    ...(after === undefined ? [] : [`  + ${said(section, after, before)}`]),
  ]);
  return [differences.length === 0 ? 'No difference.' : `${count(differences.length, 'difference')}; - is ${a}, + is ${b}.`, ...lines].join('\n');
}

function said(section: Difference['section'], value: unknown, other: unknown): string {
  if (section === 'reason') return sentenceOf(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (typeof other !== 'object' || other === null) return section === 'action' ? actionText(value) : fieldsText(value);
  const theirs = other as Readonly<Record<string, unknown>>;
  return fieldsText(Object.fromEntries(Object.entries(value).filter(([name, inner]) => JSON.stringify(inner) !== JSON.stringify(theirs[name]))));
}

function fieldsText(fields: object): string {
  return Object.entries(fields).map(([name, inner]) => `${name} ${JSON.stringify(inner)}`).join(', ') || 'nothing of it';
}

function actionText(action: { readonly kind?: unknown; readonly cluster?: unknown; readonly reason?: unknown }): string {
  return [action.kind, action.cluster].filter((part) => typeof part === 'string' && part !== '').join(' ') + `: ${sentenceOf(action.reason)}`;
}

/** A plan out of a file may hold a reason that this version does not know. */
function sentenceOf(reason: unknown): string {
  const sentence: string | undefined = explainMachine(reason as MachineReason);
  return sentence ?? JSON.stringify(reason);
}

function actionRows(report: PlanReport): string[][] {
  const groups = new Map<string, { readonly ids: string[]; readonly row: [string, string, string] }>();
  for (const { kind, machineId, cluster, sentence = '' } of report.actions) {
    const key = JSON.stringify([kind, cluster, sentence]);
    const group = groups.get(key) ?? { ids: [], row: [kind, cluster, sentence] };
    groups.set(key, group);
    group.ids.push(machineId);
  }
  return [...groups.values()].map(({ ids, row: [kind, cluster, sentence] }) => [kind, ...named(patternsFor(ids), ids.length), cluster, sentence]);
}

/** Machines that are not acted on: the reason of an action is nobody else's. */
function reasonRows(report: PlanReport): string[][] {
  const acted = new Set(report.actions.map(({ reason }) => JSON.stringify(reason)));
  return report.reasons.filter(({ reason }) => !acted.has(JSON.stringify(reason))).map(({ machines, sentence }) => [...named(machines), sentence ?? '']);
}

function needRow(verdict: VerdictReport): string[] {
  return [verdict.cluster, String(verdict.priority), verdict.group, verdict.unitClass, verdict.sentence ?? '', verdict.reason ?? ''];
}

function named(patterns: readonly string[], known?: number): [string, string] {
  const names = patterns.join(' ');
  const n = known ?? patterns.reduce((sum, pattern) => sum + sizeOf(pattern), 0);
  return [names.length > WIDEST ? `${names.slice(0, WIDEST - 1)}…` : names, String(n)];
}

/** How many names a pattern that was written by us stands for: it has one range at most. */
function sizeOf(pattern: string): number {
  const range = /(?:^|[^{])(?:\{\{)*\{(\d+)\.\.(\d+)\}/.exec(pattern);
  return range === null ? 1 : Number(range[2]) - Number(range[1]) + 1;
}

function section(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const kept = head.map((_, column) => rows.some((row) => (row[column] ?? '') !== ''));
  const all = [head, ...rows].map((row) => row.filter((_, column) => kept[column]));
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return ['', title, ...all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())];
}

function count(n: number, what: string): string {
  return `${String(n)} ${what}${n === 1 ? '' : 's'}`;
}

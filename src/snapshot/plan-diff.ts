/** Where two plans differ: actions, verdicts, reasons, and what else they say. Sentences are not compared. */
import { compareText } from '../lib/compare-text.ts';
import { PLAN_FORMAT } from './document.ts';
import { expandPattern, patternsFor } from './id-pattern.ts';
import { formatReport } from './plan-report.ts';
import type { PlanReport } from './plan-report.ts';
import { checkReason } from './reason-operands.ts';
import { listOf, objectAt, shown, SnapshotError, text, within, wrong } from './reader.ts';

export interface Difference {
  readonly section: 'action' | 'verdict' | 'reason' | 'memory' | 'plan';
  /** What is meant: machines as patterns, a need by its parts, a field of the plan. */
  readonly of: string;
  /** Absent where the plan says nothing of it. */
  readonly a?: unknown;
  readonly b?: unknown;
}

/** The lists of a plan, and what their entries are told apart by. Reasons have machines. */
const NAMED_BY = { actions: ['machineId'], verdicts: ['cluster', 'fingerprint', 'group', 'unitClass'], reasons: [], memory: ['what', 'key'] } as const;
type Section = keyof typeof NAMED_BY;

/** Checks what is compared and printed; throws SnapshotError for anything that is no plan, and for one that says two things of the same. */
export function parsePlanReport(value: unknown, path = ''): PlanReport {
  const report = objectAt(value, path);
  if (report['format'] !== PLAN_FORMAT) wrong(within(path, 'format'), report['format'], JSON.stringify(PLAN_FORMAT));
  for (const field of Object.keys(NAMED_BY) as Section[]) {
    const seen = new Set<string>();
    listOf((entry, at) => {
      for (const name of namesOf(field, entry, at)) {
        if (seen.has(name)) throw new SnapshotError(at, `${shown(name)} occurs twice among the ${field}; a plan says of each one thing`);
        seen.add(name);
      }
    })(report[field], within(path, field));
  }
  objectAt(report['stats'], within(path, 'stats'));
  return JSON.parse(formatReport(report)) as PlanReport;
}

/** What the entry is about. Throws SnapshotError if it lacks what is compared or printed. */
function namesOf(field: Section, value: unknown, path: string): string[] {
  const entry = objectAt(value, path);
  const texts = NAMED_BY[field].map((name) => text(entry[name], within(path, name)));
  if (field === 'actions') for (const name of ['kind', 'cluster']) text(entry[name], within(path, name));
  if (field === 'actions' || field === 'reasons') checkReason(entry['reason'], within(path, 'reason'));
  if (field !== 'reasons') return [texts.length === 1 ? texts.join('') : JSON.stringify(texts)];
  const at = within(path, 'machines');
  return listOf(text)(entry['machines'], at).flatMap((pattern) => expandPattern(pattern, at));
}

/** Nothing = the plans are equal. Ordered by section, then by what is meant. */
export function diffPlans(a: PlanReport, b: PlanReport): Difference[] {
  const plain = (report: PlanReport): PlanReport => JSON.parse(formatReport(report)) as PlanReport;
  const [x, y] = [plain(a), plain(b)];
  return [
    ...compare('action', byKey(x.actions, ({ machineId }) => machineId), byKey(y.actions, ({ machineId }) => machineId)),
    ...compare('verdict', byKey(x.verdicts, needText), byKey(y.verdicts, needText)),
    ...reasonsOf(x, y),
    ...compare('memory', byKey(x.memory, memoryText), byKey(y.memory, memoryText)),
    ...compare('plan', scalars(x), scalars(y)),
    ...orderOf(x, y),
  ];
}

export function needText({ cluster, fingerprint, group, unitClass }: { readonly cluster: string; readonly fingerprint: string; readonly group: string; readonly unitClass: string }): string {
  return `${cluster} ${fingerprint}${group === '' ? '' : ` group ${group}`} unit ${unitClass || 'none'}`;
}

function memoryText({ what, key }: PlanReport['memory'][number]): string {
  return `${what} ${key}`;
}

function byKey<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, unknown> {
  return new Map(items.map((item) => [keyOf(item), item]));
}

function compare(section: Difference['section'], a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): Difference[] {
  const keys = [...new Set([...a.keys(), ...b.keys()])].sort(compareText);
  return keys.flatMap((of): Difference[] => {
    const [x, y] = [a.get(of), b.get(of)];
    return JSON.stringify(x) === JSON.stringify(y) ? [] : [{ section, of, ...(x !== undefined && { a: x }), ...(y !== undefined && { b: y }) }];
  });
}

/** Machines whose reasons differ in the same way are one difference. */
function reasonsOf(a: PlanReport, b: PlanReport): Difference[] {
  const each = (report: PlanReport): Map<string, unknown> =>
    new Map(report.reasons.flatMap(({ machines, reason }, i) => machines.flatMap((pattern) => expandPattern(pattern, `reasons[${String(i)}].machines`).map((id): [string, unknown] => [id, reason]))));
  const groups = new Map<string, { readonly ids: string[]; readonly difference: Difference }>();
  for (const difference of compare('reason', each(a), each(b))) {
    const key = JSON.stringify([difference.a, difference.b]);
    const group = groups.get(key) ?? { ids: [], difference };
    groups.set(key, group);
    group.ids.push(difference.of);
  }
  return [...groups.values()].map(({ ids, difference }) => ({ ...difference, of: patternsFor(ids).join(' ') }));
}

function scalars(report: PlanReport): Map<string, unknown> {
  return new Map<string, unknown>([['at', report.at], ['wakeAt', report.wakeAt], ...Object.entries(report.stats).map(([name, value]): [string, unknown] => [`stats.${name}`, value])]);
}

/** The same actions or verdicts in another order are another plan. */
function orderOf(a: PlanReport, b: PlanReport): Difference[] {
  const orders: [string, (report: PlanReport) => string[]][] = [
    ['order of actions', (report) => report.actions.map(({ machineId }) => machineId)],
    ['order of verdicts', (report) => report.verdicts.map(needText)],
  ];
  return orders.flatMap(([of, order]): Difference[] => {
    const [x, y] = [order(a), order(b)];
    const [ofX, ofY] = [new Set(x), new Set(y)];
    const [inX, inY] = [x.filter((key) => ofY.has(key)), y.filter((key) => ofX.has(key))];
    const at = inX.findIndex((key, i) => key !== inY[i]);
    return at < 0 ? [] : [{ section: 'plan', of, a: inX[at], b: inY[at] }];
  });
}

/** The first line in which two plans, each written by formatReport, differ; undefined = byte for byte equal. */
export function firstDifference(a: string, b: string): { readonly line: number; readonly a: string; readonly b: string } | undefined {
  if (a === b) return undefined;
  const [x, y] = [a.split('\n'), b.split('\n')];
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    if (x[i] !== y[i]) return { line: i + 1, a: x[i]?.trim() ?? '', b: y[i]?.trim() ?? '' };
  }
  throw new SnapshotError('', 'texts differ, but none of their lines');
}

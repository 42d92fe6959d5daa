/** What a scenario expects of a plan, and how a plan differs from it. */
import { expandPattern } from '../../../snapshot/id-pattern.ts';
import { Fields, flag, listOf, shown, SnapshotError, tableOf, text, wholeFrom, wrong } from '../../../snapshot/reader.ts';
import type { Read } from '../../../snapshot/reader.ts';
import { nameOf } from '../../../snapshot/plan-report.ts';
import { bucket, priority, resources, writeResources } from '../../../snapshot/values.ts';
import type { Action, NeedVerdict, Plan } from '../../types.ts';

/** Fields of a verdict that can be expected; `null` = the verdict has no such field. */
const VERDICT = ['satisfied', 'deficit', 'reason', 'sameDomain', 'sameSatisfiable', 'machines', 'inFlight', 'bootstraps', 'provisions', 'preemption', 'sharedBy', 'fingerprint', 'matchingSupply'] as const;
const SELECTOR = ['cluster', 'group', 'priority', 'interruptionBucket', 'unit'] as const;

interface ExpectedAction {
  readonly kind: string;
  readonly machine: string;
  readonly cluster: string;
  readonly grace?: number;
  readonly preemptor?: number;
}

interface ExpectedNeed {
  readonly select: Partial<Record<(typeof SELECTOR)[number], unknown>> & { readonly cluster: string };
  readonly fields: Partial<Record<(typeof VERDICT)[number], unknown>>;
}

export interface Expectation {
  /** The world itself must be refused, with a message that contains this. */
  readonly refused?: string;
  /** All actions, as a set unless `inOrder`. */
  readonly actions?: readonly ExpectedAction[];
  readonly inOrder: boolean;
  /** How many actions of each kind, instead of which. */
  readonly totals?: ReadonlyMap<string, number>;
  readonly needs: readonly ExpectedNeed[];
  /** Codes of machine reasons. */
  readonly reasons: ReadonlyMap<string, string>;
  /** After the step: how many machines are in each state. States that are not named have none. */
  readonly states?: ReadonlyMap<string, number>;
}

const FIELDS = ['refused', 'actions', 'inOrder', 'totals', 'needs', 'reasons', 'states'];
const whole = wholeFrom(0, Number.MAX_SAFE_INTEGER, 'a whole number of at least 0');

export function readExpectation(value: unknown, path: string): Expectation {
  const fields = new Fields(value, path, FIELDS);
  const refused = fields.optional('refused', text);
  const actions = fields.optional('actions', listOf(readActions))?.flat();
  const totals = fields.optional('totals', tableOf(whole));
  const states = fields.optional('states', tableOf(whole));
  if (refused === undefined && (actions === undefined) === (totals === undefined)) {
    throw new SnapshotError(path, 'must say either the actions or their totals; write "actions": [] if there are none');
  }
  return {
    ...(refused !== undefined && { refused }),
    ...(actions !== undefined && { actions }),
    inOrder: fields.get('inOrder', flag, false),
    ...(totals !== undefined && { totals }),
    needs: fields.get('needs', listOf(readNeed), []),
    reasons: new Map([...fields.get('reasons', tableOf(text), new Map<string, string>())].flatMap(([pattern, code]) => expandPattern(pattern, fields.pathOf('reasons')).map((id) => [id, code]))),
    ...(states !== undefined && { states }),
  };
}

/** `Preempt v-{0..3} batch grace=30 preemptor=1000000`: kind, machines, cluster if any, and what else is to be checked. */
function readActions(value: unknown, path: string): ExpectedAction[] {
  const words = text(value, path).split(' ');
  const plain = words.filter((word) => !word.includes('='));
  const [kind = '', pattern = '', cluster = '', ...more] = plain;
  if (pattern === '' || more.length > 0) wrong(path, value, 'an action such as "Preempt v-{0..3} batch grace=30"');
  const options = new Map(words.filter((word) => word.includes('=')).map((word) => word.split('=') as [string, string]));
  for (const name of options.keys()) if (name !== 'grace' && name !== 'preemptor') wrong(path, name, 'grace or preemptor');
  const number = (name: string): number | undefined => (options.has(name) ? Number(options.get(name)) : undefined);
  const grace = number('grace');
  const preemptor = number('preemptor');
  return expandPattern(pattern, path).map((machine) => ({ kind, machine, cluster, ...(grace !== undefined && { grace }), ...(preemptor !== undefined && { preemptor }) }));
}

function readNeed(value: unknown, path: string): ExpectedNeed {
  const fields = new Fields(value, path, [...SELECTOR, ...VERDICT]);
  const cluster = text(fields.raw('cluster'), fields.pathOf('cluster'));
  const optional = <T>(field: string, read: Read<T>): Record<string, T> => {
    const found = fields.optional(field, read);
    return found === undefined ? {} : { [field]: found };
  };
  const quantities: Read<object> = (v, p) => positive(resources('up')(v, p));
  const preemption: Read<object> = (v, p) => {
    const inner = new Fields(v, p, ['victims', 'freed']);
    return { victims: inner.get('victims', whole, 0), freed: quantities(inner.raw('freed'), inner.pathOf('freed')) };
  };
  const nullOr = <T>(read: Read<T>): Read<T | null> => (v, p) => (v === null ? null : read(v, p));
  const any: Read<unknown> = (v) => v;
  const stated = VERDICT.filter((field) => fields.has(field)).map((field) => [
    field,
    fields.optional(field, nullOr(field === 'deficit' ? quantities : field === 'preemption' ? preemption : any)),
  ]);
  return {
    select: { cluster, ...optional('group', text), ...optional('priority', priority), ...optional('interruptionBucket', bucket), ...optional('unit', text) },
    fields: Object.fromEntries(stated) as ExpectedNeed['fields'],
  };
}

/** What is not as expected, one sentence each; nothing = all is. `plan` is the last plan of those that made `actions`. */
export function differences(expected: Expectation, actions: readonly Action[], plan: Plan): string[] {
  return [...actionDifferences(expected, actions), ...expected.needs.flatMap((need) => needDifferences(need, plan)), ...reasonDifferences(expected, plan)];
}

function actionDifferences(expected: Expectation, actions: readonly Action[]): string[] {
  if (expected.totals !== undefined) {
    const found = tally(actions.map(({ kind }) => kind));
    return sameCounts(found, expected.totals) ? [] : [`actions: expected ${listed(expected.totals)}, found ${listed(found)}`];
  }
  const wanted = expected.actions ?? [];
  const line = (action: Action, as: ExpectedAction | undefined): string =>
    [action.kind, action.machineId, action.cluster, as?.grace === undefined ? '' : `grace=${String(action.graceSeconds)}`, as?.preemptor === undefined ? '' : `preemptor=${String(action.preemptorPriority)}`].filter(Boolean).join(' ');
  const byMachine = new Map(wanted.map((as) => [as.machine, as]));
  const found = actions.map((action) => line(action, byMachine.get(action.machineId)));
  const lines = wanted.map(({ kind, machine, cluster, grace, preemptor }) =>
    [kind, machine, cluster, grace === undefined ? '' : `grace=${String(grace)}`, preemptor === undefined ? '' : `preemptor=${String(preemptor)}`].filter(Boolean).join(' '),
  );
  if (expected.inOrder) return found.join('\n') === lines.join('\n') ? [] : [`actions: expected in this order ${lines.join(', ')}; found ${found.join(', ')}`];
  const missing = less(lines, found);
  const extra = less(found, lines);
  return [...(missing.length > 0 ? [`actions missing: ${missing.join(', ')}`] : []), ...(extra.length > 0 ? [`actions not expected: ${extra.join(', ')}`] : [])];
}

/** `a` without what is in `b`, each as often as it occurs. */
function less(a: readonly string[], b: readonly string[]): string[] {
  const left = tally(b);
  return a.filter((item) => {
    const n = left.get(item) ?? 0;
    left.set(item, n - 1);
    return n <= 0;
  });
}

export function tally(items: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

export function sameCounts(found: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>): boolean {
  return [...new Set([...found.keys(), ...expected.keys()])].every((name) => (found.get(name) ?? 0) === (expected.get(name) ?? 0));
}

export function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, n]) => `${name} ${String(n)}`).sort().join(', ') || 'none';
}

function needDifferences({ select, fields }: ExpectedNeed, plan: Plan): string[] {
  const who = `need ${JSON.stringify(select)}`;
  const meant = plan.verdicts.filter(({ need }) => isMeant(need, select));
  const [verdict] = meant;
  if (verdict === undefined || meant.length > 1) return [`${who}: ${String(meant.length)} verdicts are meant, expected 1`];
  return Object.entries(fields).flatMap(([field, expected]) => {
    const found = fieldOf(verdict, field as (typeof VERDICT)[number]);
    return JSON.stringify(found) === JSON.stringify(expected) ? [] : [`${who}: ${field} is ${shown(found)}, expected ${shown(expected)}`];
  });
}

function isMeant(need: NeedVerdict['need'], select: ExpectedNeed['select']): boolean {
  const facts: Record<(typeof SELECTOR)[number], unknown> = {
    ...nameOf(need), priority: need.profile.priority, interruptionBucket: need.profile.interruptionBucket, unit: need.unitClass,
  };
  return Object.entries(select).every(([field, value]) => facts[field as (typeof SELECTOR)[number]] === value);
}

function fieldOf(verdict: NeedVerdict, field: (typeof VERDICT)[number]): unknown {
  switch (field) {
    case 'fingerprint':
      return verdict.need.fingerprint;
    case 'deficit':
      return positive(verdict.deficit);
    case 'preemption':
      return verdict.preemption === undefined ? null : { victims: verdict.preemption.victims, freed: positive(verdict.preemption.freed) };
    default:
      return verdict[field] ?? null;
  }
}

/** What is zero is not lacking; whether it is mentioned says nothing. */
function positive(vector: NeedVerdict['deficit']): object {
  return writeResources(vector.filter(([, n]) => n > 0));
}

function reasonDifferences(expected: Expectation, plan: Plan): string[] {
  return [...expected.reasons].flatMap(([id, code]) => {
    const found = plan.machineReasons.get(id)?.code ?? 'none';
    return found === code ? [] : [`machine ${id}: its reason is ${found}, expected ${code}`];
  });
}

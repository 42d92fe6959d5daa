/** The form of a scenario: what is stated of it, and the worlds in which it is checked (README.md beside the fixtures). */
import { FIELDS } from '../../../snapshot/document.ts';
import { Fields, listOf, objectAt, oneOf, SnapshotError, tableOf, text, wholeFrom } from '../../../snapshot/reader.ts';
import type { Read } from '../../../snapshot/reader.ts';
import { readExpectation } from './expectation.ts';
import type { Expectation } from './expectation.ts';

export type Kind = 'engine' | 'actuation' | 'simulator' | 'excluded';

export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly kind: Kind;
  /** What the reference implementation does. */
  readonly upstream: string;
  /** `same`, or what happens here instead. */
  readonly ours: string;
  /** Why it differs, or why it is left out. */
  readonly decision?: string;
  readonly cases: readonly Case[];
  /** Tests elsewhere that cover what the engine has no part in. */
  readonly coveredBy: readonly { readonly file: string; readonly test: string }[];
}

export type Document = Readonly<Record<string, unknown>>;

export interface Case {
  readonly name: string;
  /** A snapshot document, the scenario's `base` filled in. */
  readonly snapshot: Document;
  readonly loop?: { readonly cycleMs: number; readonly delays: Readonly<Record<string, number>>; readonly steps: readonly Step[] };
  readonly expect?: Expectation;
}

export interface Step {
  /** Facts that change before the step: whole clusters, and whole entries of machines. */
  readonly clusters: Document;
  readonly machines: readonly unknown[];
  readonly cycles: number;
  readonly expect: Expectation;
}

const SCENARIO = ['id', 'title', 'kind', 'upstream', 'ours', 'decision', 'base', 'cases', 'coveredBy'];
const TABLES = ['shapes', 'profiles', 'labels', 'defaults'];
const positive = wholeFrom(1, 10_000, 'a whole number of at least 1');

/** Throws a SnapshotError that names the path of what is wrong, or of what a scenario of this kind must state. */
export function readScenario(value: unknown, file: string): Scenario {
  const fields = new Fields(value, file, SCENARIO);
  const said = (field: string): string => {
    const found = text(fields.raw(field), fields.pathOf(field));
    if (found.trim() === '') throw new SnapshotError(fields.pathOf(field), 'must say something');
    return found;
  };
  const kind = oneOf('engine', 'actuation', 'simulator', 'excluded')(fields.raw('kind'), fields.pathOf('kind'));
  const base = fields.get('base', baseOf, {});
  const decision = fields.has('decision') ? said('decision') : undefined;
  const scenario: Scenario = {
    id: said('id'),
    title: said('title'),
    kind,
    upstream: said('upstream'),
    ours: said('ours'),
    ...(decision !== undefined && { decision }),
    cases: fields.get('cases', listOf(caseReader(base)), []),
    coveredBy: fields.get('coveredBy', listOf(coverage), []),
  };
  const needs = (field: string, holds: boolean, why: string): void => {
    if (!holds) throw new SnapshotError(fields.pathOf(field), why);
  };
  if (kind === 'engine') needs('cases', scenario.cases.length > 0, 'a scenario of the engine has at least one case');
  else needs('cases', scenario.cases.length === 0, `a scenario of kind ${kind} has no cases`);
  if (kind === 'actuation' || kind === 'simulator') needs('coveredBy', scenario.coveredBy.length > 0, 'must name the tests that cover it');
  needs('decision', (decision !== undefined) === (kind === 'excluded' || scenario.ours !== 'same'), 'is there exactly if ours is not "same"');
  return scenario;
}

function baseOf(value: unknown, path: string): Document {
  new Fields(value, path, FIELDS.document);
  return objectAt(value, path);
}

function coverage(value: unknown, path: string): Scenario['coveredBy'][number] {
  const fields = new Fields(value, path, ['file', 'test']);
  return { file: text(fields.raw('file'), fields.pathOf('file')), test: text(fields.raw('test'), fields.pathOf('test')) };
}

function caseReader(base: Document): Read<Case> {
  return (value, path) => {
    const fields = new Fields(value, path, ['name', 'snapshot', 'cycleMs', 'delays', 'steps', 'expect']);
    const snapshot = over(base, objectAt(fields.raw('snapshot'), fields.pathOf('snapshot')));
    const shared = { name: fields.get('name', text, ''), snapshot };
    if (!fields.has('steps')) return { ...shared, expect: readExpectation(fields.raw('expect'), fields.pathOf('expect')) };
    if (fields.has('expect')) throw new SnapshotError(fields.pathOf('expect'), 'a case with steps says what it expects of each step');
    const steps = fields.get('steps', listOf(readStep), []);
    if (steps.length === 0) throw new SnapshotError(fields.pathOf('steps'), 'must be at least one: without any, nothing is checked');
    return {
      ...shared,
      loop: {
        cycleMs: fields.get('cycleMs', positive, 1000),
        delays: Object.fromEntries(fields.get('delays', tableOf(wholeFrom(0, 1000, 'cycles')), new Map<string, number>())),
        steps,
      },
    };
  };
}

function readStep(value: unknown, path: string): Step {
  const fields = new Fields(value, path, ['clusters', 'machines', 'cycles', 'expect']);
  return {
    clusters: fields.get('clusters', objectAt, {}),
    machines: fields.get('machines', listOf((item: unknown) => item), []),
    cycles: fields.get('cycles', positive, 1),
    expect: readExpectation(fields.raw('expect'), fields.pathOf('expect')),
  };
}

/** The tables of both; of everything else what the case says, or else the base. */
export function over(base: Document, own: Document): Document {
  const tables = TABLES.filter((name) => name in base && name in own).map((name) => [name, { ...(base[name] as object), ...(own[name] as object) }]);
  return { ...base, ...own, ...Object.fromEntries(tables) as Document };
}


import { readFileSync } from 'node:fs';
import type { KubeObject, ResourceType } from '../runtime/types.ts';
import { UsageError } from '../lib/usage-error.ts';
import type { DemandPlan } from './demand/plan.ts';

type Fields = Readonly<Record<string, unknown>>;
/** Undefined if the value is as it should be, else what was expected. */
type Check = (value: unknown) => string | undefined;

const MAX_PRIORITY = 1_000_000_000;

/** The file of `--hub-objects`. Throws a UsageError that names the file, the place and what was expected there. */
export function readHubObjects(file: string): { type: ResourceType; object: KubeObject }[] {
  const list = readJson('--hub-objects', file);
  if (!Array.isArray(list)) throw new UsageError(`--hub-objects ${file}: expected a JSON list of {type, object}`);
  list.forEach((entry: unknown, i) => {
    const place = `--hub-objects ${file}: [${i}]`;
    const { type, object } = fieldsOf(place, entry);
    checkFields(`${place}.type`, type, { group: string, version: text, plural: text, kind: text, namespaced: boolean });
    checkFields(`${place}.object`, object, { apiVersion: text, kind: text });
    checkFields(`${place}.object.metadata`, (object as Fields)['metadata'], { name: text });
  });
  return list as { type: ResourceType; object: KubeObject }[];
}

/**
 * The file of `--demand`, for these clusters. Throws a UsageError that names the file, the place and what was expected
 * there. What only an API server can judge (names, quantities) is left to it.
 */
export function readDemand(file: string, clusters: readonly string[]): DemandPlan {
  const place = `--demand ${file}`;
  const plan = readJson('--demand', file);
  const { steps } = checkFields(`${place}: the plan`, plan, { source: oneOf('builtin', 'trace'), clusters: whole(1), traceSeconds: optional(whole(0)) });
  if (!Array.isArray(steps)) throw new UsageError(`${place}: steps: expected a list`);
  steps.forEach((step: unknown, i) => {
    const at = `${place}: steps[${i}]`;
    const { kind } = checkFields(at, step, { kind: oneOf('pod', 'act', 'interrupt', 'finish-all'), atMs: duration });
    if (kind === 'pod') {
      checkFields(at, step, {
        cluster: oneOf(...clusters), name: text, lifeMs: optional(duration), priority: whole(0, MAX_PRIORITY), requests: texts, labels: optional(texts), placement: optional(object),
      });
    }
    if (kind === 'act') checkFields(at, step, { act: text, why: text });
    if (kind === 'interrupt') checkFields(at, step, { capacityType: oneOf('Spot'), count: whole(1) });
  });
  return plan as DemandPlan;
}

function readJson(flag: string, file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`${flag} ${file}: expected a JSON file: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function fieldsOf(place: string, value: unknown): Fields {
  if (!isObject(value)) throw new UsageError(`${place}: expected an object`);
  return value;
}

function checkFields(place: string, value: unknown, checks: Readonly<Record<string, Check>>): Fields {
  const fields = fieldsOf(place, value);
  for (const [name, check] of Object.entries(checks)) {
    const expected = check(fields[name]);
    if (expected !== undefined) throw new UsageError(`${place}.${name}: expected ${expected}, found ${JSON.stringify(fields[name]) ?? 'nothing'}`);
  }
  return fields;
}

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const string: Check = (value) => (typeof value === 'string' ? undefined : 'a text');
const text: Check = (value) => (typeof value === 'string' && value !== '' ? undefined : 'a text that is not empty');
const boolean: Check = (value) => (typeof value === 'boolean' ? undefined : 'true or false');
const object: Check = (value) => (isObject(value) ? undefined : 'an object');
const texts: Check = (value) => (isObject(value) && Object.values(value).every((v) => typeof v === 'string') ? undefined : 'an object whose values are texts');
const duration: Check = (value) => (typeof value === 'number' && value >= 0 ? undefined : 'a number of milliseconds, 0 or more');
const optional = (check: Check): Check => (value) => (value === undefined ? undefined : check(value));
const oneOf = (...allowed: readonly string[]): Check => (value) => (allowed.includes(value as string) ? undefined : `one of ${allowed.join(', ')}`);
const whole = (min: number, max = Number.MAX_SAFE_INTEGER): Check => (value) =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max ? undefined : `a whole number from ${min} to ${max}`;

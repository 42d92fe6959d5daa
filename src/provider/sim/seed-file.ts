import { readFileSync } from 'node:fs';
import { checkInstance } from '../kit/instance-check.ts';
import type { CapacityType, Instance, StringMap } from '../kit/machine.ts';

/** One thing wrong with a seed file, as `file:line: field text`. */
class SeedFileError extends Error {
  constructor(problems: readonly string[]) {
    const shown = problems.slice(0, 10);
    if (problems.length > shown.length) shown.push(`… and ${problems.length - shown.length} more`);
    super(shown.join('\n'));
    this.name = 'UsageError';
  }
}

const known = new Set([
  'id', 'instanceType', 'zone', 'capacityType', 'pricePerHour', 'interruptionProbability',
  'resources', 'allocatable', 'labels', 'state', 'host',
]);

/** Reads Instances from a file of JSON lines (blank lines are skipped); every problem is named by file, line and field. */
export function readSeedFile(path: string): Instance[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SeedFileError([`--seed-file: cannot read ${path}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`]);
  }
  const problems: string[] = [];
  const instances: Instance[] = [];
  const lines = new Map<string, number>();
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    const at = `${path}:${index + 1}`;
    const instance = parseLine(line, (field, what) => problems.push(`${at}: ${field} ${what}`));
    if (!instance) return;
    const first = lines.get(instance.id);
    if (first !== undefined) problems.push(`${at}: id ${JSON.stringify(instance.id)} is used on line ${first} already`);
    lines.set(instance.id, index + 1);
    instances.push(instance);
  });
  if (problems.length > 0) throw new SeedFileError(problems);
  return instances;
}

type Bad = (field: string, what: string) => void;

function parseLine(line: string, bad: Bad): Instance | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    bad('line', `is not JSON: ${(error as Error).message}`);
    return undefined;
  }
  if (!isObject(value)) {
    bad('line', 'must be a JSON object, one instance per line');
    return undefined;
  }
  let clean = true;
  const wrong: Bad = (field, what) => {
    clean = false;
    bad(field, what);
  };
  for (const field of Object.keys(value)) if (!known.has(field)) wrong(field, `is not a field of an instance; known are ${[...known].join(', ')}`);
  const string = (field: string, fallback = ''): string => {
    const v = value[field] ?? fallback;
    if (typeof v === 'string') return v;
    wrong(field, 'must be a string');
    return '';
  };
  const number = (field: string): number => {
    const v = value[field] ?? 0;
    if (typeof v === 'number') return v;
    wrong(field, 'must be a number');
    return 0;
  };
  const map = (field: string): StringMap => {
    const v = value[field] ?? {};
    if (isObject(v) && Object.values(v).every((one) => typeof one === 'string')) return v as StringMap;
    wrong(field, 'must be an object of strings, for example {"cpu":"8","memory":"32Gi"}');
    return {};
  };
  const id = string('id');
  const resources = map('resources');
  const state = string('state', 'Speculative') as Instance['state'];
  const host = value['host'] === undefined ? undefined : map('host');
  const instance: Instance = {
    id, resources, state,
    instanceType: string('instanceType'),
    zone: string('zone'),
    capacityType: string('capacityType') as CapacityType,
    pricePerHour: number('pricePerHour'),
    interruptionProbability: number('interruptionProbability'),
    labels: map('labels'),
    // Both shapes are always given, so that a reader of either sees the machine's size.
    allocatable: value['allocatable'] === undefined ? resources : map('allocatable'),
    ...hostOf(id, state, host),
  };
  if (clean) for (const problem of checkInstance(instance, true)) wrong(problem.field, problem.text);
  return clean ? instance : undefined;
}

/** An Idle machine without a host of its own gets the one the simulation would give it. */
function hostOf(id: string, state: string, host: StringMap | undefined): Pick<Instance, 'host'> {
  if (host) return { host: { provider: host['provider'] ?? '', ref: host['ref'] ?? '' } };
  return state === 'Idle' ? { host: simulatedHost(id) } : {};
}

/** The host of a simulated machine: the same one each time it is created. */
export function simulatedHost(machineId: string): { provider: string; ref: string } {
  return { provider: 'sim', ref: `sim:///${machineId}` };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

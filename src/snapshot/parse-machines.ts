/** Machines as the document writes them: one entry for many that differ in nothing but their names. */
import type { Assignment, EngineMachine, Intent, ResourceVector } from '../engine/types.ts';
import { compareText } from '../lib/compare-text.ts';
import { FIELDS } from './document.ts';
import { expandPattern } from './id-pattern.ts';
import { overDefaults } from './parse-profile.ts';
import type { Defaults } from './parse-profile.ts';
import { Fields, flag, listOf, numberFrom, oneOf, SnapshotError, tableOf, text, wrong } from './reader.ts';
import type { Read } from './reader.ts';
import { amount, microUsd, namedOr, resources } from './values.ts';

const state = oneOf('Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed');
const capacityType = oneOf('BareMetal', 'Reserved', 'OnDemand', 'Spot', 'Unspecified');
const probability = numberFrom(0, 1, 'a probability per hour, 0 to 1');

export interface MachineTables {
  readonly shapes: ReadonlyMap<string, ResourceVector>;
  readonly labels: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly defaults: Defaults;
  /** Reads whom a machine serves; `cluster` is meant where the document names none. */
  readonly assignment: (cluster: string) => Read<Assignment>;
}

export const readLabels: Read<Readonly<Record<string, string>>> = (value, path) => Object.fromEntries(tableOf(text)(value, path));

/** All machines in order of id. */
export function readMachines(value: unknown, path: string, tables: MachineTables): EngineMachine[] {
  const seen = new Set<string>();
  const entry: Read<EngineMachine[]> = (item, at) => {
    const machines = readEntry(item, at, tables);
    for (const { id } of machines) {
      if (seen.has(id)) throw new SnapshotError(at, `machine ${JSON.stringify(id)} occurs twice; every machine is written once`);
      seen.add(id);
    }
    return machines;
  };
  return listOf(entry)(value, path).flat().sort((a, b) => compareText(a.id, b.id));
}

function readEntry(value: unknown, path: string, tables: MachineTables): EngineMachine[] {
  const fields = new Fields(overDefaults(value, path, tables.defaults), path, FIELDS.machine);
  const cluster = fields.get('cluster', text, '');
  const assigned = fields.optional('assigned', tables.assignment(cluster));
  const intent = fields.optional('intent', readIntent(tables, cluster));
  const drainRefused = fields.get('drainRefused', flag, false);
  const untrusted = fields.get('untrusted', flag, false);
  const hasHost = fields.get('hasHost', flag, false);
  const like: Omit<EngineMachine, 'id'> = {
    state: fields.get('state', state, 'Idle'),
    cluster,
    instanceType: fields.get('instanceType', text, ''),
    zone: fields.get('zone', text, ''),
    capacityType: fields.get('capacityType', capacityType, 'BareMetal'),
    labels: fields.get('labels', namedOr(tables.labels, 'labels', readLabels), {}),
    allocatable: fields.get('allocatable', namedOr(tables.shapes, 'shapes', resources('down')), [['cpu', 1000]]),
    priceMicroUsdPerHour: fields.get('priceMicroUsdPerHour', microUsd, 0),
    interruptionProbability: fields.get('interruptionProbability', probability, 0),
    ...(assigned !== undefined && { assigned }),
    ...(intent !== undefined && { intent }),
    hold: fields.get('hold', flag, false),
    stuck: fields.get('stuck', flag, false),
    ...(drainRefused && { drainRefused }),
    ...(untrusted && { untrusted }),
    ...(hasHost && { hasHost }),
  };
  if (cluster === '' && (like.state === 'Configured' || like.state === 'Draining')) {
    throw new SnapshotError(path, `a machine that is ${like.state} needs a cluster; write "cluster": "NAME"`);
  }
  if (hasHost && like.state !== 'Failed') throw new SnapshotError(fields.pathOf('hasHost'), 'is said of Failed machines only; leave it out');
  return readNames(fields).map((id) => ({ id, ...like }));
}

function readNames(fields: Fields): string[] {
  const path = fields.pathOf('id');
  const value = fields.raw('id');
  const count = fields.optional('count', amount);
  const patterns = typeof value === 'string' ? [value] : Array.isArray(value) ? listOf(text)(value, path) : wrong(path, value, 'a name, a pattern such as "gpu{000..063}", or a list of them');
  const names = patterns.flatMap((pattern) => expandPattern(pattern, path, count));
  if (names.includes('')) throw new SnapshotError(path, 'a machine needs a name');
  return names;
}

function readIntent(tables: MachineTables, cluster: string): Read<Intent> {
  return (value, path) => {
    if (value === 'unbind' || value === 'release') return { kind: value };
    if (typeof value === 'string') wrong(path, value, 'one of unbind, release, or an object with "bind"');
    const fields = new Fields(value, path, FIELDS.intent);
    const to = tables.assignment(cluster)(fields.raw('bind'), fields.pathOf('bind'));
    if (to.cluster === '') throw new SnapshotError(fields.pathOf('bind'), 'a binding needs a cluster; write "cluster": "NAME"');
    return { kind: 'bind', to, configureSent: fields.get('configureSent', flag, false) };
  };
}

/** A snapshot out of its document. Whatever is wrong is said with its path; nothing is guessed and nothing is ignored. */
import { fingerprint } from '../api/profile.ts';
import { arrivalKey } from '../engine/engine.ts';
import type { Assignment, MemoryChange, Millis, Policy, Snapshot } from '../engine/types.ts';
import { compareText } from '../lib/compare-text.ts';
import { DEFAULT_AT, DEFAULT_POLICY, FIELDS, SNAPSHOT_FORMAT } from './document.ts';
import { expandPattern } from './id-pattern.ts';
import { readCluster } from './parse-clusters.ts';
import type { ClusterFacts } from './parse-clusters.ts';
import { readLabels, readMachines } from './parse-machines.ts';
import { assignmentReader, profileReader } from './parse-profile.ts';
import type { Defaults } from './parse-profile.ts';
import { Fields, flag, knownFields, listOf, numberFrom, objectAt, shown, SnapshotError, tableOf, text, within, wrong } from './reader.ts';
import type { Read } from './reader.ts';
import { refuseRepeatedFields } from './repeated-field.ts';
import { amount, instant, microUsd, namedOr, resources } from './values.ts';

export interface SnapshotDocument {
  readonly at: Millis;
  readonly snapshot: Snapshot;
  /** The plan that was made of it, as data, if the document carries one (plan-report.ts). */
  readonly plan?: unknown;
}

/** Reads a document, given as text or as what JSON.parse made of it. Throws SnapshotError. */
export function parseSnapshot(document: unknown): SnapshotDocument {
  const value = typeof document === 'string' ? parseJson(document) : document;
  const { format = SNAPSHOT_FORMAT } = objectAt(value, '');
  if (format !== SNAPSHOT_FORMAT) wrong('format', format, JSON.stringify(SNAPSHOT_FORMAT)); // before its fields: another format has others
  const fields = new Fields(value, '', FIELDS.document);
  const defaults = readDefaults(fields);
  const profile = profileReader(defaults.profile);
  const profiles = fields.get('profiles', tableOf(profile), new Map());
  const tables = { profiles, profile };
  const clusters = [...fields.get('clusters', clustersReader({ ...tables, shapes: fields.get('shapes', tableOf(resources('up')), new Map()), defaults: defaults.need }), new Map<string, ClusterFacts>())];
  clusters.sort(([a], [b]) => compareText(a, b));
  const assignment = (cluster: string): Read<Assignment> => assignmentReader(profiles, profile, cluster);
  const snapshot: Snapshot = {
    machines: readMachines(fields.has('machines') ? fields.raw('machines') : [], 'machines', {
      shapes: fields.get('shapes', tableOf(resources('down')), new Map()),
      labels: fields.get('labels', tableOf(readLabels), new Map()),
      defaults: defaults.machine,
      assignment,
    }),
    needs: new Map(clusters.flatMap(([name, { needs }]) => (needs === undefined ? [] : [[name, needs]]))),
    hints: new Map(clusters.flatMap(([name, { hints }]) => (hints === undefined ? [] : [[name, hints]]))),
    sessions: new Set(clusters.filter(([, { connected }]) => connected).map(([name]) => name)),
    supplyTrusted: fields.get('supplyTrusted', flag, true),
    policy: fields.get('policy', readPolicy, DEFAULT_POLICY),
    memory: fields.get('memory', memoryReader(tables, assignment('')), []),
  };
  const plan = fields.raw('plan');
  return { at: fields.get('at', instant, DEFAULT_AT), snapshot, ...(plan !== undefined && { plan: objectAt(plan, 'plan') }) };
}

function parseJson(source: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (error) {
    throw new SnapshotError('', `this is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  refuseRepeatedFields(source);
  return value;
}

function readDefaults(fields: Fields): Record<(typeof FIELDS.defaults)[number], Defaults> {
  const given = fields.optional('defaults', (value, path) => new Fields(value, path, FIELDS.defaults));
  // Names are checked here: nothing may have these defaults.
  const of = (kind: (typeof FIELDS.defaults)[number]): Defaults => given?.get(kind, knownFields(FIELDS[kind]), {}) ?? {};
  return { machine: of('machine'), need: of('need'), profile: of('profile') };
}

function clustersReader(tables: Parameters<typeof readCluster>[1]): Read<Map<string, ClusterFacts>> {
  return (value, path) =>
    new Map(Object.entries(objectAt(value, path)).map(([name, facts]) => [name, readCluster(name, tables)(facts, within(path, name))]));
}

export function readPolicy(value: unknown, path: string): Policy {
  const fields = new Fields(value, path, FIELDS.policy);
  const holds = fields.optional('holds', (v, p) => new Fields(v, p, FIELDS.holds));
  const limits = fields.optional('limits', (v, p) => new Fields(v, p, FIELDS.limits));
  const machines = limits?.optional('machines', amount);
  const microUsdPerHour = limits?.optional('microUsdPerHour', microUsd);
  const reclaimCapMs = fields.optional('reclaimCapMs', amount);
  const fallback = DEFAULT_POLICY;
  return {
    reclaimCapFraction: fields.get('reclaimCapFraction', numberFrom(0, 1, 'a share, 0 to 1'), fallback.reclaimCapFraction),
    ...(reclaimCapMs !== undefined && { reclaimCapMs }),
    maxConcurrentDrainsPerCluster: fields.get('maxConcurrentDrainsPerCluster', amount, fallback.maxConcurrentDrainsPerCluster),
    maxReclaimsPerMinute: fields.get('maxReclaimsPerMinute', amount, fallback.maxReclaimsPerMinute),
    holds: {
      onDemandMs: holds?.get('onDemandMs', amount, fallback.holds.onDemandMs) ?? fallback.holds.onDemandMs,
      spotMs: holds?.get('spotMs', amount, fallback.holds.spotMs) ?? fallback.holds.spotMs,
      occupiedExcessMs: holds?.get('occupiedExcessMs', amount, fallback.holds.occupiedExcessMs) ?? fallback.holds.occupiedExcessMs,
    },
    limits: { ...(machines !== undefined && { machines }), ...(microUsdPerHour !== undefined && { microUsdPerHour }) },
    reclaimGraceSeconds: fields.get('reclaimGraceSeconds', amount, fallback.reclaimGraceSeconds),
    preemptionGraceSeconds: fields.get('preemptionGraceSeconds', graces, fallback.preemptionGraceSeconds),
  };
}

function graces(value: unknown, path: string): Policy['preemptionGraceSeconds'] {
  const [a, b, c, d, ...more] = listOf(amount)(value, path);
  if (a === undefined || b === undefined || c === undefined || d === undefined || more.length > 0) {
    return wrong(path, value, 'four graces in seconds, for gaps above 900000, 500000, 100000, and others');
  }
  return [a, b, c, d];
}

type Tables = Pick<Parameters<typeof readCluster>[1], 'profiles' | 'profile'>;

function memoryReader(tables: Tables, assignment: Read<Assignment>): Read<MemoryChange[]> {
  return (value, path) => {
    const fields = new Fields(value, path, FIELDS.memory);
    const arrivals = fields.get('arrivals', listOf(arrivalReader(tables)), []);
    const perMachine = <T>(field: string, read: Read<T>): [string, T][] =>
      [...fields.get(field, tableOf(read), new Map<string, T>())].flatMap(([pattern, item]) =>
        expandPattern(pattern, within(fields.pathOf(field), pattern)).map((id): [string, T] => [id, item]),
      );
    const reservation: Read<Assignment> = (to, at) => {
      const read = assignment(to, at);
      if (read.cluster === '') throw new SnapshotError(at, 'a reservation needs a cluster; write "cluster": "NAME"');
      return read;
    };
    const reclaims = fields.get('reclaims', tableOf(listOf(instant)), new Map<string, number[]>());
    const changes: MemoryChange[] = [
      ...arrivals,
      ...perMachine('idleSince', instant).map(([key, at]): MemoryChange => ({ what: 'idleSince', key, at })),
      ...perMachine('leftOverSince', instant).map(([key, at]): MemoryChange => ({ what: 'leftOverSince', key, at })),
      ...[...reclaims].map(([key, at]): MemoryChange => ({ what: 'reclaims', key, at: at.sort((a, b) => a - b) })),
      ...perMachine('reservations', reservation).map(([key, to]): MemoryChange => ({ what: 'reservation', key, to })),
    ];
    return distinct(changes.sort(compareMemory), path);
  };
}

export function compareMemory(a: MemoryChange, b: MemoryChange): number {
  return compareText(a.what, b.what) || compareText(a.key, b.key);
}

function distinct(sorted: MemoryChange[], path: string): MemoryChange[] {
  sorted.forEach((change, i) => {
    const before = sorted[i - 1];
    if (before !== undefined && compareMemory(before, change) === 0) throw new SnapshotError(path, `${change.what} of ${shown(change.key)} is written twice`);
  });
  return sorted;
}

function arrivalReader({ profiles, profile }: Tables): Read<MemoryChange> {
  return (value, path) => {
    const fields = new Fields(value, path, FIELDS.arrival);
    const asked = fields.optional('profile', namedOr(profiles, 'profiles', profile));
    const print = fields.get('fingerprint', text, asked === undefined ? '' : fingerprint(asked));
    const key = fields.get('key', text, arrivalKey(fields.get('cluster', text, ''), print, fields.get('group', text, '')));
    return { what: 'arrival', key, at: instant(fields.raw('at'), fields.pathOf('at')) };
  };
}

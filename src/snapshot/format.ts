/**
 * A snapshot as its document, canonical and compact: equal facts give equal texts in whatever order they are held, what
 * repeats is written once, and each machine entry stands on a line of its own.
 */
import { fingerprint, profileKey, unitClass } from '../api/profile.ts';
import type { Profile } from '../api/profile.ts';
import { arrivalKey } from '../engine/engine.ts';
import type { Assignment, EngineMachine, MemoryChange, Millis, Need, NodeHint, Snapshot } from '../engine/types.ts';
import { compareText } from '../lib/compare-text.ts';
import { SNAPSHOT_FORMAT } from './document.ts';
import { patternsFor } from './id-pattern.ts';
import { sortedBy } from './sorted.ts';
import { writeResources } from './values.ts';

/**
 * The document of a snapshot; `plan` is the plan that was made of it, as planData writes it. Throws a QuantityError if an
 * amount is no whole number of base units.
 */
export function formatSnapshot(snapshot: Snapshot, at: Millis, plan?: unknown): string {
  const tables = new Tables();
  const clusters = writeClusters(snapshot, tables);
  const machines = writeMachines(snapshot.machines, tables);
  const memory = writeMemory(snapshot.memory, tables);
  const { policy } = snapshot;
  return layOut({
    format: SNAPSHOT_FORMAT,
    at,
    supplyTrusted: snapshot.supplyTrusted,
    policy: {
      reclaimCapFraction: policy.reclaimCapFraction,
      maxConcurrentDrainsPerCluster: policy.maxConcurrentDrainsPerCluster,
      maxReclaimsPerMinute: policy.maxReclaimsPerMinute,
      holds: { onDemandMs: policy.holds.onDemandMs, spotMs: policy.holds.spotMs, occupiedExcessMs: policy.holds.occupiedExcessMs },
      limits: { machines: policy.limits.machines, microUsdPerHour: policy.limits.microUsdPerHour },
      reclaimGraceSeconds: policy.reclaimGraceSeconds,
      preemptionGraceSeconds: policy.preemptionGraceSeconds,
    },
    ...tables.written(),
    machines,
    clusters,
    memory,
    plan,
  });
}

/** One line per entry of the larger lists and tables: a text that people can read and diff. */
function layOut(document: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(document).filter(([, value]) => value !== undefined).map(([field, value]) => `${JSON.stringify(field)}: ${member(value)}`);
  return `{\n${lines.join(',\n')}\n}\n`;
}

function member(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[\n${value.map((item) => `  ${JSON.stringify(item)}`).join(',\n')}\n]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  if (entries.length === 0) return '{}';
  return `{\n${entries.map(([name, inner]) => `  ${JSON.stringify(name)}: ${JSON.stringify(inner)}`).join(',\n')}\n}`;
}

/** Names for what occurs again and again. They are given in the order of first use, which the facts alone decide. */
class Tables {
  readonly #shapes = new Interned('s');
  readonly #labels = new Interned('l');
  readonly #profiles = new Interned('p');
  readonly #profileOf = new Map<string, { readonly name: string; readonly profile: Profile }>();

  shape(vector: EngineMachine['allocatable']): string {
    return this.#shapes.name(writeResources(vector));
  }

  labels(labels: Readonly<Record<string, string>>): string {
    return this.#labels.name(Object.fromEntries(Object.entries(labels).sort(([a], [b]) => compareText(a, b))));
  }

  profile(profile: Profile): string {
    const { requirements, spread, priority, interruptionBucket, reclamationBucket } = profile;
    const name = this.#profiles.name({
      priority,
      interruptionBucket,
      reclamationBucket,
      requirements: requirements.map(({ key, operator, values }) => ({ key, operator, values })),
      spread: spread.map(({ topologyKey, maxSkew, whenUnsatisfiable }) => ({ topologyKey, maxSkew, whenUnsatisfiable })),
    });
    const print = fingerprint(profile);
    if (!this.#profileOf.has(print)) this.#profileOf.set(print, { name, profile });
    return name;
  }

  /** By the profile's name where that says the same, else in full. `cluster` is what the place implies. */
  assignment(to: Assignment, cluster: string): object {
    const known = this.#profileOf.get(to.fingerprint);
    const says = known?.profile;
    return {
      ...(to.cluster !== cluster && { cluster: to.cluster }),
      ...(known === undefined ? { fingerprint: to.fingerprint } : { profile: known.name }),
      ...(to.group !== '' && { group: to.group }),
      ...(to.priority !== (says?.priority ?? 0) && { priority: to.priority }),
      ...(to.interruptionBucket !== (says?.interruptionBucket ?? 1) && { interruptionBucket: to.interruptionBucket }),
      ...(to.reclamationBucket !== (says?.reclamationBucket ?? 1) && { reclamationBucket: to.reclamationBucket }),
    };
  }

  profileNamed(print: string): string | undefined {
    return this.#profileOf.get(print)?.name;
  }

  written(): { shapes: object; labels: object; profiles: object } {
    return { shapes: this.#shapes.written(), profiles: this.#profiles.written(), labels: this.#labels.written() };
  }
}

class Interned {
  readonly #prefix: string;
  readonly #names = new Map<string, { readonly name: string; readonly value: object }>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  name(value: object): string {
    const key = JSON.stringify(value);
    const known = this.#names.get(key) ?? { name: `${this.#prefix}${String(this.#names.size + 1)}`, value };
    this.#names.set(key, known);
    return known.name;
  }

  written(): object {
    return Object.fromEntries([...this.#names.values()].map(({ name, value }) => [name, value]));
  }
}

function writeClusters(snapshot: Snapshot, tables: Tables): object {
  const names = new Set([...snapshot.needs.keys(), ...snapshot.hints.keys(), ...snapshot.sessions]);
  return Object.fromEntries(
    [...names].sort(compareText).map((name) => {
      const needs = snapshot.needs.get(name);
      const hints = snapshot.hints.get(name);
      return [
        name,
        {
          ...(needs === undefined && { reported: false }),
          ...(!snapshot.sessions.has(name) && { connected: false }),
          ...(needs !== undefined && needs.length > 0 && { needs: [...needs].sort(compareNeeds).map((need) => writeNeed(need, tables)) }),
          ...(hints !== undefined && { hints: hints === null ? null : writeHints(hints) }),
        },
      ];
    }),
  );
}

function compareNeeds(a: Need, b: Need): number {
  return (
    compareText(a.fingerprint, b.fingerprint) || compareText(a.group, b.group) || compareText(a.unitClass, b.unitClass) ||
    compareText(profileKey(a.profile), profileKey(b.profile)) || compareText(JSON.stringify([a.minUnit, a.aggregate]), JSON.stringify([b.minUnit, b.aggregate]))
  );
}

function writeNeed(need: Need, tables: Tables): object {
  return {
    profile: tables.profile(need.profile),
    ...(need.group !== '' && { group: need.group }),
    aggregate: writeResources(need.aggregate),
    minUnit: tables.shape(need.minUnit),
    ...(need.fingerprint !== fingerprint(need.profile) && { fingerprint: need.fingerprint }),
    ...(need.unitClass !== unitClass(need.minUnit) && { unitClass: need.unitClass }),
  };
}

function writeHints(hints: readonly NodeHint[]): object[] {
  return grouped(hints, (hint) => hint.machineId, ({ ready, pods, disruptionCost, doNotDisrupt }) => ({
    ...(!ready && { ready }),
    ...(pods !== 0 && { pods }),
    ...(disruptionCost !== pods && { disruptionCost }),
    ...(doNotDisrupt && { doNotDisrupt }),
  })).flatMap(([ids, rest]) => patternsFor(ids).map((machineId) => ({ machineId, ...rest })));
}

function writeMachines(machines: readonly EngineMachine[], tables: Tables): object[] {
  return grouped(machines, (machine) => machine.id, (machine) => writeMachine(machine, tables)).map(([ids, rest]) => {
    const patterns = patternsFor(ids);
    return { id: patterns.length === 1 ? patterns[0] : patterns, ...rest };
  });
}

/** Everything but the name. What is as the document's defaults say is left out. */
function writeMachine(machine: EngineMachine, tables: Tables): object {
  const { state, cluster, instanceType, zone, capacityType, labels, allocatable, assigned, intent } = machine;
  return {
    state,
    ...(cluster !== '' && { cluster }),
    ...(instanceType !== '' && { instanceType }),
    ...(zone !== '' && { zone }),
    capacityType,
    ...(Object.keys(labels).length > 0 && { labels: tables.labels(labels) }),
    allocatable: tables.shape(allocatable),
    ...(machine.priceMicroUsdPerHour !== 0 && { priceMicroUsdPerHour: machine.priceMicroUsdPerHour }),
    ...(machine.interruptionProbability !== 0 && { interruptionProbability: machine.interruptionProbability }),
    ...(assigned !== undefined && { assigned: tables.assignment(assigned, cluster) }),
    ...(intent !== undefined && { intent: intent.kind === 'bind' ? { bind: tables.assignment(intent.to, cluster), ...(intent.configureSent && { configureSent: true }) } : intent.kind }),
    ...(machine.hold && { hold: true }),
    ...(machine.stuck && { stuck: true }),
    ...(machine.drainRefused === true && { drainRefused: true }),
  };
}

/** Items that are written alike, with their names in order; groups come in the order of their first name. */
function grouped<T>(items: readonly T[], nameOf: (item: T) => string, write: (item: T) => object): [names: string[], written: object][] {
  const groups = new Map<string, [string[], object]>();
  for (const item of sortedBy(items, nameOf)) {
    const written = write(item);
    const key = JSON.stringify(written);
    const group = groups.get(key) ?? [[], written];
    groups.set(key, group);
    group[0].push(nameOf(item));
  }
  return [...groups.values()];
}

type Remembered<What> = Extract<MemoryChange, { readonly what: What }>;

function writeMemory(memory: readonly MemoryChange[], tables: Tables): object {
  const latest = new Map<string, MemoryChange>();
  for (const change of memory) latest.set(JSON.stringify([change.what, change.key]), change);
  const kept = [...latest.values()].filter((change) => (change.what === 'reservation' ? change.to : change.at) !== null).sort((a, b) => compareText(a.what, b.what) || compareText(a.key, b.key));
  const of = <What extends MemoryChange['what']>(what: What): Remembered<What>[] => kept.filter((change): change is Remembered<What> => change.what === what);
  const sections = {
    arrivals: of('arrival').map((change) => writeArrival(change.key, change.at, tables)),
    idleSince: perMachine(of('idleSince'), ({ at }) => at),
    leftOverSince: perMachine(of('leftOverSince'), ({ at }) => at),
    reclaims: Object.fromEntries(of('reclaims').map(({ key, at }) => [key, at])),
    reservations: perMachine(of('reservation'), ({ to }) => to && tables.assignment(to, '')),
  };
  return Object.fromEntries(Object.entries(sections).filter(([, section]) => Object.keys(section).length > 0));
}

function perMachine<T extends MemoryChange>(changes: readonly T[], write: (change: T) => unknown): object {
  const groups = grouped(changes, ({ key }) => key, (change) => ({ value: write(change) }));
  return Object.fromEntries(groups.flatMap(([ids, written]) => patternsFor(ids).map((pattern) => [pattern, (written as { value: unknown }).value])));
}

/** By its parts where the key is made of them, else as it is. */
function writeArrival(key: string, at: Millis | null, tables: Tables): object {
  const [cluster, print, group] = partsOf(key);
  if (cluster === undefined || print === undefined || group === undefined || arrivalKey(cluster, print, group) !== key) return { key, at };
  const profile = tables.profileNamed(print);
  return { cluster, ...(profile === undefined ? { fingerprint: print } : { profile }), ...(group !== '' && { group }), at };
}

function partsOf(key: string): string[] {
  try {
    const parts: unknown = JSON.parse(key);
    return Array.isArray(parts) && parts.every((part) => typeof part === 'string') ? parts : [];
  } catch {
    return [];
  }
}

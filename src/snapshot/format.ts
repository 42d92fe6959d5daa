/**
 * A snapshot as its document, canonical and compact: equal facts give equal texts in whatever order they are held, what
 * repeats is written once, and each machine entry stands on a line of its own.
 */
import { fingerprint, profileKey, unitClass } from '../api/profile.ts';
import type { Profile } from '../api/profile.ts';
import { arrivalKey } from '../engine/engine.ts';
import type { Assignment, EngineMachine, MemoryChange, Millis, Need, NodeHint, Snapshot } from '../engine/types.ts';
import { compareText } from '../lib/compare-text.ts';
import { inSteps, sortedInSteps } from '../lib/steps.ts';
import { SNAPSHOT_FORMAT } from './document.ts';
import { patternsInSteps } from './id-pattern.ts';
import { layOut } from './lay-out.ts';
import { sortedBy } from './sorted.ts';
import { writeResources } from './values.ts';

/**
 * The document of a snapshot; `plan` is the plan that was made of it, as planData writes it. Throws a QuantityError if an
 * amount is no whole number of base units.
 */
export function formatSnapshot(snapshot: Snapshot, at: Millis, plan?: unknown): string {
  return [...formatInSteps(snapshot, at, plan)].join('');
}

/** A snapshot whose machines are perhaps made only when they are met; then they come in order of id. */
export interface SnapshotInSteps extends Omit<Snapshot, 'machines'> {
  readonly machines: Iterable<EngineMachine>;
}

/** The same piece by piece, so that others get their turn in between; some pieces are empty. */
export function* formatInSteps(snapshot: SnapshotInSteps, at: Millis, plan?: unknown): Generator<string, void> {
  const tables = new Tables();
  const clusters = yield* silently(writeClusters(snapshot, tables));
  const machines = yield* silently(writeMachines(snapshot.machines, tables));
  const memory = yield* silently(writeMemory(snapshot.memory, tables));
  const { policy } = snapshot;
  yield* layOut({
    format: SNAPSHOT_FORMAT,
    at,
    supplyTrusted: snapshot.supplyTrusted,
    policy: {
      reclaimCapFraction: policy.reclaimCapFraction,
      reclaimCapMs: policy.reclaimCapMs,
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

/** Steps that have no text yet. */
function* silently<T>(steps: Generator<unknown, T>): Generator<string, T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    yield '';
  }
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
      ...(to.unitClass !== undefined && { unitClass: to.unitClass }),
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

function* writeClusters(snapshot: SnapshotInSteps, tables: Tables): Generator<undefined, object> {
  const names = new Set([...snapshot.needs.keys(), ...snapshot.hints.keys(), ...snapshot.sessions]);
  const written: [name: string, cluster: object][] = [];
  for (const name of [...names].sort(compareText)) {
    const needs = snapshot.needs.get(name);
    const hints = snapshot.hints.get(name);
    written.push([
      name,
      {
        ...(needs === undefined && { reported: false }),
        ...(!snapshot.sessions.has(name) && { connected: false }),
        ...(needs !== undefined && needs.length > 0 && { needs: yield* writeNeeds(needs, tables) }),
        ...(hints !== undefined && { hints: hints === null ? null : yield* writeHints(hints) }),
      },
    ]);
    yield;
  }
  return Object.fromEntries(written);
}

function* writeNeeds(needs: readonly Need[], tables: Tables): Generator<undefined, object[]> {
  const written: object[] = [];
  yield* inSteps(yield* sortedInSteps(needs, compareNeeds), (need) => written.push(writeNeed(need, tables)));
  return written;
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

function* writeHints(hints: readonly NodeHint[]): Generator<undefined, object[]> {
  const groups = yield* grouped(hints, (hint) => hint.machineId, ({ ready, pods, disruptionCost, doNotDisrupt }) => ({
    ...(!ready && { ready }),
    ...(pods !== 0 && { pods }),
    ...(disruptionCost !== pods && { disruptionCost }),
    ...(doNotDisrupt && { doNotDisrupt }),
  }));
  const written: object[] = [];
  for (const [ids, rest] of groups) for (const machineId of yield* patternsInSteps(ids)) written.push({ machineId, ...rest });
  return written;
}

function* writeMachines(machines: Iterable<EngineMachine>, tables: Tables): Generator<undefined, object[]> {
  const written: object[] = [];
  for (const [ids, rest] of yield* grouped(machines, (machine) => machine.id, (machine) => writeMachine(machine, tables))) {
    const patterns = yield* patternsInSteps(ids);
    written.push({ id: patterns.length === 1 ? patterns[0] : patterns, ...rest });
  }
  return written;
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
    ...(machine.untrusted === true && { untrusted: true }),
    ...(machine.hasHost === true && { hasHost: true }),
  };
}

/** Items that are written alike, with their names in order; groups come in the order of their first name. */
function* grouped<T>(items: Iterable<T>, nameOf: (item: T) => string, write: (item: T) => object): Generator<undefined, [names: string[], written: object][]> {
  const groups = new Map<string, [string[], object]>();
  yield* inSteps(Array.isArray(items) ? yield* sortedBy(items as readonly T[], nameOf) : items, (item) => {
    const written = write(item);
    const key = JSON.stringify(written);
    const group = groups.get(key) ?? [[], written];
    groups.set(key, group);
    group[0].push(nameOf(item));
  });
  return [...groups.values()];
}

type Remembered<What> = Extract<MemoryChange, { readonly what: What }>;

function* writeMemory(memory: readonly MemoryChange[], tables: Tables): Generator<undefined, object> {
  const latest = new Map<string, MemoryChange>();
  yield* inSteps(memory, (change) => latest.set(JSON.stringify([change.what, change.key]), change));
  const byWhat = new Map<MemoryChange['what'], MemoryChange[]>();
  yield* inSteps(latest.values(), (change) => {
    if ((change.what === 'reservation' ? change.to : change.at) === null) return;
    const others = byWhat.get(change.what);
    if (others === undefined) byWhat.set(change.what, [change]);
    else others.push(change);
  });
  function* of<What extends MemoryChange['what']>(what: What): Generator<undefined, readonly Remembered<What>[]> {
    return (yield* sortedBy(byWhat.get(what) ?? [], ({ key }) => key)) as readonly Remembered<What>[];
  }
  const arrivals: object[] = [];
  yield* inSteps(yield* of('arrival'), (change) => arrivals.push(writeArrival(change.key, change.at, tables)));
  const sections = {
    arrivals,
    idleSince: yield* perMachine(yield* of('idleSince'), ({ at }) => at),
    leftOverSince: yield* perMachine(yield* of('leftOverSince'), ({ at }) => at),
    reclaims: Object.fromEntries((yield* of('reclaims')).map(({ key, at }) => [key, at])),
    reservations: yield* perMachine(yield* of('reservation'), ({ to }) => to && tables.assignment(to, '')),
  };
  return Object.fromEntries(Object.entries(sections).filter(([, section]) => Object.keys(section).length > 0));
}

function* perMachine<T extends MemoryChange>(changes: readonly T[], write: (change: T) => unknown): Generator<undefined, object> {
  const byPattern: [pattern: string, value: unknown][] = [];
  for (const [ids, written] of yield* grouped(changes, ({ key }) => key, (change) => ({ value: write(change) }))) {
    for (const pattern of yield* patternsInSteps(ids)) byPattern.push([pattern, (written as { value: unknown }).value]);
  }
  return Object.fromEntries(byPattern);
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

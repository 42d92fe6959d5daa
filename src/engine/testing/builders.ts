/** Small worlds for tests: every field has a default, so that a test names only what it is about. */
import { fingerprint, unitClass } from '../../api/profile.ts';
import type { Operator, Profile, SpreadTerm } from '../../api/profile.ts';
import { INSTANCE_TYPE_KEY, ZONE_KEY } from '../match.ts';
import type { Assignment, Change, EngineMachine, Intent, MachineState, MemoryChange, Need, NodeHint, Policy, ResourceVector, Snapshot } from '../types.ts';

export const GIB = 2 ** 30;
export const DOLLAR = 1_000_000;
export const MINUTE = 60_000;
export const T0 = 1_800_000_000_000;

/** Amounts in whole units: cpus, gibibytes of memory, pieces of anything else. */
export function amounts(whole: Readonly<Record<string, number>>): ResourceVector {
  return Object.entries(whole)
    .map(([name, n]): readonly [string, number] => [name, name === 'memory' ? n * GIB : n * 1000])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

export const RAILS_OFF: Policy = {
  reclaimCapFraction: 0,
  maxConcurrentDrainsPerCluster: 0,
  maxReclaimsPerMinute: 0,
  holds: { onDemandMs: 10 * MINUTE, spotMs: MINUTE, occupiedExcessMs: 5 * MINUTE },
  limits: {},
  reclaimGraceSeconds: 600,
  preemptionGraceSeconds: [10, 30, 120, 600],
};

export function policy(over: Partial<Policy> = {}): Policy {
  return { ...RAILS_OFF, ...over };
}

export function profile(over: Partial<Profile> = {}): Profile {
  return { requirements: [], spread: [], priority: 100, interruptionBucket: 1, reclamationBucket: 1, ...over };
}

export function requirement(key: string, operator: Operator, ...values: string[]): Profile['requirements'][number] {
  return { key, operator, values };
}

export function sameZone(): Profile['requirements'][number] {
  return requirement(ZONE_KEY, 'Same');
}

export function typeIn(...types: string[]): Profile['requirements'][number] {
  return requirement(INSTANCE_TYPE_KEY, 'In', ...types);
}

export function zoneSpread(maxSkew: number, whenUnsatisfiable: SpreadTerm['whenUnsatisfiable'] = 'DoNotSchedule'): SpreadTerm {
  return { topologyKey: ZONE_KEY, maxSkew, whenUnsatisfiable };
}

export interface NeedSpec extends Partial<Profile> {
  readonly cluster?: string;
  readonly group?: string;
  /** Default: 1 cpu, times `units`. */
  readonly units?: number;
  readonly aggregate?: ResourceVector;
  readonly minUnit?: ResourceVector;
}

/** A demand of `units` × 1 cpu, unless said otherwise. */
export function need(spec: NeedSpec = {}): Need {
  const { cluster = 'c1', group = '', units = 1, aggregate, minUnit, ...over } = spec;
  const asked = profile(over);
  const unit = minUnit ?? amounts({ cpu: 1 });
  return {
    cluster,
    group,
    profile: asked,
    fingerprint: fingerprint(asked),
    unitClass: unitClass(unit),
    aggregate: aggregate ?? amounts({ cpu: units }),
    minUnit: unit,
  };
}

export function assignmentOf(wanted: Need): Assignment {
  const { priority, interruptionBucket, reclamationBucket } = wanted.profile;
  return { cluster: wanted.cluster, fingerprint: wanted.fingerprint, group: wanted.group, priority, interruptionBucket, reclamationBucket, unitClass: wanted.unitClass };
}

/** A machine of 1 cpu in zone za, free of charge, bare metal. */
export function machine(id: string, state: MachineState, over: Partial<EngineMachine> = {}): EngineMachine {
  const bound = state === 'Configured' || state === 'Configuring' || state === 'Draining';
  return {
    id,
    state,
    cluster: bound ? 'c1' : '',
    instanceType: 't1',
    zone: 'za',
    capacityType: 'BareMetal',
    labels: {},
    allocatable: amounts({ cpu: 1 }),
    priceMicroUsdPerHour: 0,
    interruptionProbability: 0,
    hold: false,
    stuck: false,
    ...over,
  };
}

export function bindTo(wanted: Need, configureSent = false): Intent {
  return { kind: 'bind', to: assignmentOf(wanted), configureSent };
}

export function hint(machineId: string, over: Partial<NodeHint> = {}): NodeHint {
  return { machineId, ready: true, pods: 1, disruptionCost: 1, doNotDisrupt: false, ...over };
}

export interface WorldSpec {
  readonly machines?: readonly EngineMachine[];
  readonly needs?: readonly Need[];
  /** Clusters that have reported, besides those with needs and c1. */
  readonly reported?: readonly string[];
  readonly unreported?: readonly string[];
  readonly hints?: Readonly<Record<string, readonly NodeHint[] | null>>;
  /** Default: every cluster that has reported. */
  readonly sessions?: readonly string[];
  readonly supplyTrusted?: boolean;
  readonly policy?: Policy;
  readonly memory?: readonly MemoryChange[];
}

export function world(spec: WorldSpec = {}): Snapshot {
  const needs = new Map<string, Need[]>();
  const clusters = new Set(['c1', ...(spec.reported ?? []), ...(spec.needs ?? []).map((n) => n.cluster)]);
  for (const cluster of clusters) {
    if (!(spec.unreported ?? []).includes(cluster)) needs.set(cluster, (spec.needs ?? []).filter((n) => n.cluster === cluster));
  }
  return {
    machines: spec.machines ?? [],
    needs,
    hints: new Map(Object.entries(spec.hints ?? {})),
    sessions: new Set(spec.sessions ?? clusters),
    supplyTrusted: spec.supplyTrusted ?? true,
    policy: spec.policy ?? policy(),
    memory: spec.memory ?? [],
  };
}

export function machinesChange(...upserted: EngineMachine[]): Change {
  return { kind: 'machines', upserted, removed: [] };
}

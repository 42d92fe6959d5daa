import { parseResources } from '../api/resource-vector.ts';
import type { Machine as WireMachine } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { decodeShardMetadata, type DecodedShardMetadata } from '../api/shard-metadata.ts';
import type { CapacityType, MachineState, ResourceVector } from '../engine/types.ts';
import type { HostRef } from './kit/machine.ts';
import { capacityTypeOfWire, stateOfWire } from './kit/wire.ts';
import type { MachineKind, MachineLabels } from './machine-kind.ts';

/** One record of a provider, checked and in our units. */
export interface ProviderMachine {
  readonly id: string;
  readonly state: MachineState;
  readonly host?: HostRef;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly priceMicroUsdPerHour: number;
  readonly interruptionProbability: number;
  /** What the machine offers: allocatable, or resources where that is absent; rounded down. */
  readonly allocatable: ResourceVector;
  readonly labels: Readonly<Record<string, string>>;
  readonly lastError: string;
  readonly cluster: string;
  /** As stored; `assignmentNotes` reads it. */
  readonly shardMetadata: ReadonlyMap<string, string>;
}

/** Why a record cannot be used (spec: engine 2.2); `reason` is the metric label. */
export interface RejectedMachine {
  readonly id: string;
  readonly reason: 'price' | 'interruption_probability' | 'structural';
  readonly field: string;
  readonly text: string;
}

export type MachineResult = { readonly machine: ProviderMachine } | { readonly rejected: RejectedMachine };

/** What the shard noted at Configure; needed only for machines it does not remember, hence on request. */
export function assignmentNotes(machine: ProviderMachine): DecodedShardMetadata {
  return decodeShardMetadata(machine.shardMetadata);
}

/** Checks and converts one record. A bad one is a result, not an error: it spoils nothing but itself. */
export function machineFromWire(wire: WireMachine): MachineResult {
  const reject = (reason: RejectedMachine['reason'], field: string, text: string): MachineResult =>
    ({ rejected: { id: wire.id, reason, field, text } });
  const priceMicroUsdPerHour = Math.round(wire.pricePerHour * 1e6);
  if (!(wire.pricePerHour >= 0) || !Number.isSafeInteger(priceMicroUsdPerHour)) {
    return reject('price', 'price_per_hour', `must be a finite number of dollars, 0 or more, not ${wire.pricePerHour}`);
  }
  const interruptionProbability = wire.interruptionProbability;
  if (!(interruptionProbability >= 0 && interruptionProbability <= 1)) {
    return reject('interruption_probability', 'interruption_probability', `must lie between 0 and 1, not ${interruptionProbability}`);
  }
  const state = stateOfWire(wire.state);
  if (!state) return reject('structural', 'state', `is ${wire.state}, which is no state`);
  const capacityType = capacityTypeOfWire(wire.capacityType);
  if (!capacityType) return reject('structural', 'capacity_type', `is ${wire.capacityType}, which is no capacity type`);
  const broken = structuralProblem(wire, state);
  if (broken) return reject('structural', ...broken);
  let allocatable: ResourceVector;
  try {
    allocatable = capacityOf(wire);
  } catch (error) {
    return reject('structural', wire.allocatable ? 'allocatable' : 'resources', error instanceof Error ? error.message : String(error));
  }
  return {
    machine: {
      id: wire.id, state, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable,
      ...(hasHost(wire) && { host: { provider: shared(wire.host!.provider), ref: wire.host!.ref } }),
      instanceType: shared(wire.instanceType),
      zone: shared(wire.zone),
      labels: labelsFromWire(wire),
      lastError: wire.lastError,
      cluster: shared(wire.cluster),
      shardMetadata: sharedNotes(wire.shardMetadata),
    },
  };
}

/** The invariants that tie state, host, cluster and error together, as [field, text]. */
function structuralProblem(wire: WireMachine, state: MachineState): [string, string] | undefined {
  if (wire.id === '') return ['id', 'must not be empty'];
  const host = hasHost(wire);
  const needsHost = state === 'Idle' || state === 'Configuring' || state === 'Configured' || state === 'Draining' || state === 'Deleting';
  const needsCluster = state === 'Configuring' || state === 'Configured' || state === 'Draining';
  if (state === 'Speculative' && host) return ['host', 'must be absent while Speculative'];
  if (needsHost && !host) return ['host', `must be set while ${state}`];
  if (needsCluster && wire.cluster === '') return ['cluster', `must be set while ${state}`];
  if ((state === 'Speculative' || state === 'Creating') && wire.cluster !== '') return ['cluster', `must be empty while ${state}`];
  if (state === 'Failed' && wire.lastError === '') return ['last_error', 'must say why the machine failed'];
  return undefined;
}

function hasHost(wire: WireMachine): boolean {
  return wire.host !== undefined && (wire.host.ref !== '' || wire.host.provider !== '');
}

/**
 * Fleets have few shapes: what equal machines say alike is kept once. For a large fleet that is most of the memory, and the
 * garbage collector's pauses follow the memory.
 */
class Shared<T> {
  private readonly known = new Map<string, T>();

  /** What is known under the key, else what `make` makes of it. */
  get(key: string, make: () => T): T {
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const made = make();
    // Labels may be unique to each machine: then nothing is shared, and little kept.
    if (this.known.size >= MAX_SHARED) this.known.clear();
    this.known.set(key, made);
    return made;
  }
}

const MAX_SHARED = 4_096;
const texts = new Shared<string>();
const vectors = new Shared<ResourceVector>();
const amounts = new Shared<ResourceVector>();
const labelSets = new Shared<Readonly<Record<string, string>>>();
const notes = new Shared<ReadonlyMap<string, string>>();

function shared(text: string): string {
  return texts.get(text, () => text);
}

/** One and the same for all that say the same. */
function sharedNotes(metadata: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return notes.get(keyOf(metadata), () => metadata);
}

function capacityOf(wire: WireMachine): ResourceVector {
  const quantities = (wire.allocatable ?? wire.resources)?.resources ?? new Map<string, string>();
  return vectors.get(keyOf(quantities), () => parseResources(quantities, 'down'));
}

export function labelsFromWire({ labels }: Pick<WireMachine, 'labels'>): MachineLabels {
  return labelSets.get(keyOf(labels), () => Object.freeze(Object.fromEntries(labels)));
}

/** The very labels that others have which say the same. */
export function sharedLabels(labels: MachineLabels): MachineLabels {
  return labelSets.get(keyOf(Object.entries(labels)), () => Object.freeze(labels));
}

/** What of a kind that comes from elsewhere others have, too. */
export function sharedKind(kind: MachineKind): MachineKind {
  const { instanceType, zone, cluster, hostProvider, allocatable, shardMetadata } = kind;
  return {
    ...kind,
    instanceType: shared(instanceType), zone: shared(zone), cluster: shared(cluster), hostProvider: hostProvider === undefined ? undefined : shared(hostProvider),
    allocatable: amounts.get(JSON.stringify(allocatable), () => allocatable),
    shardMetadata: sharedNotes(shardMetadata),
  };
}

function keyOf(entries: Iterable<readonly [name: string, value: string]>): string {
  let key = '';
  for (const [name, value] of entries) key += `${name.length},${value.length}:${name}${value}`;
  return key;
}

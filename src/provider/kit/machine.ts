import type { CapacityType, MachineState } from '../../engine/types.ts';

export type { CapacityType, MachineState } from '../../engine/types.ts';

/** Where a machine physically is; `ref` becomes the Node's provider id. */
export interface HostRef {
  readonly provider: string;
  readonly ref: string;
}

/** Kubernetes quantities, or labels, by name. */
export type StringMap = Readonly<Record<string, string>>;

/** What a substrate offers: one slot or one host, as the backend describes it. */
export interface Instance {
  readonly id: string;
  readonly host?: HostRef;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  /** US dollars; finite and not negative. */
  readonly pricePerHour: number;
  /** Chance of losing it within an hour, 0 to 1; above 0 for Spot. */
  readonly interruptionProbability: number;
  readonly resources: StringMap;
  readonly allocatable?: StringMap;
  readonly labels: StringMap;
  /** A hint, used when the instance is first seen: Speculative has no host, Idle has one. */
  readonly state: 'Speculative' | 'Idle';
}

/** One machine as the kit keeps it. Records are immutable: a change makes a new one. */
export interface Machine extends Omit<Instance, 'state'> {
  readonly state: MachineState;
  /** Non-empty exactly while Failed. */
  readonly lastError: string;
  /** Set from the start of Configure to the end of Drain; kept while Failed. */
  readonly cluster: string;
  /** The shard's own notes: stored and returned byte for byte, never read. */
  readonly shardMetadata: ReadonlyMap<string, string>;
}

export const machineStates: readonly MachineState[] = ['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'];

export const noMetadata: ReadonlyMap<string, string> = new Map();

/** The first record of an instance that has just been discovered. */
export function machineOf(instance: Instance): Machine {
  return { ...instance, lastError: '', cluster: '', shardMetadata: noMetadata };
}

/** A copy without a host: `host` is absent, not undefined. */
export function withoutHost(machine: Machine): Machine {
  const { host: _gone, ...rest } = machine;
  return rest;
}

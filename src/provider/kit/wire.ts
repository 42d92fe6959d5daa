import { BinaryWriter } from '@bufbuild/protobuf/wire';
import {
  CapacityType as WireCapacityType,
  Machine as WireMachine,
  MachineState as WireState,
} from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { CapacityType, Machine, MachineState, StringMap } from './machine.ts';

const stateNumbers: Readonly<Record<MachineState, WireState>> = {
  Speculative: WireState.MACHINE_STATE_SPECULATIVE,
  Creating: WireState.MACHINE_STATE_CREATING,
  Idle: WireState.MACHINE_STATE_IDLE,
  Configuring: WireState.MACHINE_STATE_CONFIGURING,
  Configured: WireState.MACHINE_STATE_CONFIGURED,
  Draining: WireState.MACHINE_STATE_DRAINING,
  Deleting: WireState.MACHINE_STATE_DELETING,
  Failed: WireState.MACHINE_STATE_FAILED,
};

const capacityNumbers: Readonly<Record<CapacityType, WireCapacityType>> = {
  Unspecified: WireCapacityType.CAPACITY_TYPE_UNSPECIFIED,
  BareMetal: WireCapacityType.CAPACITY_TYPE_BARE_METAL,
  Reserved: WireCapacityType.CAPACITY_TYPE_RESERVED,
  OnDemand: WireCapacityType.CAPACITY_TYPE_ON_DEMAND,
  Spot: WireCapacityType.CAPACITY_TYPE_SPOT,
};

const stateNames = new Map(Object.entries(stateNumbers).map(([name, n]) => [n as number, name as MachineState]));
const capacityNames = new Map(Object.entries(capacityNumbers).map(([name, n]) => [n as number, name as CapacityType]));

/** The state behind a wire number; undefined for UNSPECIFIED and for numbers this version does not know. */
export function stateOfWire(value: number): MachineState | undefined {
  return stateNames.get(value);
}

export function stateToWire(state: MachineState): WireState {
  return stateNumbers[state];
}

export function capacityTypeToWire(type: CapacityType): WireCapacityType {
  return capacityNumbers[type];
}

export function capacityTypeOfWire(value: number): CapacityType | undefined {
  return capacityNames.get(value);
}

/** One for all machines: the memory that one for each would take costs more than to encode it. Nothing is left in it, also by what throws. */
const writer = new BinaryWriter();

/** One `machines` element of a MachineList: tag, length, the bytes of a `bigfleet.v1alpha1.Machine`. Lists are frames laid end to end. */
export function frameMachine(machine: Machine): Uint8Array {
  try {
    writeMachine(machine, writer.uint32(10).fork()).join();
  } catch (error) {
    writer.finish();
    throw error;
  }
  return writer.finish();
}

function writeMachine(machine: Machine, to: BinaryWriter): BinaryWriter {
  return WireMachine.encode({
    id: machine.id,
    state: stateNumbers[machine.state],
    host: machine.host && { ...machine.host },
    instanceType: machine.instanceType,
    zone: machine.zone,
    capacityType: capacityNumbers[machine.capacityType],
    pricePerHour: machine.pricePerHour,
    interruptionProbability: machine.interruptionProbability,
    resources: { resources: toMap(machine.resources) },
    labels: toMap(machine.labels),
    lastError: machine.lastError,
    // Absent means the same as `resources`; said outright, readers need not know that.
    allocatable: { resources: toMap(machine.allocatable ?? machine.resources) },
    cluster: machine.cluster,
    shardMetadata: machine.shardMetadata as Map<string, string>,
  }, to);
}

/** The closing `revision` field of a MachineList. */
export function frameRevision(revision: number): Uint8Array {
  return new BinaryWriter().uint32(18).bytes(Buffer.from(String(revision))).finish();
}

/** A TransitionAck around a machine that is encoded already. */
export function encodeAck(operationId: string, machine: Uint8Array): Buffer {
  return Buffer.from(new BinaryWriter().uint32(10).string(operationId).uint32(18).bytes(machine).finish());
}

function toMap(record: StringMap): Map<string, string> {
  return new Map(Object.entries(record));
}

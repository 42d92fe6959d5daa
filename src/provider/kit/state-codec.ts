import type { FenceMark } from './fences.ts';
import { operationKinds, type OperationKind } from './lifecycle.ts';
import type { HostRef, Machine, MachineState, StringMap } from './machine.ts';
import type { PendingOperation, StateChange, StoredMachine } from './state-store.ts';

/** One change as one line of JSON, without the newline. 64-bit numbers travel as strings, bytes as base64. */
export function encodeChange(change: StateChange): string {
  const { fence, machine, nextOperation, storeId } = change;
  return `${JSON.stringify({
    fence: fence && [fence.shardId, fence.machineId, String(fence.epoch), String(fence.sequence)],
    machine: machine && encodeStored(machine),
    nextOperation,
    storeId,
  })}`;
}

function encodeStored({ machine, revision, operations, pending }: StoredMachine): object {
  return {
    revision,
    // Pairs, not an object: a key may be anything, `__proto__` included.
    record: { ...machine, shardMetadata: [...machine.shardMetadata] },
    operations,
    pending: pending && {
      ...pending,
      gracePeriodSeconds: pending.gracePeriodSeconds?.toString(),
      bootstrapBlob: pending.bootstrapBlob && Buffer.from(pending.bootstrapBlob).toString('base64'),
    },
  };
}

/** Throws an Error that names the field when the line is not a change. */
export function decodeChange(line: string): StateChange {
  const value = object(JSON.parse(line), 'line');
  return {
    ...(value['fence'] !== undefined && { fence: decodeFence(value['fence']) }),
    ...(value['machine'] !== undefined && { machine: decodeStored(value['machine']) }),
    ...(value['nextOperation'] !== undefined && { nextOperation: number(value['nextOperation'], 'nextOperation') }),
    ...(value['storeId'] !== undefined && { storeId: text(value['storeId'], 'storeId') }),
  };
}

function decodeFence(value: unknown): FenceMark {
  if (!Array.isArray(value) || value.length !== 4) throw new Error('fence: must be [shard, machine, epoch, sequence]');
  const [shardId, machineId, epoch, sequence] = value.map((part, i) => text(part, `fence[${i}]`)) as [string, string, string, string];
  return { shardId, machineId, epoch: integer(epoch, 'fence[2]'), sequence: integer(sequence, 'fence[3]') };
}

function decodeStored(value: unknown): StoredMachine {
  const stored = object(value, 'machine');
  const operations: Partial<Record<OperationKind, string>> = {};
  for (const [kind, id] of Object.entries(object(stored['operations'], 'machine.operations'))) {
    operations[kindOf(kind, 'machine.operations')] = text(id, `machine.operations.${kind}`);
  }
  return {
    machine: decodeMachine(object(stored['record'], 'machine.record')),
    revision: number(stored['revision'], 'machine.revision'),
    operations,
    ...(stored['pending'] !== undefined && { pending: decodePending(object(stored['pending'], 'machine.pending')) }),
  };
}

function decodeMachine(record: Record<string, unknown>): Machine {
  const at = (field: string): string => `machine.record.${field}`;
  if (!Array.isArray(record['shardMetadata'])) throw new Error(`${at('shardMetadata')}: must be a list of pairs`);
  return {
    ...(record['host'] !== undefined && { host: object(record['host'], at('host')) as unknown as HostRef }),
    ...(record['allocatable'] !== undefined && { allocatable: object(record['allocatable'], at('allocatable')) as StringMap }),
    id: text(record['id'], at('id')),
    state: text(record['state'], at('state')) as MachineState,
    instanceType: text(record['instanceType'], at('instanceType')),
    zone: text(record['zone'], at('zone')),
    capacityType: text(record['capacityType'], at('capacityType')) as Machine['capacityType'],
    pricePerHour: number(record['pricePerHour'], at('pricePerHour')),
    interruptionProbability: number(record['interruptionProbability'], at('interruptionProbability')),
    resources: object(record['resources'], at('resources')) as StringMap,
    labels: object(record['labels'], at('labels')) as StringMap,
    lastError: text(record['lastError'], at('lastError')),
    cluster: text(record['cluster'], at('cluster')),
    shardMetadata: new Map(record['shardMetadata'] as [string, string][]),
  };
}

function decodePending(value: Record<string, unknown>): PendingOperation {
  const { gracePeriodSeconds: grace, bootstrapBlob: blob } = value;
  return {
    kind: kindOf(value['kind'], 'machine.pending.kind'),
    operationId: text(value['operationId'], 'machine.pending.operationId'),
    ...(grace !== undefined && { gracePeriodSeconds: integer(text(grace, 'machine.pending.gracePeriodSeconds'), 'machine.pending.gracePeriodSeconds') }),
    ...(blob !== undefined && { bootstrapBlob: Buffer.from(text(blob, 'machine.pending.bootstrapBlob'), 'base64') }),
  };
}

function kindOf(value: unknown, field: string): OperationKind {
  const kind = operationKinds.find((k) => k === value);
  if (!kind) throw new Error(`${field}: must be one of ${operationKinds.join(', ')}`);
  return kind;
}

function object(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${field}: must be an object`);
  return value as Record<string, unknown>;
}

function text(value: unknown, field: string): string {
  if (typeof value !== 'string') throw new Error(`${field}: must be a string`);
  return value;
}

function number(value: unknown, field: string): number {
  if (typeof value !== 'number') throw new Error(`${field}: must be a number`);
  return value;
}

function integer(value: string, field: string): bigint {
  if (!/^-?\d+$/.test(value)) throw new Error(`${field}: must be a whole number`);
  return BigInt(value);
}

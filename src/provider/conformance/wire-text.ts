/** Requests and answers in words, for people who look for what is wrong with a provider. */
import type {
  ConfigureRequest, CreateRequest, DeleteRequest, DrainRequest, ListFilter, Machine, MachineList, TransitionAck,
} from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { MachineState } from '../kit/machine.ts';
import { stateOfWire } from '../kit/wire.ts';

const TEXT_SHOWN = 80;
const KEYS_SHOWN = 3;
const MACHINES_SHOWN = 6;

/** IDLE, CONFIGURED, …, as the contract writes them. */
export function stateText(state: MachineState | number | undefined): string {
  const name = typeof state === 'number' ? (stateOfWire(state) ?? `state ${state}`) : (state ?? 'nothing');
  return name.startsWith('state ') ? name : name.toUpperCase();
}

/** Quoted, with control characters visible, cut where it gets long. */
export function quoted(text: string): string {
  const shown = text.length > TEXT_SHOWN ? `${text.slice(0, TEXT_SHOWN)}…` : text;
  // JSON leaves C1 controls as they are, and a terminal obeys them.
  const json = JSON.stringify(shown).replace(/[\u007f-\u009f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return text.length > TEXT_SHOWN ? `${json} (${text.length} characters)` : json;
}

export function mapText(map: ReadonlyMap<string, string>): string {
  const shown = [...map].slice(0, KEYS_SHOWN).map(([key, value]) => `${quoted(key)}: ${quoted(value)}`);
  if (map.size > KEYS_SHOWN) shown.push(`… ${map.size} keys`);
  return `{${shown.join(', ')}}`;
}

export function machineText(machine: Machine | undefined): string {
  if (!machine) return 'no machine';
  const parts = [machine.id || '(no id)', stateText(machine.state)];
  if (machine.host) parts.push(`host ${machine.host.provider}:${machine.host.ref}`);
  if (machine.cluster) parts.push(`cluster ${quoted(machine.cluster)}`);
  if (machine.shardMetadata.size > 0) parts.push(`metadata ${mapText(machine.shardMetadata)}`);
  if (machine.lastError) parts.push(`last_error ${quoted(machine.lastError)}`);
  return parts.join(' ');
}

export function ackText(ack: TransitionAck): string {
  return `OK operation_id ${quoted(ack.operationId)}, ${machineText(ack.machine)}`;
}

export function listText(list: MachineList): string {
  const some = list.machines.slice(0, MACHINES_SHOWN).map((m) => `${m.id} ${stateText(m.state)}`);
  if (list.machines.length > MACHINES_SHOWN) some.push('…');
  return `OK ${list.machines.length} machines${some.length > 0 ? ` (${some.join(', ')})` : ''}, revision ${bytesText(list.revision)}`;
}

export function bytesText(bytes: Uint8Array): string {
  return bytes.length === 0 ? 'none' : quoted(Buffer.from(bytes).toString('latin1'));
}

export function tokenText({ shardId, shardEpoch, sequenceNumber }: { shardId: string; shardEpoch: bigint; sequenceNumber: bigint }): string {
  if (shardId === '' && shardEpoch === 0n && sequenceNumber === 0n) return 'no token';
  return `shard ${quoted(shardId)} epoch ${shardEpoch} sequence ${sequenceNumber}`;
}

export function createText(r: CreateRequest): string {
  return `Create ${r.machineId || '(empty id)'}, ${tokenText(r)}`;
}

export function configureText(r: ConfigureRequest): string {
  const blob = r.bootstrapBlob.length > 1024 ? `, blob of ${r.bootstrapBlob.length} bytes` : '';
  return `Configure ${r.machineId || '(empty id)'}, cluster ${quoted(r.clusterId)}, metadata ${mapText(r.shardMetadata)}${blob}, ${tokenText(r)}`;
}

export function drainText(r: DrainRequest): string {
  return `Drain ${r.machineId || '(empty id)'}, grace ${r.gracePeriodSeconds} s, ${tokenText(r)}`;
}

export function deleteText(r: DeleteRequest): string {
  return `Delete ${r.machineId || '(empty id)'}, ${tokenText(r)}`;
}

export function filterText(f: ListFilter): string {
  const parts = [
    ...(f.states.length > 0 ? [`states ${f.states.map(stateText).join('|')}`] : []),
    ...(f.maxResults !== 0 ? [`max_results ${f.maxResults}`] : []),
    ...(f.sinceRevision.length > 0 ? [`since_revision ${bytesText(f.sinceRevision)}`] : []),
  ];
  return `List${parts.length > 0 ? ` ${parts.join(', ')}` : ''}`;
}

import { credentials, type ChannelCredentials, type Metadata } from '@grpc/grpc-js';
import {
  CapacityProviderService, MachineState, type ListFilter, type Machine, type MachineList, type TransitionAck,
} from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { codeName, GrpcError, Peer } from '../../api/grpc.ts';

/** [shard, epoch, sequence] */
export type Token = readonly [string, number | bigint, number | bigint];

export const unfenced: Token = ['', 0, 0];

export interface ConfigureArgs {
  readonly cluster?: string;
  readonly metadata?: ReadonlyMap<string, string> | Readonly<Record<string, string>>;
  readonly blob?: Uint8Array;
}

/** A bare client of the six RPCs, for tests: every call without a token of its own gets the next one of shard `test`. */
export class Rpc {
  readonly peer: Peer;
  private sequence = 0n;

  constructor(port: number, as: ChannelCredentials = credentials.createInsecure()) {
    this.peer = new Peer(`127.0.0.1:${port}`, { credentials: as });
  }

  create(machineId: string, token?: Token, metadata?: Metadata): Promise<TransitionAck> {
    return this.peer.unary(CapacityProviderService.create, { machineId, ...this.fields(token) }, metadata ? { metadata } : {});
  }

  configure(machineId: string, { cluster = 'cluster-a', metadata = {}, blob = Buffer.from('join') }: ConfigureArgs = {}, token?: Token): Promise<TransitionAck> {
    const shardMetadata = metadata instanceof Map ? metadata : new Map(Object.entries(metadata));
    return this.peer.unary(CapacityProviderService.configure, { machineId, clusterId: cluster, bootstrapBlob: blob, shardMetadata, ...this.fields(token) });
  }

  drain(machineId: string, graceSeconds = 0, token?: Token): Promise<TransitionAck> {
    return this.peer.unary(CapacityProviderService.drain, { machineId, gracePeriodSeconds: BigInt(graceSeconds), ...this.fields(token) });
  }

  delete(machineId: string, token?: Token): Promise<TransitionAck> {
    return this.peer.unary(CapacityProviderService.delete, { machineId, ...this.fields(token) });
  }

  get(id: string): Promise<Machine> {
    return this.peer.unary(CapacityProviderService.get, { id });
  }

  list(filter: Partial<ListFilter> = {}): Promise<MachineList> {
    return this.peer.unary(CapacityProviderService.list, { states: [], maxResults: 0, sinceRevision: new Uint8Array(), ...filter });
  }

  close(): void {
    this.peer.close();
  }

  private fields(token: Token = ['test', 1, ++this.sequence]): { shardId: string; shardEpoch: bigint; sequenceNumber: bigint } {
    const [shardId, epoch, sequence] = token;
    return { shardId, shardEpoch: BigInt(epoch), sequenceNumber: BigInt(sequence) };
  }
}

/** The status name a call ends with: OK, NOT_FOUND, … */
export function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(() => 'OK', (error: unknown) => {
    if (error instanceof GrpcError) return codeName(error.code);
    throw error;
  });
}

const names = new Map(Object.entries(MachineState).map(([name, value]) => [value as number, name.replace('MACHINE_STATE_', '')]));

/** IDLE, CONFIGURED, … */
export function stateName(machine: Machine | undefined): string {
  return names.get(machine?.state ?? 0) ?? `state ${machine?.state}`;
}

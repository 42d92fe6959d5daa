import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';
import {
  CapacityProviderService, type ListFilter, type Machine, type MachineList, type TransitionAck,
} from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { codeName, Peer, toGrpcError, type UnaryMethod } from '../../api/grpc.ts';
import type { Clock } from '../../lib/clock.ts';
import type { MachineState } from '../kit/machine.ts';
import { stateToWire } from '../kit/wire.ts';
import { Transcript, type Exchange } from './exchange.ts';
import { ackText, configureText, createText, deleteText, drainText, filterText, listText, machineText, quoted } from './wire-text.ts';

/** Who sends a mutation, and its place in the sender's order. */
export interface Token {
  readonly shard: string;
  readonly epoch: bigint;
  readonly sequence: bigint;
}

/** Names nobody: not fenced at all. */
export const unfenced: Token = { shard: '', epoch: 0n, sequence: 0n };

/** What came back: a value, or a status other than OK. Either way the exchange is on record. */
export type Reply<T> =
  | { readonly code: 'OK'; readonly value: T; readonly tookMs: number; readonly exchange: Exchange }
  | { readonly code: string; readonly value?: undefined; readonly details: string; readonly tookMs: number; readonly exchange: Exchange };

export interface ConfigureArguments {
  readonly cluster: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly blob: Uint8Array;
}

export interface ListArguments {
  readonly states?: readonly MachineState[];
  readonly max?: number;
  readonly since?: Uint8Array;
}

const CALL_TIMEOUT_MS = 30_000;

/** The six RPCs over one connection. A call never throws for what the provider answers; everything goes on record. */
export class Caller {
  readonly peer: Peer;
  private readonly clock: Clock;
  private readonly transcript: Transcript;
  private readonly since: number;

  constructor(peer: Peer, clock: Clock, transcript: Transcript) {
    this.peer = peer;
    this.clock = clock;
    this.transcript = transcript;
    this.since = clock.monotonic();
  }

  create(machineId: string, token: Token): Promise<Reply<TransitionAck>> {
    return this.call(CapacityProviderService.create, { machineId, ...fields(token) }, createText, ackText);
  }

  configure(machineId: string, { cluster, metadata, blob }: ConfigureArguments, token: Token): Promise<Reply<TransitionAck>> {
    const request = { machineId, clusterId: cluster, bootstrapBlob: blob, shardMetadata: new Map(metadata), ...fields(token) };
    return this.call(CapacityProviderService.configure, request, configureText, ackText);
  }

  drain(machineId: string, graceSeconds: bigint, token: Token): Promise<Reply<TransitionAck>> {
    return this.call(CapacityProviderService.drain, { machineId, gracePeriodSeconds: graceSeconds, ...fields(token) }, drainText, ackText);
  }

  delete(machineId: string, token: Token): Promise<Reply<TransitionAck>> {
    return this.call(CapacityProviderService.delete, { machineId, ...fields(token) }, deleteText, ackText);
  }

  get(id: string): Promise<Reply<Machine>> {
    return this.call(CapacityProviderService.get, { id }, (r) => `Get ${r.id || '(empty id)'}`, (machine) => `OK ${machineText(machine)}`);
  }

  list({ states = [], max = 0, since = new Uint8Array() }: ListArguments): Promise<Reply<MachineList>> {
    const filter: ListFilter = { states: states.map(stateToWire), maxResults: max, sinceRevision: since };
    return this.call(CapacityProviderService.list, filter, filterText, listText);
  }

  private async call<Q, S>(method: UnaryMethod<Q, S>, request: Q, sentText: (request: Q) => string, gotText: (response: S) => string): Promise<Reply<S>> {
    const began = this.clock.monotonic();
    const record = (got: string): Exchange => this.transcript.add(began - this.since, sentText(request), got);
    try {
      const value = await this.peer.unary(method, request, { timeoutMs: CALL_TIMEOUT_MS });
      return { code: 'OK', value, tookMs: this.clock.monotonic() - began, exchange: record(gotText(value)) };
    } catch (thrown) {
      const { code, details } = toGrpcError(thrown);
      const name = codeName(code);
      return { code: name, details, tookMs: this.clock.monotonic() - began, exchange: record(`${name} ${quoted(details)}`) };
    }
  }
}

/** A connection of its own, with limits that no List reaches. */
export function connect(address: string, credentials: ChannelCredentials, channelOptions: ChannelOptions = {}): Peer {
  return new Peer(address, { credentials, channelOptions });
}

function fields({ shard, epoch, sequence }: Token): { shardId: string; shardEpoch: bigint; sequenceNumber: bigint } {
  return { shardId: shard, shardEpoch: epoch, sequenceNumber: sequence };
}

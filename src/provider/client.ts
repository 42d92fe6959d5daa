import { Metadata } from '@grpc/grpc-js';
import { CapacityProviderService, type Machine as WireMachine, type TransitionAck } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { dialRefusalOf, type DialRefusal } from '../api/dial-refusal.ts';
import { Peer, toGrpcError, type CallOptions, type UnaryMethod } from '../api/grpc.ts';
import type { MachineState } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import { ClockOffset } from './clock-offset.ts';
import { NOT_AFTER_METADATA, NOW_METADATA } from '../api/constants.ts';
import { stateToWire } from './kit/wire.ts';
import { providerCredentials } from './credentials.ts';
import { decodeList, type DecodedList } from './list-decoder.ts';
import type { Tls } from './list-protocol.ts';
import { ListThread } from './list-thread.ts';
import { ProviderError, toProviderError } from './provider-error.ts';
import { machineFromWire, type MachineResult, type ProviderMachine, type RejectedMachine } from './provider-machine.ts';

export { ProviderError, type ProviderErrorCode } from './provider-error.ts';
export { assignmentNotes, type ProviderMachine, type RejectedMachine } from './provider-machine.ts';
export type { DecodedList } from './list-decoder.ts';

export interface ProviderClientOptions {
  /** host:port; asked before every call: another answer closes the connection to the old one, calls in flight fail. */
  readonly address: () => string;
  readonly shardId: string;
  /** The epoch of our leadership; read for every call. */
  readonly epoch: () => bigint;
  readonly clock: Clock;
  /** Why the provider must not be called, asked before every call; undefined if it may be. */
  readonly obstacle?: () => string | undefined;
  /** PEM; undefined: plaintext. Asked before every call: another object closes the connection that was made with the last one. */
  readonly tls?: () => Tls | undefined;
  /** Told of each call for which the provider was not spoken to, for what it presented. */
  readonly onRefused?: (reason: DialRefusal) => void;
  /** Instead of a gRPC channel. */
  readonly dial?: (address: string) => Pick<Peer, 'address' | 'unary' | 'close'>;
}

/** An accepted mutation. `machine` is usually still in transition; `rejected` when the record it came with is unusable. */
export interface Acknowledgement {
  readonly operationId: string;
  readonly machine?: ProviderMachine;
  readonly rejected?: RejectedMachine;
}

export interface ListRequest {
  readonly states?: readonly MachineState[];
  readonly maxResults?: number;
  /** A revision of an earlier List: only what changed since. */
  readonly since?: Uint8Array;
  /** The answer is expected to be large: it is received and decoded on another thread. */
  readonly isLarge?: boolean;
  /**
   * Hears the machines of a large answer part by part, while the rest is being decoded; then the List itself names only the others, or none. The next
   * part comes when it is done. If the answer turns out to be broken, the List fails after some parts.
   */
  readonly onPart?: (machines: readonly ProviderMachine[]) => Promise<void>;
  readonly signal?: AbortSignal;
  /** How long it may take; 120 s if absent. */
  readonly timeoutMs?: number;
}

export interface CallLimits {
  readonly signal?: AbortSignal;
  /** How long the call may take; 30 s if absent. */
  readonly timeoutMs?: number;
}

export interface MutationLimits extends CallLimits {
  /** Hears the sequence of the call's fencing token, right before it is sent. */
  readonly onSequence?: (sequence: bigint) => void;
  /**
   * Until when, on our monotonic clock, the call may take effect (D16); absent = no limit. It is sent in the provider's
   * own time, which its answers tell: before the first answer nothing is sent, and Unavailable says so. A provider whose
   * answers tell no time is sent no limit.
   */
  readonly notAfterMonotonicMs?: number;
}

/** A provider as a shard sees it. All methods reject with ProviderError; every attempt carries a fresh sequence. */
export interface ProviderClient {
  /** In use: where the last call went, or the first one will go. */
  readonly address: string;
  create(machineId: string, limits?: MutationLimits): Promise<Acknowledgement>;
  configure(
    request: { machineId: string; clusterId: string; bootstrapBlob: Uint8Array; shardMetadata: ReadonlyMap<string, string> },
    limits?: MutationLimits,
  ): Promise<Acknowledgement>;
  drain(request: { machineId: string; gracePeriodSeconds: number }, limits?: MutationLimits): Promise<Acknowledgement>;
  delete(machineId: string, limits?: MutationLimits): Promise<Acknowledgement>;
  /** A machine that exists but whose record is unusable comes back as `rejected`. */
  get(machineId: string, limits?: CallLimits): Promise<{ machine: ProviderMachine } | { rejected: RejectedMachine }>;
  list(request?: ListRequest): Promise<DecodedList>;
  /** The provider's Unix milliseconds now, as far as known. */
  providerNow(): number | undefined;
  close(): void;
}

const LIFECYCLE_MS = 30_000;
const LIST_MS = 120_000;
/** A longer List is asked for again on a thread of its own: to put it together would hold up this one (D19). */
const LARGEST_HERE_BYTES = 4 * 2 ** 20;
const listMethod = { ...CapacityProviderService.list, responseDeserialize: (bytes: Buffer): Buffer => bytes };

export function createProviderClient(options: ProviderClientOptions): ProviderClient {
  const { clock, shardId } = options;
  let tls = options.tls?.();
  const dial = options.dial ?? ((address: string) => new Peer(address, { credentials: providerCredentials(tls), channelOptions: { 'grpc.max_receive_message_length': LARGEST_HERE_BYTES } }));
  let peer = dial(options.address());
  let thread = new ListThread(tls);
  let offset = new ClockOffset();
  let hasAnswered = false;
  let isClosed = false;
  const followAddress = (): void => {
    const address = options.address();
    const wanted = options.tls?.();
    if ((address === peer.address && wanted === tls) || isClosed) return;
    if (wanted !== tls) {
      tls = wanted;
      thread.close();
      thread = new ListThread(tls);
    }
    peer.close();
    peer = dial(address);
    offset = new ClockOffset(); // another server, another clock
    hasAnswered = false;
  };
  // Starts from the time, so that two processes that share an epoch by mistake or restart still go upwards.
  let sequence = BigInt(Math.trunc(clock.now())) * 1_000n;

  const token = ({ onSequence }: MutationLimits): { shardId: string; shardEpoch: bigint; sequenceNumber: bigint } => {
    const sequenceNumber = (sequence += 1n);
    onSequence?.(sequenceNumber);
    return { shardId, shardEpoch: options.epoch(), sequenceNumber };
  };

  const learnFrom = (clockOf: ClockOffset) => {
    const askedAtMs = clock.monotonic();
    return (metadata: Metadata): void => {
      if (clockOf !== offset) return;
      hasAnswered = true;
      const now = Number(metadata.get(NOW_METADATA)[0] ?? NaN);
      if (Number.isFinite(now)) clockOf.learn(now, { askedAtMs, answeredAtMs: clock.monotonic() });
    };
  };
  const callOptions = ({ signal, timeoutMs }: CallLimits, defaultMs: number): CallOptions => {
    followAddress(); // first: a limit in the time of another server's clock would mean nothing
    return { timeoutMs: timeoutMs ?? defaultMs, onMetadata: learnFrom(offset), ...(signal && { signal }) };
  };
  const fail = (error: unknown): never => {
    const known = toGrpcError(error);
    const refusal = dialRefusalOf(known.message);
    if (refusal !== undefined) options.onRefused?.(refusal);
    throw toProviderError(known);
  };
  const checkObstacle = (): void => {
    const obstacle = options.obstacle?.();
    if (obstacle !== undefined) throw new ProviderError('Unavailable', obstacle);
  };
  const unary = async <Q, S>(method: UnaryMethod<Q, S>, request: Q, limits: CallOptions): Promise<S> => {
    checkObstacle();
    return peer.unary(method, request, limits).catch(fail);
  };
  /** Whoever is told `too late` learns it from what the very answer says of the provider's time. */
  const mutation = async <Q>(method: UnaryMethod<Q, TransitionAck>, request: Omit<Q, 'shardId' | 'shardEpoch' | 'sequenceNumber'>, limits: MutationLimits): Promise<Acknowledgement> => {
    const call = callOptions(limits, LIFECYCLE_MS);
    const { notAfterMonotonicMs } = limits;
    if (notAfterMonotonicMs !== undefined && !hasAnswered) {
      throw new ProviderError('Unavailable', `nothing was sent: ${peer.address} has not answered yet, so it is not known what time it is there`);
    }
    const limit = notAfterMonotonicMs === undefined ? undefined : offset.toProviderLimit(notAfterMonotonicMs);
    const notAfter = limit === undefined ? undefined : Math.floor(limit);
    const metadata = new Metadata();
    if (notAfter !== undefined) metadata.set(NOT_AFTER_METADATA, String(notAfter));
    let then = NaN;
    const onMetadata = (answer: Metadata): void => {
      then = Number(answer.get(NOW_METADATA)[0] ?? NaN);
      call.onMetadata?.(answer);
    };
    try {
      const { operationId, machine } = await unary(method, { ...request, ...token(limits) } as Q, { ...call, metadata, onMetadata });
      return { operationId, ...(machine && machineOf((request as { readonly machineId?: string }).machineId ?? '', machine)) };
    } catch (error) {
      const isLate = notAfter !== undefined && then > notAfter && error instanceof ProviderError && error.code === 'Fenced';
      throw isLate ? new ProviderError('Late', error.message, error.cause) : error;
    }
  };

  return {
    get address() {
      return peer.address;
    },
    create: (machineId, limits = {}) => mutation(CapacityProviderService.create, { machineId }, limits),
    configure: ({ shardMetadata, ...request }, limits = {}) =>
      mutation(CapacityProviderService.configure, { ...request, shardMetadata: new Map(shardMetadata) }, limits),
    drain: ({ machineId, gracePeriodSeconds }, limits = {}) =>
      mutation(CapacityProviderService.drain, { machineId, gracePeriodSeconds: BigInt(Math.ceil(gracePeriodSeconds)) }, limits),
    delete: (machineId, limits = {}) => mutation(CapacityProviderService.delete, { machineId }, limits),
    get: async (id, limits = {}) =>
      machineOf(id, await unary(CapacityProviderService.get, { id }, callOptions(limits, LIFECYCLE_MS))),
    list: async ({ states = [], maxResults = 0, since = new Uint8Array(), isLarge = false, onPart, ...limits } = {}) => {
      const filter = { states: states.map(stateToWire), maxResults, sinceRevision: since };
      const call = callOptions(limits, LIST_MS);
      if (!isLarge) {
        const bytes = await unary(listMethod, filter, call).catch((error: unknown) => {
          if (!isTooLargeHere(error)) throw error;
        });
        if (bytes) return decodeList(bytes);
      }
      checkObstacle();
      return await thread.list(peer.address, filter, { timeoutMs: LIST_MS, ...call, ...(onPart && { onPart }) }).catch(fail);
    },
    providerNow: () => offset.toProviderTime(clock.monotonic()),
    close() {
      isClosed = true;
      peer.close();
      thread.close();
    },
  };
}

/** Refused on this side before any of it was received. */
function isTooLargeHere(error: unknown): boolean {
  return error instanceof ProviderError && error.code === 'Rejected' && error.message.includes('Received message larger than max');
}

/** Whoever is asked about one machine and answers with another one has said nothing about either. */
function machineOf(id: string, machine: WireMachine): MachineResult {
  return machine.id === id ? machineFromWire(machine) : { rejected: { id, reason: 'structural', field: 'id', text: `is ${JSON.stringify(machine.id)}, though ${JSON.stringify(id)} was asked about` } };
}


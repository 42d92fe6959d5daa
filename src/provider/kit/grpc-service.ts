import { Metadata, status, type sendUnaryData, type ServerUnaryCall, type ServiceDefinition, type UntypedHandleCall, type UntypedServiceImplementation } from '@grpc/grpc-js';
import {
  CapacityProviderService,
  type ConfigureRequest, type CreateRequest, type DeleteRequest, type DrainRequest, type ListFilter, type MachineRef,
} from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Caller } from '../../lib/caller-identity.ts';
import type { CallerRights } from './caller-rights.ts';
import type { ProviderEvents } from './events.ts';
import type { FencingToken } from './fences.ts';
import type { Mutation } from './mutation.ts';
import type { ProviderCore } from './provider-core.ts';
import { RpcError } from './rpc-error.ts';
import { NOT_AFTER_METADATA, NOW_METADATA } from '../../api/constants.ts';

export interface ServiceOptions {
  readonly core: ProviderCore;
  readonly clock: Clock;
  readonly events: ProviderEvents;
  readonly durable: () => Promise<void>;
  /** Absent: whoever connects may do everything. */
  readonly rights?: CallerRights;
}

/** The six RPCs. Answers are encoded by the core, so the service hands bytes through. */
export function capacityProviderService(options: ServiceOptions): {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
} {
  const { core } = options;
  const definition = Object.fromEntries(
    Object.entries(CapacityProviderService).map(([name, method]) => [name, { ...method, responseSerialize: (bytes: Buffer) => bytes }]),
  ) as unknown as ServiceDefinition;
  return {
    definition,
    implementation: {
      create: mutating<CreateRequest>(options, (r) => ({ kind: 'Create', machineId: r.machineId, token: tokenOf(r) })),
      configure: mutating<ConfigureRequest>(options, (r) => ({
        kind: 'Configure', machineId: r.machineId, token: tokenOf(r),
        clusterId: r.clusterId, bootstrapBlob: r.bootstrapBlob, shardMetadata: r.shardMetadata,
      })),
      drain: mutating<DrainRequest>(options, (r) => ({
        kind: 'Drain', machineId: r.machineId, token: tokenOf(r), gracePeriodSeconds: r.gracePeriodSeconds,
      })),
      delete: mutating<DeleteRequest>(options, (r) => ({ kind: 'Delete', machineId: r.machineId, token: tokenOf(r) })),
      get: unary<MachineRef>(options, ({ id }, { call }) => {
        authorize(options, call, 'Get', undefined);
        return core.get(id);
      }),
      list: unary<ListFilter>(options, (filter, { call }) => {
        authorize(options, call, 'List', undefined);
        return core.list(filter);
      }),
    },
  };
}

function mutating<R>(options: ServiceOptions, toMutation: (request: R) => Mutation): UntypedHandleCall {
  const { core, events, durable } = options;
  return unary<R>(options, async (request, { call: caller, metadata }) => {
    const mutation = toMutation(request);
    const call = {
      rpc: mutation.kind, machineId: mutation.machineId, token: mutation.token,
      ...(mutation.kind === 'Configure' && { clusterId: mutation.clusterId }),
    };
    try {
      authorize(options, caller, mutation.kind, mutation.token.shardId);
      const { ack, operationId } = core.dispatch({ ...mutation, ...notAfterOf(metadata) });
      events.onCall?.({ ...call, outcome: 'OK', operationId });
      await durable().catch((error: unknown) => {
        throw new RpcError('UNAVAILABLE', error instanceof Error ? error.message : String(error));
      });
      return ack;
    } catch (error) {
      if (error instanceof RpcError && error.code !== 'UNAVAILABLE') {
        events.onCall?.({ ...call, outcome: error.code });
        // The refusal may have moved the fence, which must not be forgotten either.
        await durable().catch(() => {});
      } else {
        events.onCall?.({ ...call, outcome: error instanceof RpcError ? error.code : 'INTERNAL' });
      }
      throw error;
    }
  });
}

function authorize({ rights, events }: ServiceOptions, call: Caller, rpc: string, shardId: string | undefined): void {
  rights?.authorize(call, shardId, (refusal) => events.onIdentityRejected?.({ rpc, ...refusal }));
}

interface Context {
  readonly call: Caller;
  readonly metadata: Metadata;
}

function unary<R>(options: ServiceOptions, handle: (request: R, context: Context) => Buffer | Promise<Buffer>): UntypedHandleCall {
  const answer = async (call: ServerUnaryCall<R, Buffer>, callback: sendUnaryData<Buffer>): Promise<void> => {
    const now = new Metadata();
    now.set(NOW_METADATA, String(options.clock.now()));
    call.sendMetadata(now);
    try {
      callback(null, await handle(call.request, { call: call as Caller, metadata: call.metadata }));
    } catch (error) {
      callback({ code: status[error instanceof RpcError ? error.code : 'INTERNAL'], details: error instanceof Error ? error.message : String(error) });
    }
  };
  return (call: ServerUnaryCall<R, Buffer>, callback: sendUnaryData<Buffer>) => void answer(call, callback);
}

function tokenOf(request: { shardId: string; shardEpoch: bigint; sequenceNumber: bigint }): FencingToken {
  return { shardId: request.shardId, epoch: request.shardEpoch, sequence: request.sequenceNumber };
}

function notAfterOf(metadata: Metadata): { notAfterMs?: number } {
  const value = metadata.get(NOT_AFTER_METADATA)[0];
  if (value === undefined) return {};
  const notAfterMs = Number(value);
  if (!Number.isFinite(notAfterMs)) throw new RpcError('INVALID_ARGUMENT', `${NOT_AFTER_METADATA} must be Unix milliseconds, not ${JSON.stringify(String(value))}`);
  return { notAfterMs };
}

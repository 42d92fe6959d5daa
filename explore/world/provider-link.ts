import { GrpcCode, GrpcError, Metadata } from '../../src/api/grpc.ts';
import type { CallOptions, Peer, UnaryMethod } from '../../src/api/grpc.ts';
import { CapacityProviderService, MachineList, type ListFilter } from '../../src/api/gen/bigfleet/v1alpha1/provider.ts';
import type { ApiCondition } from './api-link.ts';
import type { Faults } from '../faults/faults.ts';
import type { Ground, Mutation } from './ground.ts';
import type { Process } from './process.ts';
import type { Answer, ProviderHost } from './provider-host.ts';
import type { Timeline } from './timeline.ts';

/** Mutations are few beside Lists. */
const MUTATION_FACTOR = 4;
const BROKEN = [GrpcCode.UNAVAILABLE, GrpcCode.INTERNAL, GrpcCode.UNKNOWN, GrpcCode.RESOURCE_EXHAUSTED] as const;

interface Fenced {
  readonly machineId: string;
  readonly shardId: string;
  readonly shardEpoch: bigint;
  readonly sequenceNumber: bigint;
  /** Of a Configure. */
  readonly clusterId?: string;
}

/** How one process of the shard reaches the providers: everything is encoded, takes time, and may go wrong. */
export function providerLink({ providers, ...parts }: Omit<LinkParts, 'provider'> & { readonly providers: readonly ProviderHost[] }): Dial {
  const dials = new Map(providers.map((provider) => [provider.address, linkTo({ ...parts, provider })]));
  return (address) => {
    const dial = dials.get(address);
    if (!dial) throw new Error(`nobody listens at ${address}`);
    return dial(address);
  };
}

type Dial = (address: string) => Pick<Peer, 'address' | 'unary' | 'close'>;

interface LinkParts {
  readonly process: Process; readonly provider: ProviderHost; readonly timeline: Timeline; readonly faults: Faults; readonly ground: Ground; readonly api: ApiCondition;
}

function linkTo({ process, provider, timeline, faults, ground, api }: LinkParts): Dial {
  /** Provider's side: to whichever process of it serves when it arrives. */
  const deliver = (name: string, bytes: Buffer, metadata: Metadata, sentAt: number, answer: (answer: Answer) => void): void => {
    const request = requestDecoders.get(name)?.(bytes) ?? bytes;
    const { machineId, shardId, shardEpoch, sequenceNumber, clusterId = '' } = request as Fenced;
    const mutation: Mutation = { kind: name, id: machineId, cluster: clusterId, shard: shardId, token: { epoch: shardEpoch, sequence: sequenceNumber }, sender: process.name, sentAt };
    provider.call(name, request, metadata, (answered) => {
      if (isMutation(name) && answered.bytes) ground.acknowledged(mutation);
      answer(answered);
    }, () => ground.accepted(mutation, api.troubleAt));
  };
  let [shrunkUntil, kept, hasSeenAll] = [0, 0, false];
  return (address) => ({
    address,
    close: () => undefined,
    unary<Q, S>(method: UnaryMethod<Q, S>, request: Q, options: CallOptions = {}): Promise<S> {
      const name = method.path.slice(method.path.lastIndexOf('/') + 1).toLowerCase();
      const fenced = request as unknown as Partial<Fenced>;
      const what = `${name}${fenced.machineId === undefined ? '' : ` ${fenced.machineId}`}`;
      const isFullList = name === 'list' && (request as unknown as ListFilter).sinceRevision.length === 0;
      const factor = isMutation(name) ? MUTATION_FACTOR : 1;
      if (options.signal?.aborted) return Promise.reject(new GrpcError(GrpcCode.CANCELLED, 'the caller gave up'));
      const dies = (point: 'before' | 'after'): boolean => {
        if (!process.isAlive || !faults.strikes(`shard crash ${point} rpc`, `${process.name} ${what}`, factor)) return false;
        process.kill();
        return true;
      };
      if (process.isAlive && isMutation(name)) ground.wanted(process.name, name, fenced.machineId ?? '');
      if (!process.isAlive || dies('before')) return new Promise(() => undefined);
      const bytes = method.requestSerialize(request);
      return new Promise((resolve, reject) => {
        let isOver = false;
        const settle = (then: () => void): void => {
          if (isOver) return;
          isOver = true;
          cancelDeadline();
          options.signal?.removeEventListener('abort', onAbort);
          then();
        };
        const onAbort = (): void => settle(() => reject(new GrpcError(GrpcCode.CANCELLED, 'the caller gave up')));
        const cancelDeadline = options.timeoutMs === undefined ? () => undefined : process.clock.after(options.timeoutMs, () => settle(() => reject(new GrpcError(GrpcCode.DEADLINE_EXCEEDED, 'Deadline exceeded'))));
        options.signal?.addEventListener('abort', onAbort, { once: true });
        const fail = (code: number, details: string): void => void timeline.after(faults.between(1, 50), () => process.enter(() => settle(() => reject(new GrpcError(code, details)))));
        const receive = (answer: Answer): void => {
          if (faults.strikes('rpc reply lost', what, factor)) {
            if (faults.chance(0.5)) fail(GrpcCode.UNAVAILABLE, 'connection reset');
            return; // or silence until the deadline
          }
          timeline.after(faults.between(1, 10), () => {
            if (!isOver && dies('after')) return;
            process.enter(() => settle(() => {
              if (answer.metadata) options.onMetadata?.(answer.metadata);
              if (answer.error) reject(answer.error);
              else resolve(method.responseDeserialize(isFullList ? shrunk(answer.bytes as Buffer, what) : (answer.bytes as Buffer)));
            }));
          });
        };
        if (isMutation(name) && faults.strikes('shard paused at a call', `${process.name} ${what}`)) {
          process.pause();
          timeline.after(faults.between(1_000, 60_000), () => process.resume());
        }
        const send = (): void => {
          if (isOver) return;
          if (fenced.shardEpoch !== undefined) {
            ground.spoke(process.name, fenced.shardEpoch, name, fenced.machineId ?? '', api.troubleAt);
            ground.note(`${process.name} asks ${what} (${fenced.shardEpoch}, ${fenced.sequenceNumber})`);
          }
          if (provider.manner === 'unreachable') return fail(GrpcCode.UNAVAILABLE, 'connection refused');
          if (provider.manner === 'silent' || (provider.manner === 'mute' && isMutation(name))) return;
          if (provider.manner === 'throttles' && isMutation(name)) return fail(GrpcCode.RESOURCE_EXHAUSTED, '[Throttled] too many requests');
          if (faults.strikes('rpc failing', what, factor)) return fail(faults.pick(BROKEN), 'the transport is broken');
          if (faults.strikes('rpc request lost', what, factor)) return faults.chance(0.5) ? fail(GrpcCode.UNAVAILABLE, 'connection reset') : undefined;
          const sentAt = timeline.now;
          const metadata = options.metadata ?? new Metadata();
          const arrive = (ms: number, answer: (answer: Answer) => void): void => void timeline.after(ms, () => deliver(name, bytes, metadata, sentAt, answer));
          if (isMutation(name) && faults.strikes('rpc late', what, factor)) {
            // The connection breaks, and what was sent on it is still on its way; whatever is sent on the next one may overtake it.
            arrive(faults.between(1_000, 15_000), () => undefined);
            return fail(GrpcCode.UNAVAILABLE, 'connection reset');
          }
          const slow = faults.strikes('rpc slow', what, factor) ? faults.between(1_000, 45_000) : 0;
          arrive(slow + faults.between(1, 10), receive);
          if (faults.strikes('rpc duplicated', what, factor)) arrive(slow + faults.between(1, 30_000), () => undefined);
        };
        // Between the thought and the deed: only this one waits, and the process and the world go on.
        if (isMutation(name) && faults.strikes('attempt held back', `${process.name} ${what}`)) timeline.after(faults.between(1_000, 45_000), () => process.leave(send));
        else process.leave(send);
      });
    },
  });

  /** A provider that lost sight of most of its machines for a moment. */
  function shrunk(bytes: Buffer, what: string): Buffer {
    const list = MachineList.decode(bytes);
    if (provider.manner === 'lists nothing') return Buffer.from(MachineList.encode({ ...list, machines: [] }).finish());
    if (list.machines.length < 12) return bytes;
    if (timeline.now >= shrunkUntil) {
      // Of what was never heard of nothing can be missed.
      const isFirst = !hasSeenAll;
      hasSeenAll = true;
      if (isFirst || !faults.strikes('list shrunk', what)) return bytes;
      shrunkUntil = timeline.now + faults.between(0, 45_000);
      kept = faults.chance(0.5) ? 0 : Math.floor(faults.between(0, list.machines.length - 11));
    }
    return Buffer.from(MachineList.encode({ ...list, machines: list.machines.slice(0, kept) }).finish());
  }
}

function isMutation(name: string): boolean {
  return name !== 'get' && name !== 'list';
}

const requestDecoders = new Map<string, (bytes: Buffer) => unknown>(
  Object.entries(CapacityProviderService).map(([name, method]) => [name.toLowerCase(), method.requestDeserialize as (bytes: Buffer) => unknown]),
);

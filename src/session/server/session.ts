import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { ClusterCapacityNeeds, NodeSelectorRequirement } from '../../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { BootstrapBlobResponse, OperatorMessage, ShardMessage } from '../../api/gen/bigfleet/v1alpha1/shard.ts';
import { GrpcCode, GrpcError } from '../../api/grpc.ts';
import type { Clock } from '../../lib/clock.ts';
import { Outbox } from './outbox.ts';

export type SessionStream = ServerDuplexStream<OperatorMessage, ShardMessage>;

/** Acks of reclaim instructions are bookkeeping; ids that stay unanswered are forgotten after this long (spec: wire S7). */
const RECLAIM_ACK_MEMORY_MS = 15 * 60_000;

interface PendingBlob {
  resolve(response: BootstrapBlobResponse): void;
  reject(error: Error): void;
}

/** One operator's stream. Knows the protocol's bookkeeping; what a roll-up means is the hub's business. */
export class Session {
  readonly cluster: string;
  readonly additions: boolean;
  readonly outbox: Outbox;
  private readonly stream: SessionStream;
  private readonly clock: Clock;
  private readonly blobs = new Map<string, PendingBlob>();
  private readonly unackedReclaims = new Map<string, number>();
  private mailbox: ClusterCapacityNeeds | undefined;
  private working = false;
  private open = true;

  constructor(stream: SessionStream, hello: { clusterId: string; additions: boolean }, clock: Clock) {
    this.stream = stream;
    this.cluster = hello.clusterId;
    this.additions = hello.additions;
    this.clock = clock;
    this.outbox = new Outbox({
      write: (frame) => stream.write(frame),
      onDrain: (fn) => stream.on('drain', fn),
    });
  }

  get isOpen(): boolean {
    return this.open;
  }

  /**
   * Latest wins: a roll-up that arrives while one is being applied replaces the one that waits (spec: wire S4). `apply`
   * must not reject.
   */
  deliverRollup(rollup: ClusterCapacityNeeds, apply: (rollup: ClusterCapacityNeeds) => Promise<void>): void {
    this.mailbox = rollup;
    if (this.working) return;
    this.working = true;
    void this.drainMailbox(apply);
  }

  /** Resolves with the operator's answer, its `error` included; rejects on abort or when the session ends (spec: wire S6). */
  requestBlob(requestId: string, requirements: NodeSelectorRequirement[], signal: AbortSignal, machineId = ''): Promise<BootstrapBlobResponse> {
    if (!this.open) return Promise.reject(new GrpcError(GrpcCode.UNAVAILABLE, `no session with cluster ${this.cluster}`));
    const late = (): GrpcError => new GrpcError(GrpcCode.DEADLINE_EXCEEDED, `cluster ${this.cluster} did not answer the bootstrap request in time`);
    if (signal.aborted) return Promise.reject(late());
    const key = `bootstrap:${requestId}`;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => settle(() => reject(late()));
      const settle = (then: () => void): void => {
        this.blobs.delete(requestId);
        this.outbox.discard(key); // an operator that does not read must not find a pile of dead requests later
        signal.removeEventListener('abort', onAbort);
        then();
      };
      this.blobs.set(requestId, {
        resolve: (response) => settle(() => resolve(response)),
        reject: (error) => settle(() => reject(error)),
      });
      signal.addEventListener('abort', onAbort, { once: true });
      this.outbox.send({ $case: 'bootstrapRequest', value: { requestId, requirements, clusterId: this.cluster, machineId } }, key);
    });
  }

  /** A response nobody waits for any more is dropped. */
  deliverBlob(response: BootstrapBlobResponse): void {
    this.blobs.get(response.requestId)?.resolve(response);
  }

  noteReclaim(instructionId: string): void {
    const oldest = this.clock.monotonic() - RECLAIM_ACK_MEMORY_MS;
    for (const [id, at] of this.unackedReclaims) {
      if (at > oldest) break;
      this.unackedReclaims.delete(id);
    }
    this.unackedReclaims.set(instructionId, this.clock.monotonic());
  }

  deliverReclaimAck(instructionId: string): void {
    this.unackedReclaims.delete(instructionId);
  }

  /** Makes the session unusable and ends its stream with a status. */
  close(code: GrpcCode, message: string): void {
    if (!this.open) return;
    this.end();
    this.stream.emit('error', new GrpcError(code, message));
  }

  /** The stream is over, whoever ended it. */
  end(): void {
    if (!this.open) return;
    this.open = false;
    this.mailbox = undefined;
    this.outbox.close();
    for (const pending of [...this.blobs.values()]) {
      pending.reject(new GrpcError(GrpcCode.UNAVAILABLE, `session with cluster ${this.cluster} ended`));
    }
  }

  private async drainMailbox(apply: (rollup: ClusterCapacityNeeds) => Promise<void>): Promise<void> {
    try {
      while (this.mailbox && this.open) {
        const rollup = this.mailbox;
        this.mailbox = undefined;
        await apply(rollup);
      }
    } finally {
      this.working = false;
    }
  }
}

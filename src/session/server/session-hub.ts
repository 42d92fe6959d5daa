import type { ClusterCapacityNeeds, NodeSelectorRequirement } from '../../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { AvailableCapacityUpdate, BootstrapBlobResponse, Hello, NeedStatus, NeedStatuses, NodeStateUpdate, OperatorMessage, ReclaimInstruction } from '../../api/gen/bigfleet/v1alpha1/shard.ts';
import { GrpcCode, GrpcError } from '../../api/grpc.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../runtime/types.ts';
import { Session } from './session.ts';
import type { SessionStream } from './session.ts';

export interface SessionHubOptions {
  readonly shardId: string;
  readonly epoch: () => bigint;
  readonly clock: Clock;
  readonly log: Log;
  readonly ids: () => string;
  /** Throws a GrpcError if the stream must not hold the session of that cluster. */
  readonly authorize?: (stream: SessionStream, cluster: string) => void;
  /** Applies a roll-up; false = rejected, then it is not acked (spec: wire S5). */
  readonly onRollup: (cluster: string, rollup: ClusterCapacityNeeds) => boolean | Promise<boolean>;
  /** After the ack of Hello: the states of the machines this cluster should know, to be replayed (spec: wire S3). */
  readonly replay: (cluster: string) => { updates: Iterable<NodeStateUpdate>; complete: boolean };
  readonly onConnected: (cluster: string) => void;
  /** A roll-up of the session that the cluster has now was applied. */
  readonly onReported?: (cluster: string) => void;
  readonly onDisconnected: (cluster: string) => void;
  readonly onLifecycle?: (event: 'installed' | 'removed' | 'replaced') => void;
}

const NEED_STATUS_KEY = 'need-status';

/** The shard's end of `Shard.Session`: one session per cluster, the newest wins. */
export class SessionHub {
  private readonly options: SessionHubOptions;
  private readonly sessions = new Map<string, Session>();

  constructor(options: SessionHubOptions) {
    this.options = options;
  }

  get count(): number {
    return this.sessions.size;
  }

  clusters(): readonly string[] {
    return [...this.sessions.keys()];
  }

  connected(cluster: string): boolean {
    return this.sessions.has(cluster);
  }

  /** Handles one stream from its first frame to its end. */
  accept(stream: SessionStream): void {
    let session: Session | undefined;
    let refused = false;
    stream.on('data', (message: OperatorMessage) => {
      if (refused) return; // frames that were on their way when the stream was ended
      try {
        session = this.receive(stream, session, message);
      } catch (error) {
        refused = true;
        stream.emit('error', error instanceof GrpcError ? error : new GrpcError(GrpcCode.INTERNAL, String(error)));
      }
    });
    const over = (): void => {
      if (session) this.remove(session);
    };
    stream.on('end', () => {
      over();
      stream.end();
    });
    stream.on('close', over);
    stream.on('cancelled', over);
    // Without a listener a broken connection would be an uncaught error.
    stream.on('error', over);
  }

  /** Rejects with UNAVAILABLE when the cluster has no session. */
  requestBlob(cluster: string, requirements: NodeSelectorRequirement[], signal: AbortSignal, machineId = ''): Promise<BootstrapBlobResponse> {
    const session = this.sessions.get(cluster);
    if (!session) return Promise.reject(new GrpcError(GrpcCode.UNAVAILABLE, `no session with cluster ${cluster}`));
    return session.requestBlob(this.options.ids(), requirements, signal, machineId);
  }

  /** False = no session: the caller decides whether that matters. */
  sendReclaim(cluster: string, instruction: ReclaimInstruction): boolean {
    const session = this.sessions.get(cluster);
    if (!session) return false;
    session.noteReclaim(instruction.instructionId);
    const value = session.additions ? instruction : { ...instruction, machineIds: [] };
    session.outbox.send({ $case: 'reclaimInstruction', value }, `reclaim:${instruction.nodes.join()}`);
    return true;
  }

  /** Dropped without a session: the replay on connect repairs it (spec: wire S9). */
  sendNodeState(cluster: string, update: NodeStateUpdate): void {
    this.sessions.get(cluster)?.outbox.send({ $case: 'nodeStateUpdate', value: update }, update.supersedesKey);
  }

  /** A hint: dropped without a session. */
  sendAvailableCapacity(cluster: string, update: AvailableCapacityUpdate): void {
    this.sessions.get(cluster)?.outbox.send({ $case: 'availableCapacity', value: update }, update.supersedesKey);
  }

  sendNeedStatus(cluster: string, statuses: NeedStatuses): void {
    const session = this.sessions.get(cluster);
    if (!session?.additions) return;
    // Statuses are changes: what was not sent yet still has to be told, unless it changed again.
    const unsent = session.outbox.unsent(NEED_STATUS_KEY);
    const older = unsent?.$case === 'needStatus' ? unsent.value.items : [];
    const items = new Map([...older, ...statuses.items].map((item) => [rowKey(item), item]));
    session.outbox.send({ $case: 'needStatus', value: { ...statuses, items: [...items.values()] } }, NEED_STATUS_KEY);
  }

  /** True if the cluster's operator understands the additions (D18). */
  additions(cluster: string): boolean {
    return this.sessions.get(cluster)?.additions ?? false;
  }

  /** Replays again, for instance once the first List has succeeded. */
  replay(cluster: string): void {
    const session = this.sessions.get(cluster);
    if (session) this.replayTo(session);
  }

  closeAll(message: string): void {
    // Ending its stream removes a session.
    for (const session of [...this.sessions.values()]) session.close(GrpcCode.UNAVAILABLE, message);
  }

  private receive(stream: SessionStream, session: Session | undefined, message: OperatorMessage): Session | undefined {
    const payload = message.payload;
    if (session && !session.isOpen) return session; // replaced: nothing it says counts, a repeated Hello least of all
    if (payload?.$case === 'hello') return this.hello(stream, session, payload.value);
    if (!session) throw new GrpcError(GrpcCode.INVALID_ARGUMENT, 'the first frame of a session must be Hello');
    switch (payload?.$case) {
      case 'rollup':
        session.deliverRollup(payload.value, (rollup) => this.applyRollup(session, rollup));
        break;
      case 'bootstrapResponse':
        session.deliverBlob(payload.value);
        break;
      case 'reclaimAck':
        session.deliverReclaimAck(payload.value.instructionId);
        break;
      case undefined:
        this.options.log.warn({ cluster: session.cluster }, 'frame without a known payload');
        break;
    }
    return session;
  }

  private hello(stream: SessionStream, current: Session | undefined, hello: Hello): Session {
    if (!hello.clusterId) throw new GrpcError(GrpcCode.INVALID_ARGUMENT, 'Hello.cluster_id must not be empty');
    if (current && current.cluster !== hello.clusterId) {
      throw new GrpcError(GrpcCode.INVALID_ARGUMENT, `this session belongs to cluster ${current.cluster}`);
    }
    if (!current) this.options.authorize?.(stream, hello.clusterId);
    const session = current ?? new Session(stream, hello, this.options.clock);
    const previous = this.sessions.get(session.cluster);
    this.sessions.set(session.cluster, session);
    if (previous && previous !== session) {
      this.options.onLifecycle?.('replaced');
      previous.close(GrpcCode.ABORTED, `replaced by a newer session of cluster ${session.cluster}`);
    }
    if (previous !== session) {
      this.options.onLifecycle?.('installed');
      this.options.log.info({ cluster: session.cluster, protocol: hello.protocolVersion, additions: session.additions }, 'operator session opened');
    }
    this.ack(session, 'hello');
    this.replayTo(session);
    this.options.onConnected(session.cluster);
    return session;
  }

  private replayTo(session: Session): void {
    const { updates, complete } = this.options.replay(session.cluster);
    const machineIds: string[] = [];
    for (const update of updates) {
      machineIds.push(update.machineId);
      session.outbox.send({ $case: 'nodeStateUpdate', value: update }, update.supersedesKey);
    }
    if (complete && session.additions) {
      session.outbox.send({ $case: 'replayComplete', value: { machineIds } }, 'replay-complete');
    }
  }

  private async applyRollup(session: Session, rollup: ClusterCapacityNeeds): Promise<void> {
    if (rollup.clusterId !== session.cluster) {
      this.options.log.error({ cluster: session.cluster, named: rollup.clusterId }, 'roll-up names another cluster than its session: ignored');
      return;
    }
    try {
      const applied = await this.options.onRollup(session.cluster, rollup);
      if (!applied || !session.isOpen) return;
      this.ack(session, 'rollup');
      this.options.onReported?.(session.cluster);
    } catch (error) {
      this.options.log.error({ cluster: session.cluster, error: String(error) }, 'applying a roll-up failed: not acked, the next one may do better');
    }
  }

  private ack(session: Session, echo: 'hello' | 'rollup'): void {
    session.outbox.send({
      $case: 'ack',
      value: { echo, coordinatorTerm: 0n, shardEpoch: this.options.epoch(), shardId: session.additions ? this.options.shardId : '' },
    }, `ack:${echo}`);
  }

  private remove(session: Session): void {
    session.end();
    // A replaced session must not take its successor with it.
    if (this.sessions.get(session.cluster) !== session) return;
    this.sessions.delete(session.cluster);
    this.options.onLifecycle?.('removed');
    this.options.log.info({ cluster: session.cluster }, 'operator session closed');
    this.options.onDisconnected(session.cluster);
  }
}

/** Rows of one profile and group differ by their smallest unit (D2). */
function rowKey({ fingerprint, group, minUnit }: NeedStatus): string {
  return JSON.stringify([fingerprint, group, [...minUnit]]);
}

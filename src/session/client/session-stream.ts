import { type ChannelCredentials, type ClientDuplexStream, type ServiceError, status as grpcStatus } from '@grpc/grpc-js';
import { ShardClient, type Acknowledgement, type BootstrapBlobResponse, type OperatorMessage, type ShardMessage } from '../../api/gen/bigfleet/v1alpha1/shard.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../runtime/types.ts';
import type { EpochGuard } from './epoch-guard.ts';
import { Outbox, type Response } from './outbox.ts';
import type { SessionHandlers, SessionMetrics } from './types.ts';

export const PROTOCOL_VERSION = 'v1alpha1';
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

export interface StreamOptions {
  readonly address: string;
  readonly credentials: ChannelCredentials;
  readonly clusterId: string;
  readonly intervalMs: number;
  readonly keepaliveMs: number;
  readonly helloTimeoutMs: number;
  readonly handlers: SessionHandlers;
  readonly metrics: SessionMetrics;
  readonly epochs: EpochGuard;
  readonly clock: Clock;
  readonly log: Log;
  onHelloSent(): void;
  onStreaming(additions: boolean): void;
}

/** How a session ended. `code` is the gRPC status name, OK when the shard closed it in order. */
export interface StreamEnd {
  readonly code: string;
  readonly message: string;
  readonly rollupAcked: boolean;
}

/** One session from dial to end: a single writer, one timer for roll-ups, frames handed on as they come. */
export class SessionStream {
  private readonly options: StreamOptions;
  private readonly outbox = new Outbox();
  private readonly client: ShardClient;
  private call: ClientDuplexStream<OperatorMessage, ShardMessage> | undefined;
  private writing = false;
  private ended = false;
  private helloAcked = false;
  private rollupAcked = false;
  private current = true;
  /** Since when a roll-up has waited for an Ack; undefined when none does. */
  private waitingSince: number | undefined;
  private cancelTimer: () => void = () => {};
  private finish: (end: StreamEnd) => void = () => {};

  constructor(options: StreamOptions) {
    this.options = options;
    this.client = new ShardClient(options.address, options.credentials, {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': options.keepaliveMs,
      'grpc.keepalive_timeout_ms': 10_000,
      // Subchannels shared between attempts would carry their own back-off into ours.
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  /** Resolves when the session is over, whatever the reason; never rejects. */
  run(signal: AbortSignal): Promise<StreamEnd> {
    return new Promise((resolve) => {
      const onAbort = (): void => this.end('CANCELLED', 'stopped');
      this.finish = (end) => {
        signal.removeEventListener('abort', onAbort);
        resolve(end);
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      this.open();
    });
  }

  /** Queues an answer; false = the queue is full and it was dropped. */
  respond(response: Response): boolean {
    const queued = this.outbox.putResponse(response);
    if (!queued) this.options.metrics.outboxDropped(response.$case);
    this.pump();
    return queued;
  }

  private open(): void {
    const { clock, clusterId, helloTimeoutMs } = this.options;
    const call = this.client.session();
    this.call = call;
    call.on('data', (frame: ShardMessage) => this.receiveGuarded(frame));
    call.on('error', (error: ServiceError) => this.end(grpcStatus[error.code] ?? 'UNKNOWN', error.details || error.message));
    call.on('end', () => this.end('OK', 'closed by the shard'));
    this.cancelTimer = clock.after(helloTimeoutMs, () => this.end('DEADLINE_EXCEEDED', 'the shard did not acknowledge Hello in time'));
    this.write({ payload: { $case: 'hello', value: { clusterId, protocolVersion: PROTOCOL_VERSION, additions: true } } });
    this.options.onHelloSent();
  }

  /** A frame that we cannot digest must not end the process: it is lost, the next one may do. */
  private receiveGuarded(frame: ShardMessage): void {
    if (this.ended) return;
    try {
      this.receive(frame);
    } catch (error) {
      this.options.log.error({ frame: frame.payload?.$case, err: error }, 'a frame from the shard could not be handled');
    }
  }

  private receive(frame: ShardMessage): void {
    const { handlers, metrics, log } = this.options;
    const payload = frame.payload;
    switch (payload?.$case) {
      case 'ack':
        return this.acknowledged(payload.value);
      case 'nodeStateUpdate':
        return handlers.nodeState(payload.value);
      case 'replayComplete':
        return handlers.replayComplete(payload.value.machineIds);
      case 'needStatus':
        return handlers.needStatuses(payload.value);
      case 'availableCapacity':
        return handlers.availableCapacity(payload.value);
      case 'bootstrapRequest': {
        if (this.current) {
          const answer = handlers.bootstrap(payload.value);
          const respond = (value: BootstrapBlobResponse): void => void this.respond({ $case: 'bootstrapResponse', value });
          if (answer instanceof Promise) void answer.then(respond);
          else respond(answer);
          return;
        }
        metrics.staleRefused('bootstrap');
        log.warn({ requestId: payload.value.requestId }, 'bootstrap request of a superseded shard process refused');
        const error = 'this shard process has been superseded by one with a higher epoch';
        this.respond({ $case: 'bootstrapResponse', value: { requestId: payload.value.requestId, userData: new Uint8Array(), ttlSeconds: 0n, error } });
        return;
      }
      case 'reclaimInstruction':
        if (this.current) return handlers.reclaim(payload.value);
        metrics.staleRefused('reclaim');
        log.warn({ instructionId: payload.value.instructionId }, 'reclaim instruction of a superseded shard process refused');
        return;
      case undefined:
        log.warn({}, 'frame of an unknown kind ignored');
    }
  }

  private acknowledged({ echo, shardId, shardEpoch }: Acknowledgement): void {
    const { handlers, metrics, clock, epochs, address } = this.options;
    this.current = epochs.observe(shardId || address, shardEpoch);
    if (echo === 'hello' && !this.helloAcked) {
      this.helloAcked = true;
      this.cancelTimer();
      this.options.onStreaming(shardId !== '');
      this.rollup();
    } else if (echo === 'rollup') {
      this.rollupAcked = true;
      // An Ack names no roll-up, and none is sent for one that was rejected or overtaken: this one answers all before it.
      if (this.waitingSince !== undefined) metrics.ackLag(clock.monotonic() - this.waitingSince);
      this.waitingSince = undefined;
      handlers.rollupAcked();
    }
  }

  /** Builds and queues a roll-up, then sets the next one to exactly one interval later. */
  private rollup(): void {
    const built = this.options.handlers.buildRollup();
    if (built) {
      this.outbox.putRollup(built);
      this.pump();
    }
    if (!this.ended) this.cancelTimer = this.options.clock.after(this.options.intervalMs, () => this.rollup());
  }

  private pump(): void {
    if (this.writing || this.ended || !this.helloAcked) return;
    const next = this.outbox.next();
    if (!next) return;
    if (next.rollup) {
      this.waitingSince ??= this.options.clock.monotonic();
      this.options.handlers.rollupSent(next.rollup);
    }
    this.write(next.message);
  }

  /** One message in the stream's hands at a time: its callback waits for flow control, so nothing piles up below us. */
  private write(message: OperatorMessage): void {
    this.writing = true;
    this.call?.write(message, (error: Error | null | undefined) => {
      this.writing = false;
      if (!error) this.pump();
    });
  }

  private end(code: string, message: string): void {
    if (this.ended) return;
    this.ended = true;
    this.cancelTimer();
    this.call?.cancel();
    this.client.close();
    this.finish({ code, message, rollupAcked: this.rollupAcked });
  }
}

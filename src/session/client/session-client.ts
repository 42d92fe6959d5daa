import type { ChannelCredentials } from '@grpc/grpc-js';
import { dialRefusalOf } from '../../api/dial-refusal.ts';
import { sleep, type Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { Log, Runnable } from '../../runtime/types.ts';
import { Backoff } from './backoff.ts';
import { EpochGuard } from './epoch-guard.ts';
import type { Response } from './outbox.ts';
import { SessionStream, type StreamEnd } from './session-stream.ts';
import type { SessionHandlers, SessionMetrics, SessionState } from './types.ts';

export interface SessionClientOptions {
  /** `host:port` of the shard. */
  readonly address: string;
  /** Made anew for every dial, so that renewed certificates are used. */
  readonly credentials: () => ChannelCredentials;
  readonly clusterId: string;
  readonly handlers: SessionHandlers;
  readonly metrics: SessionMetrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly epochs?: EpochGuard;
  readonly intervalMs?: number; // default 10,000
  readonly reconnectInitialMs?: number; // default 500
  readonly reconnectMaxMs?: number; // default 30,000
  /** A session that lived so long ends the back-off. Default 60,000. */
  readonly goodSessionMs?: number;
  /** Default 30,000; at least 300,000 towards shards that drop quicker pings. */
  readonly keepaliveMs?: number;
  readonly helloTimeoutMs?: number; // default 20,000
}

const ERROR_LOG_EVERY_MS = 60_000;

/** Keeps one session with the shard alive (spec: cluster-operator 4.3). While there is none, nothing in the cluster changes. */
export class SessionClient implements Runnable {
  readonly name = 'session';
  private readonly options: SessionClientOptions;
  private readonly backoff: Backoff;
  private readonly epochs: EpochGuard;
  private stream: SessionStream | undefined;
  private current: SessionState = 'Disconnected';
  private lastErrorLoggedAt: number | undefined;

  constructor(options: SessionClientOptions) {
    this.options = options;
    this.epochs = options.epochs ?? new EpochGuard();
    this.backoff = new Backoff({
      initialMs: options.reconnectInitialMs ?? 500,
      maxMs: options.reconnectMaxMs ?? 30_000,
      random: options.random,
    });
  }

  get state(): SessionState {
    return this.current;
  }

  /** Queues an answer for the shard; false = not connected or the queue is full, and the shard will ask again. */
  respond(response: Response): boolean {
    return this.stream?.respond(response) ?? false;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, metrics, goodSessionMs = 60_000 } = this.options;
    for (let attempt = 0; !signal.aborted; attempt++) {
      if (attempt > 0) metrics.reconnected();
      const startedAt = clock.monotonic();
      const end = await this.session(signal);
      if (signal.aborted) break;
      if (end.rollupAcked || clock.monotonic() - startedAt >= goodSessionMs) this.backoff.reset();
      this.report(end);
      this.enter('Backoff');
      await sleep(clock, this.backoff.next(), signal).catch(() => {});
    }
    this.enter('Disconnected');
  }

  private async session(signal: AbortSignal): Promise<StreamEnd> {
    const { options } = this;
    this.enter('Dialing');
    let opened = false;
    let stream: SessionStream;
    try {
      stream = new SessionStream({
        address: options.address,
        credentials: options.credentials(),
        clusterId: options.clusterId,
        intervalMs: options.intervalMs ?? 10_000,
        keepaliveMs: options.keepaliveMs ?? 30_000,
        helloTimeoutMs: options.helloTimeoutMs ?? 20_000,
        handlers: options.handlers,
        metrics: options.metrics,
        epochs: this.epochs,
        clock: options.clock,
        log: options.log,
        onHelloSent: () => this.enter('HelloSent'),
        onStreaming: (additions) => {
          opened = true;
          this.enter('Streaming');
          options.log.info({ shard: options.address, clusterId: options.clusterId }, 'session with the shard opened');
          options.handlers.connected?.(additions);
        },
      });
    } catch (error) {
      // Unreadable certificates end an attempt, not the process: they may be replaced any moment.
      return { code: 'CREDENTIALS', message: error instanceof Error ? error.message : String(error), rollupAcked: false };
    }
    this.stream = stream;
    const end = await stream.run(signal);
    this.stream = undefined;
    if (opened) options.handlers.disconnected?.();
    return end;
  }

  /** A refusal needs a person and is an error, once a minute; an unreachable shard is everyday life. */
  private report(end: StreamEnd): void {
    const { log, clock, metrics, address, clusterId } = this.options;
    const fields = { shard: address, clusterId, code: end.code, reason: end.message };
    const refusal = dialRefusalOf(end.message);
    const isRejected = end.code === 'PERMISSION_DENIED' || end.code === 'INVALID_ARGUMENT' || end.code === 'CREDENTIALS';
    if (refusal !== undefined) metrics.refused(refusal);
    else if (isRejected) metrics.rejected(end.code);
    else return log.info(fields, 'session with the shard ended; dialling again');
    const now = clock.monotonic();
    if (this.lastErrorLoggedAt !== undefined && now - this.lastErrorLoggedAt < ERROR_LOG_EVERY_MS) return;
    this.lastErrorLoggedAt = now;
    if (refusal !== undefined) log.error({ ...fields, refusal }, 'this operator does not speak to the shard for what it presents: check its certificate, --tls-ca and --shard-addr');
    else log.error(fields, 'the shard refuses this operator: check --cluster-id and the certificate');
  }

  private enter(state: SessionState): void {
    this.current = state;
    this.options.metrics.state(state);
  }
}

import type { Clock } from '../../lib/clock.ts';
import type { BackoffRange } from '../backoff.ts';
import { createDelayHeap } from './delay-heap.ts';
import type { DelayHeap } from './delay-heap.ts';
import { Fifo } from './fifo.ts';
import { createRetryDelays } from './retry-delays.ts';
import type { RetryDelays } from './retry-delays.ts';

/** Two lanes: `low` is served only when `normal` is empty. A key waits in one lane; adding it to `normal` promotes it. */
export type Lane = 'normal' | 'low';

export interface AddOptions {
  readonly lane?: Lane;
}

export interface QueueMetrics {
  depth(value: number): void;
  added(): void;
  /** Time from becoming ready to being handed out. */
  waited(ms: number): void;
  worked(ms: number): void;
  retried(): void;
}

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly metrics?: QueueMetrics;
  /** Per-key exponential backoff. Default 5 ms to 1,000 s. */
  readonly backoff?: BackoffRange;
  /** One bucket for all retries together; a retry waits for the later of the two. Default 10 qps, burst 100. */
  readonly retryQps?: number;
  readonly retryBurst?: number;
}

/** A set of keys with work to do: a key is in it once, and is never handed out twice at the same time. */
export interface WorkQueue {
  /** Keys ready to be handed out; those waiting for a delay are not counted. */
  readonly length: number;
  readonly processing: number;
  add(key: string, options?: AddOptions): void;
  /** Adds the key after `ms`; of several delays for one key the earliest counts. */
  addAfter(key: string, ms: number, options?: AddOptions): void;
  addRateLimited(key: string): void;
  /** Ends the key's backoff: its next retry starts from the minimum. */
  forget(key: string): void;
  retries(key: string): number;
  /** The next key, or undefined when the queue has shut down or the signal aborts. Pair each key with `done`. */
  get(signal?: AbortSignal): Promise<string | undefined>;
  done(key: string): void;
  /** Refuses new keys, drops what is queued or delayed, wakes all getters. */
  shutDown(): void;
  /** Refuses new keys and resolves when everything handed out is done; `discardQueued` drops the ready keys first. */
  shutDownWithDrain(options?: { discardQueued?: boolean }): Promise<void>;
}

const BACKOFF: BackoffRange = { minMs: 5, maxMs: 1_000_000 };
const RETRY_QPS = 10;
const RETRY_BURST = 100;

export function createWorkQueue(options: WorkQueueOptions): WorkQueue {
  return new KeyQueue(options);
}

class KeyQueue implements WorkQueue {
  private readonly clock: Clock;
  private readonly metrics: QueueMetrics | undefined;
  private readonly retryDelays: RetryDelays;
  private readonly delayed: DelayHeap;
  /** Keys with work to do and the lane each waits in; those being processed are queued by `done`. */
  private readonly dirty = new Map<string, Lane>();
  private readonly inProcess = new Set<string>();
  /** May hold leftovers of promoted keys: `dirty` decides. */
  private readonly lanes: Readonly<Record<Lane, Fifo<string>>> = { normal: new Fifo(), low: new Fifo() };
  private readonly getters = new Set<(key: string | undefined) => void>();
  private readonly delayedLanes = new Map<string, Lane>();
  private readonly readyAt = new Map<string, number>();
  private readonly startedAt = new Map<string, number>();
  private ready = 0;
  private isClosed = false;
  private drained: PromiseWithResolvers<void> | undefined;

  constructor({ clock, metrics, backoff = BACKOFF, retryQps = RETRY_QPS, retryBurst = RETRY_BURST }: WorkQueueOptions) {
    this.clock = clock;
    this.metrics = metrics;
    this.retryDelays = createRetryDelays({ clock, backoff, qps: retryQps, burst: retryBurst });
    this.delayed = createDelayHeap(clock, (key) => {
      const lane = this.delayedLanes.get(key) ?? 'normal';
      this.delayedLanes.delete(key);
      this.add(key, { lane });
    });
  }

  get length(): number {
    return this.ready;
  }

  get processing(): number {
    return this.inProcess.size;
  }

  add(key: string, { lane = 'normal' }: AddOptions = {}): void {
    if (this.isClosed) return;
    const known = this.dirty.get(key);
    if (known === lane || known === 'normal') return;
    this.dirty.set(key, lane);
    const isPromotion = known !== undefined;
    if (!isPromotion) this.metrics?.added();
    if (this.inProcess.has(key)) return;
    this.lanes[lane].push(key);
    if (!isPromotion) this.becameReady(key);
  }

  addAfter(key: string, ms: number, { lane = 'normal' }: AddOptions = {}): void {
    if (this.isClosed) return;
    if (!(ms > 0)) return this.add(key, { lane });
    // The lane of the most urgent request; the heap keeps the earliest time.
    if (lane === 'low' && !this.delayedLanes.has(key)) this.delayedLanes.set(key, 'low');
    else if (lane === 'normal') this.delayedLanes.set(key, 'normal');
    this.delayed.set(key, this.clock.monotonic() + ms);
  }

  addRateLimited(key: string): void {
    if (this.isClosed) return;
    this.metrics?.retried();
    this.addAfter(key, this.retryDelays.next(key));
  }

  forget(key: string): void {
    this.retryDelays.forget(key);
  }

  retries(key: string): number {
    return this.retryDelays.failures(key);
  }

  async get(signal?: AbortSignal): Promise<string | undefined> {
    if (signal?.aborted) return undefined;
    if (this.ready > 0) return this.takeNext();
    if (this.isClosed) return undefined;
    const waiting = Promise.withResolvers<string | undefined>();
    const getter = waiting.resolve;
    const onAbort = (): void => {
      this.getters.delete(getter);
      getter(undefined);
    };
    this.getters.add(getter);
    signal?.addEventListener('abort', onAbort, { once: true });
    const key = await waiting.promise;
    signal?.removeEventListener('abort', onAbort);
    return key;
  }

  done(key: string): void {
    if (!this.inProcess.delete(key)) return;
    const startedAt = this.startedAt.get(key);
    this.startedAt.delete(key);
    if (startedAt !== undefined) this.metrics?.worked(this.clock.monotonic() - startedAt);
    const lane = this.dirty.get(key);
    if (lane !== undefined) {
      this.lanes[lane].push(key);
      this.becameReady(key);
    }
    this.settleDrain();
  }

  shutDown(): void {
    this.close();
    this.discardQueued();
    this.settleDrain();
  }

  shutDownWithDrain({ discardQueued = false } = {}): Promise<void> {
    this.close();
    if (discardQueued) this.discardQueued();
    this.drained ??= Promise.withResolvers<void>();
    this.settleDrain();
    return this.drained.promise;
  }

  private becameReady(key: string): void {
    this.ready++;
    if (this.metrics) {
      this.readyAt.set(key, this.clock.monotonic());
      this.metrics.depth(this.ready);
    }
    const [getter] = this.getters;
    if (!getter) return;
    this.getters.delete(getter);
    getter(this.takeNext());
  }

  private takeNext(): string {
    const key = this.shiftLane('normal') ?? this.shiftLane('low');
    if (key === undefined) throw new Error('work queue: the count of ready keys is wrong');
    this.dirty.delete(key);
    this.inProcess.add(key);
    this.ready--;
    if (this.metrics) {
      const now = this.clock.monotonic();
      this.metrics.depth(this.ready);
      this.metrics.waited(now - (this.readyAt.get(key) ?? now));
      this.readyAt.delete(key);
      this.startedAt.set(key, now);
    }
    return key;
  }

  private shiftLane(lane: Lane): string | undefined {
    for (let key = this.lanes[lane].shift(); key !== undefined; key = this.lanes[lane].shift()) {
      if (this.dirty.has(key) && !this.inProcess.has(key)) return key;
    }
    return undefined;
  }

  private close(): void {
    this.isClosed = true;
    this.delayed.clear();
    this.delayedLanes.clear();
    for (const getter of this.getters) getter(undefined);
    this.getters.clear();
  }

  private discardQueued(): void {
    this.dirty.clear();
    this.readyAt.clear();
    this.lanes.normal.clear();
    this.lanes.low.clear();
    this.ready = 0;
    this.metrics?.depth(0);
  }

  private settleDrain(): void {
    if (this.isClosed && this.ready === 0 && this.inProcess.size === 0) this.drained?.resolve();
  }
}

import type { Clock } from '../../lib/clock.ts';

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
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
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

export function createWorkQueue(_options: WorkQueueOptions): WorkQueue {
  throw new Error('not implemented yet');
}

import { abortable } from '../../runtime/abortable.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { Rests } from '../rests.ts';

/** How long nothing new is sent to a provider that says it is asked too much. */
const BRAKE = { minMs: 1_000, maxMs: 30_000 };
const PROVIDER = 'provider';

export interface ProviderGateOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** So many calls at a time; asked each time. */
  readonly limit: () => number;
}

interface Waiting {
  readonly admit: () => void;
  isGone: boolean;
}

/**
 * Where calls to one provider wait for their turn. Among those who wait the kinds of call take turns, and within a kind the
 * clusters, so that neither a thousand Creates hold up one Drain nor a large cluster a small one (spec: engine 11.1, 22).
 */
export class ProviderGate {
  private readonly clock: Clock;
  private readonly limit: () => number;
  private readonly brake: Rests;
  /** By kind, then by cluster; who was served last goes to the end. */
  private readonly lanes = new Map<string, Map<string, Waiting[]>>();
  private running = 0;
  private waitingCount = 0;
  private isWakeSet = false;

  constructor({ clock, random, limit }: ProviderGateOptions) {
    this.clock = clock;
    this.limit = limit;
    this.brake = new Rests(clock, random, BRAKE);
  }

  get inFlight(): number {
    return this.running;
  }

  get waiting(): number {
    return this.waitingCount;
  }

  /** Rejects with the signal's reason while it waits. */
  async run<T>(kind: string, cluster: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const admitted = Promise.withResolvers<void>();
    let isAdmitted = false;
    const waiting: Waiting = { isGone: false, admit: () => ((isAdmitted = true), admitted.resolve()) };
    this.enqueue(kind, cluster, waiting);
    this.admit();
    try {
      await abortable(admitted.promise, signal);
      return await task();
    } finally {
      if (isAdmitted) this.running--;
      else {
        waiting.isGone = true;
        this.waitingCount--;
      }
      this.admit();
    }
  }

  /** The provider said that it is asked too much: nothing new is sent for a while. For how many milliseconds. */
  throttled(): number {
    return this.brake.failed(PROVIDER);
  }

  /** It took a call. */
  answered(): void {
    if (this.brake.restMs(PROVIDER) === 0) this.brake.succeeded(PROVIDER);
  }

  private enqueue(kind: string, cluster: string, waiting: Waiting): void {
    const clusters = this.lanes.get(kind) ?? new Map<string, Waiting[]>();
    const lane = clusters.get(cluster) ?? [];
    this.lanes.set(kind, clusters);
    clusters.set(cluster, lane);
    lane.push(waiting);
    this.waitingCount++;
  }

  /** Counts whom it lets in at once: between its waking and its first step nobody else can take the place. */
  private admit(): void {
    const restMs = this.brake.restMs(PROVIDER);
    if (restMs > 0) {
      if (this.isWakeSet || this.waitingCount === 0) return;
      this.isWakeSet = true;
      this.clock.after(restMs, () => {
        this.isWakeSet = false;
        this.admit();
      });
      return;
    }
    while (this.running < this.limit()) {
      const next = this.takeNext();
      if (!next) return;
      this.running++;
      this.waitingCount--;
      next.admit();
    }
  }

  private takeNext(): Waiting | undefined {
    for (const [kind, clusters] of this.lanes) {
      this.lanes.delete(kind);
      const next = takeFrom(clusters);
      if (clusters.size > 0) this.lanes.set(kind, clusters);
      if (next) return next;
    }
    return undefined;
  }
}

function takeFrom(clusters: Map<string, Waiting[]>): Waiting | undefined {
  for (const [cluster, lane] of clusters) {
    clusters.delete(cluster);
    let next = lane.shift();
    while (next?.isGone) next = lane.shift();
    if (lane.length > 0) clusters.set(cluster, lane);
    if (next) return next;
  }
  return undefined;
}

import { abortable } from '../../runtime/abortable.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { CallKind } from '../record.ts';
import { Rests } from '../rests.ts';
import { Circuit } from './circuit.ts';
import type { Unanswered } from './circuit.ts';

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
 * clusters, so that neither a thousand Creates hold up one Drain nor a large cluster a small one (spec: engine 11.1, 22). Of a
 * kind that is not answered one at a time is let in, now and then (`Circuit`).
 */
export class ProviderGate {
  private readonly clock: Clock;
  private readonly limit: () => number;
  private readonly brake: Rests;
  private readonly circuit: Circuit;
  /** By kind, then by cluster; who was served last goes to the end. */
  private readonly lanes = new Map<CallKind, Map<string, Waiting[]>>();
  private readonly underWay = new Map<CallKind, number>();
  private running = 0;
  private waitingCount = 0;
  private isWakeSet = false;

  constructor({ clock, random, limit }: ProviderGateOptions) {
    this.clock = clock;
    this.limit = limit;
    this.brake = new Rests(clock, random, BRAKE);
    this.circuit = new Circuit(clock, random);
  }

  get inFlight(): number {
    return this.running;
  }

  get waiting(): number {
    return this.waitingCount;
  }

  /** Rejects with the signal's reason while it waits. */
  async run<T>(kind: CallKind, cluster: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
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
      if (isAdmitted) this.ended(kind);
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

  /** A call brought no answer in time. For how many milliseconds none of its kind is let in; 0 = they are, as before. */
  unanswered(kind: CallKind, words: string): number {
    const restMs = this.circuit.unanswered(kind, words);
    if (restMs > 0) this.clock.after(restMs, () => this.admit());
    return restMs;
  }

  /** A call was answered, whatever the answer. True when its kind had not been. */
  heard(kind: CallKind): boolean {
    const wasSilent = this.circuit.answered(kind);
    if (wasSilent) this.admit();
    return wasSilent;
  }

  /** Kinds of call that are not answered at present. */
  get silent(): readonly Unanswered[] {
    return this.circuit.list();
  }

  private ended(kind: CallKind): void {
    this.running--;
    this.underWay.set(kind, (this.underWay.get(kind) ?? 1) - 1);
  }

  private enqueue(kind: CallKind, cluster: string, waiting: Waiting): void {
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
    // Those that must wait keep their place; the others are looked at once each.
    for (const [kind, clusters] of [...this.lanes]) {
      const underWay = this.underWay.get(kind) ?? 0;
      if (underWay >= this.circuit.room(kind)) continue;
      this.lanes.delete(kind);
      const next = takeFrom(clusters);
      if (clusters.size > 0) this.lanes.set(kind, clusters);
      if (!next) continue;
      this.underWay.set(kind, underWay + 1);
      return next;
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

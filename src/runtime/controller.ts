import { randomUUID } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { createWorkQueue } from './queue/work-queue.ts';
import type { AddOptions, WorkQueue } from './queue/work-queue.ts';
import type { Log, Reconciler, Result, Runnable } from './types.ts';

const DEADLINE_MS = 120_000;
const GRACE_MS = 10_000;
const ABORT_GRACE_MS = 1_000;

/** Thrown by a reconciler when repeating cannot help until somebody changes the object: logged, counted, not retried. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export type ReconcileOutcome = 'success' | 'error' | 'requeue_after' | 'terminal';

export interface ControllerMetrics {
  reconciled(outcome: ReconcileOutcome, seconds: number): void;
  activeWorkers(value: number): void;
}

export interface ControllerOptions {
  readonly reconciler: Reconciler;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: a queue with the default rate limits. */
  readonly queue?: WorkQueue;
  readonly workers?: number; // default 1
  /** A reconcile that takes longer has its signal aborted and, if it then fails, is retried. Default 120 s. */
  readonly deadlineMs?: number;
  /** At stop, running reconciles may finish for this long before their signals abort. Default 10 s. */
  readonly graceMs?: number;
  /** Reconcile ids for the logs. Default: random UUIDs. */
  readonly ids?: () => string;
  readonly metrics?: ControllerMetrics;
}

export interface Controller extends Runnable {
  enqueue(key: string, options?: AddOptions): void;
  enqueueAfter(key: string, ms: number): void;
}

export function createController(options: ControllerOptions): Controller {
  return new QueueController(options);
}

class QueueController implements Controller {
  readonly name: string;
  private readonly options: ControllerOptions;
  private readonly queue: WorkQueue;
  private readonly running = new Set<AbortController>();
  private readonly workers = new Set<Promise<void>>();
  /** Workers without a key. One is enough: whoever gets a key sees to it that another one waits for the next. */
  private waiting = 0;
  private hired = 0;

  constructor(options: ControllerOptions) {
    this.options = options;
    this.name = options.reconciler.name;
    this.queue = options.queue ?? createWorkQueue({ clock: options.clock });
  }

  enqueue(key: string, options?: AddOptions): void {
    this.queue.add(key, options);
  }

  enqueueAfter(key: string, ms: number): void {
    this.queue.addAfter(key, ms);
  }

  async run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return this.queue.shutDown();
    const stopped = Promise.withResolvers<void>();
    const onAbort = (): void => stopped.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    this.hire();
    await stopped.promise;
    await this.drain();
    // Whoever still runs ignores its signal; waiting longer would hold up the stop of the whole process.
    if (this.running.size === 0) await Promise.all(this.workers);
  }

  /** There may be very many workers, and mostly few are needed: they come and go with the keys. */
  private hire(): void {
    if (this.hired >= (this.options.workers ?? 1)) return;
    this.hired++;
    const worker = this.work();
    this.workers.add(worker);
    void worker.then(() => this.workers.delete(worker));
  }

  private async work(): Promise<void> {
    do {
      this.waiting++;
      const key = await this.queue.get();
      this.waiting--;
      if (key === undefined) break;
      if (this.waiting === 0) this.hire();
      await this.reconcile(key);
      this.queue.done(key);
    } while (this.waiting === 0);
    this.hired--;
  }

  /** What is queued is dropped: level-based work is found again after a restart. What runs may finish. */
  private async drain(): Promise<void> {
    const { clock, log, graceMs = GRACE_MS } = this.options;
    const drained = this.queue.shutDownWithDrain({ discardQueued: true });
    if (await settlesWithin(clock, drained, graceMs)) return;
    for (const abort of this.running) abort.abort(new Error('the controller is stopping'));
    if (await settlesWithin(clock, drained, ABORT_GRACE_MS)) return;
    log.error({ controller: this.name, running: this.running.size }, 'reconciles ignore their abort signal; stopping without them');
  }

  private async reconcile(key: string): Promise<void> {
    const { reconciler, clock, metrics, deadlineMs = DEADLINE_MS, ids = randomUUID } = this.options;
    const abort = new AbortController();
    const reconcileId = ids();
    const startedAt = clock.monotonic();
    const cancelDeadline = clock.after(deadlineMs, () => abort.abort(new Error(`the reconcile took longer than ${deadlineMs} ms`)));
    this.running.add(abort);
    metrics?.activeWorkers(this.running.size);
    let outcome: ReconcileOutcome;
    try {
      outcome = this.settle(key, await reconciler.reconcile(key, { signal: abort.signal, reconcileId }));
    } catch (error) {
      outcome = this.fail(key, error, reconcileId);
    }
    cancelDeadline();
    this.running.delete(abort);
    metrics?.activeWorkers(this.running.size);
    metrics?.reconciled(outcome, (clock.monotonic() - startedAt) / 1000);
  }

  private settle(key: string, { requeueAfterMs }: Result): ReconcileOutcome {
    this.queue.forget(key);
    if (requeueAfterMs === undefined) return 'success';
    this.queue.addAfter(key, requeueAfterMs);
    return 'requeue_after';
  }

  private fail(key: string, error: unknown, reconcileId: string): ReconcileOutcome {
    const { log } = this.options;
    const fields = { controller: this.name, key, reconcileId, err: error };
    if (error instanceof TerminalError) {
      this.queue.forget(key);
      log.error(fields, 'reconcile failed for good; it is not repeated until the object changes');
      return 'terminal';
    }
    this.queue.addRateLimited(key);
    log.error({ ...fields, retries: this.queue.retries(key) }, 'reconcile failed; it will be repeated');
    return 'error';
  }
}

/** Whether the promise settles within the time; the timer is gone either way. */
async function settlesWithin(clock: Clock, promise: Promise<void>, ms: number): Promise<boolean> {
  const timeout = Promise.withResolvers<boolean>();
  const cancel = clock.after(ms, () => timeout.resolve(false));
  try {
    return await Promise.race([promise.then(() => true), timeout.promise]);
  } finally {
    cancel();
  }
}

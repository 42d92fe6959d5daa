import type { Clock } from '../lib/clock.ts';
import type { AddOptions, WorkQueue } from './queue/work-queue.ts';
import type { Log, Reconciler, Runnable } from './types.ts';

/** Thrown by a reconciler when repeating cannot help until somebody changes the object: logged, counted, not retried. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export interface ControllerMetrics {
  reconciled(result: 'success' | 'error' | 'requeue_after' | 'terminal', seconds: number): void;
  activeWorkers(value: number): void;
}

export interface ControllerOptions {
  readonly reconciler: Reconciler;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: a queue with the default rate limits. */
  readonly queue?: WorkQueue;
  readonly workers?: number; // default 1
  /** A reconcile that takes longer has its signal aborted and counts as failed. Default 120 s. */
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

export function createController(_options: ControllerOptions): Controller {
  throw new Error('not implemented yet');
}

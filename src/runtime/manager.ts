import type { Clock } from '../lib/clock.ts';
import type { HealthServer } from './health-server.ts';
import type { LeaseElection } from './leader/lease-election.ts';
import type { Informer, KubeObject, Log, Runnable } from './types.ts';

/** Runnables that start together. The next group starts when `ready` resolves; stopping goes in reverse. */
export interface RunnableGroup {
  readonly name: string;
  readonly runnables: readonly Runnable[];
  readonly ready?: (signal: AbortSignal) => Promise<void>;
}

export interface ManagerOptions {
  readonly groups: readonly RunnableGroup[];
  readonly clock: Clock;
  readonly log: Log;
  /** For the whole stop, all groups together. Default 25 s, below the 30 s a kubelet grants. */
  readonly graceMs?: number;
  /** Started first, stopped last. */
  readonly health?: HealthServer;
  /** Stop on SIGTERM and SIGINT; a second signal ends the process at once. Default true. */
  readonly handleSignals?: boolean;
}

export interface Manager {
  /** True once every group is ready, until a stop begins. */
  readonly isReady: boolean;
  /** Resolves after a clean stop; rejects with the first error of a runnable, after everything was stopped. */
  run(signal?: AbortSignal): Promise<void>;
}

export function informerGroup(_informers: Readonly<Record<string, Informer<KubeObject>>>): RunnableGroup {
  throw new Error('not implemented yet');
}

export function leaderGroup(_election: LeaseElection): RunnableGroup {
  throw new Error('not implemented yet');
}

export function controllerGroup(..._controllers: Runnable[]): RunnableGroup {
  throw new Error('not implemented yet');
}

export function createManager(_options: ManagerOptions): Manager {
  throw new Error('not implemented yet');
}

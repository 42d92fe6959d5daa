import type { Clock } from '../lib/clock.ts';
import { abortable } from './abortable.ts';
import type { HealthServer } from './health-server.ts';
import type { LeaseElection } from './leader/election-types.ts';
import type { Informer, Log, Runnable } from './types.ts';

const GRACE_MS = 25_000;

/** Runnables that start together. The next group starts when `ready` resolves; stopping goes in reverse. */
export interface RunnableGroup {
  readonly name: string;
  readonly runnables: readonly Runnable[];
  readonly ready?: (signal: AbortSignal) => Promise<void>;
  /** Waiting for `ready` is this replica's job, not a defect: /readyz says yes meanwhile. */
  readonly isStandby?: boolean;
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
  /** True once every group is ready, or a standby one waits; false again when a stop begins. */
  readonly isReady: boolean;
  /** Resolves after a clean stop; rejects with the first error of a runnable, after everything was stopped. */
  run(signal?: AbortSignal): Promise<void>;
}

/** Informers by name; ready when all have synced. */
export function informerGroup(informers: Readonly<Record<string, Pick<Informer<never>, 'run' | 'waitForSync'>>>): RunnableGroup {
  const entries = Object.entries(informers);
  return {
    name: 'informers',
    runnables: entries.map(([name, informer]) => ({ name: `informer ${name}`, run: (signal) => informer.run(signal) })),
    ready: async (signal) => {
      await Promise.all(entries.map(([, informer]) => informer.waitForSync(signal)));
    },
  };
}

/**
 * Ready when elected: what follows runs in the leader only, and is stopped before the Lease is released. A replica that
 * waits counts as ready, or a rolling update would wait for ever; `standbyIsReady: false` keeps traffic away from it.
 */
export function leaderGroup(election: LeaseElection, { standbyIsReady = true } = {}): RunnableGroup {
  return { name: 'leader', runnables: [election], ready: (signal) => election.waitUntilLeader(signal), isStandby: standbyIsReady };
}

export function controllerGroup(...controllers: readonly Runnable[]): RunnableGroup {
  return { name: 'controllers', runnables: controllers };
}

/** Starts groups in order, stops them in reverse; the first error of a runnable stops everything. */
export function createManager(options: ManagerOptions): Manager {
  return new GroupManager(options);
}

interface StartedGroup {
  readonly name: string;
  readonly abort: AbortController;
  readonly done: Promise<unknown>;
  readonly running: Set<string>;
}

class GroupManager implements Manager {
  private readonly options: ManagerOptions;
  private readonly started: StartedGroup[] = [];
  private readonly stop = new AbortController();
  private failure: { readonly error: unknown } | undefined;
  private ready = false;

  constructor(options: ManagerOptions) {
    this.options = options;
    options.health?.addReadiness('manager', () => (this.ready ? undefined : `waiting: ${this.waitingFor()}`));
  }

  get isReady(): boolean {
    return this.ready;
  }

  async run(signal?: AbortSignal): Promise<void> {
    const { groups, health, log } = this.options;
    const onAbort = (): void => this.stop.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (signal?.aborted) onAbort();
    const forgetSignals = this.listenForSignals();
    try {
      await health?.start();
      for (const group of groups) {
        if (this.stop.signal.aborted) break;
        await this.start(group);
      }
      this.ready = !this.stop.signal.aborted;
      if (this.ready) log.info({}, 'ready');
      await aborted(this.stop.signal);
    } catch (error) {
      this.fail(error);
    }
    this.ready = false;
    await this.stopGroups();
    await health?.stop();
    forgetSignals();
    signal?.removeEventListener('abort', onAbort);
    if (this.failure) throw this.failure.error;
  }

  private async start(group: RunnableGroup): Promise<void> {
    const abort = new AbortController();
    const running = new Set(group.runnables.map((runnable) => runnable.name));
    const done = Promise.all(
      group.runnables.map(async (runnable) => {
        try {
          await runnable.run(abort.signal);
          if (!abort.signal.aborted) this.fail(new Error(`${runnable.name} ended although nobody stopped it`));
        } catch (error) {
          this.fail(error);
        }
        running.delete(runnable.name);
      }),
    );
    this.started.push({ name: group.name, abort, done, running });
    this.options.log.debug({ group: group.name, runnables: [...running] }, 'started');
    try {
      if (group.isStandby) this.ready = !this.stop.signal.aborted;
      if (group.ready) await abortable(group.ready(this.stop.signal), this.stop.signal);
    } catch (error) {
      if (!this.stop.signal.aborted) throw error;
    }
  }

  private async stopGroups(): Promise<void> {
    const { clock, log, graceMs = GRACE_MS } = this.options;
    const graceOver = new AbortController();
    const cancel = clock.after(graceMs, () => graceOver.abort(new Error('the grace is over')));
    for (const group of this.started.reverse()) {
      group.abort.abort(this.stop.signal.reason);
      try {
        await abortable(group.done, graceOver.signal);
        log.debug({ group: group.name }, 'stopped');
      } catch {
        log.error({ group: group.name, running: [...group.running], graceMs }, 'did not stop within the grace; going on without it');
      }
    }
    cancel();
  }

  /** The first failure stops everything and is what `run` rejects with; later ones are logged. */
  private fail(error: unknown): void {
    if (this.failure || this.stop.signal.aborted) this.options.log.error({ err: error }, 'failed while stopping');
    this.failure ??= { error };
    this.stop.abort(error);
  }

  private waitingFor(): string {
    if (this.stop.signal.aborted) return 'stopping';
    return this.started.at(-1)?.name ?? 'not started';
  }

  private listenForSignals(): () => void {
    if (this.options.handleSignals === false) return () => {};
    const onSignal = (name: NodeJS.Signals): void => {
      if (this.stop.signal.aborted) {
        this.options.log.error({ signal: name }, 'second signal: ending without waiting');
        process.exit(1);
      }
      this.options.log.info({ signal: name }, 'stopping');
      this.stop.abort(new Error(`received ${name}`));
    };
    process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
    return () => void process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

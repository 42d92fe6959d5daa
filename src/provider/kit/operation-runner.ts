import { sleep, type Clock } from '../../lib/clock.ts';
import { ThrottledError, wordsOf } from './backend-error.ts';
import type { ProviderBackend, Recovery } from './backend.ts';
import type { ChangeCause, ProviderEvents } from './events.ts';
import type { Entry } from './inventory.ts';
import { checkSize } from './instance-check.ts';
import { transitions, type OperationKind } from './lifecycle.ts';
import { noMetadata, withoutHost, type HostRef, type Machine } from './machine.ts';
import type { ProviderCore } from './provider-core.ts';
import type { PendingOperation } from './state-store.ts';

/** How long an operation may take before the machine turns FAILED. A Drain with a grace period gets that and a minute if it is more. */
export interface Timeouts {
  readonly createMs: number;
  readonly configureMs: number;
  readonly drainMs: number;
  readonly deleteMs: number;
}

export const defaultTimeouts: Timeouts = { createMs: 300_000, configureMs: 300_000, drainMs: 600_000, deleteMs: 300_000 };

const DRAIN_MARGIN_MS = 60_000;
/** A recovery that failed or achieved nothing is tried again after this long; one that waits for a backend that has not let go of the machine starts then. */
const RECOVERY_RETRY_MS = 30_000;
/** More of an error's words would make every List heavy. */
const MAX_ERROR_CHARACTERS = 2_000;
/** A completion that could not be persisted is tried again after this long; until then the machine stays in transition. */
const PERSIST_RETRY_MS = 1_000;

/** However soon a substrate says that it may be asked again. */
const MIN_PAUSE_MS = 10;

export interface RunnerOptions {
  readonly core: ProviderCore;
  readonly backend: ProviderBackend;
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  readonly events: ProviderEvents;
  /** Resolves when what was accepted is durable; actuation waits for it. */
  readonly durable: () => Promise<void>;
}

/** How an operation ended. */
interface Ending {
  /** What it does to the machine, whatever else has changed about it meanwhile. */
  apply(machine: Machine): Machine;
  /** Create only: what was made. */
  readonly host?: HostRef;
}

/** Carries out accepted operations on the backend and records how they end; looks after FAILED machines. */
export class OperationRunner {
  private readonly options: RunnerOptions;
  private readonly stopping = new AbortController();
  private readonly retries = new Set<() => void>();
  /** Operations that wait until they may be asked for again. */
  private readonly throttled = new WeakMap<PendingOperation, ThrottledError>();

  constructor(options: RunnerOptions) {
    this.options = options;
    options.core.onAccepted = (entry, pending) => {
      // When this fails the store is broken: the operation must not touch the substrate, a restart sorts it out.
      options.durable().then(() => this.run(entry, pending), () => {});
    };
  }

  /** Runs one operation to its end, or to its timeout. What comes after either is discarded. */
  run(entry: Entry, pending: PendingOperation): void {
    if (this.stopping.signal.aborted || entry.stored.pending !== pending) return;
    const abort = new AbortController();
    entry.abort = abort;
    const timeoutMs = this.timeoutOf(pending);
    const cancelTimer = this.options.clock.after(timeoutMs, () => {
      const throttled = this.throttled.get(pending);
      this.settle(entry, pending, failure(`${pending.kind} timed out after ${timeoutMs / 1000} s${throttled ? `: ${wordsOf(throttled)}` : ''}`), 'fail');
      abort.abort(new Error('timed out'));
    });
    abort.signal.addEventListener('abort', cancelTimer, { once: true });
    const released = (): void => {
      cancelTimer();
      if (entry.busy === busy) entry.busy = undefined;
    };
    const busy = this.actuate(entry.stored.machine, pending, abort.signal).then(
      (ending) => {
        released();
        if (entry.stored.pending === pending) this.settle(entry, pending, ending, 'complete');
        else this.lateSuccess(entry, pending, ending);
      },
      (error: unknown) => {
        released();
        this.settle(entry, pending, failure(`${pending.kind} failed: ${wordsOf(error)}`), 'fail');
      },
    );
    entry.busy = busy;
  }

  /** Something outside any operation broke the machine: FAILED at once, whatever ran on it is void. */
  fail(entry: Entry, reason: string, cause: ChangeCause): void {
    this.commit(failure(reason || 'the machine failed, and no reason was given').apply(entry.stored.machine), cause);
    entry.abort?.abort(new Error(reason));
    entry.abort = undefined;
    this.recover(entry);
  }

  /** Lets the backend clean up after a failure, if it can. One recovery per machine at a time. */
  recover(entry: Entry): void {
    const { backend } = this.options;
    if (!backend.recoverInstance || entry.recovering || this.stopping.signal.aborted) return;
    entry.recovering = true;
    if (!entry.busy) return this.startRecovery(entry);
    // The void operation may still be making what is to be cleaned up.
    let started = false;
    const start = (): void => {
      cancel();
      if (!started) this.startRecovery(entry);
      started = true;
    };
    const cancel = this.later(RECOVERY_RETRY_MS, start);
    void entry.busy.then(start);
  }

  private startRecovery(entry: Entry): void {
    const { machine } = entry.stored;
    const { backend } = this.options;
    if (this.stopping.signal.aborted) return;
    const again = (): void => {
      entry.recovering = false;
      this.later(RECOVERY_RETRY_MS, () => entry.stored.machine.state === 'Failed' && this.recover(entry));
    };
    const recovery = async (): Promise<Recovery> => {
      // A restart that has forgotten the failure would take the machine for what it was, and it is being cleared away.
      await this.options.durable();
      if (this.stopping.signal.aborted) return 'keep';
      return (await backend.recoverInstance?.({ machine, lastError: machine.lastError }, this.stopping.signal)) ?? 'keep';
    };
    recovery().then(
      (result) => {
        if (this.stopping.signal.aborted) return;
        if (result === 'keep') return again();
        entry.recovering = false;
        this.finishRecovery(entry, result);
      },
      (error: unknown) => {
        if (this.stopping.signal.aborted) return;
        this.options.events.onWarning?.(`recovery of ${machine.id} failed, trying again later: ${wordsOf(error)}`);
        again();
      },
    );
  }

  /** Stops acting. Operations under way stay recorded as pending; the next start resumes or fails them. */
  stop(): void {
    this.stopping.abort(new Error('the provider is shutting down'));
    for (const cancel of this.retries) cancel();
    for (const entry of this.options.core.inventory.entries()) entry.abort?.abort(this.stopping.signal.reason);
  }

  private later(ms: number, fn: () => void): () => void {
    const stop = this.options.clock.after(ms, () => {
      this.retries.delete(cancel);
      fn();
    });
    const cancel = (): void => {
      this.retries.delete(cancel);
      stop();
    };
    this.retries.add(cancel);
    return cancel;
  }

  /** Records how something ended. The disk may take its time: what an ending forgets, a restart finds out again. */
  private commit(machine: Machine, cause: ChangeCause): void {
    this.options.core.commit(machine, undefined, cause);
    this.options.durable().catch(() => {});
  }

  /** An operation that was given up has succeeded after all: nothing comes of it, but a host must not run unseen. */
  private lateSuccess(entry: Entry, { kind, operationId }: PendingOperation, { host }: Ending): void {
    const { machine } = entry.stored;
    if (this.stopping.signal.aborted || !host) return;
    if (machine.state === 'Failed' && !machine.host) {
      try {
        return this.commit({ ...machine, host }, 'fail'); // for a recovery, or for a person, to clean up
      } catch {
        // said below
      }
    }
    this.options.events.onWarning?.(`${kind} ${operationId} of ${machine.id} was given up and has made host ${host.ref} after all: it may run unseen`);
  }

  private finishRecovery(entry: Entry, result: 'speculative' | 'idle'): void {
    const { machine } = entry.stored;
    if (machine.state !== 'Failed') return;
    const clean = { ...machine, lastError: '', cluster: '', shardMetadata: noMetadata };
    // A machine that never got a host cannot rest as Idle.
    const next: Machine = result === 'idle' && machine.host ? { ...clean, state: 'Idle' } : { ...withoutHost(clean), state: 'Speculative' };
    try {
      this.commit(next, 'recover');
    } catch {
      this.later(PERSIST_RETRY_MS, () => this.finishRecovery(entry, result));
    }
  }

  private settle(entry: Entry, pending: PendingOperation, ending: Ending, cause: ChangeCause): void {
    if (this.stopping.signal.aborted || entry.stored.pending !== pending) return;
    const machine = ending.apply(entry.stored.machine);
    try {
      this.commit(machine, cause);
    } catch {
      this.later(PERSIST_RETRY_MS, () => this.settle(entry, pending, ending, cause));
      return;
    }
    entry.abort = undefined;
    if (machine.state === 'Failed') this.recover(entry);
  }

  /** A substrate that is asked too much says so before it does anything: the same is asked again when it says, within the time limit. */
  private async unthrottled<T>(pending: PendingOperation, signal: AbortSignal, ask: () => Promise<T> | undefined): Promise<T | undefined> {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (!(error instanceof ThrottledError) || error.retryAfterMs === undefined || signal.aborted) throw error;
        this.throttled.set(pending, error);
        await sleep(this.options.clock, Math.max(MIN_PAUSE_MS, error.retryAfterMs), signal);
        this.throttled.delete(pending);
      }
    }
  }

  /** Resolves to what the success makes of the machine. */
  private async actuate(machine: Machine, pending: PendingOperation, signal: AbortSignal): Promise<Ending> {
    const { backend } = this.options;
    const { operationId } = pending;
    const state = transitions[pending.kind].target;
    const asked = <T>(ask: () => Promise<T> | undefined): Promise<T | undefined> => this.unthrottled(pending, signal, ask);
    switch (pending.kind) {
      case 'Create': {
        const { host, resources, allocatable } = (await asked(() => backend.createInstance({ machine, operationId }, signal))) ?? {};
        if (!host?.provider || !host.ref) throw new Error('the backend returned no host: provider and ref are needed');
        const problem = checkSize({ ...machine, ...(resources && { resources }), ...(allocatable && { allocatable }) })[0];
        if (problem) throw new Error(`the backend returned a host that cannot be used: ${problem.field} ${problem.text}`);
        const ref = { provider: host.provider, ref: host.ref };
        const made = { state, host: ref, ...(resources && { resources }), ...(allocatable && { allocatable }) };
        return { apply: (now) => ({ ...now, ...made }), host: ref };
      }
      case 'Configure': {
        const clusterId = machine.cluster;
        const { bootstrapBlob } = pending;
        // The backend was not resumable when it was accepted, and is now: without its blob no host can join.
        if (!bootstrapBlob) throw new Error('it was interrupted by a restart of the provider, and its bootstrap blob was not kept');
        await asked(() => backend.configureInstance({ machine, clusterId, bootstrapBlob, operationId }, signal));
        await asked(() => backend.confirmNodeReady?.({ machine, clusterId, operationId }, signal));
        return { apply: (now) => ({ ...now, state }) };
      }
      case 'Drain':
        await asked(() => backend.drainInstance({ machine, gracePeriodSeconds: pending.gracePeriodSeconds ?? 0n, operationId }, signal));
        return { apply: (now) => ({ ...now, state, cluster: '', shardMetadata: noMetadata }) };
      case 'Delete':
        await asked(() => backend.deleteInstance?.({ machine, operationId }, signal));
        return { apply: (now) => ({ ...withoutHost(now), state }) };
    }
  }

  private timeoutOf({ kind, gracePeriodSeconds = 0n }: PendingOperation): number {
    const { createMs, configureMs, drainMs, deleteMs } = this.options.timeouts;
    const drain = gracePeriodSeconds === 0n ? drainMs : Math.max(drainMs, Number(gracePeriodSeconds) * 1_000 + DRAIN_MARGIN_MS);
    const byKind: Record<OperationKind, number> = { Create: createMs, Configure: configureMs, Drain: drain, Delete: deleteMs };
    return byKind[kind];
  }
}

/** FAILED keeps host, cluster and metadata: they tell what is left to clean up. */
function failure(reason: string): Ending {
  const lastError = reason.length > MAX_ERROR_CHARACTERS ? `${reason.slice(0, MAX_ERROR_CHARACTERS)}…` : reason;
  return { apply: (machine) => ({ ...machine, state: 'Failed', lastError }) };
}

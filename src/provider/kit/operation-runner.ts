import type { Clock } from '../../lib/clock.ts';
import type { ProviderBackend } from './backend.ts';
import type { ChangeCause, ProviderEvents } from './events.ts';
import type { Entry } from './inventory.ts';
import { transitions, type OperationKind } from './lifecycle.ts';
import { noMetadata, withoutHost, type Machine } from './machine.ts';
import type { ProviderCore } from './provider-core.ts';
import type { PendingOperation } from './state-store.ts';

/** How long an operation may take before the machine turns FAILED. A Drain gets its grace period plus a minute if that is more. */
export interface Timeouts {
  readonly createMs: number;
  readonly configureMs: number;
  readonly drainMs: number;
  readonly deleteMs: number;
}

export const defaultTimeouts: Timeouts = { createMs: 300_000, configureMs: 300_000, drainMs: 600_000, deleteMs: 300_000 };

const DRAIN_MARGIN_MS = 60_000;
/** A recovery that failed or achieved nothing is tried again after this long. */
const RECOVERY_RETRY_MS = 30_000;
/** A completion that could not be persisted is tried again after this long; until then the machine stays in transition. */
const PERSIST_RETRY_MS = 1_000;

export interface RunnerOptions {
  readonly core: ProviderCore;
  readonly backend: ProviderBackend;
  readonly clock: Clock;
  readonly timeouts: Timeouts;
  readonly events: ProviderEvents;
  /** Resolves when what was accepted is durable; actuation waits for it. */
  readonly durable: () => Promise<void>;
}

/** What an ending does to the machine, whatever else has changed about it meanwhile. */
type Effect = (machine: Machine) => Machine;

/** Carries out accepted operations on the backend and records how they end; looks after FAILED machines. */
export class OperationRunner {
  private readonly options: RunnerOptions;
  private readonly stopping = new AbortController();
  private readonly retries = new Set<() => void>();

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
      this.settle(entry, pending, failure(`${pending.kind} timed out after ${timeoutMs / 1000} s`), 'fail');
      abort.abort(new Error('timed out'));
    });
    abort.signal.addEventListener('abort', cancelTimer, { once: true });
    this.actuate(entry.stored.machine, pending, abort.signal).then(
      (effect) => this.settle(entry, pending, effect, 'complete'),
      (error: unknown) => this.settle(entry, pending, failure(`${pending.kind} failed: ${textOf(error)}`), 'fail'),
    ).finally(cancelTimer);
  }

  /** Something outside any operation broke the machine: FAILED at once, whatever ran on it is void. */
  fail(entry: Entry, reason: string, cause: ChangeCause): void {
    this.options.core.commit(failure(reason)(entry.stored.machine), undefined, cause);
    entry.abort?.abort(new Error(reason));
    entry.abort = undefined;
    this.recover(entry);
  }

  /** Lets the backend clean up after a failure, if it can. One recovery per machine at a time. */
  recover(entry: Entry): void {
    const { backend } = this.options;
    if (!backend.recoverInstance || entry.recovering || this.stopping.signal.aborted) return;
    const { machine } = entry.stored;
    entry.recovering = true;
    const again = (): void => {
      entry.recovering = false;
      this.later(RECOVERY_RETRY_MS, () => entry.stored.machine.state === 'Failed' && this.recover(entry));
    };
    backend.recoverInstance({ machine, lastError: machine.lastError }, this.stopping.signal).then(
      (result) => {
        if (this.stopping.signal.aborted) return;
        if (result === 'keep') return again();
        entry.recovering = false;
        this.finishRecovery(entry, result);
      },
      (error: unknown) => {
        if (this.stopping.signal.aborted) return;
        this.options.events.onWarning?.(`recovery of ${machine.id} failed, trying again later: ${textOf(error)}`);
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

  private later(ms: number, fn: () => void): void {
    const cancel = this.options.clock.after(ms, () => {
      this.retries.delete(cancel);
      fn();
    });
    this.retries.add(cancel);
  }

  private finishRecovery(entry: Entry, result: 'speculative' | 'idle'): void {
    const { machine } = entry.stored;
    if (machine.state !== 'Failed') return;
    const clean = { ...machine, lastError: '', cluster: '', shardMetadata: noMetadata };
    // A machine that never got a host cannot rest as Idle.
    const next: Machine = result === 'idle' && machine.host ? { ...clean, state: 'Idle' } : { ...withoutHost(clean), state: 'Speculative' };
    try {
      this.options.core.commit(next, undefined, 'recover');
    } catch {
      this.later(PERSIST_RETRY_MS, () => this.finishRecovery(entry, result));
    }
  }

  private settle(entry: Entry, pending: PendingOperation, effect: Effect, cause: ChangeCause): void {
    if (this.stopping.signal.aborted || entry.stored.pending !== pending) return;
    const machine = effect(entry.stored.machine);
    try {
      this.options.core.commit(machine, undefined, cause);
    } catch {
      this.later(PERSIST_RETRY_MS, () => this.settle(entry, pending, effect, cause));
      return;
    }
    entry.abort = undefined;
    if (machine.state === 'Failed') this.recover(entry);
  }

  /** Resolves to what the success makes of the machine. */
  private async actuate(machine: Machine, pending: PendingOperation, signal: AbortSignal): Promise<Effect> {
    const { backend } = this.options;
    const { operationId } = pending;
    const state = transitions[pending.kind].target;
    switch (pending.kind) {
      case 'Create': {
        const { host, resources, allocatable } = await backend.createInstance({ machine, operationId }, signal);
        if (!host?.provider || !host.ref) throw new Error('the backend returned no host: provider and ref are needed');
        const made = { state, host: { provider: host.provider, ref: host.ref }, ...(resources && { resources }), ...(allocatable && { allocatable }) };
        return (now) => ({ ...now, ...made });
      }
      case 'Configure': {
        const clusterId = machine.cluster;
        await backend.configureInstance({ machine, clusterId, bootstrapBlob: pending.bootstrapBlob ?? new Uint8Array(), operationId }, signal);
        await backend.confirmNodeReady?.({ machine, clusterId, operationId }, signal);
        return (now) => ({ ...now, state });
      }
      case 'Drain':
        await backend.drainInstance({ machine, gracePeriodSeconds: pending.gracePeriodSeconds ?? 0n, operationId }, signal);
        return (now) => ({ ...now, state, cluster: '', shardMetadata: noMetadata });
      case 'Delete':
        await backend.deleteInstance?.({ machine, operationId }, signal);
        return (now) => ({ ...withoutHost(now), state });
    }
  }

  private timeoutOf({ kind, gracePeriodSeconds = 0n }: PendingOperation): number {
    const { createMs, configureMs, drainMs, deleteMs } = this.options.timeouts;
    const drain = Math.max(drainMs, Number(gracePeriodSeconds) * 1_000 + DRAIN_MARGIN_MS);
    const byKind: Record<OperationKind, number> = { Create: createMs, Configure: configureMs, Drain: drain, Delete: deleteMs };
    return byKind[kind];
  }
}

/** FAILED keeps host, cluster and metadata: they tell what is left to clean up. */
function failure(lastError: string): Effect {
  return (machine) => ({ ...machine, state: 'Failed', lastError });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

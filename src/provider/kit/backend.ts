import type { HostRef, Instance, Machine, StringMap } from './machine.ts';

export interface CreateInstance {
  readonly machine: Machine;
  /** Meant as the substrate's idempotency token: the same operation may be started again after a restart. */
  readonly operationId: string;
}

export interface CreatedInstance {
  readonly host: HostRef;
  /** Replace what the instance was described with, when the real host differs. */
  readonly resources?: StringMap;
  readonly allocatable?: StringMap;
}

export interface ConfigureInstance {
  readonly machine: Machine;
  readonly clusterId: string;
  /** Opaque: deliver it to the host, never parse it, never log it. */
  readonly bootstrapBlob: Uint8Array;
  readonly operationId: string;
}

export interface DrainInstance {
  readonly machine: Machine;
  /** How long Pods may stay from now on: they are being evicted meanwhile. The host must not be cleared sooner, unless none is left. */
  readonly gracePeriodSeconds: bigint;
  readonly operationId: string;
}

export interface DeleteInstance {
  readonly machine: Machine;
  readonly operationId: string;
}

export interface ConfirmNodeReady {
  readonly machine: Machine;
  readonly clusterId: string;
  readonly operationId: string;
}

export interface RecoverInstance {
  readonly machine: Machine;
  readonly lastError: string;
}

/** What a recovery achieved: the slot is free again, the host is clean again, or nothing yet (asked again later). */
export type Recovery = 'speculative' | 'idle' | 'keep';

/**
 * All that a provider author writes: how to act on the substrate. The kit owns states, fences, operation ids, bindings,
 * persistence and the wire. Every call may take as long as it needs within its timeout; a rejection turns the machine
 * FAILED with the error's message; a BackendError says what it is about. `signal` aborts at the timeout and at shutdown; a late success is discarded.
 */
export interface ProviderBackend {
  /** Substrate truth. Called once at the first start and then on every reconcile. */
  describe(signal: AbortSignal): Promise<readonly Instance[]>;
  createInstance(request: CreateInstance, signal: AbortSignal): Promise<CreatedInstance>;
  configureInstance(request: ConfigureInstance, signal: AbortSignal): Promise<void>;
  /** Takes the host out of its cluster when its Pods have left or their grace period is over; the host itself stays. */
  drainInstance(request: DrainInstance, signal: AbortSignal): Promise<void>;
  /** Absent: Delete answers UNIMPLEMENTED (fixed capacity). */
  deleteInstance?(request: DeleteInstance, signal: AbortSignal): Promise<void>;
  /** Runs after configureInstance within what is left of its timeout; the machine stays CONFIGURING until it resolves. */
  confirmNodeReady?(request: ConfirmNodeReady, signal: AbortSignal): Promise<void>;
  /** Cleans up after a failure. Absent: a FAILED machine stays so, its slot is lost until someone intervenes. */
  recoverInstance?(request: RecoverInstance, signal: AbortSignal): Promise<Recovery>;
  /**
   * True when starting an interrupted operation again, with the same operation id, is safe. Then a restart of the
   * provider resumes it (bootstrap blobs are persisted for that); otherwise it turns the machine FAILED. May change: a Configure
   * that was accepted while it was not true has no blob to go on with, and turns the machine FAILED as well.
   */
  readonly resumable?: boolean;
}

import type { FenceMark } from './fences.ts';
import type { OperationKind } from './lifecycle.ts';
import type { Machine } from './machine.ts';

/** An operation that has been acknowledged and has not settled: enough to start it again. */
export interface PendingOperation {
  readonly kind: OperationKind;
  readonly operationId: string;
  /** Drain only. */
  readonly gracePeriodSeconds?: bigint;
  /** Configure only, and only for resumable backends. */
  readonly bootstrapBlob?: Uint8Array;
}

export interface StoredMachine {
  readonly machine: Machine;
  /** The global revision of its last change. */
  readonly revision: number;
  /** The latest operation id per kind. */
  readonly operations: Readonly<Partial<Record<OperationKind, string>>>;
  readonly pending?: PendingOperation;
}

/** One atomic step of the provider's memory: everything in it is kept, or none of it. */
export interface StateChange {
  readonly fence?: FenceMark;
  readonly machine?: StoredMachine;
  /** The number the next operation id is made from. */
  readonly nextOperation?: number;
  /** Told once, when the first discovery is complete: part of every operation id, so that a store that replaces a lost one repeats none. */
  readonly storeId?: string;
}

/**
 * Where a provider remembers. The kit's promise "persisted before acknowledged" is `append`, then `flush`, then the ack.
 */
export interface StateStore {
  /** Everything appended so far, in order; undefined when nothing was ever stored. Throws on a damaged store. */
  load(): Iterable<StateChange> | undefined;
  /** Writes one change. When it throws, the change is not stored and must not be applied. */
  append(change: StateChange): void;
  /** Resolves when all that was appended is as durable as the store promises. */
  flush(): Promise<void>;
  /** Called after changes; `snapshot` yields the present state as changes, when the store wants to start afresh. */
  maybeCompact(snapshot: () => Iterable<StateChange>): void;
  close(): Promise<void>;
}

/** Forgets everything when the process ends: for tests and for substrates that can be described anew. */
export function memoryStore(): StateStore {
  return {
    load: () => undefined,
    append: () => {},
    flush: () => Promise.resolve(),
    maybeCompact: () => {},
    close: () => Promise.resolve(),
  };
}

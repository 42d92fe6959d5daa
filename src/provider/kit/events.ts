import type { IdentityRefusal } from '../../lib/peer-identity.ts';
import type { FencingToken } from './fences.ts';
import type { OperationKind } from './lifecycle.ts';
import type { Machine, MachineState } from './machine.ts';
import type { RpcCode } from './rpc-error.ts';

/** Why a machine's state changed; `restart` marks what a provider found when it came back. */
export type ChangeCause = 'call' | 'complete' | 'fail' | 'interrupt' | 'recover' | 'seed' | 'restart';

export interface CallEvent {
  readonly rpc: OperationKind;
  readonly machineId: string;
  readonly outcome: 'OK' | RpcCode;
  /** Present when the outcome is OK. */
  readonly operationId?: string;
  /** Configure only. */
  readonly clusterId?: string;
  readonly token: FencingToken;
}

export interface StateChangeEvent {
  readonly from: MachineState;
  /** The machine after the change. */
  readonly machine: Machine;
  readonly cause: ChangeCause;
}

/** What the kit tells its host process. Handlers run synchronously inside the change and must not throw. */
export interface ProviderEvents {
  /** A mutating RPC has been decided; it is logged before its answer leaves. */
  onCall?(event: CallEvent): void;
  /** A machine has another state, and that is persisted. */
  onStateChange?(event: StateChangeEvent): void;
  /** Something a person may want to know; never contains a bootstrap blob. */
  onWarning?(text: string): void;
  /** The state can no longer be persisted (mutations are refused, health says NOT_SERVING), or it can again. */
  onPersistence?(event: { readonly healthy: boolean; readonly reason: string }): void;
  /** A Configure asked for another cluster than the one the machine is bound to, and was answered as a repeat. */
  onClusterMismatch?(event: { readonly machineId: string; readonly asked: string; readonly bound: string }): void;
  /** A call was refused because of its certificate. */
  onIdentityRejected?(event: { readonly rpc: string; readonly reason: IdentityRefusal; readonly text: string }): void;
  /** A connection was refused before any call could be made. */
  onConnectionRefused?(event: { readonly reason: string; readonly peer: string; readonly text: string }): void;
  /** The backend has described itself, or failed to. */
  onReconcile?(event: { readonly problem: string | undefined }): void;
  /** The TLS files have changed and are in use, or cannot be used. */
  onTlsReload?(event: { readonly problem: string | undefined }): void;
}

/** Tells both, the first one first. */
export function bothEvents(a: ProviderEvents, b: ProviderEvents): ProviderEvents {
  return {
    onCall: (event) => (a.onCall?.(event), b.onCall?.(event)),
    onStateChange: (event) => (a.onStateChange?.(event), b.onStateChange?.(event)),
    onWarning: (text) => (a.onWarning?.(text), b.onWarning?.(text)),
    onPersistence: (event) => (a.onPersistence?.(event), b.onPersistence?.(event)),
    onClusterMismatch: (event) => (a.onClusterMismatch?.(event), b.onClusterMismatch?.(event)),
    onIdentityRejected: (event) => (a.onIdentityRejected?.(event), b.onIdentityRejected?.(event)),
    onConnectionRefused: (event) => (a.onConnectionRefused?.(event), b.onConnectionRefused?.(event)),
    onReconcile: (event) => (a.onReconcile?.(event), b.onReconcile?.(event)),
    onTlsReload: (event) => (a.onTlsReload?.(event), b.onTlsReload?.(event)),
  };
}

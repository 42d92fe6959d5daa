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
}

import type { MachineState } from './machine.ts';

/** The four things a shard can ask for; each is a kind of operation and an RPC of the same name. */
export type OperationKind = 'Create' | 'Configure' | 'Drain' | 'Delete';

export interface Transition {
  readonly from: MachineState;
  readonly during: MachineState;
  readonly target: MachineState;
}

/** Where an operation may start, what the machine is meanwhile, and where it ends if all goes well. */
export const transitions: Readonly<Record<OperationKind, Transition>> = {
  Create: { from: 'Speculative', during: 'Creating', target: 'Idle' },
  Configure: { from: 'Idle', during: 'Configuring', target: 'Configured' },
  Drain: { from: 'Configured', during: 'Draining', target: 'Idle' },
  Delete: { from: 'Idle', during: 'Deleting', target: 'Speculative' },
};

export const operationKinds: readonly OperationKind[] = ['Create', 'Configure', 'Drain', 'Delete'];

const kindDuring = new Map(operationKinds.map((kind) => [transitions[kind].during, kind]));

/** The operation that a transitional state belongs to; undefined for the states a machine can rest in. */
export function operationDuring(state: MachineState): OperationKind | undefined {
  return kindDuring.get(state);
}

/** True while a repeat of `kind` means "the same again": the operation is under way or has reached its target. */
export function isReplayState(kind: OperationKind, state: MachineState): boolean {
  return state === transitions[kind].during || state === transitions[kind].target;
}

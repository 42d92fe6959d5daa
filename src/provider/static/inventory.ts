import type { HostRef, Instance, Machine } from '../kit/machine.ts';
import type { Hook, HookKind } from './hook.ts';

/** A machine that somebody owns, with all that its hooks need to know. */
export interface StaticMachine {
  readonly instance: Instance;
  readonly host: HostRef;
  readonly address: string;
  readonly group: string;
  readonly variables: Readonly<Record<string, string>>;
  readonly hooks: Readonly<Partial<Record<HookKind, Hook>>>;
}

/** One good version of the inventory file. */
export interface StaticInventory {
  /** The file's folder: where hooks run, so that `./configure.sh` is a script beside it. */
  readonly directory: string;
  /** So many hooks run at a time. */
  readonly concurrency: number;
  /** What becomes of an operation that the provider was stopped in: begun again, or the machine counts as failed. */
  readonly onRestart: 'resume' | 'fail';
  readonly machines: ReadonlyMap<string, StaticMachine>;
}

/** With the facts that never change as the machine has them, whatever the file says by now: shards and its Node go by those. */
export function asRecorded(target: StaticMachine, { instanceType, zone, capacityType, host }: Machine): StaticMachine {
  return { ...target, instance: { ...target.instance, instanceType, zone, capacityType }, host: host ?? target.host };
}

/** How a machine is described that the file no longer names: as it was, for as long as it is remembered. */
export function instanceOf(machine: Machine): Instance {
  const { lastError: _error, cluster: _cluster, shardMetadata: _notes, state: _state, ...facts } = machine;
  return { ...facts, state: facts.host ? 'Idle' : 'Speculative' };
}

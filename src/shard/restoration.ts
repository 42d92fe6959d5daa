import type { Machine } from '../api/types.ts';
import type { Millis } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Inventory } from './inventory.ts';
import { bindingFromObject } from './machine-object.ts';
import type { MachineIntent } from './record.ts';

type BindIntent = Extract<MachineIntent, { kind: 'bind' }>;

const LOOK_MS = 500;

export interface RestorationDeps {
  readonly clock: Clock;
  readonly shard: string;
  readonly inventory: Inventory;
  /** The machine counts as its object said, or does not; the object may be written again. */
  readonly onSettled: (machineId: string) => void;
}

/**
 * Takes over, from the objects of an earlier process, the bindings that were decided and not carried out (D34). Each is
 * remembered until its machine is listed, when it is adopted or turns out to be over, or until the machine is known to be
 * gone: a first List that lacks it, or is not believed, loses nothing.
 */
export class Restoration {
  private readonly deps: RestorationDeps;
  private readonly pending = new Map<string, BindIntent>();
  private startedAt: Millis | undefined;
  private cancel: (() => void) | undefined;
  private isStopped = false;

  constructor(deps: RestorationDeps) {
    this.deps = deps;
  }

  /** Call after the first List and before the first plan. */
  begin(objects: Iterable<Machine>): void {
    this.startedAt = this.deps.clock.now();
    for (const object of objects) this.remember(object.spec.machineId, this.bindingOf(object));
  }

  /** For an object that comes only later. What this process decided itself is no news, and is told from the rest by its time, in whole seconds. */
  offer(object: Machine): void {
    const binding = this.bindingOf(object);
    if (this.startedAt === undefined || !binding || binding.decidedAt === 0 || binding.decidedAt > this.startedAt - 1_000) return;
    this.remember(object.spec.machineId, binding);
  }

  /** Its object still says what nobody has taken over: it must not be overwritten. */
  awaits(machineId: string): boolean {
    return this.pending.has(machineId);
  }

  /** The machine may have been listed: it is adopted at once, before a plan gives it to somebody else. */
  observed(machineId: string): void {
    if (this.startedAt !== undefined && this.pending.has(machineId)) this.settle(machineId);
  }

  /** The machine, or its object, is no more, or not ours. */
  gone(machineId: string): void {
    this.pending.delete(machineId);
  }

  stop(): void {
    this.isStopped = true;
    this.cancel?.();
    this.cancel = undefined;
  }

  private bindingOf(object: Machine): BindIntent | undefined {
    return object.spec.shardRef === this.deps.shard ? bindingFromObject(object) : undefined;
  }

  private remember(id: string, binding: BindIntent | undefined): void {
    if (!binding) return;
    this.pending.set(id, binding);
    this.settle(id);
    this.lookAgain();
  }

  private settle(id: string): void {
    const { inventory } = this.deps;
    const binding = this.pending.get(id);
    const known = inventory.get(id);
    // Not listed: nothing is to be done about it before it is.
    if (!binding || !known?.isListed) return;
    this.pending.delete(id);
    const { state } = known.seen;
    if (!known.intent && (state === 'Speculative' || state === 'Creating' || state === 'Idle')) inventory.setIntent(id, binding);
    this.deps.onSettled(id);
  }

  /** A List that says of a machine what its object says is no change that anybody would tell of. */
  private lookAgain(): void {
    if (this.isStopped || this.cancel || this.pending.size === 0) return;
    this.cancel = this.deps.clock.after(LOOK_MS, () => {
      this.cancel = undefined;
      for (const id of [...this.pending.keys()]) this.settle(id);
      this.lookAgain();
    });
  }
}

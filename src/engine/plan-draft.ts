/** A plan in the making. */
import type { Inventory } from './inventory.ts';
import type { Ledger } from './ledger.ts';
import { compareMemoryChanges } from './memory.ts';
import type { Memory } from './memory.ts';
import type { Action, MachineReason, MemoryChange, Millis } from './types.ts';

export class PlanDraft {
  readonly now: Millis;
  readonly ledger: Ledger;
  readonly actions: Action[] = [];
  readonly #memory: Memory;
  readonly #reasons: (MachineReason | undefined)[];
  readonly #changes: MemoryChange[] = [];
  readonly #leftOver = new Set<string>();
  #wakeAt: Millis = Infinity;

  constructor(now: Millis, ledger: Ledger, memory: Memory, inventory: Inventory) {
    this.now = now;
    this.ledger = ledger;
    this.#memory = memory;
    this.#reasons = new Array<MachineReason | undefined>(inventory.capacity).fill(undefined);
  }

  act(slot: number, action: Action): void {
    this.actions.push(action);
    this.explain(slot, action.reason);
  }

  explain(slot: number, reason: MachineReason): void {
    this.#reasons[slot] = reason;
  }

  reasonOf(slot: number): MachineReason | undefined {
    return this.#reasons[slot];
  }

  remember(what: 'arrival' | 'idleSince', key: string, at: Millis | null): void;
  remember(what: 'reclaims', key: string, at: readonly Millis[] | null): void;
  remember(what: MemoryChange['what'], key: string, at: Millis | readonly Millis[] | null): void {
    this.#changes.push({ what, key, at } as MemoryChange);
  }

  /** The machine is left over in this plan, without a break since `since`. */
  rememberLeftOver(machineId: string, since: Millis): void {
    this.#leftOver.add(machineId);
    if (!this.#memory.leftOverSince.has(machineId)) this.#changes.push({ what: 'leftOverSince', key: machineId, at: since });
  }

  /** In a fixed order. Machines that are no longer left over are forgotten. */
  memoryChanges(): MemoryChange[] {
    for (const machineId of this.#memory.leftOverSince.keys()) {
      if (!this.#leftOver.has(machineId)) this.#changes.push({ what: 'leftOverSince', key: machineId, at: null });
    }
    return this.#changes.sort(compareMemoryChanges);
  }

  /** At this time the plan may turn out differently although nothing else has changed. */
  wakeAt(at: Millis): void {
    this.#wakeAt = Math.min(this.#wakeAt, at);
  }

  get earliestWake(): Millis | undefined {
    return this.#wakeAt === Infinity ? undefined : this.#wakeAt;
  }
}

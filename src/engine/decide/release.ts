/** Idle machines that nobody wants go back to the provider once their hold is over (spec: engine 9.2). */
import { IDLE, ROLE } from '../facts/role.ts';
import type { CapacityType, MachineReason, Millis, Policy } from '../types.ts';
import type { PlanDraft } from './plan-draft.ts';

/** Releases what is due. `isTaken`: something else was decided about the machine. */
export function releaseExpired(draft: PlanDraft): void {
  const { facts, now } = draft;
  const { inventory, policy } = facts;
  const due: number[] = [];
  const consider = (slot: number, since: Millis, hold: Millis): boolean => {
    if (inventory.role(slot) !== ROLE.idle || draft.reasons.get(slot) !== undefined) return true;
    if (since + hold > now) {
      draft.wakeAt(since + hold);
      return false; // those behind it are younger
    }
    due.push(slot);
    return true;
  };
  for (const type of ['OnDemand', 'Spot'] as const) {
    const hold = holdOf(type, policy);
    if (typeof hold !== 'number') continue;
    facts.idleClocks[type].walk(
      (slot, since) => inventory.idleSince[slot] === since && inventory.shape(slot).capacityType === type,
      (slot, since) => consider(slot, since, hold),
    );
  }
  // Of the clocks that this plan starts those of a capacity type are over at the same time.
  const starting = new Set<CapacityType>(['OnDemand', 'Spot']);
  for (const slot of draft.clocks.slots) {
    if (starting.size === 0) break;
    if (inventory.role(slot) !== ROLE.idle || !Number.isNaN(inventory.idleSince[slot])) continue;
    const type = inventory.shape(slot).capacityType;
    const hold = holdOf(type, policy);
    if (starting.has(type) && typeof hold === 'number' && !consider(slot, now, hold)) starting.delete(type);
  }
  due.sort((a, b) => (inventory.rank[a] as number) - (inventory.rank[b] as number));
  for (const slot of due) {
    if (!facts.supplyTrusted) {
      draft.explain(slot, { code: 'SupplyUntrusted' });
      continue;
    }
    const since = inventory.idleSince[slot] as number;
    draft.act(slot, {
      kind: 'Delete',
      machineId: inventory.id(slot),
      cluster: '',
      graceSeconds: 0,
      preemptorPriority: 0,
      reason: { code: 'HoldExpired', heldMs: Number.isNaN(since) ? 0 : now - since },
    });
  }
}

/**
 * Starts the clocks of machines that are Idle and stops those of machines that no longer are. Where there are very many, as when a
 * fleet is first seen, the next plan goes on.
 */
export function tendIdleClocks(draft: PlanDraft): void {
  const { facts: { inventory, memory }, clocks } = draft;
  if (!clocks.areAll) draft.wakeAt(draft.now);
  for (const slot of clocks.slots) draft.rememberClock(inventory.id(slot), inventory.state(slot) === IDLE ? draft.now : null);
  for (const id of memory.strayIdleSince.keys()) draft.remember('idleSince', id, null);
}

/** Why a free Idle machine stays where it is. `since`: undefined = its clock does not run yet. */
export function whyIdle(type: CapacityType, since: Millis | undefined, policy: Policy): MachineReason {
  const hold = holdOf(type, policy);
  if (hold === 'forever') return { code: 'IdleKept' };
  if (hold === 'disabled' || since === undefined) return { code: 'Available' };
  return { code: 'IdleHeld', untilMs: since + hold };
}

/** Capacity that was paid for up front is never given back; a hold of 0 switches releases off. */
function holdOf(type: CapacityType, { holds }: Policy): Millis | 'forever' | 'disabled' {
  if (type === 'OnDemand') return holds.onDemandMs > 0 ? holds.onDemandMs : 'disabled';
  if (type === 'Spot') return holds.spotMs > 0 ? holds.spotMs : 'disabled';
  return 'forever';
}

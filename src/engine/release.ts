/** Idle machines that nobody wants go back to the provider once their hold is over (spec: engine 9.2). */
import type { PlanDraft } from './plan-draft.ts';
import type { EngineState } from './state.ts';
import { assertNever } from '../lib/assert-never.ts';
import type { EngineMachine, MachineReason, Millis, Policy } from './types.ts';

/** Decides about one free Idle machine. */
export function considerRelease(slot: number, state: EngineState, draft: PlanDraft): void {
  const machine = state.inventory.machine(slot);
  const reason = keep(machine, state, draft);
  if (reason !== undefined) {
    draft.explain(slot, reason);
    return;
  }
  draft.act(slot, {
    kind: 'Delete',
    machineId: machine.id,
    cluster: '',
    graceSeconds: 0,
    preemptorPriority: 0,
    reason: { code: 'HoldExpired', heldMs: draft.now - idleSince(machine, state, draft.now) },
  });
}

/** Why the machine stays; undefined = it does not. */
function keep(machine: EngineMachine, state: EngineState, draft: PlanDraft): MachineReason | undefined {
  const hold = holdOf(machine, state.policy);
  if (hold === 'forever') return { code: 'IdleKept' };
  if (hold === 'disabled') return { code: 'Available' };
  const untilMs = idleSince(machine, state, draft.now) + hold;
  if (untilMs > draft.now) {
    draft.wakeAt(untilMs);
    return { code: 'IdleHeld', untilMs };
  }
  return state.supplyTrusted ? undefined : { code: 'SupplyUntrusted' };
}

export function idleSince(machine: EngineMachine, state: EngineState, now: Millis): Millis {
  return state.memory.idleSince.get(machine.id) ?? now;
}

/** Capacity that was paid for up front is never given back; a hold of 0 switches releases off. */
function holdOf(machine: EngineMachine, { holds }: Policy): Millis | 'forever' | 'disabled' {
  switch (machine.capacityType) {
    case 'BareMetal':
    case 'Reserved':
    case 'Unspecified':
      return 'forever';
    case 'OnDemand':
      return holds.onDemandMs > 0 ? holds.onDemandMs : 'disabled';
    case 'Spot':
      return holds.spotMs > 0 ? holds.spotMs : 'disabled';
    default:
      return assertNever(machine.capacityType);
  }
}

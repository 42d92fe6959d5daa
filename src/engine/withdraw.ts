/** Bindings that were decided and are no longer wanted are withdrawn while that is still free of charge (D34). */
import type { PlanDraft } from './plan-draft.ts';
import type { EngineState } from './state.ts';
import type { Assignment, EngineMachine, MachineReason } from './types.ts';

export function withdrawUnwanted(state: EngineState, draft: PlanDraft): void {
  for (const slot of state.inventory.unsentBindings()) {
    const machine = state.inventory.machine(slot);
    if (machine.intent?.kind !== 'bind' || !draft.ledger.isFree(slot)) continue;
    // What is held or being configured already is not ours to change.
    const role = state.inventory.role(slot).kind;
    if (role === 'held' || machine.state === 'Configuring' || machine.state === 'Configured') continue;
    const { to } = machine.intent;
    const obstacle = obstacleTo(to, state);
    if (obstacle !== undefined) {
      if (role === 'promised') draft.explain(slot, obstacle);
      continue;
    }
    draft.act(slot, {
      kind: 'Withdraw',
      machineId: machine.id,
      to,
      cluster: to.cluster,
      graceSeconds: 0,
      preemptorPriority: 0,
      reason: whyWithdrawn(machine, role, to),
    });
  }
}

function obstacleTo(to: Assignment, state: EngineState): MachineReason | undefined {
  if (!state.needs.hasReported(to.cluster)) return { code: 'ExcessNoRollupYet', cluster: to.cluster };
  return state.supplyTrusted ? undefined : { code: 'SupplyUntrusted' };
}

/** A binding of a machine that counts for nobody is withdrawn because of the machine, not because of the demand. */
function whyWithdrawn(machine: EngineMachine, role: string, to: Assignment): MachineReason {
  if (role === 'failed') return { code: 'Failed' };
  if (role === 'stuck') return { code: 'Stuck', state: machine.state };
  if (role === 'leaving') return { code: 'Leaving', cluster: machine.cluster };
  return { code: 'NoLongerNeeded', cluster: to.cluster, fingerprint: to.fingerprint };
}

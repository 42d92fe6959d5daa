/** Bindings that were decided and are no longer wanted are withdrawn while that is still free of charge (D34). */
import { CONFIGURED, CONFIGURING, ROLE, STATES } from '../facts/role.ts';
import type { Assignment, MachineReason, MachineState } from '../types.ts';
import type { PlanDraft } from './plan-draft.ts';

export function withdrawUnwanted(draft: PlanDraft): void {
  const { inventory } = draft.facts;
  const unwanted = [...draft.facts.inventory.strayBindings];
  for (const cluster of draft.clusters) {
    for (const shelf of cluster.promised.values()) {
      for (const group of shelf.groups()) {
        if (group.left <= 0) continue;
        draft.unfinished.add(cluster);
        const rest = group.members.slice(group.taken);
        if (inventory.isUnsent(rest[0] as number)) for (const slot of rest) unwanted.push(slot);
      }
    }
  }
  for (const slot of unwanted.sort((a, b) => (inventory.rank[a] as number) - (inventory.rank[b] as number))) withdraw(slot, draft);
}

function withdraw(slot: number, draft: PlanDraft): void {
  const { inventory } = draft.facts;
  const to = inventory.intentTo(slot);
  const role = inventory.role(slot);
  const state = inventory.state(slot);
  // What is held or being configured already is not ours to change.
  if (to === undefined || role === ROLE.held || state === CONFIGURING || state === CONFIGURED) return;
  const obstacle = obstacleTo(slot, to, draft);
  if (obstacle !== undefined) {
    if (role === ROLE.promised) draft.explain(slot, obstacle);
    return;
  }
  draft.act(slot, {
    kind: 'Withdraw',
    machineId: inventory.id(slot),
    to,
    cluster: to.cluster,
    graceSeconds: 0,
    preemptorPriority: 0,
    reason: whyWithdrawn(slot, role, to, draft),
  });
}

function obstacleTo(slot: number, to: Assignment, { facts }: PlanDraft): MachineReason | undefined {
  if (facts.clusters.find(to.cluster)?.demand === undefined) return { code: 'ExcessNoRollupYet', cluster: to.cluster };
  return facts.supplyTrusted && !facts.inventory.isUntrusted(slot) ? undefined : { code: 'SupplyUntrusted' };
}

/** A binding of a machine that counts for nobody is withdrawn because of the machine, not because of the demand. */
function whyWithdrawn(slot: number, role: number, to: Assignment, { facts: { inventory } }: PlanDraft): MachineReason {
  const { cluster } = inventory.machine(slot);
  if (role === ROLE.failed) return { code: 'Failed' };
  if (role === ROLE.stuck) return { code: 'Stuck', state: STATES[inventory.state(slot)] as MachineState };
  if (role === ROLE.leaving) return { code: 'Leaving', cluster };
  return { code: 'NoLongerNeeded', cluster: to.cluster, fingerprint: to.fingerprint };
}

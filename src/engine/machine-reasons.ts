/** Why each machine is where it is, at the end of a plan. */
import { considerRelease } from './release.ts';
import type { PlanDraft } from './plan-draft.ts';
import { ownerOf } from './role.ts';
import type { EngineState } from './state.ts';
import type { Tally } from './tally.ts';
import type { EngineMachine, MachineReason, MachineReasons } from './types.ts';

/**
 * By machine id: every machine that is not Speculative, and every one that something was decided about. Walks the whole
 * fleet once, and on the way decides about free Idle machines and stamps their idle clocks.
 */
export function settleMachines(state: EngineState, draft: PlanDraft, tallies: readonly Tally[]): MachineReasons {
  const { inventory, memory } = state;
  const served = new ServedReasons(tallies);
  const reasons = new Map<string, MachineReason>();
  for (const slot of inventory.all()) {
    const machine = inventory.machine(slot);
    if (machine.state === 'Idle' && !memory.idleSince.has(machine.id)) draft.remember('idleSince', machine.id, draft.now);
    const reason = draft.reasonOf(slot) ?? settle(slot, machine, state, draft, served);
    if (reason !== undefined) reasons.set(machine.id, reason);
  }
  for (const id of memory.idleSince.keys()) {
    if (inventory.find(id)?.state !== 'Idle') draft.remember('idleSince', id, null);
  }
  return reasonsOf(reasons);
}

/** Reasons that are known all together. */
export function reasonsOf(reasons: ReadonlyMap<string, MachineReason>): MachineReasons {
  return { get: (id) => reasons.get(id), changed: { [Symbol.iterator]: () => reasons.keys() }, [Symbol.iterator]: () => reasons.entries() };
}

function settle(slot: number, machine: EngineMachine, state: EngineState, draft: PlanDraft, served: ServedReasons): MachineReason | undefined {
  const holder = draft.ledger.holder(slot);
  if (holder !== undefined) return served.of(holder, machine.state === 'Configured');
  const role = state.inventory.role(slot);
  switch (role.kind) {
    case 'idle':
      considerRelease(slot, state, draft);
      return draft.reasonOf(slot);
    case 'speculative':
      return undefined;
    case 'held':
      return speculativeIsSilent(machine, { code: 'HeldByPerson' });
    case 'stuck':
      return speculativeIsSilent(machine, { code: 'Stuck', state: machine.state });
    case 'leaving':
      return { code: 'Leaving', cluster: ownerOf(machine) };
    case 'failed':
      return { code: 'Failed' };
    case 'pending':
      return { code: 'ArrivingForNobody' };
    case 'bound':
    case 'promised':
      // Nobody was credited with it, and it is too late or too early to take it back.
      return { code: 'ExcessConfiguring', cluster: role.cluster };
  }
}

function speculativeIsSilent(machine: EngineMachine, reason: MachineReason): MachineReason | undefined {
  return machine.state === 'Speculative' ? undefined : reason;
}

/** One reason per Need, shared by all its machines. */
class ServedReasons {
  readonly #tallies: readonly Tally[];
  readonly #serving: (MachineReason | undefined)[] = [];
  readonly #inFlight: (MachineReason | undefined)[] = [];

  constructor(tallies: readonly Tally[]) {
    this.#tallies = tallies;
  }

  of(index: number, configured: boolean): MachineReason {
    const made = configured ? this.#serving : this.#inFlight;
    return (made[index] ??= this.#make(index, configured ? 'Serving' : 'InFlight'));
  }

  #make(index: number, code: 'Serving' | 'InFlight'): MachineReason {
    const tally = this.#tallies[index];
    if (tally === undefined) throw new Error(`need ${index} is not in the plan`);
    const { cluster, fingerprint, profile } = tally.row.need;
    return { code, cluster, fingerprint, priority: profile.priority };
  }
}

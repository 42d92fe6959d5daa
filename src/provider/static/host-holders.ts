import type { Machine } from '../kit/machine.ts';
import { sameHost } from './host-claims.ts';
import type { StaticMachine } from './inventory.ts';
import type { KnownMachines } from './known-machines.ts';

/** Why a machine that the file does not name (any more) is FAILED. What failed for this reason alone comes back with its line. */
export const NOT_LISTED = 'the inventory file does not name this machine any more';
/** So begins why a machine is FAILED of which the line names a host that another machine has. It comes back when the host is free. */
const TAKEN = 'its line in the inventory file names the host of';

/**
 * Which machine may be handed out. A host belongs to the machine that has it, whatever the file says by now, for as long as that
 * machine serves, is on its way, or has FAILED and nobody has cleaned it: another machine with the same host waits until then.
 */
export class HostHolders {
  private readonly known: KnownMachines;
  private readonly holding = new Map<string, Machine>();

  constructor(known: KnownMachines) {
    this.known = known;
  }

  /** To be told of every change of state, and at the start of every state. */
  saw(machine: Machine): void {
    if (holdsHost(machine)) this.holding.set(machine.id, machine);
    else {
      this.holding.delete(machine.id);
      this.known.rests(machine.id);
    }
  }

  /** Whether this machine has a host that nobody else may have. */
  holds(machineId: string): boolean {
    return this.holding.has(machineId);
  }

  /** Why a machine is not to be handed out; undefined when it may be. */
  obstacle(machineId: string): string | undefined {
    const line = this.known.line(machineId);
    return line ? this.taken(line) : NOT_LISTED;
  }

  /** Why no hook that needs a host to itself may run for a machine with this host; undefined when it may. */
  taken(machine: StaticMachine): string | undefined {
    for (const id of this.known.rivals(machine)) {
      const holder = this.holding.get(id);
      const both = holder && sameHost(machine, this.known.get(id) ?? machine);
      if (holder && both) return `${TAKEN} ${JSON.stringify(id)} (${both}), which ${holder.state === 'Failed' ? 'is FAILED and may not be clean' : 'has it until it is drained'}`;
    }
    return undefined;
  }
}

/** Serves, is on its way, or has failed in it. */
function holdsHost({ state, lastError }: Machine): boolean {
  return state !== 'Idle' && state !== 'Speculative' && !(state === 'Failed' && isWithdrawn(lastError));
}

/** True of the error of a machine that did nothing wrong: it was not to be handed out. */
export function isWithdrawn(lastError: string): boolean {
  return lastError === NOT_LISTED || lastError.startsWith(TAKEN);
}

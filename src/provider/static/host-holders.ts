import type { Machine } from '../kit/machine.ts';
import { sameHost } from './host-claims.ts';
import type { StaticMachine } from './inventory.ts';
import type { KnownMachines } from './known-machines.ts';

/** Why a machine that the file does not name (any more) is FAILED. What failed for this reason alone comes back with its line. */
export const NOT_LISTED = 'the inventory file does not name this machine any more';
/** So begins why a machine is FAILED of which the line names a host that another machine has. It comes back when the host is free. */
const TAKEN = 'its line in the inventory file names the host of';

/** Why a machine that is on is FAILED of which the line names another host: it comes back as a slot, so that this one is switched on. */
export const MOVED = 'its line in the inventory file names another host, which may be off';

/**
 * Which machine may be handed out. A host belongs to the machine that has it, whatever the file says by now, for as long as that
 * machine serves, is on its way, or has FAILED and nobody has cleaned it: another machine with the same host waits until then.
 */
export class HostHolders {
  private readonly known: KnownMachines;
  private readonly holding = new Map<string, Machine>();
  /** Idle, on a host that nobody needs. */
  private readonly idle = new Set<string>();

  constructor(known: KnownMachines) {
    this.known = known;
  }

  /** To be told of every change of state, and at the start of every state. */
  saw(machine: Machine): void {
    const { id, state } = machine;
    if (state === 'Idle') this.idle.add(id);
    else this.idle.delete(id);
    if (holdsHost(machine)) this.holding.set(id, machine);
    else {
      this.holding.delete(id);
      if (!this.hasMoved(id)) this.known.rests(id);
    }
  }

  /** Whether this machine has a host that nobody else may have. */
  holds(machineId: string): boolean {
    return this.holding.has(machineId);
  }

  /** Whether the machine has to be remembered as it was although its line, if it has one still, names another host. */
  needsFormer(machineId: string, line: StaticMachine | undefined): boolean {
    return this.holds(machineId) || (this.idle.has(machineId) && line?.hooks.powerOn !== undefined);
  }

  /** Why a machine is not to be handed out; undefined when it may be. */
  obstacle(machineId: string): string | undefined {
    const line = this.known.line(machineId);
    if (!line) return NOT_LISTED;
    return this.taken(line) ?? (this.hasMoved(machineId) ? MOVED : undefined);
  }

  /** It was switched on where it was, and not where its line says that it is. */
  private hasMoved(machineId: string): boolean {
    return this.idle.has(machineId) && this.known.line(machineId)?.hooks.powerOn !== undefined && this.known.get(machineId) !== this.known.line(machineId);
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
export function holdsHost({ state, lastError }: Machine): boolean {
  return state !== 'Idle' && state !== 'Speculative' && !(state === 'Failed' && isWithdrawn(lastError));
}

/** True of the error of a machine that did nothing wrong: it was not to be handed out. */
export function isWithdrawn(lastError: string): boolean {
  return lastError === NOT_LISTED || lastError === MOVED || lastError.startsWith(TAKEN);
}

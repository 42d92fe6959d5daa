import type { Logger } from 'pino';
import type { StateChangeEvent } from '../kit/events.ts';
import type { Machine, MachineState } from '../kit/machine.ts';
import type { RunningProvider } from '../kit/serve-provider.ts';
import { isWithdrawn, type HostHolders } from './host-holders.ts';
import type { StaticInventory, StaticMachine } from './inventory.ts';
import type { KnownMachines } from './known-machines.ts';

export interface RosterOptions {
  readonly known: KnownMachines;
  readonly holders: HostHolders;
  readonly log: Logger;
  /** Undefined until it serves. */
  readonly provider: () => RunningProvider | undefined;
}

const AT_REST: readonly MachineState[] = ['Idle', 'Speculative'];
const NAMES_SHOWN = 20;

/**
 * Keeps what the provider offers in line with the inventory file. A machine that the file no longer names goes on serving
 * its cluster; the moment it serves nobody it is withdrawn, so that it is never handed out again. So is one of which the file
 * says by now that it is a host which another machine has, until that one is done with it; and one that is switched on at another
 * host than the file says by now, until it is a slot.
 */
export class Roster {
  private readonly options: RosterOptions;
  private isStopped = false;

  constructor(options: RosterOptions) {
    this.options = options;
  }

  /** At the start: the file may have changed while nobody looked. */
  begin(): void {
    this.tellOfServing();
    this.tellOfHosts();
    this.withdrawIdle();
  }

  stop(): void {
    this.isStopped = true;
  }

  /** Takes over a new version of the file. Throws, and changes nothing, if it cannot be remembered. */
  adopt(inventory: StaticInventory): void {
    const { known, holders, log, provider } = this.options;
    const before = known.inventory?.machines ?? new Map<string, StaticMachine>();
    known.adopt(inventory, (id, line) => holders.needsFormer(id, line));
    const added = [...inventory.machines.keys()].filter((id) => !before.has(id));
    const removed = [...before.keys()].filter((id) => !inventory.machines.has(id));
    log.info({ machines: inventory.machines.size, added: shown(added), removed: shown(removed) }, 'inventory file taken over');
    this.tellOfFixedFacts(inventory);
    this.begin();
    provider()?.reconcile().catch((error: unknown) => log.warn({ err: error }, 'the machines could not be compared with the inventory'));
  }

  /** A machine has another state. */
  changed({ from, machine, cause }: StateChangeEvent): void {
    const { known, holders, log } = this.options;
    holders.saw(machine);
    if (cause === 'call' && AT_REST.includes(from)) {
      try {
        known.begins(machine.id);
      } catch (error) {
        log.error({ machine: machine.id, err: error }, 'the host of this machine could not be remembered: after a restart in the midst of this operation it may be the one before');
      }
    }
    if (!AT_REST.includes(machine.state) || holders.obstacle(machine.id) === undefined) return;
    // After the change that is being told of, and before any further call can come in.
    queueMicrotask(() => this.withdraw(machine.id));
  }

  private withdrawIdle(): void {
    for (const machine of [...(this.options.provider()?.machines() ?? [])]) {
      if (AT_REST.includes(machine.state)) this.withdraw(machine.id);
    }
  }

  /** If it may not be handed out. */
  private withdraw(id: string): void {
    const obstacle = this.options.holders.obstacle(id);
    if (this.isStopped || obstacle === undefined) return;
    try {
      this.options.provider()?.withdraw(id, obstacle);
    } catch (error) {
      // The backend refuses to use it all the same.
      this.options.log.warn({ machine: id, err: error }, 'the machine could not be withdrawn');
    }
  }

  /** Machines that serve although the file does not name them. */
  unlisted(): Machine[] {
    const { known, provider } = this.options;
    return [...(provider()?.machines() ?? [])].filter((machine) => !known.isListed(machine.id) && isBound(machine));
  }

  /** How many are FAILED, and nothing is wrong with them: they are not to be handed out. */
  withdrawn(): number {
    return [...(this.options.provider()?.machines() ?? [])].filter(({ state, lastError }) => state === 'Failed' && isWithdrawn(lastError)).length;
  }

  private tellOfServing(): void {
    for (const machine of this.unlisted()) {
      this.options.log.warn({ machine: machine.id, cluster: machine.cluster, state: machine.state },
        'the inventory file no longer names this machine: it goes on serving, and is withdrawn once it is drained (bigfleet release machine drains it)');
    }
  }

  /** Lines that name another host than the machine has, or a host that another machine has. */
  private tellOfHosts(): void {
    const { known, holders, log, provider } = this.options;
    for (const [id, line] of known.inventory?.machines ?? []) {
      const taken = provider()?.machine(id) ? undefined : holders.taken(line);
      if (taken !== undefined) log.warn({ machine: id }, `this machine is not offered: ${taken}`);
      const has = known.get(id);
      if (!holders.holds(id) || !has || has === line) continue;
      log.warn({ machine: id, address: has.address, line: line.address },
        'the inventory file names another host for this machine: it keeps the one that it has, with hooks and variables as they were, until it is drained or, FAILED, cleaned');
    }
  }

  /** Shards may count on these for as long as the machine exists. */
  private tellOfFixedFacts(inventory: StaticInventory): void {
    const { log, provider } = this.options;
    for (const [id, { instance, host }] of inventory.machines) {
      const record = provider()?.machine(id);
      if (!record) continue;
      const changed = (['instanceType', 'zone', 'capacityType'] as const).filter((fact) => record[fact] !== instance[fact]) as string[];
      if (record.host && record.host.ref !== host.ref) changed.push('providerId');
      if (changed.length > 0) log.warn({ machine: id, changed }, 'these facts of a machine never change: they stay as they are; give it a new id to change them');
    }
  }
}

function isBound(machine: Machine | undefined): boolean {
  return machine !== undefined && !AT_REST.includes(machine.state) && machine.state !== 'Failed';
}

function shown(ids: readonly string[]): string[] {
  return ids.length <= NAMES_SHOWN ? [...ids] : [...ids.slice(0, NAMES_SHOWN), `… and ${ids.length - NAMES_SHOWN} more`];
}

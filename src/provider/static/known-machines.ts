import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostKeys } from './host-claims.ts';
import type { StaticInventory, StaticMachine } from './inventory.ts';

interface Stored {
  readonly version: 1;
  readonly inventory: Omit<StaticInventory, 'machines'>;
  readonly machines: readonly StaticMachine[];
  /** See `kept`. */
  readonly removed: readonly StaticMachine[];
}

/**
 * The machines of the last good inventory file, and those that a later file no longer names, or names with another host, while
 * they still serve: as they were they are needed to drain them. Kept on disk, because the file that said so is gone by the
 * time of a restart.
 */
export class KnownMachines {
  private readonly file: string;
  private present: StaticInventory | undefined;
  private kept = new Map<string, StaticMachine>();
  /** Which of `kept` are so on disk. */
  private stored: ReadonlySet<string> = new Set();
  /** Machines by what they say of their host, in whatever version. */
  private byHost = new Map<string, Set<string>>();

  /** `file` is read if it is there. Throws, with the way out, when it is damaged. */
  constructor(file: string) {
    this.file = file;
    const stored = this.read();
    if (!stored) return;
    this.present = { ...stored.inventory, machines: byId(stored.machines) };
    this.kept = byId(stored.removed);
    this.stored = new Set(this.kept.keys());
    this.indexHosts();
  }

  /** The last good version; undefined before the first. */
  get inventory(): StaticInventory | undefined {
    return this.present;
  }

  /** With the host that it has: as the file said when the machine began to serve, if that was another host, or as it last said. */
  get(machineId: string): StaticMachine | undefined {
    return this.kept.get(machineId) ?? this.line(machineId);
  }

  /** As the file says now. */
  line(machineId: string): StaticMachine | undefined {
    return this.present?.machines.get(machineId);
  }

  /** Other machines of which some version said that they are the same host. */
  rivals(machine: StaticMachine): string[] {
    const ids = hostKeys(machine).flatMap((key) => [...(this.byHost.get(key) ?? [])]);
    return [...new Set(ids)].filter((id) => id !== machine.instance.id);
  }

  isListed(machineId: string): boolean {
    return this.present?.machines.has(machineId) ?? false;
  }

  /** Takes a new version over. `isNeeded` tells of a machine that the version lacks, or has with another host in `line`, whether it may still be needed as it was. */
  adopt(inventory: StaticInventory, isNeeded: (machineId: string, line: StaticMachine | undefined) => boolean): void {
    const kept = new Map<string, StaticMachine>();
    for (const id of new Set([...this.kept.keys(), ...(this.present?.machines.keys() ?? [])])) {
      const machine = this.get(id)!;
      const line = inventory.machines.get(id);
      if (!(line && isSameHost(line, machine)) && isNeeded(id, line)) kept.set(id, machine);
    }
    this.write(inventory, kept);
    this.present = inventory;
    this.kept = kept;
    this.indexHosts();
  }

  /** The machine serves nobody now: of its host the file's word holds again. */
  rests(machineId: string): void {
    if (this.line(machineId)) this.kept.delete(machineId);
  }

  /** The machine begins to serve: what the file says now has to be so after a restart as well. Throws if that cannot be remembered. */
  begins(machineId: string): void {
    this.rests(machineId);
    if (this.present && this.stored.has(machineId) && !this.kept.has(machineId)) this.write(this.present, this.kept);
  }

  private indexHosts(): void {
    this.byHost = new Map();
    for (const machine of [...this.kept.values(), ...(this.present?.machines.values() ?? [])]) {
      for (const key of hostKeys(machine)) this.byHost.set(key, (this.byHost.get(key) ?? new Set()).add(machine.instance.id));
    }
  }

  private write({ machines, ...inventory }: StaticInventory, kept: ReadonlyMap<string, StaticMachine>): void {
    const stored: Stored = { version: 1, inventory, machines: [...machines.values()], removed: [...kept.values()] };
    const fd = openSync(`${this.file}.new`, 'w', 0o600);
    try {
      writeFileSync(fd, JSON.stringify(stored));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(`${this.file}.new`, this.file);
    this.stored = new Set(kept.keys());
  }

  private read(): Stored | undefined {
    let text: string;
    try {
      text = readFileSync(this.file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    try {
      const stored = JSON.parse(text) as Stored;
      if (stored.version !== 1) throw new Error(`version ${String(stored.version)} is not known`);
      return stored;
    } catch (error) {
      throw new Error(`${this.file} is damaged: ${(error as Error).message}. Restore it, or move it away: then the inventory file has to name all machines that serve, with the hosts that they have.`, { cause: error });
    }
  }
}

/** Of all that a machine says of its host. */
function isSameHost(one: StaticMachine, other: StaticMachine): boolean {
  return hostKeys(one).join('\n') === hostKeys(other).join('\n');
}

function byId(machines: readonly StaticMachine[]): Map<string, StaticMachine> {
  return new Map(machines.map((machine) => [machine.instance.id, machine]));
}

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { StaticInventory, StaticMachine } from './inventory.ts';

interface Stored {
  readonly version: 1;
  readonly inventory: Omit<StaticInventory, 'machines'>;
  readonly machines: readonly StaticMachine[];
  readonly removed: readonly StaticMachine[];
}

/**
 * The machines of the last good inventory file, and those that a later file no longer names while they still serve: their
 * hooks are needed to drain them. Kept on disk, because the file that named them is gone by the time of a restart.
 */
export class KnownMachines {
  private readonly file: string;
  private present: StaticInventory | undefined;
  private gone = new Map<string, StaticMachine>();

  /** `file` is read if it is there. Throws, with the way out, when it is damaged. */
  constructor(file: string) {
    this.file = file;
    const stored = this.read();
    if (!stored) return;
    this.present = { ...stored.inventory, machines: byId(stored.machines) };
    this.gone = byId(stored.removed);
  }

  /** The last good version; undefined before the first. */
  get inventory(): StaticInventory | undefined {
    return this.present;
  }

  /** As the file says now, or as it last said. */
  get(machineId: string): StaticMachine | undefined {
    return this.present?.machines.get(machineId) ?? this.gone.get(machineId);
  }

  isListed(machineId: string): boolean {
    return this.present?.machines.has(machineId) ?? false;
  }

  /** Takes a new version over. `isNeeded` tells of a machine that the version lacks whether its hooks may still be needed. */
  adopt(inventory: StaticInventory, isNeeded: (machineId: string) => boolean): void {
    const gone = new Map<string, StaticMachine>();
    for (const machine of [...this.gone.values(), ...(this.present?.machines.values() ?? [])]) {
      const { id } = machine.instance;
      if (!inventory.machines.has(id) && isNeeded(id)) gone.set(id, machine);
    }
    this.write({ inventory, gone });
    this.present = inventory;
    this.gone = gone;
  }

  private write({ inventory: { machines, ...inventory }, gone }: { inventory: StaticInventory; gone: ReadonlyMap<string, StaticMachine> }): void {
    const stored: Stored = { version: 1, inventory, machines: [...machines.values()], removed: [...gone.values()] };
    const fd = openSync(`${this.file}.new`, 'w', 0o600);
    try {
      writeFileSync(fd, JSON.stringify(stored));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(`${this.file}.new`, this.file);
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
      throw new Error(`${this.file} is damaged: ${(error as Error).message}. Move it away; machines that the inventory file no longer names cannot be drained then.`, { cause: error });
    }
  }
}

function byId(machines: readonly StaticMachine[]): Map<string, StaticMachine> {
  return new Map(machines.map((machine) => [machine.instance.id, machine]));
}

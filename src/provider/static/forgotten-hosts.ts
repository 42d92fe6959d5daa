import type { Machine } from '../kit/machine.ts';
import type { StateStore } from '../kit/state-store.ts';
import { holdsHost } from './host-holders.ts';
import type { StaticInventory } from './inventory.ts';

const NAMES_SHOWN = 20;

/**
 * For a start without the memory of which machine has which host: one that has a host, and no line, could be the host of any other
 * line. Throws, with the way out, if the store knows of such. Returns the store, which may be loaded once more.
 */
export function withoutForgottenHosts(store: StateStore, inventory: StaticInventory, memory: string): StateStore {
  const changes = store.load();
  const stored = changes && [...changes];
  const machines = new Map<string, Machine>();
  for (const { machine } of stored ?? []) if (machine) machines.set(machine.machine.id, machine.machine);
  const forgotten = [...machines.values()].filter((machine) => holdsHost(machine) && !inventory.machines.has(machine.id));
  if (forgotten.length > 0) {
    const names = forgotten.slice(0, NAMES_SHOWN).map(({ id, state, cluster }) => `${id} (${state}${cluster && `, cluster ${cluster}`})`);
    const more = forgotten.length > NAMES_SHOWN ? `, and ${forgotten.length - NAMES_SHOWN} more` : '';
    throw new Error(
      `${memory} is missing, and with it the hosts of machines that the inventory file does not name: ${names.join(', ')}${more}. ` +
        'Restore it, or start with their lines as they were: they may be removed again after that.',
    );
  }
  return {
    load: () => stored,
    append: (change) => store.append(change),
    flush: () => store.flush(),
    maybeCompact: (snapshot) => store.maybeCompact(snapshot),
    close: () => store.close(),
  };
}

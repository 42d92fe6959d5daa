import type { StaticInventory, StaticMachine } from './inventory.ts';
import { hookKinds } from './hook.ts';

/** What an inventory amounts to, for people: one line per machine, and the sums. */
export function machineTable(inventory: StaticInventory): string {
  const rows = [...inventory.machines.values()].map(rowOf);
  const header = ['ID', 'ADDRESS', 'GROUP', 'TYPE', 'ZONE', 'KIND', 'USD/H', 'RESOURCES', 'HOOKS'];
  const widths = header.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string => cells.map((cell, i) => cell.padEnd(widths[i]!)).join('  ').trimEnd();
  const n = rows.length;
  return [line(header), ...rows.map(line), `${n} machine${n === 1 ? '' : 's'}, ${inventory.concurrency} hooks at a time`].join('\n');
}

/** The same for programs: machines as they would be offered. */
export function machineList(inventory: StaticInventory): object[] {
  return [...inventory.machines.values()].map(({ instance, address, group, variables, hooks }) => ({ ...instance, address, group, variables, hooks }));
}

function rowOf({ instance, address, group, hooks }: StaticMachine): string[] {
  const { id, instanceType, zone, capacityType, pricePerHour, resources } = instance;
  const sizes = Object.entries(resources).map(([name, amount]) => `${name}=${amount}`).join(' ');
  return [id, address, group || '-', instanceType, zone, capacityType, String(pricePerHour), sizes, hookKinds.filter((kind) => hooks[kind]).join(',')];
}

import type { MachineReason } from '../types.ts';

/** Ids of the machines whose reasons are not the same in both. */
export function differing(a: ReadonlyMap<string, MachineReason>, b: ReadonlyMap<string, MachineReason>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((id) => JSON.stringify(a.get(id)) !== JSON.stringify(b.get(id)));
}

/**
 * Machines on their way from one thread to another. Fleets have few kinds of machines: what equal ones say alike is told once, and each
 * machine is then two texts and two numbers, which take a tenth of the time that the machines themselves would.
 */
import { machineOf, type MachineKind, type MachineLabels } from './machine-kind.ts';
import type { ListedMachines } from './machine-reader.ts';
import { sharedKind, sharedLabels, type ProviderMachine } from './provider-machine.ts';

/** A message. What it does not tell of kinds and labels, those before it did. */
export interface PackedMachines {
  readonly ids: readonly string[];
  readonly hostRefs: readonly string[];
  readonly newKinds: readonly MachineKind[];
  readonly kindOf: Uint32Array;
  readonly newLabels: readonly MachineLabels[];
  readonly labelsOf: Uint32Array;
}

/** The sending end, for the machines of one List. */
export class MachinePacker {
  /** By identity: the reader of a List makes few of them. */
  private readonly kinds = new Map<MachineKind, number>();
  private readonly labels = new Map<MachineLabels, number>();

  pack({ ids, hostRefs, kinds, labels }: ListedMachines): PackedMachines {
    const newKinds: MachineKind[] = [];
    const newLabels: MachineLabels[] = [];
    return {
      ids, hostRefs, newKinds, newLabels,
      kindOf: indicesOf(kinds, this.kinds, newKinds),
      labelsOf: indicesOf(labels, this.labels, newLabels),
    };
  }
}

/** The receiving end, for the machines of one List: their messages, in order. */
export class MachineUnpacker {
  private readonly kinds: MachineKind[] = [];
  private readonly labels: MachineLabels[] = [];

  unpack({ ids, hostRefs, newKinds, kindOf, newLabels, labelsOf }: PackedMachines): ProviderMachine[] {
    for (const kind of newKinds) this.kinds.push(sharedKind(kind));
    // Where most machines have labels of their own, to look for others that say the same takes longer than all the rest.
    const isVarious = newLabels.length > ids.length / 2;
    for (const labels of newLabels) this.labels.push(isVarious ? Object.freeze(labels) : sharedLabels(labels));
    return ids.map((id, nth) => machineOf(id, hostRefs[nth] as string, this.kinds[kindOf[nth] as number] as MachineKind, this.labels[labelsOf[nth] as number] as MachineLabels));
  }
}

function indicesOf<T>(all: readonly T[], known: Map<T, number>, isNew: T[]): Uint32Array {
  const indices = new Uint32Array(all.length);
  for (let nth = 0; nth < all.length; nth++) indices[nth] = indexOf(known, all[nth] as T, isNew);
  return indices;
}

function indexOf<T>(known: Map<T, number>, one: T, isNew: T[]): number {
  const before = known.get(one);
  if (before !== undefined) return before;
  const index = known.size;
  known.set(one, index);
  isNew.push(one);
  return index;
}

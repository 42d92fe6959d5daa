import { BinaryReader } from '@bufbuild/protobuf/wire';
import { nextTurn } from '../lib/turns.ts';
import { machineOf, type MachineKind, type MachineLabels } from './machine-kind.ts';
import { ListedMachines, MachineReader } from './machine-reader.ts';
import type { ProviderMachine, RejectedMachine } from './provider-machine.ts';

export interface DecodedList {
  readonly machines: readonly ProviderMachine[];
  readonly rejected: readonly RejectedMachine[];
  /** To be handed back as `since`; empty when the provider has none. */
  readonly revision: Uint8Array;
}

/** So many records are decoded per turn of the event loop: about a millisecond's work. */
const PER_TURN = 256;
const MACHINES_TAG = 10;
const REVISION_TAG = 18;

/** Decodes a MachineList in slices of so many records; the last one comes with the revision. Throws on bytes that are no message. */
export function* decodeSlices(bytes: Uint8Array, perSlice: number): Generator<ListedMachines, { readonly last: ListedMachines; readonly revision: Uint8Array }> {
  const reader = new BinaryReader(bytes);
  const machineReader = new MachineReader(bytes);
  let machines = new ListedMachines();
  let revision: Uint8Array = new Uint8Array();
  let inSlice = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === MACHINES_TAG) {
      const length = reader.uint32();
      const end = reader.pos + length;
      machineReader.read(reader.pos, end, machines);
      reader.pos = end;
      inSlice += 1;
      if (inSlice === perSlice && reader.pos < reader.len) {
        yield machines;
        [machines, inSlice] = [new ListedMachines(), 0];
      }
    } else if (tag === REVISION_TAG) {
      revision = new Uint8Array(reader.bytes()); // a copy: a view would keep the whole List in memory
    } else {
      reader.skip(tag & 7);
    }
  }
  return { last: machines, revision };
}

/** Decodes a MachineList in slices, so that the List of a fleet does not stop everything else. */
export async function decodeList(bytes: Uint8Array): Promise<DecodedList> {
  const machines: ProviderMachine[] = [];
  const rejected: RejectedMachine[] = [];
  const take = ({ ids, hostRefs, kinds, labels, rejected: refused }: ListedMachines): void => {
    ids.forEach((id, nth) => machines.push(machineOf(id, hostRefs[nth] as string, kinds[nth] as MachineKind, labels[nth] as MachineLabels)));
    rejected.push(...refused);
  };
  for (const slices = decodeSlices(bytes, PER_TURN); ; ) {
    const { done, value } = slices.next();
    take(done ? value.last : value);
    if (done) return { machines, rejected, revision: value.revision };
    await nextTurn();
  }
}

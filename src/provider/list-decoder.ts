import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Machine } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { machineFromWire, type ProviderMachine, type RejectedMachine } from './provider-machine.ts';

export interface DecodedList {
  readonly machines: readonly ProviderMachine[];
  readonly rejected: readonly RejectedMachine[];
  /** To be handed back as `since`; empty when the provider has none. */
  readonly revision: Uint8Array;
}

/** So many records are decoded per turn of the event loop: about a millisecond's work. */
const SLICE = 256;
const MACHINES_TAG = 10;
const REVISION_TAG = 18;

/** Decodes a MachineList in slices, so that the List of a large fleet does not stop everything else (D19). */
export async function decodeList(bytes: Uint8Array): Promise<DecodedList> {
  const reader = new BinaryReader(bytes);
  const machines: ProviderMachine[] = [];
  const rejected: RejectedMachine[] = [];
  let revision: Uint8Array = new Uint8Array();
  let inSlice = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === MACHINES_TAG) {
      const result = machineFromWire(Machine.decode(reader, reader.uint32()));
      if ('machine' in result) machines.push(result.machine);
      else rejected.push(result.rejected);
      inSlice += 1;
      if (inSlice % SLICE === 0 && reader.pos < reader.len) await new Promise<void>((resolve) => setImmediate(resolve));
    } else if (tag === REVISION_TAG) {
      revision = new Uint8Array(reader.bytes()); // a copy: a view would keep the whole List in memory
    } else {
      reader.skip(tag & 7);
    }
  }
  return { machines, rejected, revision };
}

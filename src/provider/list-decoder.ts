import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Machine } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { nextTurn } from '../lib/turns.ts';
import { machineFromWire, type ProviderMachine, type RejectedMachine } from './provider-machine.ts';

export interface DecodedSlice {
  readonly machines: readonly ProviderMachine[];
  readonly rejected: readonly RejectedMachine[];
}

export interface DecodedList extends DecodedSlice {
  /** To be handed back as `since`; empty when the provider has none. */
  readonly revision: Uint8Array;
}

/** So many records are decoded per turn of the event loop: about a millisecond's work. */
const PER_TURN = 256;
const MACHINES_TAG = 10;
const REVISION_TAG = 18;

/** Decodes a MachineList in slices of so many records; the last one is what it returns. Throws on bytes that are no message. */
export function* decodeSlices(bytes: Uint8Array, perSlice: number): Generator<DecodedSlice, DecodedList> {
  const reader = new BinaryReader(bytes);
  let machines: ProviderMachine[] = [];
  let rejected: RejectedMachine[] = [];
  let revision: Uint8Array = new Uint8Array();
  let inSlice = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === MACHINES_TAG) {
      const result = machineFromWire(Machine.decode(reader, reader.uint32()));
      if ('machine' in result) machines.push(result.machine);
      else rejected.push(result.rejected);
      inSlice += 1;
      if (inSlice === perSlice && reader.pos < reader.len) {
        yield { machines, rejected };
        [machines, rejected, inSlice] = [[], [], 0];
      }
    } else if (tag === REVISION_TAG) {
      revision = new Uint8Array(reader.bytes()); // a copy: a view would keep the whole List in memory
    } else {
      reader.skip(tag & 7);
    }
  }
  return { machines, rejected, revision };
}

/** Decodes a MachineList in slices, so that the List of a fleet does not stop everything else. */
export async function decodeList(bytes: Uint8Array): Promise<DecodedList> {
  const machines: ProviderMachine[] = [];
  const rejected: RejectedMachine[] = [];
  for (const slices = decodeSlices(bytes, PER_TURN); ; ) {
    const { done, value } = slices.next();
    machines.push(...value.machines);
    rejected.push(...value.rejected);
    if (done) return { machines, rejected, revision: value.revision };
    await nextTurn();
  }
}

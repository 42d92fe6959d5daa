/**
 * Machines as they lie in the bytes of a List. Fleets have few kinds of machines, so what equal ones say alike is equal byte for byte (but for the
 * order of map entries, which some providers shuffle): it is decoded and checked once, and each machine more costs its id, its host and a look at
 * its bytes. What is unusual in any way is decoded as a whole.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Machine } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { ByteKey, ByteMap } from './byte-map.ts';
import { kindOf, type MachineKind, type MachineLabels } from './machine-kind.ts';
import { labelsFromWire, machineFromWire, type MachineResult, type RejectedMachine } from './provider-machine.ts';

/** Machines column by column. */
export class ListedMachines {
  readonly ids: string[] = [];
  /** '' = none. */
  readonly hostRefs: string[] = [];
  readonly kinds: MachineKind[] = [];
  readonly labels: MachineLabels[] = [];
  readonly rejected: RejectedMachine[] = [];

  add(id: string, hostRef: string, kind: MachineKind, labels: MachineLabels): void {
    this.ids.push(id);
    this.hostRefs.push(hostRef);
    this.kinds.push(kind);
    this.labels.push(labels);
  }
}

/** Kinds and labels may be different in each machine: then no more than so much is kept. */
const MAX_KNOWN_BYTES = 4 * 2 ** 20;

// Field numbers and wire types of Machine and HostRef.
const ID = 10;
const HOST = 26;
const LABELS = 82;
const HOST_PROVIDER = 10;
const HOST_REF = 18;
// In the key of a kind, where the host ends; no field begins like that.
const WITHOUT_REF = new Uint8Array([0]);
const WITH_REF = new Uint8Array([1]);

/** For one List: equal bytes give the very same kind and labels. */
export class MachineReader {
  readonly #bytes: Buffer;
  readonly #reader: BinaryReader;
  readonly #kinds = new ByteMap<MachineKind>(MAX_KNOWN_BYTES);
  readonly #labels = new ByteMap<MachineLabels>(MAX_KNOWN_BYTES);
  /** Of the machine that is being read. */
  readonly #kindKey = new ByteKey();
  readonly #labelKey = new ByteKey();
  #at = 0;

  constructor(list: Uint8Array) {
    this.#bytes = Buffer.from(list.buffer, list.byteOffset, list.byteLength);
    this.#reader = new BinaryReader(list);
  }

  /** Adds the machine whose message lies between the two. Throws on bytes that are no message. */
  read(from: number, to: number, machines: ListedMachines): void {
    if (!this.#readKnown(from, to, machines)) this.#take(this.#whole(from, to), machines);
  }

  /** False, and nothing is added: it has to be decoded as a whole. */
  #readKnown(from: number, to: number, machines: ListedMachines): boolean {
    let [id, hostRef] = ['', ''];
    let run = from; // bytes of the kind from here on are not in its key yet
    this.#kindKey.clear();
    this.#labelKey.clear();
    this.#at = from;
    while (this.#at < to) {
      const field = this.#at;
      const tag = this.#varint();
      const value = this.#valueOf(tag, to);
      if (value < 0) return false;
      if (tag !== ID && tag !== HOST && tag !== LABELS) continue;
      this.#kindKey.append(this.#bytes, run, field);
      run = this.#at;
      if (tag === LABELS) this.#labelKey.append(this.#bytes, field, run);
      else if (tag === ID) id = this.#bytes.toString('utf8', value, run);
      else {
        const ref = this.#hostOf(value, run);
        if (ref === undefined) return false;
        hostRef = ref;
      }
    }
    if (id === '') return false;
    this.#kindKey.append(this.#bytes, run, to);
    let kind = this.#kinds.get(this.#kindKey);
    if (kind === undefined) {
      const result = this.#whole(from, to);
      if ('rejected' in result) return false;
      this.#kinds.set(this.#kindKey, (kind = kindOf(result.machine)));
    }
    let labels = this.#labels.get(this.#labelKey);
    if (labels === undefined) {
      labels = labelsFromWire(Machine.decode(this.#labelKey.bytes.subarray(0, this.#labelKey.length)));
      this.#labels.set(this.#labelKey, labels);
    }
    machines.add(id, hostRef, kind, labels);
    return true;
  }

  /** Its ref; what else it says belongs to the kind, and whether there is a ref. Undefined: unusual. */
  #hostOf(from: number, to: number): string | undefined {
    let ref = '';
    for (this.#at = from; this.#at < to; ) {
      const field = this.#at;
      const tag = this.#varint();
      const value = this.#valueOf(tag, to);
      if (value < 0) return undefined;
      if (tag === HOST_PROVIDER) this.#kindKey.append(this.#bytes, field, this.#at);
      else if (tag === HOST_REF) ref = this.#bytes.toString('utf8', value, this.#at);
      else return undefined;
    }
    this.#kindKey.append(ref === '' ? WITHOUT_REF : WITH_REF, 0, 1);
    return ref;
  }

  /** Where the value of the field begins, after its length if it has one; goes behind it. -1 = there is no such field, or it does not end before `to`. */
  #valueOf(tag: number, to: number): number {
    let value = this.#at;
    switch (tag > 7 ? tag & 7 : -1) {
      case 0:
        while ((this.#bytes[this.#at++] as number) >= 0x80);
        break;
      case 1:
        this.#at += 8;
        break;
      case 2: {
        const length = this.#varint();
        value = this.#at;
        this.#at += length;
        break;
      }
      case 5:
        this.#at += 4;
        break;
      default:
        return -1;
    }
    return this.#at <= to ? value : -1;
  }

  /** A tag or a length; NaN for one that no machine has. */
  #varint(): number {
    let byte = this.#bytes[this.#at++] as number;
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 21) return NaN;
      byte = this.#bytes[this.#at++] as number;
      value |= (byte & 0x7f) << shift;
    }
    return value;
  }

  #whole(from: number, to: number): MachineResult {
    this.#reader.pos = from;
    return machineFromWire(Machine.decode(this.#reader, to - from));
  }

  #take(result: MachineResult, machines: ListedMachines): void {
    if ('rejected' in result) machines.rejected.push(result.rejected);
    else machines.add(result.machine.id, result.machine.host?.ref ?? '', kindOf(result.machine), result.machine.labels);
  }
}

/**
 * Machines as they lie in the bytes of a List. Fleets have few kinds of machines, so what equal ones say alike is equal byte for byte (but for the
 * order of map entries, which some providers shuffle): it is decoded and checked once, and each machine more costs its id, its host and a look at
 * its bytes. What is unusual in any way is decoded as a whole.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Machine } from '../api/gen/bigfleet/v1alpha1/provider.ts';
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

/** Kinds and labels may be different in each machine: then little is kept. */
const MAX_KNOWN = 65_536;

// Field numbers and wire types of Machine and HostRef.
const ID = 10;
const HOST = 26;
const LABELS = 82;
const HOST_PROVIDER = 10;
const HOST_REF = 18;

/** For one List: equal bytes give the very same kind and labels. */
export class MachineReader {
  readonly #bytes: Buffer;
  readonly #reader: BinaryReader;
  readonly #kinds = new Map<string, MachineKind>();
  readonly #labels = new Map<string, MachineLabels>();
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
    let [id, host, labelBytes, kindBytes] = ['', '', '', ''];
    let hostRef = '';
    let run = from; // bytes of the kind from here on are not in `kindBytes` yet
    this.#at = from;
    while (this.#at < to) {
      const field = this.#at;
      const tag = this.#varint();
      const value = this.#valueOf(tag, to);
      if (value < 0) return false;
      if (tag !== ID && tag !== HOST && tag !== LABELS) continue;
      if (run < field) kindBytes += this.#bytes.toString('latin1', run, field);
      run = this.#at;
      if (tag === LABELS) labelBytes += this.#bytes.toString('latin1', field, run);
      else if (tag === ID) id = this.#bytes.toString('utf8', value, run);
      else {
        const provider = this.#hostOf(value, run);
        if (provider === undefined) return false;
        [host, hostRef] = provider;
      }
    }
    if (id === '') return false;
    if (run < to) kindBytes += this.#bytes.toString('latin1', run, to);
    const kindKey = `${host}\n${kindBytes}`;
    let kind = this.#kinds.get(kindKey);
    if (kind === undefined) {
      const result = this.#whole(from, to);
      if ('rejected' in result) return false;
      keep(this.#kinds, kindKey, (kind = kindOf(result.machine)));
    }
    let labels = this.#labels.get(labelBytes);
    if (labels === undefined) keep(this.#labels, labelBytes, (labels = labelsFromWire(Machine.decode(Buffer.from(labelBytes, 'latin1')))));
    machines.add(id, hostRef, kind, labels);
    return true;
  }

  /** What of the host belongs to the kind, and its ref; undefined: unusual. */
  #hostOf(from: number, to: number): readonly [kind: string, ref: string] | undefined {
    let [provider, ref] = ['', ''];
    for (this.#at = from; this.#at < to; ) {
      const tag = this.#varint();
      const value = this.#valueOf(tag, to);
      if (value < 0) return undefined;
      if (tag === HOST_PROVIDER) provider = this.#bytes.toString('utf8', value, this.#at);
      else if (tag === HOST_REF) ref = this.#bytes.toString('utf8', value, this.#at);
      else return undefined;
    }
    return [`host ${ref === ''} ${provider.length} ${provider}`, ref];
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

function keep<T>(known: Map<string, T>, key: string, value: T): void {
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(key, value);
}

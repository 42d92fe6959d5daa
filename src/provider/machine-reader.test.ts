import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CapacityType, HostRef, Machine, MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { machineOf } from './machine-kind.ts';
import { ListedMachines, MachineReader } from './machine-reader.ts';
import { machineFromWire, type MachineResult } from './provider-machine.ts';

/** What a reader says of the messages, in the order of those that it took. */
function read(messages: readonly Uint8Array[]): { machines: ListedMachines; results: MachineResult[] } {
  const reader = new MachineReader(Buffer.concat(messages));
  const results: MachineResult[] = [];
  const machines = new ListedMachines();
  let at = 0;
  for (const { length } of messages) {
    const [before, refused] = [machines.ids.length, machines.rejected.length];
    reader.read(at, at + length, machines);
    at += length;
    if (machines.rejected.length > refused) results.push({ rejected: machines.rejected[refused]! });
    else results.push({ machine: machineOf(machines.ids[before]!, machines.hostRefs[before]!, machines.kinds[before]!, machines.labels[before]!) });
  }
  return { machines, results };
}

const encoded = (machine: Partial<Machine>): Uint8Array => Machine.encode(Machine.fromPartial(machine)).finish();
const plain: Partial<Machine> = {
  id: 'm', state: MachineState.MACHINE_STATE_CONFIGURED, host: { provider: 'rack', ref: 'h' }, instanceType: 'c8', zone: 'a', capacityType: CapacityType.CAPACITY_TYPE_SPOT, pricePerHour: 0.5,
  interruptionProbability: 0.25, resources: { resources: new Map([['cpu', '8'], ['memory', '1Gi']]) }, labels: new Map([['hall', 'h1']]), cluster: 'east', shardMetadata: new Map([['k', 'v']]),
};

/** Mostly the first, so that machines are often alike, and taken. */
const mostly = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> => fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, ...others.map((other) => ({ weight: 1, arbitrary: fc.constant(other) })));
const LONG = 'a-longer-text-of-more-than-a-hundred-and-twenty-seven-bytes-'.repeat(3);
const { MACHINE_STATE_FAILED: FAILED, MACHINE_STATE_IDLE: IDLE, MACHINE_STATE_SPECULATIVE: SPECULATIVE } = MachineState;
const maps = mostly<[string, string][]>([['a', '1']], [], [['b', '2'], ['a', '1']], [['a', '1'], ['b', '2']], [['', '']]).map((entries) => new Map(entries));
const cpus = { resources: new Map([['cpu', '8']]) };
const amounts = mostly<Machine['resources']>(cpus, undefined, { resources: new Map([['memory', '1Gi'], ['cpu', '8']]) }, { resources: new Map([['cpu', 'many']]) });
const machine: fc.Arbitrary<Machine> = fc.record({
  id: mostly('m', '', 'ä€', '\ufeffb', LONG), state: mostly(IDLE, FAILED, SPECULATIVE, -1 as MachineState),
  host: mostly<HostRef | undefined>({ provider: 'p', ref: 'r' }, undefined, { provider: 'p', ref: '' }, { provider: '', ref: 'r' }, { provider: '', ref: '' }, { provider: 'q', ref: LONG }),
  instanceType: mostly('c8', 'ä', LONG), zone: mostly('a', ''), capacityType: mostly(CapacityType.CAPACITY_TYPE_SPOT, CapacityType.CAPACITY_TYPE_UNSPECIFIED), pricePerHour: mostly(0.5, 0, -1), interruptionProbability: mostly(0, 1),
  resources: amounts, labels: maps, lastError: mostly('e', ''), allocatable: amounts, cluster: mostly('', 'east'), shardMetadata: maps,
});
/** What other encoders may write behind the fields that we know, or instead of them. */
const extras = fc.constantFrom<(writer: BinaryWriter) => void>(
  () => undefined,
  (w) => w.uint32((20 << 3) | 2).bytes(new Uint8Array([1, 2])),
  (w) => w.uint32(21 << 3).int64(-5),
  (w) => w.uint32((22 << 3) | 5).fixed32(7),
  (w) => w.uint32((23 << 3) | 1).double(7),
  (w) => w.uint32(10).string('again'),
  (w) => w.uint32(26).bytes(HostRef.encode({ provider: 'again', ref: '' }).finish()),
  (w) => w.uint32(26).bytes(new BinaryWriter().uint32(18).string('h').uint32(18).string('i').uint32((9 << 3) | 2).string('x').finish()),
  (w) => w.uint32(82).bytes(new BinaryWriter().uint32(10).string('late').uint32(18).string('label').finish()),
  (w) => w.uint32((24 << 3) | 3).uint32((24 << 3) | 4),
  (w) => w.uint32(8).int32(3),
  (w) => w.uint32(34).string('late type'),
);

describe('a machine in the bytes of a List', () => {
  it('is what it would be if it were decoded as a whole, whatever came before it', () => {
    const message = fc.tuple(machine, extras).map(([wire, extra]) => {
      const writer = Machine.encode(wire);
      extra(writer);
      return writer.finish();
    });
    fc.assert(fc.property(fc.array(message, { maxLength: 40, size: 'max' }), (messages) => {
      expect(read(messages).results).toEqual(messages.map((bytes) => machineFromWire(Machine.decode(bytes))));
    }), { numRuns: 1_000 });
  });

  it('shares kind and labels with those that are alike but for id and host', () => {
    const { machines } = read([encoded(plain), encoded({ ...plain, id: 'n', host: { provider: 'rack', ref: 'i' } }), encoded({ ...plain, zone: 'b' }), encoded({ ...plain, labels: new Map() })]);
    const [first, same, otherZone, otherLabels] = machines.kinds;
    expect([same === first, otherZone === first, otherLabels === first]).toEqual([true, false, true]);
    expect([machines.labels[1] === machines.labels[0], machines.labels[2] === machines.labels[0], machines.labels[3] === machines.labels[0]]).toEqual([true, true, false]);
  });

  it('is what it would be as a whole, or as broken, wherever its bytes end, though one like it came before', () => {
    const outcome = (work: () => MachineResult | undefined): unknown => {
      try {
        return work();
      } catch (error) {
        return (error as Error).message;
      }
    };
    const whole = encoded(plain);
    const broken = [new Uint8Array([10, 200, 1, 7]), new Uint8Array([15]), new Uint8Array([10]), ...Array.from(whole, (_, length) => whole.subarray(0, length))];
    for (const bytes of broken) expect(outcome(() => read([whole, bytes]).results[1])).toEqual(outcome(() => machineFromWire(Machine.decode(bytes))));
  });

  it('is right for any number of kinds and labels', () => {
    const messages = Array.from({ length: 70_000 }, (_, i) => encoded({ ...plain, id: `m-${i}`, instanceType: `t-${i}`, labels: new Map([['host', `h-${i}`]]) }));
    const { machines } = read(messages);
    expect(machines.kinds.every(({ instanceType }, i) => instanceType === `t-${i}`)).toBe(true);
    expect(machines.labels.every(({ host }, i) => host === `h-${i}`)).toBe(true);
  });
});

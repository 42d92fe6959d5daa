/** Promises of the generated code that the rest relies on; the options in buf.gen.yaml keep them. */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CapacityNeed, ClusterCapacityNeeds, PenaltyBucket } from './gen/bigfleet/v1alpha1/capacity.ts';
import { CoordinatorService } from './gen/bigfleet/v1alpha1/coordinator.ts';
import { CapacityProviderService, ConfigureRequest, Machine } from './gen/bigfleet/v1alpha1/provider.ts';
import { OperatorMessage, ShardMessage, ShardService } from './gen/bigfleet/v1alpha1/shard.ts';
import { NeedView, ShardReadService, UnmetReason } from './gen/bigfleet/v1alpha1/shardread.ts';
import { ShardViewService } from './gen/bigfleet/v1alpha1/view.ts';

describe('what is frozen', () => {
  test('full method names', () => {
    const paths = [CapacityProviderService, ShardService, ShardReadService, CoordinatorService, ShardViewService].flatMap((service) =>
      Object.values(service).map((method) => method.path),
    );
    const method = (service: string, names: string) => names.split(' ').map((name) => `/bigfleet.v1alpha1.${service}/${name}`);
    expect(paths).toEqual([
      ...method('CapacityProvider', 'Create Configure Drain Delete Get List'),
      ...method('Shard', 'Session'),
      ...method('ShardRead', 'InspectNeeds'),
      ...method('Coordinator', 'ReportShard AssignDomain UnassignDomain RemoveShard ListShards ListDomainAssignments ListShardReports JoinRaftCluster SnapshotSave'),
      ...method('ShardView', 'ExplainMachine ExplainNeed ExplainCluster ListMachines TakeSnapshot'),
    ]);
  });

  test.each([
    ['a need', hex(CapacityNeed.encode(CapacityNeed.create({ priority: 7, interruptionPenaltyBucket: PenaltyBucket.PENALTY_BUCKET_ZERO, minUnit: new Map([['cpu', '1']]), group: 'g' }))),
      '1807' + '3001' + '4208' + '0a03637075' + '120131' + '4a0167'],
    ['Hello with additions', hex(OperatorMessage.encode({ payload: { $case: 'hello', value: { clusterId: 'c', protocolVersion: 'v1alpha1', additions: true } } })),
      '0a10' + '0a0163' + '1a087631616c70686131' + 'c83e01'],
    ['ReplayComplete', hex(ShardMessage.encode({ payload: { $case: 'replayComplete', value: { machineIds: ['m'] } } })), 'ca3e03' + '0a016d'],
    ['an unmet reason of ours', hex(NeedView.encode(NeedView.create({ unmetReason: UnmetReason.UNMET_REASON_NO_SESSION, reasonText: 'x' }))), '7869' + 'ca3e0178'],
  ])('bytes of %s', (_, bytes, expected) => {
    expect(bytes).toBe(expected);
  });
});

describe('strings are data', () => {
  test.each(['a\0b', '\0', '\u0085\u009f', '\ufeffstarts with a mark', '\u{1f600}', '__proto__'])('%j survives as value and as key', (text) => {
    const machine = Machine.create({ id: text, labels: new Map([[text, text]]), shardMetadata: new Map([[text, '']]) });
    const back = Machine.decode(Machine.encode(machine).finish());
    expect(back.id).toBe(text);
    expect([...back.labels]).toEqual([[text, text]]);
    expect([...back.shardMetadata]).toEqual([[text, '']]);
  });
});

test('every int64 survives', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const back = ConfigureRequest.decode(ConfigureRequest.encode(ConfigureRequest.create({ shardEpoch: value, sequenceNumber: value })).finish());
      expect([back.shardEpoch, back.sequenceNumber]).toEqual([value, value]);
    }),
  );
});

test('bytes come back as they went', () => {
  const blob = Uint8Array.from({ length: 256 }, (_, i) => i);
  const back = ConfigureRequest.decode(ConfigureRequest.encode(ConfigureRequest.create({ bootstrapBlob: blob })).finish());
  expect(Uint8Array.from(back.bootstrapBlob)).toEqual(blob);
});

describe('what a newer or broken peer sends', () => {
  test('enum values that we do not know stay numbers, for ingest to refuse', () => {
    const bytes = new BinaryWriter().uint32(6 << 3).int32(28).uint32(7 << 3).int32(-1).finish();
    const need = CapacityNeed.decode(bytes);
    expect([need.interruptionPenaltyBucket, need.reclamationPenaltyBucket]).toEqual([28, -1]);
  });

  test('fields that we do not know are passed over', () => {
    const bytes = new BinaryWriter().uint32((9 << 3) | 2).string('group').uint32((900 << 3) | 2).string('new').uint32(3 << 3).int32(5).finish();
    expect(CapacityNeed.decode(bytes)).toEqual(CapacityNeed.create({ group: 'group', priority: 5 }));
  });

  test('a payload that we do not know is no payload', () => {
    expect(ShardMessage.decode(new BinaryWriter().uint32((2000 << 3) | 2).string('').finish())).toEqual({ payload: undefined });
  });

  test('bytes cut short are refused', () => {
    const bytes = ClusterCapacityNeeds.encode(ClusterCapacityNeeds.create({ clusterId: 'cluster' })).finish();
    expect(() => ClusterCapacityNeeds.decode(bytes.subarray(0, bytes.length - 1))).toThrow(RangeError);
  });
});

test('no hints and an empty list of hints are different things', () => {
  const roundTrip = (needs: Parameters<typeof ClusterCapacityNeeds.create>[0]) =>
    ClusterCapacityNeeds.decode(ClusterCapacityNeeds.encode(ClusterCapacityNeeds.create(needs)).finish()).nodeHints;
  expect(roundTrip({})).toBeUndefined();
  expect(roundTrip({ nodeHints: { items: [] } })).toEqual({ items: [] });
});

function hex(writer: BinaryWriter): string {
  return Buffer.from(writer.finish()).toString('hex');
}

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { GrpcCode, GrpcError } from '../api/grpc.ts';
import { wireRow } from './testing/needs.ts';
import { ShardWorld, eventually } from './testing/shard-world.ts';

const { MACHINE_STATE_IDLE: IDLE, MACHINE_STATE_CONFIGURED: CONFIGURED } = MachineState;
const cpus = (count: number) => [wireRow({ aggregateResources: new Map([['cpu', String(count)]]) })];

describe('what goes wrong in one place', () => {
  let world: ShardWorld;

  beforeEach(() => {
    world = new ShardWorld();
  });
  afterEach(() => world.close());

  it('is out of stock: another offer serves the demand at once, though it is dearer, and no other slot of the first is tried', async () => {
    await world.open({ spec: { concurrencyPerProvider: 1 } });
    for (let i = 0; i < 40; i++) world.provider.put(`cheap-${i}`, { zone: 'a', pricePerHour: 0.1 });
    for (let i = 0; i < 4; i++) world.provider.put(`dear-${i}`, { zone: 'b', pricePerHour: 9 });
    const tried: string[] = [];
    world.provider.onCall = ({ kind, machineId }) => {
      tried.push(machineId);
      if (kind === 'Create' && machineId.startsWith('cheap')) throw new GrpcError(GrpcCode.RESOURCE_EXHAUSTED, '[OutOfStock] no c8 in a');
    };
    const shard = world.startShard();
    const east = await world.operator(shard);
    east.rollup({ needs: cpus(32) });
    await eventually('the dear ones serve', () => [0, 1, 2, 3].every((i) => world.provider.state(`dear-${i}`) === CONFIGURED));
    expect(tried.filter((id) => id.startsWith('cheap'))).toHaveLength(1);
    const offers = () => world.providerObject().status?.conditions?.find((c) => c.type === 'OffersAvailable');
    await eventually('the provider’s object says what is not to be had', () => offers()?.status === 'False');
    expect(offers()).toMatchObject({ reason: 'OutOfStock', message: expect.stringMatching(/^c8\/a\/OnDemand is not asked for until \d{4}-.*: create: \[OutOfStock\] no c8 in a\.$/) as string });
  });

  it('is one cluster’s operator, which answers nothing: a hundred machines wait for it, and another cluster is served', async () => {
    await world.open();
    for (let i = 0; i < 100; i++) world.provider.put(`m-${i}`, { state: IDLE });
    world.provider.put('for-west', { state: IDLE, instanceType: 'c4', resources: { resources: new Map([['cpu', '4']]) } });
    world.silent.add('east');
    const shard = world.startShard();
    const east = await world.operator(shard);
    const west = await world.operator(shard, 'west');
    east.rollup({ needs: [wireRow({ aggregateResources: new Map([['cpu', '800']]), minUnit: new Map([['cpu', '8']]) })] });
    await eventually('a hundred are meant for east', async () => [...(await world.machines(shard)).values()].filter((m) => m.clusterId === 'east').length === 100);
    const asked = (): number => east.received.filter((frame) => frame.$case === 'bootstrapRequest').length;
    await eventually('its operator is asked', () => asked() > 0);
    west.rollup({ clusterId: 'west', needs: cpus(4) });
    await eventually('west is served', () => world.provider.state('for-west') === CONFIGURED);
    expect(asked()).toBeLessThanOrEqual(32);
    expect(world.provider.calls.map((c) => c.machineId)).toEqual(['for-west']);
  });
});

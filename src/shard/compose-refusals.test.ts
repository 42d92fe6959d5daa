import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeSelectorRequirement_Operator as Operator } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { GrpcCode, GrpcError } from '../api/grpc.ts';
import type { FakeOperator } from '../session/server/testing/fake-operator.ts';
import { ShardWorld, eventually } from './testing/shard-world.ts';
import { wireRow } from './testing/needs.ts';

const { MACHINE_STATE_IDLE: IDLE, MACHINE_STATE_CONFIGURED: CONFIGURED, MACHINE_STATE_DRAINING: DRAINING } = MachineState;
const EIGHT_CPUS = [wireRow()];

describe('a shard whose provider refuses for good', () => {
  let world: ShardWorld;

  beforeEach(() => {
    world = new ShardWorld();
  });
  afterEach(() => world.close());

  const told = (operator: FakeOperator, machineId: string): MachineState[] =>
    operator.received.flatMap((f) => (f.$case === 'nodeStateUpdate' && f.value.machineId === machineId ? [f.value.state] : []));
  const disrupting = (id: string) => world.machineObject(id)?.status?.conditions?.find((c) => c.type === 'Disrupting');

  it('to drain a machine: it serves on, its operator hears that it stays, and others are drained', async () => {
    await world.open({ spec: { rails: { emptyRollupGuard: false, reclaimCapFraction: '1', maxConcurrentDrainsPerCluster: 1 } } });
    for (const id of ['m-1', 'm-2']) world.provider.put(id, { state: CONFIGURED, cluster: 'east' });
    world.provider.onCall = ({ kind, machineId }) => {
      if (kind === 'Drain' && machineId === 'm-1') throw new GrpcError(GrpcCode.UNIMPLEMENTED, 'no way to drain m-1');
    };
    const shard = world.startShard();
    const east = await world.operator(shard);
    east.rollup({ needs: [] });
    await eventually('the other one is drained', () => world.provider.state('m-2') === IDLE);
    await eventually('the operator knows', () => told(east, 'm-1').length >= 3);
    expect(told(east, 'm-1')).toEqual([CONFIGURED, DRAINING, CONFIGURED]);
    await eventually('the object says why', () => disrupting('m-1')?.reason === 'DrainRefused');
    expect(disrupting('m-1')).toMatchObject({ status: 'False', message: expect.stringContaining('no way to drain m-1') as string });
    await world.plans(shard);
    expect((await world.explain(shard, 'm-1')).machine?.why?.code).toBe('ExcessDrainRefused');
    // Neither does it leave because of it, nor is it forgotten: it is what the cluster has.
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('the demand is met', async () => (await world.needs(shard)).satisfied[0] === true);
    expect(world.provider.count('Configure')).toBe(0);
    expect(told(east, 'm-1')).toEqual([CONFIGURED, DRAINING, CONFIGURED]);
  });

  it('a machine that gangs were to share: each of them hears it', async () => {
    await world.open({});
    world.provider.put('m-1', { state: IDLE });
    world.provider.onCall = ({ kind }) => {
      if (kind === 'Configure') throw new GrpcError(GrpcCode.INVALID_ARGUMENT, 'bad blob');
    };
    const shard = world.startShard();
    const east = await world.operator(shard);
    const requirements = [{ key: 'topology.kubernetes.io/zone', operator: Operator.OPERATOR_SAME, values: [] }];
    east.rollup({ needs: ['g1', 'g2'].map((group) => wireRow({ group, requirements, aggregateResources: new Map([['cpu', '4']]) })) });
    const said = (group: string): string | undefined => east.received.flatMap((p) => (p.$case === 'needStatus' ? p.value.items.filter((i) => i.group === group).map((i) => i.reasonText) : [])).at(-1);
    const words = 'A machine chosen for it does not come: configure: bad blob.';
    await eventually('both hear the words', () => said('g1') === words && said('g2') === words);
    expect((await world.explain(shard, 'm-1')).creditedTo.map((v) => [v.need?.group, v.satisfied, v.reasonText])).toEqual([['g1', false, words], ['g2', false, words]]);
  });

  it('what a cluster hands out: one machine waits for it, and all others are there for everybody', async () => {
    await world.open({ spec: { holds: { onDemandSeconds: 3_600, spotSeconds: 3_600, occupiedExcessSeconds: 3_600 } } });
    for (const id of ['m-1', 'm-2', 'm-3']) world.provider.put(id, { state: IDLE });
    const refused: string[] = [];
    let refuses = (_machineId: string): boolean => true;
    world.provider.onCall = ({ kind, machineId }) => {
      if (kind !== 'Configure' || !refuses(machineId)) return;
      refused.push(machineId);
      throw new GrpcError(GrpcCode.INVALID_ARGUMENT, 'bad blob');
    };
    const shard = world.startShard();
    const east = await world.operator(shard);
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('it is refused', () => refused.length > 0);
    await world.plans(shard);
    refuses = (machineId) => machineId === refused[0];
    const west = await world.operator(shard, 'west');
    west.rollup({ clusterId: 'west', needs: EIGHT_CPUS });
    await eventually('the other cluster is served', () => ['m-1', 'm-2', 'm-3'].some((id) => world.provider.state(id) === CONFIGURED));
    expect(new Set(refused).size).toBe(1);
    const said = (): string | undefined => east.received.flatMap((p) => (p.$case === 'needStatus' ? p.value.items.map((i) => `${i.satisfied} ${i.reasonText}`) : [])).at(-1);
    await eventually('the operator hears the words', () => said() === 'false A machine chosen for it does not come: configure: bad blob.');
    refuses = () => false;
    await eventually('it comes', () => world.provider.state(refused[0]!) === CONFIGURED);
  });
});

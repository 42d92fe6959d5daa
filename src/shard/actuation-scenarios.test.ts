/** The scenarios of `src/engine/scenarios` that are about what is done, end to end: a whole shard on the real provider kit. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { systemClock } from '../lib/clock.ts';
import { createProviderClient } from '../provider/client.ts';
import type { FakeOperator } from '../session/server/testing/fake-operator.ts';
import { KitWorld } from './testing/kit-world.ts';
import type { KitShard } from './testing/kit-world.ts';
import { wireRow } from './testing/needs.ts';
import { ShardWorld, eventually } from './testing/shard-world.ts';

const BOUND_MS = 30_000;
const numbered = (count: number) => Array.from({ length: count }, (_, i) => ({ id: `m-${String(i).padStart(3, '0')}` }));
const { MACHINE_STATE_CONFIGURED: CONFIGURED, MACHINE_STATE_FAILED: FAILED, MACHINE_STATE_DELETING: DELETING } = MachineState;

let world: KitWorld;
beforeEach(() => {
  world = new KitWorld();
});
afterEach(() => world.close());

/** A shard whose cluster has so many machines. */
async function serving(count: number, spec: Parameters<KitWorld['shard']>[1] = {}): Promise<{ shard: KitShard; east: FakeOperator }> {
  await world.open(numbered(count));
  const shard = await world.shard('shard-0', spec);
  const east = await world.operator(shard);
  world.wants(east, 'east', count);
  await eventually(`${count} serve`, () => world.count('Configured', 'east') === count, BOUND_MS);
  // The shard knows it too.
  await eventually('and count', async () => [...(await world.views(shard)).values()].filter((m) => m.state === CONFIGURED).length === count, BOUND_MS);
  return { shard, east };
}

/** States of the machine that the operator was told of, in order. */
const told = (operator: FakeOperator, id: string): MachineState[] =>
  operator.received.flatMap((f) => (f.$case === 'nodeStateUpdate' && f.value.machineId === id ? [f.value.state] : []));
const drains = (): number => world.calls.filter((call) => call.rpc === 'Drain').length;

describe('A-48: the share of a cluster that one plan may reclaim', () => {
  const rails = (fraction: string) => ({ rails: { emptyRollupGuard: false, reclaimCapFraction: fraction, maxConcurrentDrainsPerCluster: 200 } });

  it.each([[60, '0.05', 3], [5, '0.05', 1], [20, '0', 20]])('%i machines, a cap of %s: %i in the first plan, never more of what is left', async (count, fraction, first) => {
    world.held.add('drain'); // what drains is Configured no more, and not Idle yet
    const { shard, east } = await serving(count, rails(fraction));
    world.wants(east, 'east', 0);
    await eventually('the first is drained', () => drains() > 0, BOUND_MS);
    await eventually('and all that one plan may take', () => drains() >= first, BOUND_MS);
    const perCycle = new Map<number, number>();
    for (const { cycle, kind, outcome } of shard.audit()) if (kind === 'Reclaim' && outcome === 'decided') perCycle.set(cycle!, (perCycle.get(cycle!) ?? 0) + 1);
    const [one, ...later] = [...perCycle.values()];
    expect(one).toBe(first);
    for (const taken of later) expect(taken).toBeLessThanOrEqual(first);
  }, 4 * BOUND_MS);

  it.each(['drain', ''] as const)('is one of the time between two plans, however many plans news calls for (what stands still at the provider: "%s")', async (held) => {
    if (held) world.held.add(held);
    const { shard, east } = await serving(20, { ...rails('0.05'), cycleSeconds: 3_600 });
    world.wants(east, 'east', 0);
    await eventually('the first is drained', () => drains() > 0, BOUND_MS);
    await eventually('and reported as draining, or free', async () => [...(await world.views(shard)).values()].filter((m) => m.state === CONFIGURED).length < 20, BOUND_MS);
    const planned = (): number => world.shardObject('shard-0').status?.cycle ?? 0;
    const last = planned();
    world.editShard('shard-0', { limits: { machines: 100 } }); // settings are news for the plan
    await eventually('another plan', () => planned() > last, BOUND_MS);
    expect(drains()).toBe(1);
  }, 4 * BOUND_MS);

  it.each(['Paused', 'DryRun'] as const)('in mode %s nothing is executed and all of it is audited', async (mode) => {
    const { shard, east } = await serving(10);
    world.editShard('shard-0', { mode });
    await eventually('the mode is in force', async () => (world.wants(east, 'east', 0), await east.ack('rollup'), shard.audit().some((line) => line.outcome === (mode === 'Paused' ? 'suppressed' : 'dryrun') && line.kind === 'Reclaim')), BOUND_MS);
    const withheld = shard.audit().filter((line) => line.kind === 'Reclaim');
    expect(withheld.length % 10).toBe(0);
    expect([new Set(withheld.map((line) => line.machine)).size, drains(), world.count('Configured')]).toEqual([10, 0, 10]);
  }, 4 * BOUND_MS);
});

it('A-49: a roll-up that asks for next to nothing is held twice, and nothing is drained by it', async () => {
  await world.open(numbered(10));
  const shard = await world.shard('shard-0', { rails: { emptyRollupGuard: true, reclaimCapFraction: '1', maxConcurrentDrainsPerCluster: 200 } });
  const east = await world.operator(shard);
  world.wantsRows(east, 'east', 10);
  await eventually('all ten serve', () => world.count('Configured') === 10, BOUND_MS);
  for (const held of [1, 2]) {
    world.wantsRows(east, 'east', 0);
    await east.ack('rollup');
    world.wants(east, 'nobody', 0); // an ack of its own, after which the first has been looked at
    await eventually(`a plan after roll-up ${held}`, async () => (await world.views(shard)).size === 10, BOUND_MS);
    expect([held, drains()]).toEqual([held, 0]);
  }
  world.wantsRows(east, 'east', 0);
  await eventually('the third is believed', () => world.count('Configured') === 0, BOUND_MS);
}, 4 * BOUND_MS);

describe('A-55: a provider that answers later', () => {
  it('is followed: one CONFIGURED to the cluster, and its departure to the cluster that it leaves', async () => {
    await world.open(numbered(1));
    world.held.add('configure').add('drain');
    const shard = await world.shard();
    const east = await world.operator(shard);
    world.wants(east, 'east', 1);
    await eventually('it is being configured', () => world.count('Configuring') === 1, BOUND_MS);
    expect(told(east, 'm-000')).not.toContain(CONFIGURED);
    world.finish('configure');
    await eventually('it is told', () => told(east, 'm-000').includes(CONFIGURED), BOUND_MS);
    const again = await world.operator(shard, 'west');
    expect(told(again, 'm-000')).toEqual([]); // nobody else's
    world.wants(east, 'east', 0);
    await eventually('it drains', () => world.count('Draining') === 1, BOUND_MS);
    const bound = (await world.views(shard)).get('m-000');
    expect([bound?.clusterId, bound?.priority]).toEqual(['east', 100]);
    world.finish('drain');
    await eventually('its cluster hears that it is gone', () => told(east, 'm-000').at(-1) === DELETING, BOUND_MS);
    expect(told(east, 'm-000').filter((state) => state === CONFIGURED)).toHaveLength(1);
  }, 4 * BOUND_MS);

  it('and replayed at a reconnect: one update per machine of that cluster', async () => {
    const { shard } = await serving(3);
    const again = await world.operator(shard);
    const { machineIds } = await again.wait('replayComplete');
    expect([...machineIds].sort()).toEqual(['m-000', 'm-001', 'm-002']);
    for (const id of machineIds) expect(told(again, id)).toEqual([CONFIGURED]);
    const west = await world.operator(shard, 'west');
    expect((await west.wait('replayComplete')).machineIds).toEqual([]);
  }, 4 * BOUND_MS);
});

it('A-56: a hundred decisions and one call at a time: none is dropped, no machine is called twice', async () => {
  await world.open(numbered(100));
  const shard = await world.shard('shard-0', { concurrencyPerProvider: 1 });
  const east = await world.operator(shard);
  world.wants(east, 'east', 100);
  await eventually('all serve', () => world.count('Configured') === 100, 2 * BOUND_MS);
  for (const rpc of ['Create', 'Configure']) {
    const made = world.calls.filter((call) => call.rpc === rpc).map((call) => call.machineId);
    expect([rpc, made.length, new Set(made).size]).toEqual([rpc, 100, 100]);
  }
  const decided = shard.audit().filter((line) => line.kind === 'Provision').map((line) => line.machine);
  expect([decided.length, new Set(decided).size]).toEqual([100, 100]);
}, 4 * BOUND_MS);

it('A-57: a restart finds what machines are bound for, and reclaims nothing before the first roll-up', async () => {
  const { shard, east } = await serving(3);
  const before = await world.views(shard);
  east.close();
  await shard.stop();
  const second = await world.shard('shard-0', {}, { dataDir: `${world.dir}/another` });
  await eventually('it knows them', async () => (await world.views(second)).size === 3, BOUND_MS);
  for (const [id, { clusterId, priority, needFingerprint, group }] of await world.views(second)) {
    const was = before.get(id)!;
    expect([id, clusterId, priority, needFingerprint, group]).toEqual([id, was.clusterId, was.priority, was.needFingerprint, was.group]);
    expect([priority, needFingerprint.length > 0]).toEqual([100, true]);
  }
  await world.operator(second, 'west'); // time in which it plans
  await eventually('it has planned without a word of the cluster', async () => (await world.views(second)).get('m-000')?.why?.code === 'ExcessNoRollupYet', BOUND_MS);
  expect([drains(), world.count('Configured', 'east')]).toEqual([0, 3]);
  world.wants(await world.operator(second), 'east', 1);
  await eventually('then it does', () => world.count('Configured', 'east') === 1, BOUND_MS);
}, 4 * BOUND_MS);

it('A-58: of 32 calls at once none is fenced; an older sequence and an older epoch are', async () => {
  await world.open(numbered(33));
  const as = (epoch: bigint) => createProviderClient({ address: () => `127.0.0.1:${world.provider.port}`, shardId: 'shard-0', epoch: () => epoch, clock: systemClock });
  const [client, successor, old] = [as(5n), as(6n), as(4n)];
  try {
    await Promise.all(numbered(32).map(({ id }) => client.create(id)));
    expect(world.calls.map((call) => call.outcome)).toEqual(Array.from({ length: 32 }, () => 'OK'));
    await successor.create('m-032');
    for (const late of [client, old]) await expect(late.delete('m-032')).rejects.toMatchObject({ code: 'Fenced' });
    await expect(old.create('m-000')).rejects.toMatchObject({ code: 'Fenced' });
  } finally {
    for (const each of [client, successor, old]) each.close();
  }
});

it('A-61: a machine that fails under its demand is replaced, its operator is told, and repaired it is used again (X1)', async () => {
  await world.open(numbered(2));
  world.held.add('recover');
  const shard = await world.shard();
  const east = await world.operator(shard);
  world.wants(east, 'east', 1);
  await eventually('one serves', () => world.count('Configured') === 1, BOUND_MS);
  const id = [...world.provider.machines()].find((m) => m.state === 'Configured')!.id;
  await eventually('and the shard knows', () => told(east, id).includes(CONFIGURED), BOUND_MS);
  world.provider.reportFailure(id, 'the host is gone');
  await eventually('another one serves', () => world.count('Configured') === 1, BOUND_MS);
  await eventually('its operator knows of the first', () => told(east, id).includes(FAILED), BOUND_MS);
  const [first] = world.calls.filter((call) => call.machineId !== id);
  expect(first?.rpc).toBe('Create'); // decided anew, and for another one
  world.wants(east, 'east', 2);
  world.finish('recover');
  await eventually('repaired it serves again', () => world.count('Configured') === 2, BOUND_MS);
}, 4 * BOUND_MS);

it('A-65: an operator that cannot make a blob three times: the machine is tried again, and none fails (X5)', async () => {
  await world.open(numbered(1));
  world.blobErrors.set('east', ['no credentials', 'no credentials', 'no credentials']);
  const shard = await world.shard();
  const east = await world.operator(shard);
  world.wants(east, 'east', 1);
  await eventually('it serves in the end', () => world.count('Configured') === 1, BOUND_MS);
  expect(east.received.filter((f) => f.$case === 'bootstrapRequest')).toHaveLength(4);
  expect(world.changes.filter(({ machine }) => machine.state === 'Failed')).toEqual([]);
  expect(world.calls.map((call) => call.rpc)).toEqual(['Create', 'Configure']);
}, 4 * BOUND_MS);

it('A-66: a List that lacks every machine once: nothing is removed, acquired or taken away, and an alarm is raised (X4)', async () => {
  const wire = new ShardWorld();
  try {
    await wire.open();
    const ids = numbered(30).map(({ id }) => id);
    for (const id of ids) wire.provider.put(id, { state: CONFIGURED, cluster: 'east' });
    for (const { id } of numbered(5)) wire.provider.put(`slot-${id}`);
    const shard = wire.startShard();
    const east = await wire.operator(shard);
    east.rollup({ needs: [wireRow({ aggregateResources: new Map([['cpu', '240']]) })] });
    await eventually('the demand is met', async () => (await wire.needs(shard)).satisfied[0] === true, BOUND_MS);
    const trusted = (): string | undefined => wire.providerObject().status?.conditions?.find((c) => c.type === 'InventoryTrusted')?.status;
    await eventually('all is well', () => trusted() === 'True', BOUND_MS);
    for (const id of [...ids, ...numbered(5).map((m) => `slot-${m.id}`)]) wire.provider.omitted.add(id);
    await eventually('the alarm is raised', () => trusted() === 'False', BOUND_MS);
    east.rollup({ needs: [], timestampUnixNanos: 2n });
    await east.ack('rollup');
    await wire.plans(shard);
    expect([(await wire.machines(shard)).size, wire.provider.calls]).toEqual([35, []]);
    wire.provider.omitted.clear();
    await eventually('it is over', () => trusted() === 'True', BOUND_MS);
    expect((await wire.machines(shard)).size).toBe(35);
  } finally {
    await wire.close();
  }
}, 4 * BOUND_MS);

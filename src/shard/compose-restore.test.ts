import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CapacityProviderResource, LeaseResource, MachineResource, ShardResource } from '../api/resources.ts';
import type { Shard } from '../api/types.ts';
import { KitWorld, NAMESPACE } from './testing/kit-world.ts';
import type { KitShard } from './testing/kit-world.ts';
import { eventually } from './testing/shard-world.ts';

/** What docs/operations.md says under "Backup and restore", on a provider that remembers who has asked it for what. */
describe('a shard whose hub is lost', () => {
  let world: KitWorld;
  /** How far the one before was. */
  const EPOCH = 42;

  beforeEach(async () => {
    world = await new KitWorld().open(['m-1', 'm-2', 'm-3'].map((id) => ({ id })));
  });
  afterEach(() => world.close());

  const setEpoch = (epoch: number): void =>
    void world.hub.store.mutate<Shard>(ShardResource, { namespace: NAMESPACE, name: 'shard-0' }, (draft) => ({ ...draft, status: { ...draft.status, epoch } }), { subresource: 'status' });

  async function wants(shard: KitShard, machines: number): Promise<void> {
    const east = await world.operator(shard);
    world.wants(east, 'east', machines);
    await east.ack('rollup');
  }

  /** Two machines serve; then the shard ends, and nothing is left at the hub. */
  async function loseTheHub(): Promise<void> {
    await (await world.shard()).stop();
    setEpoch(EPOCH - 1);
    const shard = await world.shard();
    await wants(shard, 2);
    await eventually('two serve', () => world.count('Configured', 'east') === 2, 20_000);
    await shard.stop();
    expect(new Set(world.calls.map(({ token }) => token.epoch))).toEqual(new Set([BigInt(EPOCH)]));
    for (const type of [ShardResource, CapacityProviderResource, MachineResource, LeaseResource]) {
      const items = world.hub.store.list(type, { namespace: NAMESPACE });
      expect(items).not.toEqual([]);
      for (const { metadata } of items) {
        world.hub.store.mutate(type, { namespace: NAMESPACE, name: metadata.name }, (draft) => ({ ...draft, metadata: { ...draft.metadata, finalizers: [] } }));
        world.hub.store.delete(type, { namespace: NAMESPACE, name: metadata.name });
      }
      expect(world.hub.store.list(type, { namespace: NAMESPACE })).toEqual([]);
    }
    world.calls.length = 0;
  }

  it('and has its data directory: goes on above its last epoch with the two kinds of objects alone, and takes nothing from anybody', async () => {
    await loseTheHub();
    await wants(await world.shard(), 3);
    await eventually('the third serves', () => world.count('Configured', 'east') === 3, 20_000);
    expect(world.calls.map(({ rpc, outcome }) => `${rpc} ${outcome}`)).toEqual(['Create OK', 'Configure OK']);
    expect(world.calls.every(({ token }) => token.epoch === BigInt(EPOCH + 1))).toBe(true);
  }, 60_000);

  it('and its data directory: is refused what others have asked before, says by whom it was outrun, and goes on once a person says how far it was', async () => {
    await loseTheHub();
    const lost = { dataDir: join(world.dir, 'empty') };
    const young = await world.shard('shard-0', {}, lost);
    await wants(young, 1);
    const fenced = () => world.shardObject('shard-0').status?.conditions?.find(({ type }) => type === 'Fenced');
    await eventually('it says that it is fenced', () => fenced()?.status === 'True', 20_000);
    const seen = /is not above \((\d+), \d+\)/.exec(fenced()?.message ?? '')?.[1];
    expect([seen, world.count('Configured', 'east')]).toEqual([String(EPOCH), 2]);
    await young.stop();
    setEpoch(Number(seen));
    await wants(await world.shard('shard-0', {}, lost), 1);
    await eventually('one is given back', () => world.count('Configured', 'east') === 1, 20_000);
  }, 60_000);
});

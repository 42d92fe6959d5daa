import { afterEach, beforeEach, expect, it } from 'vitest';
import { SecretResource } from '../api/resources.ts';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { wireRow } from './testing/needs.ts';
import { NAMESPACE, ShardWorld, eventually } from './testing/shard-world.ts';

const { MACHINE_STATE_CONFIGURED: CONFIGURED } = MachineState;

let world: ShardWorld;
beforeEach(() => {
  world = new ShardWorld();
});
afterEach(() => world.close());

/** A life in which a shard needs everything that its role allows: one verb less, and it does not come to its end. */
it('the role of a shard allows what it needs, and nothing more', async () => {
  await world.open();
  // A hub that cannot begin a watch with everything is asked for a list.
  for (const plural of ['shards', 'capacityproviders', 'machines']) world.hub.faults.fail({ verb: 'watch', plural, code: 422, reason: 'Invalid' });
  const ids = Array.from({ length: 12 }, (_, i) => `m-${i}`);
  for (const id of ids) world.provider.put(id, { state: CONFIGURED, cluster: 'east' });
  const shard = world.startShard();
  const east = await world.operator(shard);
  east.rollup({ needs: [wireRow({ aggregateResources: new Map([['cpu', String(12 * 8)]]) })] });
  await eventually('there are objects of all machines', () => ids.every((id) => world.machineObject(id)?.status?.phase === 'Configured'));

  // Made by somebody else before the informer has seen it.
  world.hub.faults.delay(1_500, { verb: 'watch', plural: 'machines' });
  world.hub.faults.closeStreams({ plural: 'machines' });
  world.createMachineObject('m-new');
  world.provider.put('m-new', { state: CONFIGURED, cluster: 'east' });
  await eventually('it is adopted', () => world.machineObject('m-new')?.status?.phase === 'Configured');

  for (const id of ids) world.provider.omitted.add(id);
  const untrusted = () => world.providerObject().status?.conditions?.find((c) => c.type === 'InventoryTrusted' && c.reason === 'Quarantined');
  await eventually('the List is not believed', () => untrusted() !== undefined);
  const [, annotation, token] = /capacityprovider metal (\S+)=(\S+)$/.exec(untrusted()!.message)!;
  world.editProvider({}, { [annotation!]: token! });
  await eventually('their objects are gone', () => ids.every((id) => world.machineObject(id) === undefined));
  await eventually('the word is gone that has served', () => world.providerObject().metadata.annotations?.[annotation!] === undefined);

  world.hub.store.create(SecretResource, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'bigfleet-provider-tls', namespace: NAMESPACE } });
  world.editProvider({ tls: { secretName: 'bigfleet-provider-tls' } });
  await eventually('everything was needed', () => world.role.unused().length === 0).catch(() => undefined);
  expect(world.role.unused()).toEqual([]);
  expect(world.role.dispensable()).toEqual([]);
});

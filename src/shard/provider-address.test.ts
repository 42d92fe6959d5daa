import { afterEach, beforeEach, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { ShardWorld, eventually } from './testing/shard-world.ts';
import { wireRow } from './testing/needs.ts';
import { WireProvider } from './testing/wire-provider.ts';

let world: ShardWorld;
let moved: WireProvider;
beforeEach(async () => {
  world = new ShardWorld();
  moved = new WireProvider();
  await moved.start();
});
afterEach(async () => {
  await moved.close();
  await world.close();
});

const reachable = (): string | undefined => world.providerObject().status?.conditions?.find((c) => c.type === 'Reachable')?.message;

it('a provider that has moved is listed, in full, and called at its new address as soon as its object says so, and the status names it', async () => {
  await world.open();
  for (const provider of [world.provider, moved]) provider.keepsRevisions = true;
  world.provider.put('m-1', { state: MachineState.MACHINE_STATE_IDLE });
  // Older than the revision that the shard has of the first one: a List of what has changed would not name them.
  for (const id of ['m-1', 'm-2']) moved.put(id, { state: MachineState.MACHINE_STATE_IDLE });
  for (let i = 0; i < 5; i++) world.provider.put('m-1', { state: MachineState.MACHINE_STATE_IDLE });
  const shard = world.startShard();
  const east = await world.operator(shard);
  await eventually('its machine is known', async () => (await world.machines(shard)).has('m-1'));
  world.editProvider({ address: moved.address });
  await eventually('its machines are known', async () => (await world.machines(shard)).has('m-2'));
  await eventually('the status names the second', () => reachable() === `It answers at ${moved.address}.`);
  const asked = world.provider.allowed.length;
  east.rollup({ needs: [wireRow({ aggregateResources: new Map([['cpu', '16']]) })] });
  await eventually('both serve', () => moved.count('Configure') === 2);
  expect(world.provider.calls).toEqual([]);
  expect(world.provider.allowed.length).toBe(asked);
});

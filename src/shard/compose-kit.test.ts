import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { machineObjectName } from '../api/names.ts';
import { MachineResource } from '../api/resources.ts';
import type { Machine } from '../api/types.ts';
import { KitWorld, NAMESPACE } from './testing/kit-world.ts';
import { eventually } from './testing/shard-world.ts';

const MACHINES = 120;
const ids = Array.from({ length: MACHINES }, (_, i) => `m-${String(i).padStart(3, '0')}`);
const BOUND_MS = 60_000;

let world: KitWorld;

beforeEach(async () => {
  world = await new KitWorld().open(ids.map((id) => ({ id })));
});
afterEach(() => world.close());

/** What a provider that behaves must never have to say, and what must never become of its machines. */
function expectNoIncident(): void {
  const refused = world.calls.filter((call) => call.outcome !== 'OK');
  expect(refused.map(({ rpc, machineId, outcome }) => `${rpc} ${machineId} ${outcome}`)).toEqual([]);
  expect(world.changes.filter(({ machine }) => machine.state === 'Failed').map(({ machine }) => machine.id)).toEqual([]);
}

describe(`${MACHINES} machines, 32 calls at a time, a provider that behaves`, () => {
  it('one shard: all are bought, given back, and bought again, and no call is refused', async () => {
    const shard = await world.shard();
    const east = await world.operator(shard);
    for (const round of [1, 2]) {
      world.wants(east, 'east', MACHINES);
      await eventually(`all serve, round ${round}`, () => world.count('Configured') === MACHINES, BOUND_MS);
      world.wants(east, 'east', 0);
      await eventually(`all are given back, round ${round}`, () => world.count('Speculative') === MACHINES, BOUND_MS);
    }
    expectNoIncident();
    for (const rpc of ['Create', 'Configure', 'Drain', 'Delete']) expect([rpc, world.calls.filter((call) => call.rpc === rpc).length]).toEqual([rpc, 2 * MACHINES]);
  }, 4 * BOUND_MS);

  it('two shards on one provider: neither touches a machine of the other, and no call is refused', async () => {
    const [mine, yours] = [ids.slice(0, MACHINES / 2), ids.slice(MACHINES / 2)];
    // Whose a machine is has to be known before either shard starts.
    for (const [machines, shardRef] of [[mine, 'shard-0'], [yours, 'shard-1']] as const) {
      for (const machineId of machines) world.hub.store.create<Machine>(MachineResource, { metadata: { name: machineObjectName(machineId), namespace: NAMESPACE }, spec: { machineId, shardRef, providerRef: `kit-${shardRef}` } });
    }
    const east = await world.operator(await world.shard('shard-0'), 'east');
    const west = await world.operator(await world.shard('shard-1'), 'west');
    world.wants(east, 'east', MACHINES);
    world.wants(west, 'west', MACHINES);
    await eventually('both have all that is theirs', () => world.count('Configured', 'east') === mine.length && world.count('Configured', 'west') === yours.length, BOUND_MS);
    world.wants(east, 'east', 10);
    world.wants(west, 'west', 20);
    await eventually('both have what they want', () => world.count('Configured', 'east') === 10 && world.count('Configured', 'west') === 20, BOUND_MS);
    expectNoIncident();
    const touched = (shard: string): string[] => [...new Set(world.calls.filter(({ token }) => token.shardId === shard).map((call) => call.machineId))].sort();
    expect([touched('shard-0'), touched('shard-1')]).toEqual([mine, yours]);
  }, 4 * BOUND_MS);
});

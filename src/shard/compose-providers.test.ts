import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import type { Condition } from '../api/types.ts';
import { KitWorld } from './testing/kit-world.ts';
import type { FurtherProvider } from './testing/kit-world.ts';
import { eventually } from './testing/shard-world.ts';

/** Below the 30 s after which a call that hangs is given up. */
const IN_TIME_MS = 20_000;
const BOUND_MS = 60_000;
const slots = (prefix: string, pricePerHour: number) => Array.from({ length: 20 }, (_, i) => ({ id: `${prefix}-${String(i).padStart(2, '0')}`, pricePerHour }));

let world: KitWorld;
let cheap: FurtherProvider;

beforeEach(async () => {
  world = await new KitWorld().open(slots('dear', 2));
  cheap = await world.openFurther('cheap', slots('cheap', 0.1));
});
afterEach(() => world.close());

const condition = (of: readonly Condition[] | undefined, type: string): Condition | undefined => of?.find((c) => c.type === type);
const ofProvider = (name: string, type: string): Condition | undefined => condition(world.providerObject(name).status?.conditions, type);
const ofShard = (type: string): Condition | undefined => condition(world.shardObject('shard-0').status?.conditions, type);
const inCheap = (state: string): number => world.count(state, undefined, cheap.provider);

describe('a shard with two providers, of which the cheaper one', () => {
  it.each([
    ['hangs', 'silence', 'InventoryTrusted'],
    ['cannot be reached', 'unavailable', 'Reachable'],
    ['lists nothing', 'empty List', 'InventoryTrusted'],
  ] as const)('%s: the other one creates, configures, drains and deletes in time; what the broken one has stays and counts', async (_, meddling, type) => {
    const shard = await world.shard();
    const east = await world.operator(shard);
    world.wants(east, 'east', 12);
    const ofCheap = async () => [...(await world.views(shard)).values()].filter((m) => m.provider === 'cheap');
    const serving = async (): Promise<number> => (await ofCheap()).filter((m) => m.state === MachineState.MACHINE_STATE_CONFIGURED && m.clusterId === 'east').length;
    await eventually('twelve of the cheap ones serve, as the shard knows', async () => (await serving()) === 12, BOUND_MS);
    expect(world.calls).toEqual([]);

    cheap.front.meddling = meddling;
    const before = cheap.calls.length;
    // What it accepts it does; it is its List that lies.
    if (meddling === 'empty List') await eventually('the List is not believed', () => ofProvider('cheap', type)?.reason === 'Quarantined');
    world.wants(east, 'east', 17);
    await eventually('the other provider is asked instead', () => world.count('Configured') === 5, IN_TIME_MS);
    await eventually('conditions name the broken one', () => ofShard('SupplyTrusted')?.message.includes('cheap') === true && ofProvider('cheap', type)?.status === 'False', IN_TIME_MS);
    expect([ofShard('SupplyTrusted')?.status, ofShard('Ready')?.status, ofProvider('cheap', 'Ready')?.status, ofProvider('kit-shard-0', 'Ready')?.status]).toEqual(['False', 'True', 'False', 'True']);

    world.wants(east, 'east', 12);
    await eventually('what is too much is drained and deleted', () => world.count('Speculative') === 20, IN_TIME_MS);
    expect(new Set(world.calls.map((call) => call.rpc))).toEqual(new Set(['Create', 'Configure', 'Drain', 'Delete']));
    expect([(await ofCheap()).length, await serving()]).toEqual([20, 12]);

    cheap.front.meddling = 'none';
    await eventually('it is relied on again', () => ofShard('SupplyTrusted')?.status === 'True' && ofProvider('cheap', 'Ready')?.status === 'True', BOUND_MS);
    expect(inCheap('Configured')).toBe(12);
    world.wants(east, 'east', 18);
    await eventually('and bought from again', () => inCheap('Configured') === 18, BOUND_MS);
    expect(cheap.calls.slice(before).filter((call) => call.rpc === 'Drain' || call.rpc === 'Delete')).toEqual([]);
  }, 3 * BOUND_MS);

  it('says that a newer epoch was seen: the shard acts there no more, and goes on with the other one', async () => {
    const shard = await world.shard();
    const east = await world.operator(shard);
    cheap.front.meddling = 'fencing';
    world.wants(east, 'east', 3);
    await eventually('the other provider is asked instead', () => world.count('Configured') === 3, IN_TIME_MS);
    await eventually('its condition says so', () => ofProvider('cheap', 'Ready')?.reason === 'Fenced', IN_TIME_MS);
    expect(ofShard('Fenced')?.status).toBe('False');
    world.wants(east, 'east', 1);
    await eventually('what is too much is taken back', () => world.count('Configured') === 1, IN_TIME_MS);
  }, 2 * BOUND_MS);
});

it('a provider that lists its machines and answers no Create is tried with one at a time, and the other one serves what was meant for it', async () => {
  world.editProvider('cheap', { deadlines: { createSeconds: 1, listSeconds: 2 } });
  const shard = await world.shard('shard-0', { concurrencyPerProvider: 8 }, { statusMs: 50 });
  const east = await world.operator(shard);
  await eventually('both have listed', async () => (await world.views(shard)).size === 40);
  cheap.front.meddling = 'mute';
  world.wants(east, 'east', 12);
  await eventually('the other one serves', () => world.count('Configured', 'east') === 12, IN_TIME_MS);
  await eventually('its condition says so', () => ofProvider('cheap', 'CallsAnswered')?.status === 'False', IN_TIME_MS);
  expect(ofProvider('cheap', 'CallsAnswered')).toMatchObject({ reason: 'Unanswered', message: expect.stringMatching(/^\d+ calls of Create in a row brought no answer \(create: .*\): one at a time is tried, the next not before .*Z\.$/) as string });
  expect(ofShard('SupplyTrusted')?.status).toBe('True');
  const creates = (): number => cheap.front.asked.filter((name) => name === 'create').length;
  expect(creates()).toBeLessThanOrEqual(2 * 8);
  cheap.front.meddling = 'none';
  world.wants(east, 'east', 30);
  await eventually('it is tried again, and serves', () => inCheap('Configured') >= 10 && inCheap('Configured') + world.count('Configured', 'east') === 30, BOUND_MS);
  await eventually('its condition says so', () => ofProvider('cheap', 'CallsAnswered')?.status === 'True');
}, 2 * BOUND_MS);

describe('a shard that keeps no objects of the machines that serve, and starts anew while one of its providers is away', () => {
  const EXCEPTIONAL = { machineObjects: 'Exceptional', cycleSeconds: 1, rails: { emptyRollupGuard: false, reclaimCapFraction: '1' } } as const;
  const UNSEEN = '12 machines of provider cheap that served have not been listed since this shard started';

  async function startAnew() {
    const first = await world.shard('shard-0', EXCEPTIONAL);
    const before = await world.operator(first);
    world.wants(before, 'east', 12);
    await eventually('twelve of the cheap ones serve', () => inCheap('Configured') === 12, BOUND_MS);
    await eventually('the status of the provider says so', () => world.providerObject('cheap').status?.machines?.['Configured'] === 12, BOUND_MS);
    await first.stop();
    cheap.front.meddling = 'unavailable';
    const shard = await world.shard('shard-0', EXCEPTIONAL, { providerPatienceMs: 200, statusMs: 50 });
    const east = await world.operator(shard);
    world.wants(east, 'east', 12);
    await eventually('operators are told why nothing is taken', () =>
      east.received.some((frame) => frame.$case === 'needStatus' && frame.value.items.some(({ satisfied, reasonText }) => !satisfied && reasonText.includes(UNSEEN))), IN_TIME_MS);
    await eventually('conditions say so', () => ofShard('SupplyTrusted')?.reason === 'BoundMachinesUnseen' && ofProvider('cheap', 'InventoryTrusted')?.reason === 'BoundMachinesUnseen', IN_TIME_MS);
    expect(ofShard('SupplyTrusted')?.message).toContain(UNSEEN);
    expect(world.calls).toEqual([]);
    return { shard, east };
  }

  it('buys nothing in their place: they are seen, and serve, when it comes back', async () => {
    const { east } = await startAnew();
    cheap.front.meddling = 'none';
    await eventually('it is relied on again', () => ofShard('SupplyTrusted')?.status === 'True', BOUND_MS);
    world.wants(east, 'east', 13);
    await eventually('what is asked for beyond them is bought', () => inCheap('Configured') === 13, BOUND_MS);
    expect(world.calls).toEqual([]);
  }, 3 * BOUND_MS);

  it.each([
    ['confirms that they are gone', () => {
      const command = ofProvider('cheap', 'InventoryTrusted')?.message ?? '';
      const [, key = '', token = ''] = /kubectl annotate --overwrite -n bigfleet-system capacityprovider cheap (\S+)=(\S+)$/.exec(command) ?? [];
      world.annotateProvider('cheap', { [key]: token });
    }],
    ['deletes the CapacityProvider', () => world.deleteProvider('cheap')],
  ])('buys others once a person %s', async (_, act) => {
    await startAnew();
    act();
    await eventually('the other one serves', () => world.count('Configured', 'east') === 12, BOUND_MS);
  }, 3 * BOUND_MS);
});

it('a provider that is added while the shard runs is used as well; an id that another one has is refused, with an alarm', async () => {
  const shard = await world.shard();
  const east = await world.operator(shard);
  await eventually('both have listed', async () => (await world.views(shard)).size === 40);
  const cheapest = await world.openFurther('cheapest', [{ id: 'new-1', pricePerHour: 0.01 }, { id: 'dear-00', pricePerHour: 0.01 }]);
  await eventually('its machine is there', async () => (await world.views(shard)).get('new-1')?.provider === 'cheapest');
  await eventually('the alarm names the id', () => ofProvider('cheapest', 'MachineIdsUnique')?.message.includes('dear-00') === true);
  expect((await world.views(shard)).get('dear-00')).toMatchObject({ provider: 'kit-shard-0', priceMicroUsdPerHour: 2_000_000n });
  world.wants(east, 'east', 1);
  await eventually('its machine serves', () => world.count('Configured', 'east', cheapest.provider) === 1);
  expect(cheapest.calls.map((call) => call.machineId)).toEqual(['new-1', 'new-1']);
}, BOUND_MS);

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeShardMetadata } from '../api/shard-metadata.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Inventory } from './inventory.ts';
import { PriceRange } from './price-range.ts';
import { clusterOf } from './record.ts';
import type { MachineIntent } from './record.ts';
import { seen, toEast } from './testing/machines.ts';

describe('a range of prices', () => {
  it('is that of the machines that are left', () => {
    const range = new PriceRange();
    expect([range.count, range.min, range.max]).toEqual([0, 0, 0]);
    for (const price of [5, 3, 9, 3]) range.add(price);
    expect([range.count, range.min, range.max]).toEqual([4, 3, 9]);
    range.remove(3);
    expect([range.count, range.min, range.max]).toEqual([3, 3, 9]);
    range.remove(3);
    range.remove(9);
    expect([range.count, range.min, range.max]).toEqual([1, 5, 5]);
    range.add(7);
    expect([range.min, range.max]).toEqual([5, 7]);
    expect(() => range.remove(4)).toThrow('price 4');
  });
});

/** What the tally says, counted by walking the fleet. */
function counted(inventory: Inventory) {
  const all = [...inventory.all()];
  const groups = new Map<string, number>();
  const byState: Record<string, number> = {};
  const offers = new Map<string, number[]>();
  const types = new Map<string, { idle: number[]; speculative: number }>();
  for (const { seen: machine, assigned, intent, hold, stuck, coolUntil } of all) {
    const group = `${machine.state}/${machine.capacityType}/${assigned?.interruptionBucket ?? 0}`;
    groups.set(group, (groups.get(group) ?? 0) + 1);
    byState[machine.state] = (byState[machine.state] ?? 0) + 1;
    const type = types.get(machine.instanceType) ?? { idle: [], speculative: 0 };
    if (machine.state === 'Speculative') {
      const kind = `${machine.instanceType}/${machine.zone}/${machine.capacityType}`;
      offers.set(kind, [...(offers.get(kind) ?? []), machine.priceMicroUsdPerHour]);
    }
    const isToBeHad = intent === undefined && !hold && !stuck && coolUntil === 0;
    if (isToBeHad && machine.state === 'Speculative') type.speculative++;
    if (isToBeHad && machine.state === 'Idle') type.idle.push(machine.priceMicroUsdPerHour);
    if (type.idle.length + type.speculative > 0) types.set(machine.instanceType, type);
  }
  const ids = (of: typeof all): string[] => of.map((m) => m.seen.id).sort();
  return {
    groups, byState,
    offers: new Map([...offers].map(([kind, prices]) => [kind, [prices.length, Math.min(...prices), Math.max(...prices)]])),
    supply: { idle: sum([...types.values()].map((t) => t.idle.length)), speculative: sum([...types.values()].map((t) => t.speculative)) },
    types: new Map([...types].map(([name, { idle, speculative }]) => [name, [idle.length, idle.length === 0 ? 0 : Math.min(...idle), speculative]])),
    paidFor: all.filter(({ seen: { state, host }, intent }) => (state === 'Speculative' ? intent?.kind === 'bind' : state !== 'Failed' || host)).length,
    east: ids(all.filter((m) => clusterOf(m) === 'east')),
    west: ids(all.filter((m) => clusterOf(m) === 'west')),
    decided: ids(all.filter((m) => m.intent)),
    moving: ids(all.filter((m) => ['Creating', 'Configuring', 'Draining', 'Deleting'].includes(m.seen.state))),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}

function told(inventory: Inventory, names: readonly string[]): ReturnType<typeof counted> {
  const { tally } = inventory;
  return {
    groups: new Map([...tally.groups()].map((g) => [`${g.state}/${g.capacityType}/${g.interruptionBucket}`, g.machines])),
    byState: Object.fromEntries(Object.entries(tally.countByState()).filter(([, n]) => n > 0)),
    offers: new Map(inventory.supplyOf('').offers().map(({ instanceType, zone, capacityType, prices }) => [`${instanceType}/${zone}/${capacityType}`, [prices.count, prices.min, prices.max]])),
    supply: inventory.supplyOf('').totalSupply(),
    paidFor: tally.paidFor,
    types: new Map(names.flatMap((name) => {
      const supply = inventory.supplyOf('').supplyOf(name);
      return supply ? [[name, [supply.idle.count, supply.idle.min, supply.speculative]]] : [];
    })),
    east: [...tally.ofCluster('east')].sort(),
    west: [...tally.ofCluster('west')].sort(),
    decided: [...tally.withIntent()].sort(),
    moving: [...tally.inTransition()].sort(),
  };
}

const STATES = ['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'] as const;
const step = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  what: fc.constantFrom('see', 'see', 'see', 'bind', 'unbind', 'nothing', 'hold', 'unhold', 'rest', 'wake', 'stick', 'remove', 'explain', 'begin', 'end'),
  state: fc.constantFrom(...STATES),
  price: fc.integer({ min: 1, max: 4 }),
  instanceType: fc.constantFrom('small', 'large'),
  cluster: fc.constantFrom('east', 'west'),
});

it('the tally is at any time what a walk over the fleet would count', () => {
  let met = 0;
  fc.assert(fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
    const inventory = new Inventory(new VirtualClock());
    for (const { id, what, state, price, instanceType, cluster } of steps) {
      const known = inventory.get(id);
      const bind: MachineIntent = { kind: 'bind', to: { ...toEast, cluster }, requirements: [], reason: '', decidedAt: 0, configureSent: false };
      const bound = state === 'Configuring' || state === 'Configured' || state === 'Draining';
      const { host, ...described } = seen(id, state, { priceMicroUsdPerHour: price, instanceType, ...(bound && { cluster }) });
      const hasHost = host !== undefined && !(state === 'Failed' && price === 1);
      if (what === 'see') inventory.observe({ ...described, ...(hasHost && { host }) }, inventory.mark());
      else if (!known) continue;
      else if (what === 'remove') inventory.remove(id);
      else if (what === 'hold' || what === 'unhold') inventory.update(id, { hold: what === 'hold' });
      else if (what === 'rest' || what === 'wake') inventory.update(id, { coolUntil: what === 'rest' ? 5_000 : 0 });
      else if (what === 'stick') inventory.update(id, { stuck: !known.stuck });
      else if (what === 'explain') inventory.explain(id, { code: 'Available' });
      else if (what === 'begin') inventory.begin(id, { kind: 'Create', operationId: '', startedAt: 0, attempts: 1, lastError: '' });
      else if (what === 'end') inventory.end(id, { seen: seen(id, state, { instanceType, ...(bound && { cluster }) }), operationId: 'op' });
      else inventory.setIntent(id, what === 'bind' ? bind : what === 'unbind' ? { kind: 'unbind', reason: '', graceSeconds: 0, preemptorPriority: 0, decidedAt: 0 } : undefined);
      const expected = counted(inventory);
      expect(told(inventory, ['small', 'large'])).toEqual(expected);
      met += expected.decided.length;
    }
  }), { numRuns: 400, seed: 7 });
  expect(met).toBeGreaterThan(80);
});

it('a machine that changes while its list is walked is met once', () => {
  const inventory = new Inventory(new VirtualClock());
  for (const id of ['a', 'b', 'c']) inventory.observe(seen(id, 'Creating'), inventory.mark());
  const met: string[] = [];
  for (const { seen: machine } of inventory.inTransition()) {
    met.push(machine.id);
    if (met.length > 3) break;
    inventory.observe(seen(machine.id, 'Configuring'), inventory.mark());
  }
  expect(met).toEqual(['a', 'b', 'c']);
});

describe('what the engine has not heard of', () => {
  it('is taken in parts, removals among them, and each machine once', () => {
    const inventory = new Inventory(new VirtualClock());
    for (const id of ['a', 'b', 'c', 'd']) inventory.observe(seen(id, 'Idle'), inventory.mark());
    inventory.takeEngineChanges(2);
    expect(inventory.engineBacklog).toBe(2);
    inventory.remove('a');
    inventory.remove('c');
    expect([inventory.isNewsForTheEngine('a'), inventory.isNewsForTheEngine('b'), inventory.isNewsForTheEngine('d')]).toEqual([true, false, true]);
    const parts = [inventory.takeEngineChanges(2), inventory.takeEngineChanges(2), inventory.takeEngineChanges(2)];
    expect(parts.map((part) => part && [part.upserted.map((m) => m.id), part.removed])).toEqual([[[], ['a', 'c']], [['d'], []], undefined]);
  });
});

describe('groups of machines', () => {
  it('are told apart by the interruption bucket of those whom they serve, in whatever order they come', () => {
    const inventory = new Inventory(new VirtualClock());
    [1, 2, 1, 3].forEach((interruptionBucket, nth) => {
      const shardMetadata = encodeShardMetadata({ priority: 0, interruptionBucket, reclamationBucket: 0, needFingerprint: 'fp', group: '' });
      inventory.observe(seen(`m-${nth}`, 'Configured', { shardMetadata }), inventory.mark());
    });
    inventory.remove('m-3');
    expect([...inventory.tally.groups()].map((group) => [group.interruptionBucket, group.machines])).toEqual([[1, 2], [2, 1]]);
    expect([inventory.tally.nonSpeculative, inventory.supplyOf('').size]).toEqual([3, 3]);
  });
});

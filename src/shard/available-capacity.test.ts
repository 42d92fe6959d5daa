import { afterEach, describe, expect, it } from 'vitest';
import type { AvailableCapacityUpdate } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { need, requirement } from '../engine/testing/builders.ts';
import type { NeedVerdict } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { AvailableCapacityPublisher } from './available-capacity.ts';
import { Inventory } from './inventory.ts';
import { seen } from './testing/machines.ts';
import { verdict } from './testing/needs.ts';

const TYPE = 'node.kubernetes.io/instance-type';
const pinned = need({ cluster: 'east', requirements: [requirement(TYPE, 'In', 'a', 'b')] });
const open = need({ cluster: 'east', requirements: [requirement('zone', 'In', 'z')] });
const [NONE, MEDIUM, HIGH] = [1, 3, 4];

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function setUp() {
  const clock = new VirtualClock();
  const inventory = new Inventory(clock);
  let clusters = ['east'];
  const limit = { machines: Infinity };
  const sent: { at: number; cluster: string; update: AvailableCapacityUpdate }[] = [];
  const publisher = new AvailableCapacityPublisher({ clock, supplies: () => inventory.trustedSupplies(), mayBuy: () => limit.machines, clusters: () => clusters, send: (cluster, update) => sent.push({ at: clock.monotonic(), cluster, update }), onError: (error) => { throw error; } });
  stops.push(() => {
    publisher.stop();
    expect(clock.pending).toBe(0);
  });
  const have = (id: string, state: 'Idle' | 'Speculative' | 'Configured', instanceType: string, dollars: number): void => inventory.observe(seen(id, state, { instanceType, priceMicroUsdPerHour: dollars * 1_000_000 }), inventory.mark());
  const plan = async (...verdicts: NeedVerdict[]): Promise<void> => {
    publisher.planned(verdicts);
    await clock.advance(0);
  };
  const told = () => sent.map(({ update }) => [update.availableCount, update.confidence, update.costPerHour]);
  return { clock, inventory, limit, publisher, sent, have, plan, told, connect: (...names: string[]) => (clusters = names) };
}

describe('what could still be had', () => {
  it('is counted among the pinned types, at the cheapest idle price, whether or not the rest of the profile matches', async () => {
    const t = setUp();
    t.have('m1', 'Idle', 'a', 3);
    t.have('m2', 'Idle', 'b', 2);
    t.have('m3', 'Speculative', 'b', 1);
    t.have('m4', 'Configured', 'a', 1);
    t.have('m5', 'Idle', 'other', 1);
    await t.plan(verdict(pinned));
    expect(t.sent).toEqual([{ at: 0, cluster: 'east', update: {
      supersedesKey: `available:${pinned.fingerprint}`, requirements: [{ key: TYPE, operator: 1, values: ['a', 'b'] }], resources: undefined, availableCount: 3, confidence: HIGH, costPerHour: 2,
    } }]);
  });

  it('does not count what is decided for somebody, or held', async () => {
    const t = setUp();
    for (const id of ['m1', 'm2', 'm3']) t.have(id, 'Idle', 'a', 3);
    t.inventory.update('m1', { hold: true });
    t.inventory.setIntent('m2', { kind: 'release', reason: '', decidedAt: 0 });
    await t.plan(verdict(pinned), verdict(open));
    expect(t.told()).toEqual([[1, HIGH, 3], [1, HIGH, 0]]);
  });

  it('does not count what a provider has that is set aside', async () => {
    const t = setUp();
    t.have('m1', 'Idle', 'a', 3);
    for (const id of ['x1', 'x2']) t.inventory.observe(seen(id, 'Idle', { instanceType: 'a', priceMicroUsdPerHour: 1 }), t.inventory.mark(), 'aside');
    await t.plan(verdict(pinned), verdict(open));
    await t.inventory.setTrusted('aside', false);
    await t.clock.advance(5_000);
    await t.plan(verdict(pinned), verdict(open));
    expect(t.told()).toEqual([[3, HIGH, 0.000_001], [3, HIGH, 0], [1, HIGH, 3], [1, HIGH, 0]]);
  });

  it('does not count what the limits forbid to buy: of what is had already there may be more than that', async () => {
    const t = setUp();
    for (const id of ['s1', 's2', 's3']) t.have(id, 'Speculative', 'a', 3);
    t.have('m1', 'Idle', 'a', 3);
    const limits = [4, 2, 0, -1];
    for (const machines of limits) {
      t.limit.machines = machines;
      await t.plan(verdict(pinned));
      await t.clock.advance(5_000);
    }
    expect(t.told()).toEqual([[4, HIGH, 3], [3, HIGH, 3], [1, HIGH, 3]]);
    t.inventory.remove('m1');
    await t.plan(verdict(pinned));
    expect(t.told().at(-1)).toEqual([0, NONE, 0]);
  });

  it.each([['first', [1, 0]], ['last', [0, 1]]] as const)('does not count what is to be bought while a row of the profile lacks it because of the limits: the %s one', async (_which, order) => {
    const t = setUp();
    for (const id of ['s1', 's2']) t.have(id, 'Speculative', 'a', 3);
    t.have('m1', 'Idle', 'a', 3);
    const rows = [verdict(pinned), verdict({ ...pinned, group: 'g' }, { satisfied: false, reason: 'LIMIT_REACHED' })];
    await t.plan(...order.map((at) => rows[at]!), verdict(open));
    expect(t.told()).toEqual([[1, HIGH, 3], [3, HIGH, 0]]);
  });

  it('is counted among all machines, without a price, where no type is pinned', async () => {
    const t = setUp();
    t.have('m1', 'Idle', 'a', 3);
    t.have('m2', 'Speculative', 'b', 2);
    await t.plan(verdict(open));
    expect(t.told()).toEqual([[2, HIGH, 0]]);
  });

  it('is less certain if it must be bought, and nothing if there is none', async () => {
    const t = setUp();
    await t.plan(verdict(pinned));
    t.have('m', 'Speculative', 'a', 2);
    await t.clock.advance(5_000);
    await t.plan(verdict(pinned));
    expect(t.told()).toEqual([[0, NONE, 0], [1, MEDIUM, 0]]);
  });

  it('is told once per profile, however many rows there are of it, and only to clusters with a session', async () => {
    const t = setUp();
    await t.plan(verdict(pinned), verdict({ ...pinned, group: 'g' }), verdict({ ...pinned, unitClass: 'x' }), verdict({ ...pinned, cluster: 'west' }));
    expect(t.sent.map((s) => s.cluster)).toEqual(['east']);
  });

  it('is told when it changed, at most every five seconds, and again after four minutes', async () => {
    const t = setUp();
    const same = [verdict(pinned)];
    await t.plan(...same);
    for (let i = 0; i < 3; i++) {
      t.have(`m${i}`, 'Idle', 'a', 5 - i);
      await t.clock.advance(1_000);
      await t.plan(...same);
    }
    expect(t.told()).toEqual([[0, NONE, 0]]);
    await t.clock.advance(2_000);
    expect(t.sent.map((s) => s.at)).toEqual([0, 5_000]);
    expect(t.told()[1]).toEqual([3, HIGH, 3]);
    for (let i = 0; i < 23; i++) {
      await t.clock.advance(10_000);
      await t.plan(...same);
    }
    expect(t.sent).toHaveLength(2);
    await t.clock.advance(10_000);
    await t.plan(...same);
    expect(t.sent).toHaveLength(3);
  });

  it('is told anew to a new session, and of a profile that is asked for again', async () => {
    const t = setUp();
    await t.plan(verdict(pinned), verdict(open));
    await t.clock.advance(5_000);
    t.publisher.forget('east');
    await t.clock.advance(0);
    expect(t.sent).toHaveLength(4);
    await t.clock.advance(5_000);
    await t.plan(verdict(open));
    await t.clock.advance(5_000);
    await t.plan(verdict(pinned), verdict(open));
    expect(t.sent.slice(4).map((s) => s.update.supersedesKey)).toEqual([`available:${pinned.fingerprint}`]);
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import type { MachineState } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import type { ProviderMachine } from '../provider/provider-machine.ts';
import { silentLog } from '../runtime/types.ts';
import { Inventory } from './inventory.ts';
import type { MachineIntent } from './record.ts';
import { Setbacks } from './setbacks.ts';
import { seen, toEast } from './testing/machines.ts';

let clock: VirtualClock;
let inventory: Inventory;
let setbacks: Setbacks;

beforeEach(() => {
  clock = new VirtualClock();
  inventory = new Inventory(clock);
  setbacks = new Setbacks({ clock, random: () => 0.5, inventory, log: silentLog });
  inventory.onChange((change) => setbacks.observe(change));
});

const is = (id: string, state: MachineState, fields: Partial<ProviderMachine> = {}): void => inventory.observe(seen(id, state, fields), inventory.mark());
const restOf = (id: string): number => Math.max(0, (inventory.get(id)?.coolUntil ?? 0) - clock.now());

/** A Create of the machine that comes to nothing. */
function failsToCreate(id: string, lastError: string, fields: Partial<ProviderMachine> = {}): void {
  is(id, 'Speculative', fields);
  is(id, 'Creating', fields);
  is(id, 'Failed', { lastError, ...fields });
}

it('a machine that was repaired rests, and the engine hears when that is over', async () => {
  is('m', 'Idle');
  is('m', 'Configuring');
  is('m', 'Failed');
  inventory.takeEngineChanges();
  is('m', 'Speculative');
  expect(inventory.takeEngineChanges()?.upserted.map((m) => m.stuck)).toEqual([true]);
  await clock.advance(29_999);
  expect(inventory.takeEngineChanges()).toBeUndefined();
  await clock.advance(1);
  expect(inventory.takeEngineChanges()?.upserted.map((m) => m.stuck)).toEqual([false]);
});

describe('an offer', () => {
  it('rests when a Create that was accepted comes to nothing for want of stock: its slots, and no others', () => {
    for (const id of ['a', 'b']) is(id, 'Speculative');
    is('zone', 'Speculative', { zone: 'zone-b' });
    is('type', 'Speculative', { instanceType: 'c16' });
    is('spot', 'Speculative', { capacityType: 'Spot' });
    is('host', 'Idle');
    failsToCreate('m', 'Create failed: [OutOfStock] no c8');
    expect(['a', 'b', 'zone', 'type', 'spot', 'host'].map(restOf)).toEqual([30_000, 30_000, 0, 0, 0, 0]);
    expect(setbacks.offers.count).toBe(1);
  });

  it('comes back after its rest, and rests twice as long when it is still out of stock, up to five minutes', async () => {
    is('a', 'Speculative');
    const spells: number[] = [];
    for (let i = 0; i < 6; i++) {
      failsToCreate('m', '[Quota] none left');
      spells.push(restOf('a'));
      await clock.advance(spells.at(-1)!);
      expect([restOf('a'), setbacks.offers.count]).toEqual([0, 0]);
    }
    expect(spells).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000]);
  });

  it('is trusted again after one Create that succeeds', async () => {
    is('a', 'Speculative');
    failsToCreate('m', '[OutOfStock]');
    await clock.advance(30_000);
    is('a', 'Creating');
    is('a', 'Idle');
    is('a', 'Speculative');
    failsToCreate('m', '[OutOfStock]');
    expect(restOf('a')).toBe(30_000);
  });

  it('rests when three of its slots in a row are refused, whatever the words', () => {
    is('a', 'Speculative');
    failsToCreate('m1', 'boom');
    failsToCreate('m2', 'boom');
    expect(restOf('a')).toBe(0);
    failsToCreate('m3', 'boom');
    expect(restOf('a')).toBe(30_000);
  });

  it('does not rest for single failures with successes in between', () => {
    is('a', 'Speculative');
    for (let i = 0; i < 9; i++) {
      failsToCreate(`bad-${i}`, 'boom');
      is(`good-${i}`, 'Creating');
      is(`good-${i}`, 'Idle');
    }
    expect(restOf('a')).toBe(0);
  });

  it('that rests takes slots with it that come while it does', async () => {
    failsToCreate('m', '[OutOfStock]');
    await clock.advance(10_000);
    is('new', 'Speculative');
    is('released', 'Deleting');
    is('released', 'Speculative');
    is('m', 'Speculative'); // cleaned up
    expect(['new', 'released', 'm'].map(restOf)).toEqual([20_000, 20_000, 20_000]);
    await clock.advance(20_000);
    expect(['new', 'released', 'm'].map(restOf)).toEqual([30_000, 30_000, 0]);
    is('late', 'Speculative');
    expect(restOf('late')).toBe(30_000);
  });

  describe('whose rest is over', () => {
    const slots = ['a', 'b', 'c', 'd'];
    beforeEach(async () => {
      for (const id of slots) is(id, 'Speculative');
      failsToCreate('m', '[OutOfStock]');
      await clock.advance(30_000);
    });

    it('is tried by one slot; while that fails the others are not, and all rest longer', async () => {
      expect([slots.map(restOf), setbacks.offers.count]).toEqual([[0, 30_000, 30_000, 30_000], 0]);
      await clock.advance(10_000);
      failsToCreate('a', '[OutOfStock]');
      is('a', 'Speculative');
      expect([slots.map(restOf), setbacks.offers.count]).toEqual([[60_000, 60_000, 60_000, 60_000], 1]);
      await clock.advance(59_999);
      expect(slots.map(restOf)).toEqual([1, 1, 1, 1]);
      await clock.advance(1);
      expect(slots.map(restOf)).toEqual([0, 30_000, 30_000, 30_000]);
    });

    it('is there for all as soon as that one has succeeded', () => {
      is('a', 'Creating');
      expect(slots.slice(1).map(restOf)).toEqual([30_000, 30_000, 30_000]);
      is('a', 'Idle');
      expect(slots.slice(1).map(restOf)).toEqual([0, 0, 0]);
    });

    it('is there for all after 30 s: what needs several at once cannot be tried with one', async () => {
      inventory.takeEngineChanges();
      await clock.advance(30_000);
      expect(slots.map(restOf)).toEqual([0, 0, 0, 0]);
      expect(inventory.takeEngineChanges()?.upserted.map((m) => [m.id, m.stuck])).toEqual([['b', false], ['c', false], ['d', false]]);
    });
  });

  it('that rests frees what was bound to its slots and not begun; calls under way end on their own', () => {
    const bind = { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent: false } as const;
    for (const id of ['waiting', 'busy']) {
      is(id, 'Speculative');
      inventory.setIntent(id, bind);
    }
    inventory.begin('busy', { kind: 'Create', operationId: '', startedAt: 0, attempts: 1, lastError: '' });
    failsToCreate('m', '[OutOfStock]');
    expect(inventory.get('waiting')?.intent).toBeUndefined();
    expect(inventory.get('busy')?.intent).toEqual(bind);
  });
});

describe('a machine', () => {
  it('that failed on its way rests once it is repaired, longer each time, until it serves', async () => {
    const spells: number[] = [];
    const fails = (): void => {
      is('m', 'Configuring');
      is('m', 'Failed');
      is('m', 'Idle');
      spells.push(restOf('m'));
    };
    fails();
    await clock.advance(spells.at(-1)!);
    fails();
    await clock.advance(spells.at(-1)!);
    is('m', 'Configuring');
    is('m', 'Configured');
    is('m', 'Draining');
    is('m', 'Idle');
    fails();
    expect(spells).toEqual([30_000, 60_000, 30_000]);
  });

  it.each([['Speculative', 'Creating', 0], ['Idle', 'Configuring', 1_000]] as const)('that is %s again, for all its provider had begun, rests as if it had failed', async (first, begun, clusterRestMs) => {
    const again = (configureSent: boolean): void => {
      is('m', first);
      inventory.setIntent('m', { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent });
      is('m', begun);
      is('m', first);
    };
    again(true);
    expect([restOf('m'), setbacks.clusters.restMs('east')]).toEqual([30_000, clusterRestMs]);
    await clock.advance(30_000);
    expect(restOf('m')).toBe(0);
    again(true);
    expect(restOf('m')).toBe(60_000);
    is('n', first);
    is('n', begun);
    is('n', first);
    expect(restOf('n')).toBe(0); // nobody had asked for it
  });

  it('that was repaired only later has rested already', async () => {
    is('m', 'Configuring');
    is('m', 'Failed');
    await clock.advance(30_000);
    is('m', 'Idle');
    expect(restOf('m')).toBe(0);
  });

  it('A-61: that failed while it served is usable as soon as it is repaired (X1)', () => {
    is('m', 'Configured');
    is('m', 'Failed');
    expect(inventory.get('m')?.assigned).toBeUndefined();
    is('m', 'Idle');
    expect(restOf('m')).toBe(0);
  });
});

describe('a cluster', () => {
  it('rests when machines fail while they join it, so that it does not use up the fleet, and no other does', () => {
    is('m', 'Configuring');
    is('m', 'Failed');
    expect([setbacks.clusters.restMs('east'), setbacks.clusters.restMs('west')]).toEqual([1_000, 0]);
  });

  it('is trusted again when one has joined', async () => {
    is('m', 'Configuring');
    is('m', 'Failed');
    await clock.advance(1_000);
    is('n', 'Configuring');
    is('n', 'Configured');
    is('o', 'Configuring');
    is('o', 'Failed');
    expect(setbacks.clusters.restMs('east')).toBe(1_000);
  });
});

describe('a provider that binds machines to another cluster than it was told to', () => {
  const bind = (configureSent: boolean): MachineIntent => ({ kind: 'bind', to: { ...toEast, cluster: 'East' }, requirements: [], reason: '', decidedAt: 0, configureSent });
  const strays = (id: string, configureSent = true): void => {
    is(id, 'Idle');
    inventory.setIntent(id, bind(configureSent));
    is(id, 'Configured', { cluster: 'east' });
  };

  it('is asked for none more for that cluster for a while, longer each time, until one is bound to it', async () => {
    strays('a');
    expect([setbacks.clusterRests.restMs('East'), setbacks.clusterRests.restMs('east')]).toEqual([30_000, 0]);
    await clock.advance(30_000);
    strays('b');
    expect(setbacks.clusterRests.restMs('East')).toBe(60_000);
    await clock.advance(60_000);
    is('c', 'Idle');
    inventory.setIntent('c', bind(true));
    is('c', 'Configuring', { cluster: 'East' });
    strays('d');
    expect(setbacks.clusterRests.restMs('East')).toBe(30_000);
  });

  it('is not one of which somebody else has asked it', () => {
    strays('a', false);
    expect(setbacks.clusterRests.restMs('East')).toBe(0);
  });
});

describe('a provider that does not answer', () => {
  it('Creates: every slot rests, and what was decided of one is over; then one of each offer tries; all are back with the first answer', async () => {
    for (const id of ['a', 'b']) is(id, 'Speculative');
    is('zone', 'Speculative', { zone: 'zone-b' });
    is('host', 'Idle');
    is('busy', 'Speculative');
    inventory.begin('busy', { kind: 'Create', operationId: '', startedAt: 0, attempts: 1, lastError: '' });
    const bind = { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent: false } as const;
    inventory.setIntent('a', bind);
    setbacks.offers.unanswered('Create', 'a', 15_000, 60_000);
    await clock.advance(0);
    expect([['a', 'b', 'zone', 'host', 'busy'].map(restOf), inventory.get('a')?.intent, setbacks.offers.list()]).toEqual([[15_000, 15_000, 15_000, 0, 0], undefined, []]);
    inventory.end('busy', { error: 'no answer', recheck: true });
    setbacks.offers.unanswered('Create', 'busy', 15_000, 60_000);
    expect(restOf('busy')).toBe(15_000);
    await clock.advance(15_000);
    expect(['a', 'b', 'zone', 'busy'].map(restOf)).toEqual([0, 60_000, 0, 60_000]);
    setbacks.offers.answered('Create');
    await clock.advance(0);
    expect(['a', 'b', 'zone', 'busy'].map(restOf)).toEqual([0, 0, 0, 0]);
  });

  it('Configures: every free host rests; one that a Configure was sent to stays promised, and counts for nobody meanwhile', async () => {
    for (const id of ['sent', 'unsent', 'free', 'other']) is(id, 'Idle');
    is('slot', 'Speculative');
    const bind = { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent: false } as const;
    inventory.setIntent('sent', { ...bind, configureSent: true });
    inventory.setIntent('unsent', bind);
    inventory.takeEngineChanges();
    setbacks.offers.unanswered('Configure', 'sent', 15_000, 60_000);
    await clock.advance(0);
    expect(['sent', 'unsent', 'free', 'slot'].map(restOf)).toEqual([15_000, 15_000, 15_000, 0]);
    expect(['sent', 'unsent'].map((id) => inventory.get(id)?.intent?.kind)).toEqual(['bind', undefined]);
    expect(inventory.takeEngineChanges()?.upserted.map((m) => [m.id, m.stuck])).toEqual([['sent', true], ['unsent', true], ['free', true], ['other', true]]);
    is('late', 'Configuring');
    is('late', 'Idle');
    expect(restOf('late')).toBe(15_000);
    setbacks.offers.answered('Configure');
    await clock.advance(0);
    expect(['sent', 'unsent', 'free', 'late'].map(restOf)).toEqual([0, 0, 0, 0]);
    await clock.advance(600_000);
    expect(['sent', 'unsent', 'free', 'late'].map(restOf)).toEqual([0, 0, 0, 0]);
  });
});

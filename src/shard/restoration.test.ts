import { afterEach, describe, expect, it } from 'vitest';
import type { Machine } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Inventory } from './inventory.ts';
import type { MachineIntent } from './record.ts';
import { Restoration } from './restoration.ts';
import { Holdings } from './provider/holdings.ts';
import { recallMachines } from './start.ts';
import { seen, toEast } from './testing/machines.ts';

const START = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const EARLIER = '2026-01-02T03:00:00Z';
const binding = { clusterId: 'east', needFingerprint: 'fp', group: '', priority: 7, decidedAt: EARLIER };
const status = { phase: 'Idle' as const, instanceType: 'c8', labels: { rack: 'r' }, resources: { cpu: '8' }, host: { provider: 'p', ref: 'h' } };

function object(id: string, spec: Partial<Machine['spec']>): Machine {
  return { metadata: { name: id }, spec: { machineId: id, providerRef: 'metal', shardRef: 'shard-0', ...spec } };
}

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function setUp() {
  const clock = new VirtualClock(START);
  const inventory = new Inventory(clock);
  const settled: string[] = [];
  const restoration = new Restoration({ clock, shard: 'shard-0', inventory, onSettled: (id) => settled.push(id) });
  stops.push(() => {
    restoration.stop();
    expect(clock.pending).toBe(0);
  });
  const listed = (id: string, state: Parameters<typeof seen>[1]): void => inventory.observe(seen(id, state), inventory.mark());
  const intent = (id = 'm'): MachineIntent | undefined => inventory.get(id)?.intent;
  return { clock, inventory, restoration, settled, listed, intent };
}

describe('what a new process takes over from the objects', () => {
  function restored(state: Parameters<typeof seen>[1], spec: Partial<Machine['spec']>): MachineIntent | undefined {
    const t = setUp();
    t.listed('m', state);
    t.restoration.begin([object('m', spec)]);
    return t.intent();
  }

  it.each(['Speculative', 'Creating', 'Idle'] as const)('a binding of a machine that is still %s (D34)', (state) => {
    expect(restored(state, { binding })).toMatchObject({ kind: 'bind', configureSent: false, to: { cluster: 'east', fingerprint: 'fp', priority: 7 } });
  });

  it.each(['', 'g', '*'])('for whom it was: group %j', (group) => {
    expect(restored('Idle', { binding: { ...binding, group } })).toMatchObject({ to: { fingerprint: 'fp', group } });
  });

  it.each(['Configuring', 'Configured', 'Draining', 'Failed'] as const)('no binding of one that is %s: the provider knows better', (state) => {
    expect(restored(state, { binding })).toBeUndefined();
  });

  it('nothing that takes away: an object that nobody could update must not drain or delete', () => {
    expect(restored('Configured', { unbind: { reason: 'old' } })).toBeUndefined();
    expect(restored('Idle', { release: { reason: 'old' } })).toBeUndefined();
    expect(restored('Idle', { binding, unbind: { reason: 'old' } })).toBeUndefined();
  });

  it('nothing of another shard', () => {
    expect(restored('Idle', { binding, shardRef: 'shard-1' })).toBeUndefined();
  });

  it('the machines that the objects describe', () => {
    const { inventory } = setUp();
    const objects = [
      { ...object('a', { binding }), status }, { ...object('theirs', { shardRef: 'shard-1' }), status }, { ...object('elsewhere', { providerRef: 'cloud' }), status },
      { ...object('offer', {}), status: { phase: 'Speculative' as const } }, object('by-hand', {}),
    ];
    recallMachines(objects, 'shard-0', new Holdings(inventory, 'metal'));
    expect([...inventory.all()].map((m) => m.seen.id)).toEqual(['a']);
    expect(inventory.get('a')?.seen).toMatchObject({ state: 'Idle', instanceType: 'c8', labels: { rack: 'r' }, allocatable: [['cpu', 8_000]], host: { ref: 'h' } });
  });
});

describe('a binding whose machine the first List does not name', () => {
  it.each([['known from its object', [status]], ['a mere offer by then', []]])('and which is %s is taken over when it is listed, and its object left alone until then', async (_name, described) => {
    const t = setUp();
    const objects = [{ ...object('m', { binding }), ...(described[0] && { status: described[0] }) }];
    recallMachines(objects, 'shard-0', new Holdings(t.inventory, 'metal'));
    t.restoration.begin(objects);
    await t.clock.advance(600_000);
    expect([t.intent(), t.restoration.awaits('m'), t.settled]).toEqual([undefined, true, []]);
    t.listed('m', 'Creating');
    t.restoration.observed('m');
    expect(t.intent()).toMatchObject({ kind: 'bind', to: { fingerprint: 'fp' } });
    expect([t.restoration.awaits('m'), t.settled]).toEqual([false, ['m']]);
  });

  it('is taken over also from a List that says just what its object says', async () => {
    const t = setUp();
    const objects = [{ ...object('m', { binding }), status }];
    recallMachines(objects, 'shard-0', new Holdings(t.inventory, 'metal'));
    t.restoration.begin(objects);
    await t.clock.advance(10_000);
    t.inventory.observe({ ...t.inventory.get('m')!.seen }, t.inventory.mark());
    await t.clock.advance(500);
    expect(t.intent()?.kind).toBe('bind');
  });

  it('is over when something else was decided for it, and nobody looks any more', async () => {
    const t = setUp();
    t.restoration.begin([object('m', { binding })]);
    t.listed('m', 'Idle');
    const other: MachineIntent = { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 5, configureSent: false };
    t.inventory.setIntent('m', other);
    await t.clock.advance(500);
    expect([t.intent(), t.restoration.awaits('m'), t.clock.pending]).toEqual([other, false, 0]);
  });

  it('is over when the machine is known to be gone', async () => {
    const t = setUp();
    t.restoration.begin([object('m', { binding })]);
    t.restoration.gone('m');
    t.listed('m', 'Idle');
    await t.clock.advance(10_000);
    expect([t.intent(), t.restoration.awaits('m'), t.clock.pending]).toEqual([undefined, false, 0]);
  });
});

describe('an object that comes only later', () => {
  const offered = (decidedAt: string | undefined, begin = true): MachineIntent | undefined => {
    const t = setUp();
    t.listed('m', 'Idle');
    if (begin) t.restoration.begin([]);
    t.restoration.offer(object('m', { binding: { ...binding, ...(decidedAt !== undefined ? { decidedAt } : { decidedAt: '' }) } }));
    return t.intent();
  };

  it('says what was decided before the start', () => {
    expect(offered(EARLIER)?.kind).toBe('bind');
  });

  it.each([['since the start', '2026-01-02T03:04:05Z'], ['later', '2026-01-02T03:05:00Z'], ['at no time', undefined]])('says nothing new if it was decided %s: that was us', (_name, decidedAt) => {
    expect(offered(decidedAt)).toBeUndefined();
  });

  it('waits for the start', () => {
    expect(offered(EARLIER, false)).toBeUndefined();
  });
});

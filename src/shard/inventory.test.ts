import { describe, expect, it } from 'vitest';
import { encodeShardMetadata } from '../api/shard-metadata.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import type { ProviderMachine } from '../provider/provider-machine.ts';
import { Inventory } from './inventory.ts';
import type { InventoryChange } from './inventory.ts';
import type { MachineIntent, Operation } from './record.ts';
import { seen, toEast } from './testing/machines.ts';

const bind: MachineIntent = { kind: 'bind', to: toEast, requirements: [], reason: 'wanted', decidedAt: 1, configureSent: false };
const unbind: MachineIntent = { kind: 'unbind', reason: 'excess', graceSeconds: 5, preemptorPriority: 0, decidedAt: 1 };
const operation: Operation = { kind: 'Create', operationId: '', startedAt: 0, attempts: 1, lastError: '' };

function setUp() {
  const clock = new VirtualClock();
  const inventory = new Inventory(clock);
  const changes: InventoryChange[] = [];
  inventory.onChange((change) => changes.push(change));
  return { clock, inventory, changes };
}

describe('what a List says', () => {
  it('is told once: an unchanged record wakes nobody', () => {
    const { inventory, changes } = setUp();
    inventory.observe(seen('m', 'Idle'), inventory.mark());
    inventory.observe(seen('m', 'Idle'), inventory.mark());
    expect(changes).toHaveLength(1);
    expect(inventory.takeEngineChanges()?.upserted.map((m) => m.id)).toEqual(['m']);
    expect(inventory.takeEngineChanges()).toBeUndefined();
  });

  it('leaves the machine as it is known, unless it says anything new of it', () => {
    const { inventory } = setUp();
    const notes = new Map([['k', 'v']]);
    const facts = { cluster: 'east', labels: { rack: 'r', row: '1' }, host: { provider: 'p', ref: 'h' }, shardMetadata: notes };
    inventory.observe(seen('m', 'Configured', facts), inventory.mark());
    const known = inventory.get('m');
    const say = (fields: object): boolean => {
      inventory.observe(seen('m', 'Configured', { ...facts, ...fields }), inventory.mark());
      const isAsKnown = inventory.get('m') === known;
      inventory.observe(known!.seen, inventory.mark());
      return isAsKnown;
    };
    expect([say({}), say({ labels: { row: '1', rack: 'r' }, allocatable: [...known!.seen.allocatable], shardMetadata: new Map(notes) })]).toEqual([true, true]);
    const news: Partial<ProviderMachine>[] = [
      { labels: { rack: 'r' } }, { labels: { rack: 'r', row: '2' } }, { allocatable: [['cpu', 1]] }, { shardMetadata: new Map([['k', 'w']]) }, { host: { provider: 'p', ref: 'i' } }, { host: { provider: 'q', ref: 'h' } },
      { priceMicroUsdPerHour: 7 }, { interruptionProbability: 0.5 }, { zone: 'z' }, { instanceType: 't' }, { capacityType: 'Spot' }, { cluster: 'west' }, { lastError: 'e' },
    ];
    for (const fields of news) {
      inventory.observe(seen('m', 'Configured', { ...facts, ...fields }), inventory.mark());
      expect(inventory.get('m')?.seen).toEqual(seen('m', 'Configured', { ...facts, ...fields }));
      inventory.observe(known!.seen, inventory.mark());
    }
  });

  it('ends a decision that the state does not allow, though it says nothing new', () => {
    const { inventory } = setUp();
    inventory.observe(seen('m', 'Configured'), inventory.mark());
    inventory.setIntent('m', bind);
    inventory.observe(seen('m', 'Configured'), inventory.mark());
    expect(inventory.get('m')?.intent).toBeUndefined();
  });

  it('ends what was missed or is to be looked at again, though it says nothing new', () => {
    const { inventory } = setUp();
    const say = (): void => inventory.observe(seen('m', 'Idle'), inventory.mark());
    say();
    inventory.update('m', { missedLists: 1 });
    say();
    expect(inventory.get('m')?.missedLists).toBe(0);
    const mark = inventory.mark();
    inventory.begin('m', operation);
    inventory.end('m', { error: 'away', recheck: false });
    inventory.observe(seen('m', 'Idle'), mark);
    expect(inventory.get('m')?.recheck).toBe(true);
    say();
    expect(inventory.get('m')?.recheck).toBe(false);
  });

  it('is the first word on a machine of which only its object was known', () => {
    const { inventory } = setUp();
    inventory.recall(seen('m', 'Idle'), 'metal');
    expect(inventory.get('m')).toMatchObject({ isListed: false, provider: 'metal' });
    inventory.observe(seen('m', 'Idle'), inventory.mark(), 'metal');
    expect(inventory.get('m')?.isListed).toBe(true);
    inventory.recall(seen('m', 'Configured', { cluster: 'east' }), 'metal');
    expect(inventory.get('m')).toMatchObject({ isListed: true, seen: { state: 'Idle' } });
  });

  it('is of a machine that a person may hold from the first moment', () => {
    const held = new Set(['held']);
    const inventory = new Inventory(new VirtualClock(), (id) => held.has(id));
    for (const id of ['held', 'free']) inventory.observe(seen(id, 'Idle'), inventory.mark());
    expect(inventory.takeEngineChanges()?.upserted.map((m) => [m.id, m.hold])).toEqual([['held', true], ['free', false]]);
    // Afterwards only `update` says so.
    held.clear();
    inventory.observe(seen('held', 'Configured', { cluster: 'east' }), inventory.mark());
    expect(inventory.get('held')?.hold).toBe(true);
  });

  it('ends with the state the obstacle that was met in it, as does another decision and an accepted call', () => {
    const { inventory } = setUp();
    const meet = (state: 'Speculative' | 'Idle'): void => {
      inventory.observe(seen('m', state), inventory.mark());
      inventory.setIntent('m', bind);
      inventory.update('m', { obstacle: 'no blob' });
      inventory.observe(seen('m', state, { priceMicroUsdPerHour: 7 }), inventory.mark());
      inventory.setIntent('m', { ...bind });
      expect([...inventory.hindered()].map((m) => [m.seen.id, m.obstacle])).toEqual([['m', 'no blob']]);
    };
    const isOver = (): void => expect([[...inventory.hindered()], inventory.get('m')?.obstacle]).toEqual([[], '']);
    meet('Speculative');
    inventory.observe(seen('m', 'Creating'), inventory.mark());
    isOver();
    meet('Idle');
    inventory.setIntent('m', undefined);
    isOver();
    meet('Idle');
    inventory.begin('m', operation);
    inventory.end('m', { seen: seen('m', 'Idle'), operationId: 'op' });
    isOver();
    meet('Idle');
    inventory.remove('m');
    expect([...inventory.hindered()]).toEqual([]);
  });

  it('keeps a release by a person, and no other, over a failure', () => {
    const { inventory } = setUp();
    inventory.observe(seen('m', 'Idle'), inventory.mark());
    inventory.setIntent('m', { kind: 'release', reason: '', decidedAt: 0, byPerson: true });
    inventory.observe(seen('m', 'Failed'), inventory.mark());
    expect(inventory.get('m')?.intent?.kind).toBe('release');
    inventory.setIntent('m', { kind: 'release', reason: '', decidedAt: 0 });
    inventory.observe(seen('m', 'Failed', { lastError: 'x' }), inventory.mark());
    expect(inventory.get('m')?.intent).toBeUndefined();
  });

  it('updates price and labels also when the state stays', () => {
    const { inventory } = setUp();
    inventory.observe(seen('m', 'Idle'), inventory.mark());
    inventory.takeEngineChanges();
    inventory.observe(seen('m', 'Idle', { priceMicroUsdPerHour: 7, labels: { rack: 'r1' } }), inventory.mark());
    expect(inventory.takeEngineChanges()?.upserted[0]).toMatchObject({ priceMicroUsdPerHour: 7, labels: { rack: 'r1' } });
  });

  it('does not overwrite a machine with a call in flight, which is looked at again', () => {
    const { inventory } = setUp();
    inventory.observe(seen('m', 'Speculative'), inventory.mark());
    inventory.begin('m', operation);
    inventory.observe(seen('m', 'Failed'), inventory.mark());
    expect(inventory.get('m')).toMatchObject({ seen: { state: 'Speculative' }, recheck: true, busy: true });
  });

  it.each([['before', 0], ['during', 1]])('does not overwrite the answer of a call that ended after the List was asked for, %s the call', (_, nth) => {
    const { inventory } = setUp();
    inventory.observe(seen('m', 'Speculative'), inventory.mark());
    const marks = [inventory.mark()];
    inventory.begin('m', operation);
    marks.push(inventory.mark());
    inventory.end('m', { seen: seen('m', 'Creating'), operationId: 'op-1' });
    inventory.observe(seen('m', 'Speculative'), marks[nth] as number);
    expect(inventory.get('m')).toMatchObject({ seen: { state: 'Creating' }, recheck: true });
    inventory.observe(seen('m', 'Idle'), inventory.mark());
    expect(inventory.get('m')).toMatchObject({ seen: { state: 'Idle' }, recheck: false });
  });

  it('adopts a machine that is bound already, with what the provider echoes', () => {
    const { inventory } = setUp();
    const shardMetadata = new Map([
      ['bigfleet.lucy.sh/assigned-priority', '7'],
      ['bigfleet.lucy.sh/assigned-need-fingerprint', 'fp-9'],
      ['bigfleet.lucy.sh/assigned-group', 'gang'],
    ]);
    inventory.observe(seen('m', 'Configured', { shardMetadata }), inventory.mark());
    expect(inventory.get('m')?.assigned).toMatchObject({ cluster: 'east', priority: 7, fingerprint: 'fp-9', group: 'gang' });
  });
});

describe('a decision', () => {
  it('to bind is kept through Create and over when the machine is Configured for that cluster', () => {
    const { inventory } = setUp();
    inventory.observe(seen('m', 'Speculative'), inventory.mark());
    inventory.setIntent('m', bind);
    for (const state of ['Creating', 'Idle'] as const) {
      inventory.observe(seen('m', state), inventory.mark());
      expect(inventory.get('m')?.intent).toEqual(bind);
    }
    inventory.observe(seen('m', 'Configuring'), inventory.mark());
    expect(inventory.get('m')?.intent).toEqual({ ...bind, configureSent: true });
    inventory.observe(seen('m', 'Configured'), inventory.mark());
    expect(inventory.get('m')).toMatchObject({ intent: undefined, assigned: toEast });
  });

  it('to bind is dropped when the machine turns up in another cluster', () => {
    const { inventory } = setUp();
    inventory.observe(seen('m', 'Idle'), inventory.mark());
    inventory.setIntent('m', bind);
    inventory.observe(seen('m', 'Configured', { cluster: 'west' }), inventory.mark());
    expect(inventory.get('m')).toMatchObject({ intent: undefined, assigned: { cluster: 'west' } });
  });

  it('to bind is dropped when the machine fails', () => {
    const { inventory } = setUp();
    inventory.observe(seen('m', 'Creating'), inventory.mark());
    inventory.setIntent('m', bind);
    inventory.observe(seen('m', 'Failed'), inventory.mark());
    expect(inventory.get('m')?.intent).toBeUndefined();
  });

  it('to unbind lasts while the machine drains and is over when it is Idle, with its assignment', () => {
    const { inventory } = setUp();
    inventory.observe(seen('m', 'Configured'), inventory.mark());
    inventory.setIntent('m', unbind);
    inventory.observe(seen('m', 'Draining'), inventory.mark());
    expect(inventory.get('m')?.intent).toEqual(unbind);
    inventory.observe(seen('m', 'Idle'), inventory.mark());
    expect(inventory.get('m')).toMatchObject({ intent: undefined, assigned: undefined });
  });

  it('is not made by the engine twice: the change that it causes carries the intent', () => {
    const { inventory } = setUp();
    inventory.observe(seen('m', 'Idle'), inventory.mark());
    inventory.takeEngineChanges();
    inventory.setIntent('m', bind);
    expect(inventory.takeEngineChanges()?.upserted[0]?.intent).toEqual({ kind: 'bind', to: toEast, configureSent: false });
  });
});

describe('a refusal that is held', () => {
  const held = { code: 'NOT_FOUND', words: 'create: no', kind: 'Unknown', isFinal: true, isGone: true, isOfRequest: false } as const;
  function refused() {
    const t = setUp();
    t.inventory.observe(seen('m', 'Speculative'), t.inventory.mark());
    t.inventory.setIntent('m', bind);
    t.inventory.begin('m', operation);
    t.inventory.end('m', { error: 'create: no', recheck: true, inDoubtUntilMonotonicMs: 7, held });
    return t;
  }

  it('is taken once', () => {
    const { inventory } = refused();
    expect(inventory.get('m')?.operation).toMatchObject({ held, inDoubtUntilMonotonicMs: 7 });
    expect(inventory.takeHeld('m')).toBe(held);
    expect(inventory.takeHeld('m')).toBeUndefined();
    expect(inventory.get('m')?.operation).toEqual({ ...operation, lastError: 'create: no' });
  });

  it('and the doubt are over when the machine turns up in another state, or a call is accepted; not when nothing has changed', () => {
    const { inventory } = refused();
    inventory.observe(seen('m', 'Speculative'), inventory.mark());
    expect(inventory.get('m')?.operation).toMatchObject({ held, inDoubtUntilMonotonicMs: 7 });
    inventory.observe(seen('m', 'Creating'), inventory.mark());
    expect(inventory.get('m')?.operation).toEqual({ ...operation, lastError: 'create: no' });
    const accepted = refused().inventory;
    accepted.end('m', { seen: seen('m', 'Speculative'), operationId: 'op-1' });
    expect(accepted.get('m')?.operation).toEqual({ ...operation, operationId: 'op-1' });
  });

  it('is looked into anew when the doubt ends: what was asked before that says nothing', () => {
    const { inventory } = refused();
    const mark = inventory.mark();
    inventory.observe(seen('m', 'Speculative'), mark);
    inventory.endDoubt('m');
    inventory.observe(seen('m', 'Speculative'), mark);
    expect(inventory.get('m')).toMatchObject({ recheck: true, operation: { held } });
    expect(inventory.get('m')?.operation?.inDoubtUntilMonotonicMs).toBeUndefined();
    inventory.observe(seen('m', 'Speculative'), inventory.mark());
    expect(inventory.get('m')).toMatchObject({ recheck: false, operation: { held } });
  });
});

it('a machine that is being configured wakes nobody each time it is listed', () => {
  const { inventory, changes } = setUp();
  inventory.observe(seen('m', 'Idle'), inventory.mark());
  inventory.setIntent('m', bind);
  inventory.observe(seen('m', 'Configuring'), inventory.mark());
  const told = changes.length;
  inventory.observe(seen('m', 'Configuring'), inventory.mark());
  expect(changes).toHaveLength(told);
});

it('remembers since when a machine is in its state', async () => {
  const { clock, inventory } = setUp();
  inventory.observe(seen('m', 'Idle'), inventory.mark());
  const since = inventory.get('m')?.since;
  await clock.advance(5_000);
  inventory.observe(seen('m', 'Idle', { priceMicroUsdPerHour: 1 }), inventory.mark());
  expect(inventory.get('m')?.since).toBe(since);
  inventory.observe(seen('m', 'Deleting'), inventory.mark());
  expect(inventory.get('m')?.since).toBe((since ?? 0) + 5_000);
});

it('tells the engine that a machine is gone, and no more, if it changed and went before the engine was told', () => {
  const { inventory } = setUp();
  for (const id of ['m', 'n']) inventory.observe(seen(id, 'Idle'), inventory.mark());
  inventory.remove('m');
  expect([inventory.isNewsForTheEngine('m'), inventory.engineBacklog]).toEqual([true, 2]);
  expect(inventory.takeEngineChanges()).toMatchObject({ removed: ['m'], upserted: [{ id: 'n' }] });
  expect([inventory.takeEngineChanges(), inventory.engineBacklog]).toEqual([undefined, 0]);
});

it('tells the engine of a machine that is gone, and not of one that went and came back', () => {
  const { inventory } = setUp();
  inventory.observe(seen('m', 'Idle'), inventory.mark());
  inventory.observe(seen('n', 'Idle'), inventory.mark());
  inventory.takeEngineChanges();
  inventory.remove('m');
  inventory.remove('n');
  inventory.observe(seen('n', 'Idle'), inventory.mark());
  expect(inventory.takeEngineChanges()).toMatchObject({ removed: ['m'], upserted: [{ id: 'n' }] });
});

it('believes the provider rather than the object of a machine about whom it serves, and the object where the provider echoes nothing', () => {
  const notes = { needFingerprint: 'old', group: 'g', priority: 10, interruptionBucket: 1, reclamationBucket: 1 };
  const bound = (shardMetadata: ReadonlyMap<string, string>): ProviderMachine => seen('m', 'Configured', { cluster: 'east', shardMetadata });
  for (const [echo, expected] of [[encodeShardMetadata({ ...notes, needFingerprint: 'new', priority: 1000 }), ['new', 1000]], [new Map<string, string>(), ['old', 10]]] as const) {
    const inventory = new Inventory(new VirtualClock());
    inventory.recall(bound(encodeShardMetadata(notes)), 'metal');
    inventory.observe(bound(echo), inventory.mark(), 'metal');
    const assigned = inventory.get('m')?.assigned;
    expect([assigned?.fingerprint, assigned?.priority]).toEqual(expected);
    // From then on it is known, whatever comes.
    inventory.observe(bound(encodeShardMetadata({ ...notes, needFingerprint: 'other' })), inventory.mark(), 'metal');
    expect(inventory.get('m')?.assigned?.fingerprint).toBe(expected[0]);
  }
});

it('tells the engine which of the Failed machines have a host still', () => {
  const inventory = new Inventory(new VirtualClock());
  const { host, ...gone } = seen('m', 'Failed');
  const told = (): unknown => inventory.takeEngineChanges()?.upserted.map(({ id, hasHost }) => [id, hasHost]);
  inventory.observe({ ...gone, ...(host && { host }) }, inventory.mark());
  inventory.observe(seen('i', 'Idle'), inventory.mark());
  expect(told()).toEqual([['m', true], ['i', undefined]]);
  inventory.observe(gone, inventory.mark());
  expect(told()).toEqual([['m', undefined]]);
});

describe('a provider that is not to be relied on', () => {
  it('has all its machines told anew, in turns; no plan is made of a part of them, and nothing that was decided of them is carried out', async () => {
    const inventory = new Inventory(new VirtualClock());
    for (let i = 0; i < 5_000; i++) inventory.observe(seen(`a${i}`, 'Idle'), 0, 'a');
    inventory.observe(seen('b', 'Idle'), 0, 'b');
    while (inventory.takeEngineChanges(2_000));
    const told = inventory.setTrusted('a', false);
    expect([inventory.engineBacklog > 0, inventory.isNewsForTheEngine('a4999'), inventory.isNewsForTheEngine('b')]).toEqual([true, true, false]);
    inventory.takeEngineChanges();
    expect(inventory.engineBacklog).toBeGreaterThan(0);
    await told;
    const last = inventory.takeEngineChanges()!;
    expect(last.upserted.at(-1)).toMatchObject({ id: 'a4999', untrusted: true });
    expect([inventory.engineBacklog, inventory.isNewsForTheEngine('a0')]).toEqual([0, false]);
    await inventory.setTrusted('a', false);
    expect(inventory.engineBacklog).toBe(0);
    await inventory.setTrusted('a', true);
    expect(inventory.takeEngineChanges()!.upserted.filter((m) => m.untrusted !== undefined || m.id === 'b')).toEqual([]);
  });
});

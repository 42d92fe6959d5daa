import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { CONFIRM_REMOVAL_ANNOTATION } from '../../api/constants.ts';
import { ASSIGNED_PRIORITY } from '../../api/shard-metadata.ts';
import type { CapacityProvider, Machine } from '../../api/types.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { ProviderError } from '../../provider/client.ts';
import { createRuntimeMetrics } from '../../runtime/metrics.ts';
import { silentLog } from '../../runtime/types.ts';
import type { Store } from '../../runtime/types.ts';
import { BindRefusals } from '../bind-refusals.ts';
import { Inventory, isWork } from '../inventory.ts';
import { createShardMetrics } from '../metrics.ts';
import type { MachineIntent } from '../record.ts';
import { SourceRows } from '../source-rows.ts';
import { FakeKube } from '../testing/fake-kube.ts';
import { FakeProvider } from '../testing/fake-provider.ts';
import type { ProviderCall } from '../testing/fake-provider.ts';
import { seen, toEast } from '../testing/machines.ts';
import { measureProviders } from './metrics.ts';
import { ProviderRooms } from './rooms.ts';

const bind: MachineIntent = { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent: false };
const unbind: MachineIntent = { kind: 'unbind', reason: '', graceSeconds: 5, preemptorPriority: 0, decidedAt: 0 };
const away = (): Promise<never> => Promise.reject(new ProviderError('Unavailable', 'connection refused'));
/** Until the caller gives up. */
const never = ({ signal }: ProviderCall): Promise<never> => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new ProviderError('Deadline', 'gave up'))));

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function storeOf<T>(objects: Map<string, T>): Store<T> {
  return { get size() { return objects.size; }, get: (key) => objects.get(key), values: () => objects.values(), keys: () => objects.keys(), byIndex: () => [] };
}

/** Rooms as the shard has them, on providers that the test plays; polled every second. */
function setUp(...names: string[]) {
  const clock = new VirtualClock();
  const inventory = new Inventory(clock);
  const providers = new Map<string, FakeProvider>();
  const objects = new Map<string, CapacityProvider>();
  const machineObjects = new Map<string, Machine>();
  const orphans: string[] = [];
  const told = { reliance: 0, trusted: 0 };
  const t = { wereAllObjects: false, concurrency: 1 };
  const errors: object[] = [];
  const warnings: object[] = [];
  const refusals = new BindRefusals(clock, new SourceRows());
  const registry = new Registry();
  const objectOf = (name: string): CapacityProvider => {
    const object: CapacityProvider = { metadata: { name, namespace: 'fleet' }, spec: { address: `${name}:1`, shardRef: 'shard-0', pollSeconds: 1, fullListSeconds: 1 } };
    objects.set(`fleet/${name}`, object);
    providers.set(name, new FakeProvider());
    return object;
  };
  const rooms: ProviderRooms = new ProviderRooms(names.map(objectOf), {
    room: {
      client: new FakeKube(), namespace: 'fleet', shardId: 'shard-0', epoch: () => 1n, clock, random: () => 0.5, log: { ...silentLog, error: (fields) => errors.push(fields), warn: (fields) => warnings.push(fields) }, inventory,
      dial: ({ address }) => providers.get(address().split(':')[0]!)!,
      objects: storeOf(objects), machineObjects: storeOf(machineObjects), pollMs: undefined, wereAllObjects: () => t.wereAllObjects, concurrency: () => t.concurrency,
      isForeign: () => false, onRejected: () => undefined, onOrphan: (id) => orphans.push(id), signal: new AbortController().signal,
    },
    actuation: {
      inventory, clock, random: () => 0.5, metrics: createShardMetrics(registry), runtimeMetrics: createRuntimeMetrics(registry), refusals,
      inactive: () => '', isLeaseProven: () => true, pass: () => Promise.resolve({ notAfterMonotonicMs: clock.monotonic() + 10_000 }), goesOut: () => () => undefined, isConnected: () => true, hasReported: () => true,
      requestBlob: () => Promise.resolve({ userData: new Uint8Array([1]), expiresAt: undefined }), sendReclaim: () => true, requirementsOf: () => [], written: () => Promise.resolve(),
    },
    onReliance: () => told.reliance++,
    onTrusted: () => told.trusted++,
  });
  measureProviders(registry, () => rooms.all());
  inventory.onChange((change) => rooms.observe(change));
  inventory.onChange((change) => {
    if (isWork(change)) rooms.enqueue(change.id);
  });
  const stop = new AbortController();
  const start = async (): Promise<void> => {
    const running = Promise.all([rooms.supply.run(stop.signal), rooms.actuation.run(stop.signal)]);
    stops.push(async () => {
      stop.abort();
      await clock.advance(60_000); // calls that hang are given up
      await running;
    });
    await clock.advance(0);
  };
  const edit = (name: string, spec: Partial<CapacityProvider['spec']>): void => {
    const object = objects.get(`fleet/${name}`)!;
    objects.set(`fleet/${name}`, { ...object, spec: { ...object.spec, ...spec } });
  };
  const of = (name: string): FakeProvider => providers.get(name)!;
  const breakDown = (name: string, how: (call: ProviderCall) => Promise<never>): void => {
    for (const kind of ['list', 'create', 'configure', 'drain', 'delete', 'get'] as const) for (let i = 0; i < 200; i++) of(name).next(kind, how);
  };
  const engineHears = () => Object.fromEntries((inventory.takeEngineChanges()?.upserted ?? []).map((m) => [m.id, m.untrusted ?? false]));
  const measured = async (name: string): Promise<Record<string, number>> =>
    Object.fromEntries((await registry.getSingleMetric(`bigfleet_shard_provider_${name}`)!.get()).values.map(({ labels, value }) => [String(labels['provider']), value]));
  return { clock, earlier: t, objects, measured, inventory, rooms, machineObjects, orphans, told, errors, warnings, objectOf, edit, start, of, breakDown, engineHears };
}

it('a provider whose notes of a machine cannot be read is named with it', async () => {
  const t = setUp('a', 'b');
  t.of('b').set(seen('m', 'Configured', { shardMetadata: new Map([[ASSIGNED_PRIORITY, 'high']]) }));
  await t.start();
  await t.clock.advance(3_000);
  expect(t.warnings).toEqual([{ provider: 'b', machine: 'm', cluster: 'east', problems: [`${ASSIGNED_PRIORITY}: cannot read "high"`] }]);
});

describe('whose machine it is', () => {
  it('follows from who listed it first; calls go there and to nobody else', async () => {
    const t = setUp('a', 'b');
    t.of('a').set(seen('a-1', 'Speculative'));
    t.of('b').set(seen('b-1', 'Speculative'));
    await t.start();
    expect(['a-1', 'b-1', 'c-1'].map((id) => t.rooms.of(id)?.name)).toEqual(['a', 'b', undefined]);
    t.inventory.setIntent('b-1', bind);
    await t.clock.advance(100);
    expect([t.of('a').made(), t.of('b').made()]).toEqual([[], ['create b-1']]);
  });

  it('is that of the first when two list the same id; the other one’s is not looked at, is told of, and takes its place once it is gone', async () => {
    const t = setUp('a', 'b');
    t.edit('b', { fullListSeconds: 3_600 });
    t.of('a').set(seen('m', 'Configured', { instanceType: 'of-a' }));
    t.of('a').set(seen('other', 'Idle'));
    await t.start();
    t.of('b').set(seen('m', 'Idle', { instanceType: 'of-b' }));
    t.of('b').revision = new Uint8Array([1]); // it names only what has changed
    await t.clock.advance(3_000);
    expect(t.inventory.get('m')).toMatchObject({ provider: 'a', seen: { state: 'Configured', instanceType: 'of-a' } });
    expect([[...t.rooms.named('b')!.holdings.disputed], [...t.rooms.named('a')!.holdings.disputed]]).toEqual([['m'], []]);
    expect([await t.measured('disputed_machines'), await t.measured('machines'), await t.measured('reliable')]).toEqual([{ a: 0, b: 1 }, { a: 2, b: 0 }, { a: 1, b: 1 }]);
    const fullLists = (): number => t.of('b').calls.filter((call) => call.kind === 'list' && call.request['since'] === undefined).length;
    const before = fullLists();
    t.of('a').machines.delete('m');
    await t.clock.advance(4_000);
    expect(fullLists()).toBe(before + 1);
    expect(t.inventory.get('m')).toMatchObject({ provider: 'b', seen: { instanceType: 'of-b' } });
    expect(t.rooms.named('b')!.holdings.disputed.size).toBe(0);
  });

  it('is disputed no longer when the other one does not list it any more', async () => {
    const t = setUp('a', 'b');
    t.of('a').set(seen('m', 'Idle'));
    await t.start();
    t.of('b').set(seen('m', 'Idle'));
    await t.clock.advance(2_000);
    t.of('b').machines.delete('m');
    await t.clock.advance(2_000);
    expect([...t.rooms.named('b')!.holdings.disputed]).toEqual([]);
    expect(t.inventory.get('m')?.provider).toBe('a');
  });

  it('is what its object says, after a restart, whoever lists it first', async () => {
    const t = setUp('a', 'b');
    const described: Machine = {
      metadata: { name: 'm', namespace: 'fleet' }, spec: { machineId: 'm', shardRef: 'shard-0', providerRef: 'b' },
      status: { phase: 'Idle', host: { provider: 'x', ref: 'h' }, instanceType: 'c8', zone: 'a', capacityType: 'OnDemand', resources: { cpu: '8' } },
    };
    t.machineObjects.set('fleet/m', described);
    t.rooms.recall();
    t.of('a').set(seen('m', 'Idle'));
    t.of('b').set(seen('m', 'Idle'));
    await t.start();
    expect(t.inventory.get('m')?.provider).toBe('b');
  });
});

describe('a provider that is out of order', () => {
  it.each([['answers nothing', never], ['cannot be reached', away]])('and %s: the other one’s calls take no notice; it is set aside, and what was promised of it is free again', async (_, how) => {
    const t = setUp('a', 'b');
    for (const name of ['a', 'b']) for (const [i, state] of (['Speculative', 'Speculative', 'Idle', 'Configured', 'Creating'] as const).entries()) t.of(name).set(seen(`${name}-${i}`, state));
    await t.start();
    await t.clock.advance(100);
    t.engineHears();
    t.breakDown('a', how);
    // More than its gate and its lane for the cluster take.
    for (const id of ['a-0', 'a-1', 'a-2', 'a-4']) t.inventory.setIntent(id, bind);
    t.inventory.setIntent('a-3', unbind);
    for (const id of ['b-0', 'b-2']) t.inventory.setIntent(id, bind);
    t.inventory.setIntent('b-3', unbind);
    await t.clock.advance(1_000);
    expect(t.of('b').made().filter((call) => !call.startsWith('get')).sort()).toEqual(['configure b-2', 'create b-0', 'drain b-3']);
    await t.clock.advance(5_000);
    expect([...t.rooms.setAside]).toEqual(['a']);
    expect(await t.measured('reliable')).toEqual({ a: 0, b: 1 });
    expect([t.rooms.areTrusted, t.rooms.isSomeTrusted]).toEqual([false, true]);
    // What was begun goes on, and counts.
    expect(['a-0', 'a-1', 'a-3', 'a-4'].map((id) => t.inventory.get(id)?.intent?.kind)).toEqual([undefined, undefined, 'unbind', 'bind']);
    expect(t.engineHears()).toMatchObject({ 'a-0': true, 'a-1': true, 'a-2': true, 'a-3': true, 'a-4': true, 'b-0': false });
    expect([...t.inventory.all()].filter((m) => m.provider === 'a')).toHaveLength(5);
  });

  it('is believed again, and everybody hears', async () => {
    const t = setUp('a', 'b');
    t.of('a').set(seen('a-1', 'Idle'));
    await t.start();
    expect(t.told.trusted).toBe(1);
    for (let i = 0; i < 4; i++) t.of('a').next('list', away);
    await t.clock.advance(7_000);
    expect([...t.rooms.setAside]).toEqual(['a']);
    t.engineHears();
    await t.clock.advance(30_000);
    expect([[...t.rooms.setAside], t.told.trusted, t.engineHears()]).toEqual([[], 2, { 'a-1': false }]);
  });

  it('and says that a newer epoch was seen is fenced for itself; the shard is only when all are', async () => {
    const t = setUp('a', 'b');
    for (const id of ['a-1', 'a-2']) t.of('a').set(seen(id, 'Speculative'));
    t.of('b').set(seen('b-1', 'Speculative'));
    await t.start();
    t.of('a').next('create', () => new ProviderError('Fenced', 'newer'));
    t.inventory.setIntent('a-1', bind);
    await t.clock.advance(1_000);
    expect([t.rooms.fenced, t.rooms.named('a')!.fenced, [...t.rooms.setAside]]).toEqual(['', 'machine a-1: newer', ['a']]);
    t.inventory.setIntent('a-2', bind);
    t.of('b').next('create', () => new ProviderError('Fenced', 'newer still'));
    t.inventory.setIntent('b-1', bind);
    await t.clock.advance(1_000);
    expect(t.of('a').made('create')).toEqual(['create a-1']);
    expect(t.rooms.fenced).toBe('a: machine a-1: newer; b: machine b-1: newer still');
  });

  it('alone is set aside by nobody: there is nothing else to rely on', async () => {
    const t = setUp('a');
    t.of('a').set(seen('a-1', 'Speculative'));
    await t.start();
    t.breakDown('a', away);
    t.inventory.setIntent('a-1', bind);
    await t.clock.advance(20_000);
    expect([[...t.rooms.setAside], t.rooms.isSomeTrusted, t.inventory.get('a-1')?.intent?.kind, t.engineHears()]).toEqual([[], false, 'bind', { 'a-1': false }]);
  });
});

describe('what one provider has gone wrong with', () => {
  it('is that it was away altogether: calls that were lost then say nothing of it once it is back', async () => {
    const t = setUp('a', 'b');
    for (let i = 0; i < 10; i++) t.of('a').set(seen(`a-${i}`, 'Configured'));
    await t.start();
    for (let i = 0; i < 7; i++) t.of('a').next('list', away);
    const silent = () => t.rooms.named('a')!.facts().silent;
    const words = 'drain: gave up';
    for (let i = 0; i < 10; i++) t.rooms.named('a')!.unanswered('a-0', 'Drain', words); // of calls begun before it was first listed
    expect(silent()).toEqual([]);
    await t.clock.advance(20_000);
    for (let i = 0; i < 10; i++) t.rooms.named('a')!.unanswered('a-0', 'Drain', words);
    expect(silent()).toEqual([]);
    await t.clock.advance(130_000);
    for (let i = 0; i < 10; i++) t.rooms.named('a')!.unanswered('a-0', 'Drain', words);
    expect(silent()).toHaveLength(1);
    for (let i = 0; i < 6; i++) t.of('a').next('list', away);
    await t.clock.advance(60_000);
    expect([t.rooms.named('a')!.isReliable, silent()]).toEqual([true, []]);
  });

  it('is that no Create is answered, though it lists: one is tried now and then, by a slot that still wants it, and nothing else of it rests', async () => {
    const t = setUp('a', 'b');
    for (let i = 0; i < 20; i++) t.of('a').set(seen(`a-${String(i).padStart(2, '0')}`, 'Speculative'));
    t.of('a').set(seen('a-host', 'Idle'));
    await t.start();
    for (let i = 0; i < 200; i++) t.of('a').next('create', ({ timeoutMs }) => new Promise((_, reject) => t.clock.after(timeoutMs!, () => reject(new ProviderError('Deadline', 'gave up')))));
    for (let i = 0; i < 20; i++) t.inventory.setIntent(`a-${String(i).padStart(2, '0')}`, bind);
    await t.clock.advance(5 * 30_000 + 1_000);
    const creates = (): number => t.of('a').made('create').length;
    expect([creates(), [...t.inventory.all()].filter(({ intent }) => intent).length]).toEqual([5, 0]);
    expect([t.rooms.named('a')!.facts().silent?.map(({ kind }) => kind), await t.measured('silent_calls')]).toEqual([['Create'], { a: 1, b: 0 }]);
    t.inventory.setIntent('a-host', bind);
    await t.clock.advance(100);
    expect(t.of('a').made('configure')).toEqual(['configure a-host']);
    await t.clock.advance(15_000);
    const [ready] = [...t.inventory.all()].filter(({ seen: { state }, coolUntil }) => state === 'Speculative' && coolUntil <= t.clock.now());
    t.of('a').forgive('create');
    t.inventory.setIntent(ready!.seen.id, bind);
    await t.clock.advance(100);
    expect([creates(), t.rooms.named('a')!.facts().silent]).toEqual([6, []]);
    expect([...t.inventory.all()].filter(({ coolUntil }) => coolUntil > t.clock.now())).toEqual([]);
  });

  it('is that it takes the shard for an older one: of several calls that were under way none is waited for', async () => {
    const t = setUp('a', 'b');
    t.earlier.concurrency = 4;
    for (let i = 0; i < 4; i++) t.of('a').set(seen(`a-${i}`, 'Idle'));
    await t.start();
    for (let i = 0; i < 4; i++) t.of('a').next('configure', () => new Promise((_, reject) => t.clock.after(10 + i * 50, () => reject(new ProviderError('Fenced', 'a newer epoch was seen')))));
    for (let i = 0; i < 4; i++) t.inventory.setIntent(`a-${i}`, bind);
    await t.clock.advance(1_000);
    expect([t.of('a').made('configure').length, [...t.rooms.setAside], [...t.inventory.all()].filter(({ intent }) => intent).length]).toEqual([4, ['a'], 0]);
  });

  it('is one offer that it stumbles over: after eight tries of three slots it rests, and others of that provider are as good as before', async () => {
    const t = setUp('a', 'b');
    for (let i = 0; i < 9; i++) t.of('a').set(seen(`a-${i}`, 'Speculative', { instanceType: i < 6 ? 'bad' : 'good' }));
    await t.start();
    for (let i = 0; i < 24; i++) t.of('a').next('create', () => new ProviderError('Unavailable', 'key error'));
    for (const i of [0, 1, 2]) t.inventory.setIntent(`a-${i}`, bind);
    await t.clock.advance(50_000);
    expect(t.of('a').made('create')).toHaveLength(24);
    const { silent } = t.rooms.named('a')!.facts();
    const resting = (at: number): boolean[] => [...t.inventory.all()].filter(({ seen: { id } }) => id.startsWith('a-')).map(({ intent, coolUntil }) => intent !== undefined || coolUntil > at);
    expect([silent, t.rooms.named('a')!.setbacks.offers.list().map(({ offer }) => offer.split('/')[0])]).toEqual([[], ['bad']]);
    expect(resting(t.clock.now())).toEqual([true, true, true, true, true, true, false, false, false]);
    t.inventory.setIntent('a-8', bind);
    await t.clock.advance(100);
    expect(t.inventory.get('a-8')?.seen.state).toBe('Creating');
  });

  it('is that it is asked too much, as a machine of it says that failed: nothing new is sent there for a moment; the offer is as good as before', async () => {
    const t = setUp('a', 'b');
    for (const name of ['a', 'b']) for (const [i, state] of (['Idle', 'Idle', 'Creating', 'Creating', 'Creating'] as const).entries()) t.of(name).set(seen(`${name}-${i}`, state));
    await t.start();
    for (const i of [2, 3, 4]) t.of('a').move(`a-${i}`, 'Failed', { lastError: 'Create failed: [Throttled] slow down' });
    await t.clock.advance(1_000);
    for (const name of ['a', 'b']) t.inventory.setIntent(`${name}-0`, bind);
    await t.clock.advance(500);
    expect([t.of('a').made(), t.of('b').made()]).toEqual([[], ['configure b-0']]);
    expect(t.rooms.named('a')!.setbacks.offers.count).toBe(0);
    await t.clock.advance(1_000);
    expect(t.of('a').made()).toEqual(['configure a-0']);
  });

  it('rests with it alone: an offer of the same kind, and a cluster where its machines fail, are as good as before elsewhere', async () => {
    const t = setUp('a', 'b');
    for (const name of ['a', 'b']) for (const [i, state] of (['Speculative', 'Speculative', 'Idle', 'Idle'] as const).entries()) t.of(name).set(seen(`${name}-${i}`, state));
    await t.start();
    t.of('a').next('create', () => new ProviderError('Rejected', '[OutOfStock] no c8'));
    for (const id of ['a-0', 'a-2']) t.inventory.setIntent(id, bind);
    await t.clock.advance(100);
    t.of('a').move('a-2', 'Failed', { lastError: 'never joined' });
    await t.clock.advance(1_000);
    expect(t.inventory.get('a-2')?.seen.state).toBe('Failed');
    expect(['a-1', 'b-0', 'b-1'].map((id) => t.inventory.get(id)!.coolUntil > t.clock.now())).toEqual([true, false, false]);
    for (const id of ['a-3', 'b-3', 'b-0']) t.inventory.setIntent(id, bind);
    await t.clock.advance(100);
    expect(t.of('a').made('configure')).toEqual(['configure a-2']);
    expect(t.of('b').made().sort()).toEqual(['configure b-3', 'create b-0']);
  });
});

describe('machines that served before the start, on a provider that is away, without an object of each', () => {
  function awayWith(machines: Record<string, number>) {
    const t = setUp('a', 'b');
    const key = 'fleet/b';
    t.objects.set(key, { ...t.objects.get(key)!, status: { machines } });
    t.breakDown('b', away);
    return t;
  }
  const unseen = (t: ReturnType<typeof setUp>) => Object.fromEntries(t.rooms.unseen);

  it('are known by their number until a List names them', async () => {
    const t = awayWith({ Configured: 2, Configuring: 1, Idle: 1, Speculative: 5 });
    t.rooms.recall();
    await t.start();
    await t.clock.advance(60_000);
    expect(unseen(t)).toEqual({ b: 3 });
    expect(await t.measured('unseen_machines')).toEqual({ a: 0, b: 3 });
    t.of('b').forgive('list');
    for (const id of ['b-1', 'b-2', 'b-3']) t.of('b').set(seen(id, 'Configured'));
    const before = t.told.reliance;
    await t.clock.advance(30_000);
    expect([unseen(t), t.told.reliance > before]).toEqual([{}, true]);
  });

  it('are not seen in a List that is not believed for lack of them', async () => {
    const t = awayWith({ Configured: 40 });
    t.rooms.recall();
    await t.start();
    t.of('b').forgive('list');
    await t.clock.advance(30_000);
    expect(t.rooms.named('b')!.poller.status.quarantine).toMatchObject({ unnamed: 40 });
    expect(unseen(t)).toEqual({ b: 40 });
  });

  it('are not seen in a List that names nothing, however few they were', async () => {
    const t = awayWith({ Configured: 3 });
    t.rooms.recall();
    await t.start();
    t.of('b').forgive('list');
    await t.clock.advance(30_000);
    expect(t.rooms.named('b')!.poller.status.quarantine).toMatchObject({ unnamed: 3 });
    expect(unseen(t)).toEqual({ b: 3 });
  });

  it.each<[string, (t: ReturnType<typeof setUp>) => void, Record<string, number>]>([
    ['confirms that they are gone', (t) => t.objects.set('fleet/b', { ...t.objects.get('fleet/b')!, metadata: { name: 'b', namespace: 'fleet', annotations: { [CONFIRM_REMOVAL_ANNOTATION]: 'unseen-3' } } }), {}],
    ['confirms that fewer are gone', (t) => t.objects.set('fleet/b', { ...t.objects.get('fleet/b')!, metadata: { name: 'b', namespace: 'fleet', annotations: { [CONFIRM_REMOVAL_ANNOTATION]: 'unseen-2' } } }), { b: 3 }],
    ['deletes the CapacityProvider', (t) => t.objects.delete('fleet/b'), {}],
  ])('a person %s', async (_, act, expected) => {
    const t = awayWith({ Configured: 3 });
    t.rooms.recall();
    await t.start();
    t.rooms.look();
    const before = t.told.reliance;
    act(t);
    t.rooms.look();
    expect([unseen(t), t.told.reliance - before]).toEqual([expected, 'b' in expected ? 0 : 1]);
  });

  it('are few enough to be a status that is a little old, where each had an object; not where they had none', () => {
    for (const [wereAllObjects, expected] of [[true, {}], [false, { b: 10 }]] as const) {
      const t = awayWith({ Configured: 10 });
      t.earlier.wereAllObjects = wereAllObjects;
      t.rooms.recall();
      expect(unseen(t)).toEqual(expected);
    }
    const many = awayWith({ Configured: 11 });
    many.earlier.wereAllObjects = true;
    many.rooms.recall();
    expect(unseen(many)).toEqual({ b: 11 });
  });
});

describe('the start', () => {
  it('waits for all, and no longer than 15 s after the first for those that do not list; none is waited for while nobody lists', async () => {
    const t = setUp('a', 'b');
    for (const name of ['a', 'b']) t.breakDown(name, away);
    await t.start();
    let begun = false;
    void t.rooms.waitUntilListed(new AbortController().signal).then(() => (begun = true));
    await t.clock.advance(300_000);
    expect(begun).toBe(false);
    for (const queue of ['list', 'get'] as const) t.of('a').forgive(queue);
    await t.clock.advance(12_000);
    expect([t.rooms.isSomeTrusted, begun]).toEqual([true, false]);
    await t.clock.advance(16_000);
    expect([begun, t.errors.at(-1)]).toEqual([true, { providers: ['b'] }]);
  });

  it('of a second provider while the shard runs: the first is measured by its own word from then on', async () => {
    const t = setUp('a');
    t.of('a').set(seen('a-1', 'Idle'));
    await t.start();
    t.breakDown('a', away);
    await t.clock.advance(10_000);
    const object = t.objectOf('b');
    t.of('b').set(seen('b-1', 'Speculative'));
    t.rooms.add(object);
    t.rooms.add(object);
    await t.clock.advance(1_000);
    expect([[...t.rooms.setAside], t.rooms.size, t.rooms.of('b-1')?.name]).toEqual([['a'], 2, 'b']);
    t.inventory.setIntent('b-1', bind);
    await t.clock.advance(100);
    expect(t.of('b').made('create')).toEqual(['create b-1']);
  });
});

it('objects of machines that nobody lists go by the word of their own provider; of a stranger’s, by that of the only one', async () => {
  const object = (id: string, providerRef: string): Machine => ({ metadata: { name: id, namespace: 'fleet' }, spec: { machineId: id, shardRef: 'shard-0', providerRef } });
  const both = setUp('a', 'b');
  both.breakDown('b', away);
  for (const [id, of] of [['m-a', 'a'], ['m-b', 'b'], ['m-x', 'x']] as const) both.machineObjects.set(`fleet/${id}`, object(id, of));
  await both.start();
  await both.clock.advance(5_000);
  expect(new Set(both.orphans)).toEqual(new Set(['m-a']));
  const one = setUp('a');
  one.machineObjects.set('fleet/m-x', object('m-x', 'x'));
  await one.start();
  await one.clock.advance(5_000);
  expect(new Set(one.orphans)).toEqual(new Set(['m-x']));
});

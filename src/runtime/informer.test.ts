import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../lib/random.ts';
import { createKubeClient } from './client/kube-client.ts';
import type { KubeClientHandle } from './client/kube-client.ts';
import { createInformer } from './informer.ts';
import type { InformerDeps } from './informer.ts';
import { FaultServer } from './testing/fault-server.ts';
import type { PendingRequest, PendingStream } from './testing/fault-server.ts';
import { Mailbox } from './testing/mailbox.ts';
import { ObservableClock } from './testing/observable-clock.ts';
import { silentLog } from './types.ts';
import type { Informer, InformerOptions, KubeObject, Log, ResourceType, StoreEvent } from './types.ts';

interface Thing extends KubeObject {
  spec?: { text: string };
}

const THING: ResourceType = { group: 'example.org', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
const MIN_MS = 1_000;
const MAX_MS = 30_000;
const IDLE_MS = 90_000;
/** The pauses of the reflector; its watchdog and the client's timeouts are longer. */
const isPause = (ms: number): boolean => ms <= MAX_MS - 1;

function thing(name: string, resourceVersion: string, more: { uid?: string; text?: string } = {}): Thing {
  const { uid = `uid-${name}`, text } = more;
  return { metadata: { name, namespace: 'ns', uid, resourceVersion }, ...(text !== undefined && { spec: { text } }) };
}

let clock: ObservableClock;
let server: FaultServer;
let client: KubeClientHandle;
let stop: AbortController;
let runs: Promise<void>[];

beforeEach(async () => {
  clock = new ObservableClock();
  server = await new FaultServer().start();
  client = newClient();
  stop = new AbortController();
  runs = [];
});

afterEach(async () => {
  stop.abort(new Error('the test is over'));
  await Promise.all(runs);
  await client.close();
  await server.stop();
});

function newClient(): KubeClientHandle {
  return createKubeClient({ config: { server: server.url }, clock, random: seededRandom(1), fieldManager: 'test', userAgent: 'test' });
}

function start(options: Partial<InformerDeps & InformerOptions<Thing>> = {}): { informer: Informer<Thing>; events: Mailbox<StoreEvent<Thing>> } {
  const informer = createInformer<Thing>({ client, clock, random: seededRandom(2), log: silentLog, type: THING, watchList: false, ...options });
  const events = new Mailbox<StoreEvent<Thing>>();
  informer.subscribe((event) => events.push(event));
  runs.push(informer.run(stop.signal));
  return { informer, events };
}

/** Takes the informer to where it watches from `resourceVersion` with the given objects in its store. */
async function watching(
  items: readonly Thing[],
  resourceVersion: string,
  options: Partial<InformerDeps & InformerOptions<Thing>> = {},
  listedFrom: '0' | '' = '',
) {
  const started = start(options);
  (await nextList(listedFrom)).page(items, resourceVersion);
  await started.events.take(items.length);
  const stream = (await nextWatch(resourceVersion)).stream();
  return { ...started, stream };
}

async function nextWatch(resourceVersion: string): Promise<PendingRequest> {
  const request = await server.next();
  expect(request.query.get('watch')).toBe('true');
  expect(request.query.get('resourceVersion')).toBe(resourceVersion);
  return request;
}

async function nextList(resourceVersion: '0' | ''): Promise<PendingRequest> {
  const request = await server.next();
  expect(request.query.get('watch')).toBeNull();
  expect(request.query.get('resourceVersion') ?? '').toBe(resourceVersion);
  return request;
}

/** The stream works: an event written to it arrives. */
async function expectAlive(stream: PendingStream, events: Mailbox<StoreEvent<Thing>>, resourceVersion: string): Promise<void> {
  stream.event('ADDED', thing(`alive-${resourceVersion}`, resourceVersion));
  expect(await events.next()).toMatchObject({ type: 'added', key: `ns/alive-${resourceVersion}` });
}

describe('listing', () => {
  test('a page of 140,000 objects is taken in, as a server that ignores the limit sends it', async () => {
    const { informer } = start();
    const count = 140_000;
    (await nextList('')).page(Array.from({ length: count }, (_, i) => thing(`t-${i}`, String(i))), '9007199254740993');
    await informer.waitForSync();
    expect([...informer.store.keys()]).toHaveLength(count);
    await nextWatch('9007199254740993'); // a resourceVersion is text: as a number it would be another one
  });

  test('a list is read page by page and the watch goes on from it, asking for bookmarks', async () => {
    const { informer, events } = start({ labelSelector: 'a=b' });
    const first = await nextList('');
    expect(first.path).toBe('/apis/example.org/v1/things');
    expect(first.query.get('limit')).toBe('500');
    expect(first.query.get('labelSelector')).toBe('a=b');
    first.page([thing('a', '5')], '10', 'token-1');
    const second = await nextList('');
    expect(second.query.get('continue')).toBe('token-1');
    expect(informer.hasSynced).toBe(false);
    second.page([thing('b', '6')], '12');
    const watch = await nextWatch('10');
    expect(watch.query.get('allowWatchBookmarks')).toBe('true');
    expect(watch.query.get('labelSelector')).toBe('a=b');
    const timeout = Number(watch.query.get('timeoutSeconds'));
    expect(timeout).toBeGreaterThanOrEqual(300);
    expect(timeout).toBeLessThan(600);
    await informer.waitForSync();
    expect(await events.take(2)).toMatchObject([
      { type: 'added', key: 'ns/a', initial: true },
      { type: 'added', key: 'ns/b', initial: true },
    ]);
    expect([...informer.store.keys()]).toEqual(['ns/a', 'ns/b']);
  });

  test('a continue token that expires mid-list starts the list over without telling anything twice', async () => {
    const { informer, events } = start();
    (await nextList('')).page([thing('a', '1'), thing('gone', '2')], '10', 'token-1');
    (await nextList('')).fail(410, 'Expired');
    (await nextList('')).page([thing('a', '1')], '20', 'token-2');
    (await nextList('')).page([thing('a', '1'), thing('b', '15')], '20');
    await nextWatch('20');
    await informer.waitForSync();
    expect(events.waitingItems.map(({ type, key }) => `${type} ${key}`)).toEqual(['added ns/a', 'added ns/gone', 'added ns/b', 'deleted ns/gone']);
  });

  test('a first list may be answered from the cache of the server, but not one after an expiry', async () => {
    const { stream } = await watching([thing('a', '1')], '10', { firstList: 'cached' }, '0');
    stream.event('ERROR', { kind: 'Status', code: 410 });
    await clock.pass(isPause);
    await nextList('');
  });

  test('continue tokens that always expire are paced by the backoff', async () => {
    start();
    (await nextList('')).page([thing('a', '1')], '10', 'token-1');
    (await nextList('')).fail(410, 'Expired');
    (await nextList('')).page([thing('a', '1')], '10', 'token-2');
    (await nextList('')).fail(410, 'Expired');
    expect(await clock.timer(isPause)).toBeGreaterThanOrEqual(MIN_MS);
    expect(server.requests.waitingItems).toEqual([]);
  });

  test('objects of a list that the API server refuses with 403 appear once the permission is there', async () => {
    const told: string[] = [];
    const log: Log = { ...silentLog, warn: (_fields, message) => told.push(message), info: (_fields, message) => told.push(message) };
    const { informer } = start({ log });
    (await nextList('')).fail(403, 'Forbidden');
    await clock.pass(isPause);
    (await nextList('')).fail(403, 'Forbidden');
    await clock.pass(isPause);
    (await nextList('')).page([thing('a', '1')], '10');
    await informer.waitForSync();
    await nextWatch('10');
    expect(informer.store.size).toBe(1);
    expect(told).toEqual(['informer interrupted', 'informer goes on']);
  });

  test('a 403 on one kind does not stop another', async () => {
    const other: ResourceType = { ...THING, plural: 'others', kind: 'Other' };
    start();
    (await nextList('')).fail(403, 'Forbidden');
    await clock.timer(isPause);
    const { events } = start({ type: other });
    (await nextList('')).page([], '10');
    await expectAlive((await nextWatch('10')).stream(), events, '11');
  });
});

describe('watching', () => {
  test('events change the store and are told in order', async () => {
    const { informer, events, stream } = await watching([thing('a', '1')], '10');
    stream.event('MODIFIED', thing('a', '11'));
    stream.event('ADDED', thing('b', '12'));
    stream.event('DELETED', thing('a', '13'));
    const told = await events.take(3);
    expect(told).toMatchObject([
      { type: 'updated', key: 'ns/a', object: { metadata: { resourceVersion: '11' } }, old: { metadata: { resourceVersion: '1' } } },
      { type: 'added', key: 'ns/b' },
      { type: 'deleted', key: 'ns/a', old: { metadata: { resourceVersion: '11' } } },
    ]);
    expect(told[1]).not.toHaveProperty('initial');
    expect([...informer.store.keys()]).toEqual(['ns/b']);
  });

  test('a half-open socket is noticed by its silence and the watch goes on from the last event', async () => {
    const { events, stream } = await watching([], '10');
    await expectAlive(stream, events, '11');
    await clock.advance(IDLE_MS - 1);
    expect(server.openConnections).toBe(2);
    await clock.advance(1);
    await stream.closed;
    expect(await clock.pass(isPause)).toBeLessThanOrEqual(100);
    await expectAlive((await nextWatch('11')).stream(), events, '12');
  });

  test('bookmarks alone keep a watch alive and move it forward', async () => {
    const { informer, stream } = await watching([], '10');
    for (const revision of ['20', '30', '40']) {
      await stream.bookmark(revision);
      await roundTrip();
      await clock.advance(60_000);
    }
    expect(server.requests.waitingItems).toEqual([]);
    expect(informer.store.size).toBe(0);
    stream.end();
    await clock.pass(isPause);
    await nextWatch('40');
  });

  test('a watch that the server never ends is ended here, 5 s after its time', async () => {
    const { stream } = await watching([], '10', { idleMs: 10_000_000 });
    const overtime = await clock.timer((ms) => ms >= 305_000 && ms <= 605_000);
    await clock.advance(overtime);
    await stream.closed;
    await clock.pass(isPause);
    await nextWatch('10');
  });

  test('an orderly end is taken up at once', async () => {
    const { stream } = await watching([], '10');
    await clock.advance(MIN_MS);
    stream.end();
    expect(await clock.pass(isPause)).toBeLessThanOrEqual(100);
    await nextWatch('10');
  });

  test.each([
    { random: 0, pauses: [1_000, 1_000, 1_000, 1_000, 1_000] },
    { random: 1, pauses: [3_000, 9_000, 27_000, 30_000, 30_000] },
  ])('a server that closes every watch at once is asked after growing pauses (random $random)', async ({ random, pauses }) => {
    const { stream } = await watching([], '10', { random: () => random });
    stream.end();
    for (const pause of pauses) {
      expect(await clock.pass((ms) => ms <= MAX_MS)).toBe(pause);
      (await nextWatch('10')).stream().end();
    }
  });

  test('an event ends the growth of the pauses', async () => {
    const { events, stream } = await watching([], '10', { random: () => 1 });
    stream.reset();
    expect(await clock.pass(isPause)).toBe(3_000);
    (await nextWatch('10')).reset();
    expect(await clock.pass(isPause)).toBe(9_000);
    const third = (await nextWatch('10')).stream();
    await expectAlive(third, events, '11');
    third.reset();
    expect(await clock.pass(isPause)).toBe(3_000);
    await nextWatch('11');
  });

  test('a server that sends one event and closes is not asked in a hot loop', async () => {
    const { events, stream } = await watching([], '10');
    await expectAlive(stream, events, '11');
    stream.end();
    expect(await clock.pass(isPause)).toBe(MIN_MS);
    await nextWatch('11');
  });

  test.each(['status', 'event', 'event without a reason'])('410 as %s leads to a new list that does not go back in time', async (how) => {
    const { informer, events, stream } = await watching([thing('a', '1'), thing('b', '2')], '10');
    if (how === 'event') stream.event('ERROR', { kind: 'Status', reason: 'Expired', message: 'too old' });
    else if (how === 'event without a reason') stream.event('ERROR', { kind: 'Status', code: 410 });
    else {
      stream.end();
      await clock.pass(isPause);
      (await nextWatch('10')).fail(410, 'Expired');
    }
    await clock.pass(isPause);
    (await nextList('')).page([thing('a', '1'), thing('c', '21')], '30');
    const next = (await nextWatch('30')).stream();
    expect((await events.take(2)).map(({ type, key }) => `${type} ${key}`)).toEqual(['added ns/c', 'deleted ns/b']);
    expect([...informer.store.keys()]).toEqual(['ns/a', 'ns/c']);
    await expectAlive(next, events, '31');
  });

  test('an object deleted and recreated under its name in a gap is told as deleted and added', async () => {
    const { events, stream } = await watching([thing('a', '1', { uid: 'old' })], '10');
    stream.event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' });
    await clock.pass(isPause);
    (await nextList('')).page([thing('a', '25', { uid: 'new' })], '30');
    expect(await events.take(2)).toMatchObject([
      { type: 'deleted', key: 'ns/a', old: { metadata: { uid: 'old' } } },
      { type: 'added', key: 'ns/a', object: { metadata: { uid: 'new' } } },
    ]);
  });

  test('another ERROR event is survived from where the watch was; three in a row lead to a new list', async () => {
    const { stream } = await watching([], '10');
    stream.event('ERROR', { kind: 'Status', code: 500, reason: 'InternalError' });
    for (let i = 0; i < 2; i++) {
      await clock.pass(isPause);
      (await nextWatch('10')).stream().event('ERROR', { kind: 'Status', code: 500, reason: 'InternalError' });
    }
    await clock.pass(isPause);
    await nextList('');
  });

  test('a resourceVersion from the future, as after a restore, leads to a new list', async () => {
    const { stream } = await watching([], '1000');
    stream.end();
    await clock.pass(isPause);
    (await nextWatch('1000')).fail(504, 'Timeout', { details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } });
    await clock.pass(isPause);
    await nextList('');
  });

  test('429 with Retry-After is obeyed', async () => {
    const { stream } = await watching([], '10');
    stream.end();
    await clock.pass(isPause);
    (await nextWatch('10')).fail(429, 'TooManyRequests', { retryAfter: '17' });
    expect(await clock.pass((ms) => ms >= 10_000 && ms <= MAX_MS)).toBe(17_000);
    await nextWatch('10');
  });

  test('each kind of trouble is complained about once, and its end is told', async () => {
    const told: string[] = [];
    const log: Log = { ...silentLog, warn: (fields) => told.push((fields as { error: string }).error), info: (_fields, message) => told.push(message) };
    const { events, stream } = await watching([], '10', { log });
    stream.end();
    for (let i = 0; i < 3; i++) {
      await clock.pass((ms) => ms <= MAX_MS);
      (await nextWatch('10')).fail(403, 'Forbidden', { message: `no, says try ${i}` });
    }
    await clock.pass((ms) => ms <= MAX_MS);
    await expectAlive((await nextWatch('10')).stream(), events, '11');
    expect(told).toEqual([expect.stringContaining('no, says try 0'), 'informer goes on']);
  });

  test('403 on the watch is survived and nothing is forgotten meanwhile', async () => {
    const { informer, events, stream } = await watching([thing('a', '1')], '10');
    stream.end();
    for (let i = 0; i < 5; i++) {
      await clock.pass((ms) => ms <= MAX_MS);
      (await nextWatch('10')).fail(403, 'Forbidden');
    }
    await clock.pass((ms) => ms <= MAX_MS);
    expect(informer.store.size).toBe(1);
    await expectAlive((await nextWatch('10')).stream(), events, '11');
  });

  test.each(['reset', 'truncate'] as const)('a watch that ends by %s goes on from the last whole event', async (how) => {
    const { events, stream } = await watching([], '10', { random: () => 1 });
    await expectAlive(stream, events, '11');
    const text = JSON.stringify({ type: 'ADDED', object: thing('cut', '12') });
    await stream.bytes(text.slice(0, 40));
    if (how === 'reset') stream.reset();
    else stream.end();
    expect(await clock.pass(isPause)).toBe(3 * MIN_MS);
    const next = (await nextWatch('11')).stream();
    await next.bytes(`${text}\n`);
    expect(await events.next()).toMatchObject({ type: 'added', key: 'ns/cut' });
  });

  test('a chunk may end inside a character', async () => {
    const { events, stream } = await watching([], '10');
    const text = 'Größe 測試 🚀';
    const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: thing('a', '11', { text }) })}\n`);
    for (const byte of bytes) await stream.bytes(Buffer.from([byte]));
    expect(await events.next()).toMatchObject({ object: { spec: { text } } });
  });

  test('an event line of 2 MB arrives whole', async () => {
    const { events, stream } = await watching([], '10');
    const text = '界'.repeat(700_000);
    stream.event('ADDED', thing('big', '11', { text }));
    expect(await events.next()).toMatchObject({ object: { spec: { text } } });
    await expectAlive(stream, events, '12');
  });

  test('a server that is away for minutes is found again, and nothing is told twice', async () => {
    const { events, stream } = await watching([thing('a', '1')], '10');
    await expectAlive(stream, events, '11');
    await server.stop();
    for (let i = 0; i < 20; i++) await clock.pass((ms) => ms <= MAX_MS);
    await server.start();
    await clock.pass((ms) => ms <= MAX_MS);
    const next = (await nextWatch('11')).stream();
    await expectAlive(next, events, '12');
    expect(events.waitingItems).toEqual([]);
  });

  test('a jump of the wall clock is not noticed', async () => {
    const { events, stream } = await watching([], '10');
    clock.jumpWall(-86_400_000);
    await clock.advance(1_000);
    clock.jumpWall(2 * 86_400_000);
    await clock.advance(1_000);
    await expectAlive(stream, events, '11');
    expect(server.requests.waitingItems).toEqual([]);
  });

  test('run resolves after the abort and the watch is closed', async () => {
    const { stream } = await watching([], '10');
    stop.abort(new Error('stop'));
    await Promise.all(runs);
    await stream.closed;
    expect(clock.pending).toBe(0);
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });
});

describe('subscribers', () => {
  test('one that comes late is told what is known', async () => {
    const { informer } = await watching([thing('a', '1')], '10');
    const told: string[] = [];
    informer.subscribe(({ type, key }) => told.push(`${type} ${key}`));
    expect(told).toEqual(['added ns/a']);
  });

  test('one that throws is counted and harms nobody', async () => {
    const errors: string[] = [];
    const metrics = { handlerError: (kind: string) => errors.push(kind), list() {}, watchEnded() {} };
    const { informer, events, stream } = await watching([], '10', { metrics });
    informer.subscribe(() => {
      throw new Error('a bug');
    });
    const after = new Mailbox<StoreEvent<Thing>>();
    informer.subscribe((event) => after.push(event));
    await expectAlive(stream, events, '11');
    expect(await after.next()).toMatchObject({ type: 'added' });
    expect(errors).toEqual(['Thing']);
  });

  test('one that has left is told nothing', async () => {
    const { informer, events, stream } = await watching([], '10');
    const told: string[] = [];
    const leave = informer.subscribe(({ key }) => told.push(key));
    leave();
    await expectAlive(stream, events, '11');
    expect(told).toEqual([]);
  });

  test('the projection runs on ingest and a throwing one costs one object, not the informer', async () => {
    const project = (object: Thing): Thing => {
      if (object.spec?.text === 'poison') throw new Error('a bug');
      return { metadata: object.metadata };
    };
    const { informer, events, stream } = await watching([], '10', { project });
    stream.event('ADDED', thing('bad', '11', { text: 'poison' }));
    stream.event('ADDED', thing('good', '12', { text: 'dropped' }));
    expect(await events.next()).toMatchObject({ key: 'ns/good' });
    expect(informer.store.get('ns/good')).not.toHaveProperty('spec');
    expect(informer.store.get('ns/bad')).toBeUndefined();
  });

  test('waiting for the sync ends with the signal', async () => {
    const { informer } = start();
    const waiting = new AbortController();
    const wait = informer.waitForSync(waiting.signal);
    waiting.abort(new Error('enough'));
    await expect(wait).rejects.toThrow('enough');
  });
});

/** Lets bytes already written reach the other side: one whole exchange on the same loopback. */
async function roundTrip(): Promise<void> {
  const probe = client.get(THING, { namespace: 'ns', name: 'probe' });
  (await server.next()).fail(404, 'NotFound');
  await probe;
}

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seededRandom } from '../lib/random.ts';
import { createKubeClient } from './client/kube-client.ts';
import type { KubeClientHandle } from './client/kube-client.ts';
import { createInformer } from './informer.ts';
import { FaultServer } from './testing/fault-server.ts';
import type { PendingRequest, PendingStream } from './testing/fault-server.ts';
import { Mailbox } from './testing/mailbox.ts';
import { ObservableClock } from './testing/observable-clock.ts';
import { silentLog } from './types.ts';
import type { Informer, KubeObject, ResourceType, StoreEvent } from './types.ts';

const THING: ResourceType = { group: 'example.org', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
const isPause = (ms: number): boolean => ms < 30_000;
const isDeadline = (ms: number): boolean => ms === 60_000;

let clock: ObservableClock;
let server: FaultServer;
let client: KubeClientHandle;
let stop: AbortController;
let run: Promise<void>;
let informer: Informer<KubeObject>;
let events: Mailbox<StoreEvent<KubeObject>>;
let lists: number;

beforeEach(async () => {
  clock = new ObservableClock();
  server = await new FaultServer().start();
  client = createKubeClient({ config: { server: server.url }, clock, random: seededRandom(1), fieldManager: 'test', userAgent: 'test' });
  stop = new AbortController();
  lists = 0;
  informer = createInformer<KubeObject>({
    client, clock, random: seededRandom(2), log: silentLog, type: THING,
    metrics: { handlerError() {}, watchEnded() {}, list: () => void lists++ },
  });
  events = new Mailbox();
  informer.subscribe((event) => events.push(event));
  run = informer.run(stop.signal);
});

afterEach(async () => {
  stop.abort(new Error('the test is over'));
  await run;
  await client.close();
  await server.stop();
});

function thing(name: string, resourceVersion: string): KubeObject {
  return { metadata: { name, namespace: 'ns', uid: `uid-${name}`, resourceVersion } };
}

function isWatchList({ query }: PendingRequest): boolean {
  return query.get('sendInitialEvents') === 'true';
}

async function nextWatchList(): Promise<PendingRequest> {
  const request = await server.next();
  expect(Object.fromEntries(request.query)).toMatchObject({ watch: 'true', allowWatchBookmarks: 'true', sendInitialEvents: 'true', resourceVersionMatch: 'NotOlderThan' });
  expect(request.query.get('resourceVersion')).toBeNull();
  return request;
}

async function expectPagedList(): Promise<PendingStream> {
  const request = await server.next();
  expect([request.query.get('watch'), request.query.get('limit')]).toEqual([null, '500']);
  request.page([thing('a', '5'), thing('b', '6')], '7');
  const watch = await server.next();
  expect([watch.query.get('watch'), watch.query.get('resourceVersion'), isWatchList(watch)]).toEqual(['true', '7', false]);
  await informer.waitForSync();
  expect([...informer.store.keys()]).toEqual(['ns/a', 'ns/b']);
  return watch.stream();
}

function endInitialEvents(stream: PendingStream, resourceVersion: string | undefined): void {
  stream.event('BOOKMARK', { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' }, ...(resourceVersion !== undefined && { resourceVersion }) } });
}

describe('a watch that begins with the whole collection', () => {
  test('syncs at the marked bookmark, not before, and the same watch goes on', async () => {
    const stream = (await nextWatchList()).stream();
    stream.event('ADDED', thing('a', '3'));
    stream.event('ADDED', thing('b', '9'));
    stream.event('DELETED', thing('a', '10'));
    await stream.bookmark('10');
    expect(await events.take(3)).toMatchObject([{ type: 'added', key: 'ns/a', initial: true }, { type: 'added', key: 'ns/b', initial: true }, { type: 'deleted', key: 'ns/a' }]);
    expect(informer.hasSynced).toBe(false);
    endInitialEvents(stream, '11');
    await informer.waitForSync();
    stream.event('ADDED', thing('c', '12'));
    const later = await events.next();
    expect(later).toMatchObject({ type: 'added', key: 'ns/c' });
    expect(later).not.toHaveProperty('initial');
    expect([...informer.store.keys()]).toEqual(['ns/b', 'ns/c']);
    expect(lists).toBe(1);
  });

  test('is not too slow for its deadline once all is told', async () => {
    const stream = (await nextWatchList()).stream();
    endInitialEvents(stream, '11');
    await informer.waitForSync();
    await clock.advance(60_000);
    stream.event('ADDED', thing('c', '12'));
    expect(await events.next()).toMatchObject({ key: 'ns/c' });
    expect(server.requests.waitingItems).toEqual([]);
  });

  test('starts over if it ends before, and goes on from the bookmark if it ends after', async () => {
    const first = (await nextWatchList()).stream();
    first.event('ADDED', thing('old', '3'));
    await events.next();
    first.end();
    await clock.pass(isPause);
    const second = (await nextWatchList()).stream();
    second.event('ADDED', thing('a', '4'));
    endInitialEvents(second, '11');
    expect(await events.take(2)).toMatchObject([{ type: 'added', key: 'ns/a' }, { type: 'deleted', key: 'ns/old' }]);
    second.end();
    await clock.pass(isPause);
    const third = await server.next();
    expect([isWatchList(third), third.query.get('resourceVersion')]).toEqual([false, '11']);
  });

  test('comes again when the resourceVersion has expired, and drops what is no longer there', async () => {
    const first = (await nextWatchList()).stream();
    first.event('ADDED', thing('a', '3'));
    endInitialEvents(first, '11');
    await informer.waitForSync();
    first.event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' });
    await clock.pass(isPause);
    const second = (await nextWatchList()).stream();
    endInitialEvents(second, '50');
    expect(await events.take(2)).toMatchObject([{ type: 'added', key: 'ns/a' }, { type: 'deleted', key: 'ns/a' }]);
    expect(lists).toBe(2);
  });
});

/** From here the server knows the resourceVersion no more: the collection is to be read anew. */
async function expire(stream: PendingStream): Promise<void> {
  stream.event('ERROR', { kind: 'Status', code: 410, reason: 'Expired' });
  await clock.pass(isPause);
}

describe('falls back to lists, for good,', () => {
  test.each([400, 415, 422])('at once when the server answers %i', async (code) => {
    (await nextWatchList()).fail(code, 'Invalid');
    await expire(await expectPagedList());
    await expectPagedList();
  });

  test('when the server streams on and never says that this was all', async () => {
    const stream = (await nextWatchList()).stream();
    stream.event('ADDED', thing('stray', '1'));
    await events.next();
    await clock.pass(isDeadline);
    await stream.closed;
    await expire(await expectPagedList());
    await expectPagedList();
  });

  test('when the bookmark does not say from where to go on', async () => {
    endInitialEvents((await nextWatchList()).stream(), undefined);
    await expectPagedList();
  });
});

describe('falls back to lists, for this time,', () => {
  const resetAmidst = async (request: PendingRequest): Promise<void> => {
    const stream = request.stream();
    stream.event('ADDED', thing('stray', '1'));
    await events.next();
    stream.reset();
    await stream.closed;
  };

  test.each<[string, (request: PendingRequest) => Promise<void> | void]>([
    ['that are answered 503', (request) => request.fail(503, 'ServiceUnavailable')],
    ['that are answered 500', (request) => request.fail(500, 'InternalError')],
    ['that are not answered', (request) => request.reset()],
    ['that end too early', (request) => request.stream().end()],
    ['that say ERROR', (request) => request.stream().event('ERROR', { kind: 'Status', code: 500, reason: 'InternalError' })],
  ])('after two watches %s', async (_name, trouble) => {
    for (let i = 0; i < 2; i++) {
      await trouble(await nextWatchList());
      await clock.pass(isPause);
    }
    await expire(await expectPagedList());
    await nextWatchList();
  });

  test('after two watches that are cut amidst, and keeps nothing of what only they told', async () => {
    await resetAmidst(await nextWatchList());
    await clock.pass(isPause);
    (await nextWatchList()).stream().reset();
    await clock.pass(isPause);
    await expire(await expectPagedList());
    await nextWatchList();
  });

  test('after two in a row, not after one now and one later', async () => {
    await resetAmidst(await nextWatchList());
    await clock.pass(isPause);
    const whole = (await nextWatchList()).stream();
    endInitialEvents(whole, '11');
    await informer.waitForSync();
    await expire(whole);
    (await nextWatchList()).fail(503, 'ServiceUnavailable');
    await clock.pass(isPause);
    await nextWatchList();
  });

  test('and lists until one succeeds, after pauses, whatever is wrong with them', async () => {
    for (let i = 0; i < 2; i++) {
      (await nextWatchList()).fail(503, 'ServiceUnavailable');
      await clock.pass(isPause);
    }
    for (let i = 0; i < 2; i++) {
      const list = await server.next();
      expect([list.query.get('watch'), list.query.get('limit')]).toEqual([null, '500']);
      list.fail(400, 'BadRequest');
      await clock.pass(isPause);
    }
    await expire(await expectPagedList());
    await nextWatchList();
  });
});

test('a refusal of a watch that goes on from somewhere says nothing of one that begins with the whole collection', async () => {
  const first = (await nextWatchList()).stream();
  endInitialEvents(first, '11');
  await informer.waitForSync();
  first.end();
  for (let i = 0; i < 3; i++) {
    await clock.pass(isPause);
    const watch = await server.next();
    expect([isWatchList(watch), watch.query.get('resourceVersion')]).toEqual([false, '11']);
    watch.fail(400, 'BadRequest');
  }
  await clock.pass(isPause);
  await nextWatchList();
});

import { expect, test } from 'vitest';
import { call, control, merge, shard, start, watch } from '../testing/harness.ts';
import type { Loose } from '../testing/harness.ts';

const brief = (event: Loose): string => `${event.type} ${event.object.metadata.name ?? ''}`.trim();

test('begins with the present objects, then tells every change in order', async () => {
  const plane = await start();
  await call(plane, 'POST', `${control}/shards`, shard('a'));
  const stream = await watch(plane, `${control}/shards?watch=1`);
  await call(plane, 'POST', `${control}/shards`, shard('b'));
  await call(plane, 'PATCH', `${control}/shards/a`, { spec: { mode: 'Paused' } }, merge);
  await call(plane, 'DELETE', `${control}/shards/a`);
  const events = await stream.take(4);
  expect(events.map(brief)).toEqual(['ADDED a', 'ADDED b', 'MODIFIED a', 'DELETED a']);
  const versions = events.map((event) => Number(event.object.metadata.resourceVersion));
  expect(versions).toEqual([...versions].sort((x, y) => x - y));
  expect(new Set(versions).size).toBe(4);
});

test('resumes after a resourceVersion without loss or repetition', async () => {
  const plane = await start();
  await call(plane, 'POST', `${control}/shards`, shard('a'));
  const { resourceVersion } = (await call(plane, 'GET', `${control}/shards`)).body.metadata;
  await call(plane, 'POST', `${control}/shards`, shard('b'));
  const stream = await watch(plane, `${control}/shards?watch=1&resourceVersion=${resourceVersion}`);
  await call(plane, 'POST', `${control}/shards`, shard('c'));
  expect((await stream.take(2)).map(brief)).toEqual(['ADDED b', 'ADDED c']);
});

test('a resourceVersion before the window, or from another life, is an ERROR event with code 410', async () => {
  const plane = await start({ tuning: { historyEvents: 2 } });
  for (const name of ['a', 'b', 'c', 'd']) await call(plane, 'POST', `${control}/shards`, shard(name));
  for (const version of ['1', '99999']) {
    const stream = await watch(plane, `${control}/shards?watch=1&resourceVersion=${version}`);
    expect(stream.code).toBe(200);
    const event = await stream.next();
    expect([event.type, event.object.code, event.object.reason]).toEqual(['ERROR', 410, 'Expired']);
    expect(await stream.next()).toBeUndefined();
  }
});

test('the window is bounded in bytes as well', async () => {
  const plane = await start({ tuning: { historyBytes: 3000 } });
  const { resourceVersion } = (await call(plane, 'GET', `${control}/shards`)).body.metadata;
  for (const name of ['a', 'b', 'c', 'd']) await call(plane, 'POST', `${control}/shards`, shard(name, {}, { annotations: { x: 'y'.repeat(1000) } }));
  const event = await (await watch(plane, `${control}/shards?watch=1&resourceVersion=${resourceVersion}`)).next();
  expect(event.object.code).toBe(410);
});

test('an object that enters or leaves a selector is added or deleted', async () => {
  const plane = await start();
  await call(plane, 'POST', `${control}/shards`, shard('a', {}, { labels: { on: 'no' } }));
  const stream = await watch(plane, `${control}/shards?watch=1&labelSelector=on%3Dyes`);
  await call(plane, 'PATCH', `${control}/shards/a`, { metadata: { labels: { on: 'yes' } } }, merge);
  await call(plane, 'PATCH', `${control}/shards/a`, { spec: { mode: 'Paused' } }, merge);
  const left = await call(plane, 'PATCH', `${control}/shards/a`, { metadata: { labels: { on: 'no' } } }, merge);
  const events = await stream.take(3);
  expect(events.map(brief)).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a']);
  // What is deleted is the last state that matched, under the version of the change.
  expect(events[2].object.metadata.labels).toEqual({ on: 'yes' });
  expect(events[2].object.metadata.resourceVersion).toBe(left.body.metadata.resourceVersion);
});

test('a watch of one namespace, or of one name, hears of nothing else', async () => {
  const plane = await start();
  await call(plane, 'POST', '/api/v1/namespaces', { metadata: { name: 'other' } });
  const stream = await watch(plane, `${control}/shards?watch=1&fieldSelector=metadata.name=b`);
  await call(plane, 'POST', `${control}/shards`, shard('a'));
  await call(plane, 'POST', '/apis/control.bigfleet.lucy.sh/v1alpha1/namespaces/other/shards', shard('b'));
  await call(plane, 'POST', `${control}/shards`, shard('b'));
  const event = await stream.next();
  expect([event.object.metadata.name, event.object.metadata.namespace]).toEqual(['b', 'default']);
});

test('initial events end with a marked bookmark when asked for', async () => {
  const plane = await start();
  await call(plane, 'POST', `${control}/shards`, shard('a'));
  const stream = await watch(plane, `${control}/shards?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`);
  const [added, bookmark] = await stream.take(2);
  expect(brief(added)).toBe('ADDED a');
  expect([bookmark.type, bookmark.object.kind, bookmark.object.metadata.annotations]).toEqual(['BOOKMARK', 'Shard', { 'k8s.io/initial-events-end': 'true' }]);
  expect(bookmark.object.metadata.resourceVersion).toBe(plane.store.resourceVersion);
  expect((await call(plane, 'GET', `${control}/shards?watch=1&sendInitialEvents=true`)).code).toBe(422);
});

test('bookmarks come in time to who wants them, and carry the version of everything told', async () => {
  const plane = await start();
  const wants = await watch(plane, `${control}/shards?watch=1&allowWatchBookmarks=true`);
  const doesNot = await watch(plane, `${control}/shards?watch=1`);
  plane.store.create({ group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true }, { metadata: { name: 'noise' } });
  await plane.clock.advance(30_000);
  const bookmark = await wants.next();
  expect([bookmark.type, bookmark.object.metadata.resourceVersion]).toEqual(['BOOKMARK', plane.store.resourceVersion]);
  await call(plane, 'POST', `${control}/shards`, shard('a'));
  expect(brief(await doesNot.next())).toBe('ADDED a');
});

test('timeoutSeconds ends the stream in order, with a last bookmark', async () => {
  const plane = await start();
  const stream = await watch(plane, `${control}/shards?watch=1&timeoutSeconds=5&allowWatchBookmarks=true`);
  await plane.clock.advance(5000);
  expect((await stream.next()).type).toBe('BOOKMARK');
  expect(await stream.next()).toBeUndefined();
  expect(plane.faults.closeStreams()).toBe(0);
});

test('a reader that lags is cut off, and the others are not', async () => {
  const plane = await start({ tuning: { watchBufferBytes: 200_000 } });
  const slow = await watch(plane, '/api/v1/configmaps?watch=1');
  const quick = await watch(plane, '/api/v1/configmaps?watch=1');
  slow.pause();
  // More than sockets buffer on their own, a piece per turn so that the quick one keeps up.
  const data = { filler: 'x'.repeat(100_000) };
  let read = 0;
  for (let i = 0; i < 200; i++) {
    await call(plane, 'POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: `c${i}` }, data });
    await quick.next();
    read++;
  }
  expect(read).toBe(200);
  expect(plane.faults.closeStreams({ plural: 'configmaps' })).toBe(1);
});

test('a long initial state does not count as lagging', async () => {
  const plane = await start({ tuning: { watchBufferBytes: 10_000 } });
  for (let i = 0; i < 50; i++) plane.store.create({ group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true }, { metadata: { name: `c${i}` }, data: { filler: 'x'.repeat(1000) } } as Loose);
  const stream = await watch(plane, '/api/v1/configmaps?watch=1');
  expect(await stream.take(50)).toHaveLength(50);
});

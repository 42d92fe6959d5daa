import { expect, test } from 'vitest';
import { Agent, request } from 'undici';
import { call, control, merge, shard, shardType, start, watch } from './testing/harness.ts';

const shards = `${control}/shards`;

test('a list answers 410 so often as told, then works', async () => {
  const plane = await start();
  plane.faults.expireList({ plural: 'shards', times: 2 });
  expect((await call(plane, 'GET', `${control}/machines`)).code).toBe(200);
  for (let i = 0; i < 2; i++) expect((await call(plane, 'GET', shards)).body).toMatchObject({ code: 410, reason: 'Expired' });
  expect((await call(plane, 'GET', shards)).code).toBe(200);
});

test('a watch answers 410 as status or as event', async () => {
  const plane = await start();
  plane.faults.expireWatch('status');
  expect((await call(plane, 'GET', `${shards}?watch=1`)).code).toBe(410);
  plane.faults.expireWatch('event');
  const stream = await watch(plane, `${shards}?watch=1`);
  expect([stream.code, await stream.next(), await stream.next()]).toMatchObject([200, { type: 'ERROR', object: { code: 410, reason: 'Expired' } }, undefined]);
  plane.store.create(shardType, shard('a'));
  expect((await (await watch(plane, `${shards}?watch=1`)).next()).type).toBe('ADDED');
});

test('throttling carries Retry-After and does nothing', async () => {
  const plane = await start();
  plane.faults.throttle(7, { verb: 'create' });
  const refused = await call(plane, 'POST', shards, shard('a'));
  expect([refused.code, refused.headers['retry-after'], refused.body.details.retryAfterSeconds]).toEqual([429, '7', 7]);
  expect(plane.store.list(shardType)).toEqual([]);
  expect((await call(plane, 'POST', shards, shard('a'))).code).toBe(201);
});

test('any status, for one verb, kind and name', async () => {
  const plane = await start();
  plane.faults.fail({ verb: 'patch', plural: 'shards', name: 'b', code: 503, reason: 'ServiceUnavailable', times: Infinity });
  for (const name of ['a', 'b']) await call(plane, 'POST', shards, shard(name));
  const patch = (name: string) => call(plane, 'PATCH', `${shards}/${name}`, { spec: { mode: 'Paused' } }, merge);
  expect([(await patch('a')).code, (await patch('b')).code, (await patch('b')).code]).toEqual([200, 503, 503]);
  plane.faults.clear();
  expect((await patch('b')).code).toBe(200);
});

test('two rules for one kind of request hit two requests', async () => {
  const plane = await start();
  plane.faults.throttle(1);
  plane.faults.fail({ code: 500, reason: 'InternalError' });
  expect([(await call(plane, 'GET', shards)).code, (await call(plane, 'GET', shards)).code, (await call(plane, 'GET', shards)).code]).toEqual([429, 500, 200]);
});

test('a slow answer takes its time', async () => {
  const plane = await start();
  plane.faults.delay(5000, { verb: 'list' });
  let answered = false;
  const slow = call(plane, 'GET', shards).then((answer) => {
    answered = true;
    return answer;
  });
  // Requests to one server are read in order of arrival; this one, on a connection of its own, is answered meanwhile.
  while (plane.clock.pending === 0) await call(plane, 'GET', '/version');
  await plane.clock.advance(4999);
  await call(plane, 'GET', '/version');
  expect(answered).toBe(false);
  await plane.clock.advance(1);
  expect((await slow).code).toBe(200);
});

test('a dropped request: the connection breaks, before or after the change', async () => {
  const plane = await start();
  plane.faults.drop({ verb: 'create' });
  await expect(call(plane, 'POST', shards, shard('a'))).rejects.toThrow('socket hang up');
  expect(plane.store.get(shardType, { name: 'a' })).toBeUndefined();
  plane.faults.drop({ verb: 'create', after: true });
  await expect(call(plane, 'POST', shards, shard('a'))).rejects.toThrow('socket hang up');
  expect(plane.store.get(shardType, { name: 'a' })).toBeDefined();
});

test('closed streams end in order and can be opened again', async () => {
  const plane = await start();
  const one = await watch(plane, `${shards}?watch=1`);
  const other = await watch(plane, `${control}/machines?watch=1`);
  expect(plane.faults.closeStreams({ plural: 'shards' })).toBe(1);
  expect(await one.next()).toBeUndefined();
  expect(plane.faults.closeStreams()).toBe(1);
  expect(await other.next()).toBeUndefined();
});

test('frozen connections stay open and silent, new ones work, thawing closes them', async () => {
  const plane = await start();
  const stream = await watch(plane, `${shards}?watch=1`);
  const agent = new Agent({ connections: 1, pipelining: 1 });
  await (await request(plane.url + shards, { dispatcher: agent })).body.dump();
  expect(plane.faults.freezeConnections()).toBe(2);
  let settled = false;
  const onFrozen = request(plane.url + shards, { method: 'POST', dispatcher: agent, headers: { 'content-type': 'application/json' }, body: JSON.stringify(shard('lost')) }).finally(() => {
    settled = true;
  });
  onFrozen.catch(() => undefined);
  let heard = false;
  const next = stream.next().then(() => {
    heard = true;
  });
  expect((await call(plane, 'POST', shards, shard('a'))).code).toBe(201);
  expect((await call(plane, 'GET', shards)).body.items).toHaveLength(1);
  expect([settled, heard]).toEqual([false, false]);
  plane.faults.clear();
  await expect(onFrozen).rejects.toThrow();
  await next;
  expect(plane.store.list(shardType)).toHaveLength(1);
  await agent.close();
});

test('refused connections are reset until told otherwise', async () => {
  const plane = await start();
  const stream = await watch(plane, `${shards}?watch=1`);
  plane.faults.refuseConnections(true);
  expect(await stream.next()).toBeUndefined();
  await expect(call(plane, 'GET', shards)).rejects.toThrow();
  plane.faults.refuseConnections(false);
  expect((await call(plane, 'GET', shards)).code).toBe(200);
});

import { expect, test } from 'vitest';
import type { KubeObject } from '../runtime/types.ts';
import { builtin } from './index.ts';
import { StatusError } from './status-error.ts';
import { call, control, merge, node, pod, shard, shardType, start, watch } from './testing/harness.ts';
import type { Loose } from './testing/harness.ts';

function failure(fn: () => unknown): StatusError {
  try {
    fn();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

test('writes go through the same rules as over HTTP and are seen there', async () => {
  const plane = await start();
  const stream = await watch(plane, `${control}/shards?watch=1`);
  const created = plane.store.create<Loose>(shardType, shard('a'));
  expect([created.spec.mode, created.metadata.generation]).toEqual(['Active', 1]);
  expect((await call(plane, 'GET', `${control}/shards/a`)).body).toEqual(created);
  expect((await stream.next()).object).toEqual(created);
  expect(failure(() => plane.store.create(shardType, shard('a')))).toMatchObject({ code: 409, reason: 'AlreadyExists' });
  expect(failure(() => plane.store.create(shardType, shard('b', { mode: 'Bogus' })))).toMatchObject({ code: 422, details: { causes: [{ field: 'spec.mode' }] } });
  expect(failure(() => plane.store.get({ ...shardType, plural: 'nothings' }, { name: 'a' }))).toMatchObject({ code: 404 });
});

test('what goes in stays the caller’s own', async () => {
  const plane = await start();
  const mine = shard('a', { limits: { machines: 1 } });
  plane.store.create(shardType, mine);
  expect(mine).toEqual(shard('a', { limits: { machines: 1 } }));
  mine.spec.limits.machines = 2;
  expect(plane.store.get<Loose>(shardType, { name: 'a' }).spec.limits.machines).toBe(1);
});

test('mutate works on a private copy, on either part of the object', async () => {
  const plane = await start();
  const before = plane.store.create<Loose>(shardType, shard('a'));
  const paused = plane.store.mutate<Loose>(shardType, { name: 'a' }, (draft) => {
    draft.spec.mode = 'Paused';
    draft.status = { epoch: 1 };
    return draft;
  });
  expect([before.spec.mode, paused.spec.mode, paused.status]).toEqual(['Active', 'Paused', { observedGeneration: -1 }]);
  const reported = plane.store.mutate<Loose>(shardType, { name: 'a' }, (draft) => ({ ...draft, spec: {}, status: { epoch: 2 } }), { subresource: 'status' });
  expect([reported.spec.mode, reported.status.epoch, reported.metadata.generation]).toEqual(['Paused', 2, 2]);
  expect(failure(() => plane.store.mutate(shardType, { name: 'b' }, (draft) => draft))).toMatchObject({ code: 404 });
});

test('list is sorted and keeps to its namespace; delete says whether there was something', async () => {
  const plane = await start();
  await call(plane, 'POST', '/api/v1/namespaces', { metadata: { name: 'z' } });
  for (const [name, namespace] of [['b', 'z'], ['c', 'default'], ['a', 'z']] as const) plane.store.create(builtin.configMaps, { metadata: { name, namespace } });
  expect(plane.store.list(builtin.configMaps).map((c) => c.metadata.name)).toEqual(['c', 'a', 'b']);
  expect(plane.store.list(builtin.configMaps, { namespace: 'z' }).map((c) => c.metadata.name)).toEqual(['a', 'b']);
  expect(plane.store.delete(builtin.configMaps, { name: 'a', namespace: 'z' })).toBe(true);
  expect(plane.store.delete(builtin.configMaps, { name: 'a', namespace: 'z' })).toBe(false);
});

test('a watch begins with what is there and hears of changes before the call that made them returns', async () => {
  const plane = await start();
  plane.store.create(shardType, shard('a'));
  const seen: string[] = [];
  const stop = plane.store.watch<Loose>(shardType, (event) => seen.push(`${event.type} ${event.key} ${event.type === 'updated' ? `${event.old.spec.mode}>${event.object.spec.mode}` : ''}`.trim()));
  expect(seen).toEqual(['added default/a']);
  plane.store.mutate<Loose>(shardType, { name: 'a' }, (draft) => ({ ...draft, spec: { ...draft.spec, mode: 'Paused' } }));
  expect(seen.at(-1)).toBe('updated default/a Active>Paused');
  await call(plane, 'DELETE', `${control}/shards/a`);
  expect(seen.at(-1)).toBe('deleted default/a');
  stop();
  plane.store.create(shardType, shard('b'));
  expect(seen).toHaveLength(3);
});

test('changes made inside handlers reach every handler in the order of their versions', async () => {
  const plane = await start();
  plane.store.create(builtin.configMaps, { metadata: { name: 'first' } });
  const seen: number[] = [];
  plane.store.watch(builtin.configMaps, (event) => {
    if (event.type === 'added' && event.object.metadata.name === 'first') plane.store.create(builtin.configMaps, { metadata: { name: 'second' } });
    if (event.type === 'added' && event.object.metadata.name === 'third') plane.store.create(builtin.configMaps, { metadata: { name: 'fourth' } });
  });
  plane.store.watch(builtin.configMaps, (event) => {
    if (event.type === 'added') seen.push(Number(event.object.metadata.resourceVersion));
  });
  plane.store.create(builtin.configMaps, { metadata: { name: 'third' } });
  expect(seen).toHaveLength(4);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

test('a handler that throws is reported and keeps nobody from hearing', async () => {
  const reports: string[] = [];
  const plane = await start({ log: (message) => reports.push(message) });
  plane.store.watch(builtin.configMaps, () => {
    throw new Error('oops');
  });
  let heard = 0;
  plane.store.watch(builtin.configMaps, () => heard++);
  plane.store.create(builtin.configMaps, { metadata: { name: 'a' } });
  expect([heard, reports.length]).toEqual([1, 1]);
  expect(reports[0]).toContain('oops');
});

test('bindPod refuses a second Node', async () => {
  const plane = await start();
  plane.store.create(builtin.nodes, node('n'));
  plane.store.create(builtin.pods, pod('p'));
  plane.store.bindPod({ name: 'p' }, 'n');
  expect(failure(() => plane.store.bindPod({ name: 'p' }, 'm'))).toMatchObject({ code: 409 });
  expect(failure(() => plane.store.bindPod({ name: 'q' }, 'm'))).toMatchObject({ code: 404 });
  expect(plane.store.get<KubeObject & { spec: { nodeName: string } }>(builtin.pods, { name: 'p' })?.spec.nodeName).toBe('n');
});

test('an update over HTTP and one in process see each other’s versions', async () => {
  const plane = await start();
  const created = plane.store.create<Loose>(shardType, shard('a'));
  plane.store.mutate<Loose>(shardType, { name: 'a' }, (draft) => ({ ...draft, spec: { ...draft.spec, mode: 'Paused' } }));
  expect((await call(plane, 'PUT', `${control}/shards/a`, created)).code).toBe(409);
  expect((await call(plane, 'PATCH', `${control}/shards/a`, { spec: { mode: 'Active' } }, merge)).code).toBe(200);
  // A draft that carries an old version is stale as well.
  expect(failure(() => plane.store.mutate(shardType, { name: 'a' }, () => created))).toMatchObject({ code: 409 });
});

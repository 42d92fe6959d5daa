import { expect, test } from 'vitest';
import { apply, call, control, fleet, machine, merge, pod, podsPath, shard, start } from './testing/harness.ts';
import type { Loose } from './testing/harness.ts';

async function server() {
  const plane = await start();
  const send = async (path: string, manager: string, body: Loose, force = false) => call(plane, 'PATCH', `${path}?fieldManager=${manager}&force=${force}`, body, apply);
  return { plane, send };
}

const one = `${control}/shards/a`;

test('creates what is absent, merges into what is there, and records who applied what', async () => {
  const { plane, send } = await server();
  const created = await send(one, 'm1', shard('a', { mode: 'Paused', limits: { machines: 4 } }));
  expect(created.code).toBe(201);
  expect(created.body.metadata.managedFields).toMatchObject([{ manager: 'm1', operation: 'Apply', fieldsV1: { 'f:spec': { 'f:mode': {}, 'f:limits': { 'f:machines': {} } } } }]);
  const second = await send(one, 'm2', shard('a', { cycleSeconds: 5 }));
  expect([second.code, second.body.spec.mode, second.body.spec.cycleSeconds]).toEqual([200, 'Paused', 5]);
  expect(second.body.metadata.managedFields).toHaveLength(2);
  expect((await call(plane, 'PATCH', `${one}?fieldManager=`, shard('a'), apply)).code).toBe(422);
});

test('applying the same again changes nothing', async () => {
  const { plane, send } = await server();
  const first = await send(one, 'm1', shard('a', { mode: 'Paused' }));
  await send(one, 'm2', shard('a', { cycleSeconds: 5 }));
  await plane.clock.advance(5000);
  const again = await send(one, 'm1', shard('a', { mode: 'Paused' }));
  expect(Number(again.body.metadata.resourceVersion)).toBe(Number(first.body.metadata.resourceVersion) + 1);
  expect(again.body.metadata.managedFields[0].time).toBe('2026-01-01T00:00:00Z');
});

test('what a manager no longer names goes, unless somebody else names it, too', async () => {
  const { send } = await server();
  await send(one, 'm1', shard('a', { limits: { machines: 4, microUsdPerHour: 9 }, cycleSeconds: 5 }, { labels: { x: '1', y: '2' } }));
  await send(one, 'm2', shard('a', { cycleSeconds: 5 }));
  const less = (await send(one, 'm1', shard('a', { limits: { machines: 4 } }, { labels: { x: '1' } }))).body;
  expect(less.spec).toMatchObject({ limits: { machines: 4 }, cycleSeconds: 5 });
  expect(less.spec.limits.microUsdPerHour).toBeUndefined();
  expect(less.metadata.labels).toEqual({ x: '1' });
  const nothing = (await send(one, 'm1', shard('a'))).body;
  expect([nothing.spec.limits, nothing.metadata.labels]).toEqual([undefined, undefined]);
  // A field with a default falls back to it.
  expect((await send(one, 'm2', shard('a'))).body.spec.cycleSeconds).toBe(10);
});

test('an optional part that a manager drops disappears whole, but not what others put into it', async () => {
  const { plane, send } = await server();
  await call(plane, 'POST', `${control}/machines`, machine('m'));
  const path = `${control}/machines/m`;
  const config = (spec: Loose) => ({ ...machine('m'), spec });
  expect((await send(path, 'shard', config({ binding: { clusterId: 'c', priority: 1 } }))).body.spec.binding).toEqual({ clusterId: 'c', priority: 1 });
  expect((await send(path, 'shard', config({}))).body.spec).toEqual({ machineId: 'm', providerRef: 'p', shardRef: 's' });
  await send(path, 'shard', config({ unbind: { reason: 'r' } }));
  await call(plane, 'PATCH', path, { spec: { unbind: { graceSeconds: 4 } } }, merge);
  expect((await send(path, 'shard', config({}))).body.spec.unbind).toEqual({ graceSeconds: 4 });
});

test('another’s value is a conflict that names him and the field; force takes it', async () => {
  const { send } = await server();
  await send(one, 'm1', shard('a', { mode: 'Paused', cycleSeconds: 5 }));
  const refused = await send(one, 'm2', shard('a', { mode: 'Active' }));
  expect([refused.code, refused.body.details.causes]).toEqual([409, [{ reason: 'FieldManagerConflict', message: 'conflict with "m1"', field: '.spec.mode' }]]);
  expect((await send(one, 'm2', shard('a', { mode: 'Paused' }))).code).toBe(200); // the same value is shared
  await send(one, 'm2', shard('a', { mode: 'Active' }), true);
  const after = await send(one, 'm1', shard('a', { cycleSeconds: 5 }));
  expect(after.body.spec.mode).toBe('Active');
});

test('conditions merge by type, each manager with his own', async () => {
  const { plane, send } = await server();
  await call(plane, 'POST', `${fleet}/namespaces/default/capacityrequests`, { apiVersion: 'bigfleet.lucy.sh/v1alpha1', kind: 'CapacityRequest', metadata: { name: 'r' }, spec: { priority: 1, resources: { cpu: 1 } } });
  const path = `${fleet}/namespaces/default/capacityrequests/r/status`;
  const condition = (type: string) => ({ type, status: 'True', reason: 'R', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' });
  const config = (status: Loose) => ({ apiVersion: 'bigfleet.lucy.sh/v1alpha1', kind: 'CapacityRequest', metadata: { name: 'r' }, status });
  await send(path, 'm1', config({ phase: 'Pending', conditions: [condition('Accepted'), condition('Fits')] }));
  const both = (await send(path, 'm2', config({ conditions: [condition('Satisfied')] }))).body;
  expect(both.status.conditions.map((c: Loose) => c.type)).toEqual(['Accepted', 'Fits', 'Satisfied']);
  const less = (await send(path, 'm1', config({ phase: 'Pending', conditions: [condition('Fits')] }))).body;
  expect(less.status.conditions.map((c: Loose) => c.type)).toEqual(['Fits', 'Satisfied']);
  const changed = (await send(path, 'm1', config({ phase: 'Pending', conditions: [{ ...condition('Fits'), status: 'False' }] }))).body;
  expect(changed.status.conditions[0]).toMatchObject({ type: 'Fits', status: 'False' });
});

test('each endpoint takes its part only', async () => {
  const { plane, send } = await server();
  await send(one, 'm1', { ...shard('a', { mode: 'Paused' }), status: { epoch: 1 } });
  await send(`${one}/status`, 'm1', { ...shard('a', { mode: 'Active' }), status: { epoch: 2 } });
  const { body } = await call(plane, 'GET', one);
  expect([body.spec.mode, body.status, body.metadata.managedFields.length]).toEqual(['Paused', { epoch: 2, observedGeneration: -1 }, 2]);
  expect((await send(one, 'm1', shard('a'))).body.status).toEqual({ epoch: 2, observedGeneration: -1 });
  expect((await send(`${control}/shards/none/status`, 'm1', shard('none'))).code).toBe(404);
});

test('lists without identity are replaced, known lists of built-in kinds merge', async () => {
  const { send } = await server();
  const list = (requirements: Loose) => ({ apiVersion: 'bigfleet.lucy.sh/v1alpha1', kind: 'CapacityRequest', metadata: { name: 'r' }, spec: { priority: 1, resources: { cpu: 1 }, requirements } });
  const path = `${fleet}/namespaces/default/capacityrequests/r`;
  await send(path, 'm1', list([{ key: 'a', operator: 'Exists' }, { key: 'b', operator: 'Exists' }]));
  expect((await send(path, 'm1', list([{ key: 'c', operator: 'Exists' }]))).body.spec.requirements).toEqual([{ key: 'c', operator: 'Exists' }]);
  await send(`${podsPath}/p`, 'm1', pod('p', { spec: { containers: [{ name: 'main', image: 'a' }, { name: 'side', image: 'b' }] } }));
  const image = await send(`${podsPath}/p`, 'm2', pod('p', { spec: { containers: [{ name: 'side', image: 'c' }] } }), true);
  expect(image.body.spec.containers.map((c: Loose) => [c.name, c.image])).toEqual([['main', 'a'], ['side', 'c']]);
});

test('an apply with a stale resourceVersion is a conflict, and managedFields cannot be brought along', async () => {
  const { send } = await server();
  await send(one, 'm1', shard('a'));
  expect((await send(one, 'm1', shard('a', {}, { resourceVersion: '1' }))).code).toBe(409);
  expect((await send(one, 'm1', shard('a', {}, { managedFields: [{}] }))).code).toBe(400);
});

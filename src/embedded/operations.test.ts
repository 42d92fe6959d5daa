import { expect, test } from 'vitest';
import { call, control, fleet, json, machine, merge, pod, podsPath, settle, shard, shardType, start, strategic } from './testing/harness.ts';
import type { Loose } from './testing/harness.ts';

const shards = `${control}/shards`;

test('create sets what only the server knows, and defaults', async () => {
  const plane = await start();
  const { code, body } = await call(plane, 'POST', shards, { ...shard('a', {}, { uid: 'mine', generation: 7, deletionTimestamp: '2026-01-01T00:00:00Z' }), status: { epoch: 4 } });
  expect(code).toBe(201);
  expect(body.metadata).toMatchObject({ name: 'a', namespace: 'default', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' });
  expect(body.metadata.uid).not.toBe('mine');
  expect(body.metadata.deletionTimestamp).toBeUndefined();
  expect(body.status).toEqual({ observedGeneration: -1 }); // the default of the definition
  expect(body.spec.rails.reclaimCapFraction).toBe('0.05');
  expect((await call(plane, 'GET', `${shards}/a`)).body).toEqual(body);
});

test('a name that is taken is 409 AlreadyExists; generateName finds free ones', async () => {
  const suffixes = ['aaaaa', 'aaaaa', 'bbbbb'];
  const plane = await start({ ids: { uid: () => 'u', suffix: () => suffixes.shift() ?? 'zzzzz' } });
  await call(plane, 'POST', shards, shard('a'));
  const again = await call(plane, 'POST', shards, shard('a'));
  expect([again.code, again.body.reason, again.body.message]).toEqual([409, 'AlreadyExists', 'shards.control.bigfleet.lucy.sh "a" already exists']);
  const generated = async () => (await call(plane, 'POST', shards, { ...shard(''), metadata: { generateName: 'x-' } })).body.metadata.name as string;
  expect([await generated(), await generated()]).toEqual(['x-aaaaa', 'x-bbbbb']);
  const nameless = await call(plane, 'POST', shards, { ...shard(''), metadata: {} });
  expect([nameless.code, nameless.body.details.causes[0].field]).toEqual([422, 'metadata.name']);
});

test('create refuses a missing namespace, a foreign one, another kind and a resourceVersion', async () => {
  const plane = await start();
  const post = async (path: string, body: unknown) => (await call(plane, 'POST', path, body)).body as Loose;
  expect((await post('/apis/control.bigfleet.lucy.sh/v1alpha1/namespaces/nowhere/shards', shard('a'))).message).toBe('namespaces "nowhere" not found');
  expect((await post(shards, shard('a', {}, { namespace: 'other' }))).code).toBe(400);
  expect((await post(shards, machine('a'))).message).toContain('does not match the expected kind (Shard)');
  expect((await post(shards, shard('a', {}, { resourceVersion: '4' }))).code).toBe(400);
  expect((await post(shards, shard('Not_A_Name'))).details.causes[0].field).toBe('metadata.name');
  expect((await post(shards, shard('a', {}, { labels: { 'a b': 'c' } }))).details.causes[0].field).toBe('metadata.labels');
  expect(plane.store.list(shardType)).toEqual([]);
});

test('update with a stale resourceVersion is 409, without one 422, with the right one it works', async () => {
  const plane = await start();
  const first = (await call(plane, 'POST', shards, shard('a'))).body;
  const second = await call(plane, 'PUT', `${shards}/a`, { ...first, spec: { mode: 'Paused' } });
  expect([second.code, second.body.metadata.generation, second.body.spec.mode]).toEqual([200, 2, 'Paused']);
  const stale = await call(plane, 'PUT', `${shards}/a`, first);
  expect([stale.code, stale.body.reason]).toEqual([409, 'Conflict']);
  expect(stale.body.message).toContain('the object has been modified');
  expect((await call(plane, 'PUT', `${shards}/a`, shard('a'))).body.message).toContain('must be specified for an update');
  expect((await call(plane, 'PATCH', `${shards}/a`, { metadata: { resourceVersion: first.metadata.resourceVersion } }, merge)).code).toBe(409);
  expect((await call(plane, 'PUT', `${shards}/a`, { ...second.body, metadata: { ...second.body.metadata, uid: 'other' } })).code).toBe(409);
});

test('spec and status are written apart, and only the spec counts as a generation', async () => {
  const plane = await start();
  const created = (await call(plane, 'POST', shards, shard('a'))).body;
  const viaSpec = (await call(plane, 'PUT', `${shards}/a`, { ...created, spec: { mode: 'Paused' }, status: { epoch: 1 } })).body;
  expect(viaSpec.status).toEqual({ observedGeneration: -1 });
  const viaStatus = (await call(plane, 'PUT', `${shards}/a/status`, { ...viaSpec, spec: { mode: 'DryRun' }, metadata: { ...viaSpec.metadata, labels: { a: 'b' } }, status: { epoch: 2 } })).body;
  expect(viaStatus).toMatchObject({ spec: { mode: 'Paused' }, status: { epoch: 2 }, metadata: { generation: 2 } });
  expect(viaStatus.metadata.labels).toBeUndefined();
  const again = (await call(plane, 'PATCH', `${shards}/a`, { metadata: { labels: { a: 'b' } }, status: null }, merge)).body;
  expect(again).toMatchObject({ metadata: { generation: 2, labels: { a: 'b' } }, status: { epoch: 2 } });
  expect((await call(plane, 'GET', `${shards}/a/status`)).body.status).toEqual({ epoch: 2 });
});

test('a write that changes nothing makes no new version', async () => {
  const plane = await start();
  const created = (await call(plane, 'POST', shards, shard('a', { mode: 'Paused' }))).body;
  const patched = (await call(plane, 'PATCH', `${shards}/a`, { spec: { mode: 'Paused' } }, merge)).body;
  const reordered = (await call(plane, 'PUT', `${shards}/a`, Object.fromEntries(Object.entries(created).reverse()))).body;
  expect([patched.metadata.resourceVersion, reordered.metadata.resourceVersion]).toEqual([created.metadata.resourceVersion, created.metadata.resourceVersion]);
});

test('merge patch removes with null; JSON patch tests and fails whole; strategic merge is for built-in kinds', async () => {
  const plane = await start();
  await call(plane, 'POST', shards, shard('a', { limits: { machines: 4, microUsdPerHour: 5 } }));
  const merged = await call(plane, 'PATCH', `${shards}/a`, { spec: { limits: { machines: null } } }, merge);
  expect(merged.body.spec.limits).toEqual({ microUsdPerHour: 5 });
  const failed = await call(plane, 'PATCH', `${shards}/a`, [{ op: 'replace', path: '/spec/mode', value: 'Paused' }, { op: 'test', path: '/spec/mode', value: 'Active' }], json);
  expect(failed.code).toBe(422);
  expect((await call(plane, 'GET', `${shards}/a`)).body.spec.mode).toBe('Active');
  expect((await call(plane, 'PATCH', `${shards}/a`, {}, strategic)).code).toBe(415);
  await call(plane, 'POST', podsPath, pod('p'));
  const image = await call(plane, 'PATCH', `${podsPath}/p`, { spec: { containers: [{ name: 'main', image: 'new' }] } }, strategic);
  expect(image.body.spec.containers).toMatchObject([{ name: 'main', image: 'new' }]);
});

test('names on the URL count: a patch cannot rename, and what is absent is 404', async () => {
  const plane = await start();
  await call(plane, 'POST', shards, shard('a'));
  expect((await call(plane, 'PATCH', `${shards}/a`, { metadata: { name: 'b' } }, merge)).code).toBe(400);
  const absent = await call(plane, 'PATCH', `${shards}/b`, { spec: {} }, merge);
  expect([absent.code, absent.body.message]).toEqual([404, 'shards.control.bigfleet.lucy.sh "b" not found']);
});

test('delete honours its preconditions and answers with what went', async () => {
  const plane = await start();
  const { uid, resourceVersion } = (await call(plane, 'POST', shards, shard('a'))).body.metadata;
  expect((await call(plane, 'DELETE', `${shards}/a`, { preconditions: { uid: 'other' } })).code).toBe(409);
  expect((await call(plane, 'DELETE', `${shards}/a`, { preconditions: { resourceVersion: '1' } })).code).toBe(409);
  const gone = await call(plane, 'DELETE', `${shards}/a`, { preconditions: { uid, resourceVersion } });
  expect(gone.body).toMatchObject({ kind: 'Status', status: 'Success', details: { name: 'a', uid } });
  expect((await call(plane, 'DELETE', `${shards}/a`)).code).toBe(404);
});

test('finalizers hold an object; the last one that goes takes it along', async () => {
  const plane = await start();
  await call(plane, 'POST', shards, shard('a', {}, { finalizers: ['x.y/one', 'x.y/two'] }));
  const marked = (await call(plane, 'DELETE', `${shards}/a`)).body;
  expect(marked.metadata).toMatchObject({ deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0, generation: 2 });
  expect((await call(plane, 'DELETE', `${shards}/a`)).body.metadata.resourceVersion).toBe(marked.metadata.resourceVersion);
  const added = await call(plane, 'PATCH', `${shards}/a`, { metadata: { finalizers: ['x.y/one', 'x.y/two', 'x.y/three'] } }, merge);
  expect([added.code, added.body.details.causes[0].field]).toEqual([422, 'metadata.finalizers']);
  await call(plane, 'PATCH', `${shards}/a`, { metadata: { finalizers: ['x.y/two'] } }, merge);
  expect((await call(plane, 'GET', `${shards}/a`)).code).toBe(200);
  const last = await call(plane, 'PATCH', `${shards}/a`, { metadata: { finalizers: null } }, merge);
  expect([last.code, last.body.metadata.name]).toEqual([200, 'a']);
  expect((await call(plane, 'GET', `${shards}/a`)).code).toBe(404);
});

test('deleting a collection takes what its selector matches', async () => {
  const plane = await start();
  for (const [name, on] of [['a', 'yes'], ['b', 'no'], ['c', 'yes']] as const) await call(plane, 'POST', shards, shard(name, {}, { labels: { on } }));
  expect((await call(plane, 'DELETE', `${shards}?labelSelector=on%3Dyes`)).body.items).toHaveLength(2);
  expect(plane.store.list(shardType).map((s) => s.metadata.name)).toEqual(['b']);
});

test('a dry run validates and stores nothing', async () => {
  const plane = await start();
  const before = plane.store.resourceVersion;
  expect((await call(plane, 'POST', `${shards}?dryRun=All`, shard('a', { mode: 'Bogus' }))).code).toBe(422);
  expect((await call(plane, 'POST', `${shards}?dryRun=All`, shard('a'))).body.spec.mode).toBe('Active');
  expect(plane.store.resourceVersion).toBe(before);
  expect((await call(plane, 'GET', `${shards}/a`)).code).toBe(404);
});

test('an immutable field can be set but not changed', async () => {
  const plane = await start();
  await call(plane, 'POST', `${control}/machines`, machine('m'));
  const refused = await call(plane, 'PATCH', `${control}/machines/m`, { spec: { machineId: 'other', shardRef: 's2' } }, merge);
  expect([refused.code, refused.body.details.causes]).toEqual([422, [{ field: 'spec.machineId', reason: 'FieldValueInvalid', message: 'Invalid value: "other": machineId is immutable' }]]);
  expect((await call(plane, 'PATCH', `${control}/machines/m`, { spec: { machineId: 'm', shardRef: 's2' } }, merge)).body.spec.shardRef).toBe('s2');
});

test('a definition that comes over HTTP serves its kind, and takes the objects along when it goes', async () => {
  const plane = await start();
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'toys.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Cluster',
      names: { kind: 'Toy', plural: 'toys' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { size: { type: 'integer', default: 3 } } } } }],
    },
  };
  const crdPath = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const created = await call(plane, 'POST', crdPath, definition);
  expect(created.body.status.conditions).toMatchObject([{ type: 'NamesAccepted', status: 'True' }, { type: 'Established', status: 'True' }]);
  expect(created.body.spec.names).toMatchObject({ singular: 'toy', listKind: 'ToyList' });
  const toy = (await call(plane, 'POST', '/apis/example.com/v1/toys', { apiVersion: 'example.com/v1', kind: 'Toy', metadata: { name: 't' }, colour: 'red' })).body;
  expect([toy.size, toy.colour]).toEqual([3, undefined]);
  await call(plane, 'POST', '/apis/example.com/v1/toys', { apiVersion: 'example.com/v1', kind: 'Toy', metadata: { name: 'held', finalizers: ['x.y/z'] } });
  await call(plane, 'DELETE', `${crdPath}/toys.example.com`);
  await settle();
  expect((await call(plane, 'GET', '/apis/example.com/v1/toys')).body.items.map((t: Loose) => t.metadata.name)).toEqual(['held']);
  await call(plane, 'PATCH', '/apis/example.com/v1/toys/held', { metadata: { finalizers: null } }, merge);
  await settle();
  expect((await call(plane, 'GET', '/apis/example.com/v1/toys')).code).toBe(404);
  expect((await call(plane, 'GET', `${crdPath}/toys.example.com`)).code).toBe(404);
  const misnamed = await call(plane, 'POST', crdPath, { ...definition, metadata: { name: 'toy.example.com' } });
  expect([misnamed.code, misnamed.body.details.causes[0].field]).toEqual([422, 'metadata.name']);
});

test('a changed definition applies to the next write', async () => {
  const plane = await start();
  const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/shards.control.bigfleet.lucy.sh';
  const definition = (await call(plane, 'GET', path)).body;
  definition.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.mode.enum.push('Sleeping');
  expect((await call(plane, 'POST', shards, shard('a', { mode: 'Sleeping' }))).code).toBe(422);
  expect((await call(plane, 'PUT', path, definition)).code).toBe(200);
  expect((await call(plane, 'POST', shards, shard('a', { mode: 'Sleeping' }))).code).toBe(201);
});

test('Leases want microseconds, events their namespace, budgets one bound', async () => {
  const plane = await start();
  const leases = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
  expect((await call(plane, 'POST', leases, { metadata: { name: 'l' }, spec: { renewTime: '2026-01-01T00:00:00.123Z' } })).code).toBe(400);
  expect((await call(plane, 'POST', leases, { metadata: { name: 'l' }, spec: { leaseDurationSeconds: 0 } })).code).toBe(422);
  expect((await call(plane, 'POST', leases, { metadata: { name: 'l' }, spec: { renewTime: '2026-01-01T00:00:00.123456Z', leaseDurationSeconds: 3 } })).code).toBe(201);
  const events = '/api/v1/namespaces/default/events';
  expect((await call(plane, 'POST', events, { metadata: { name: 'e' }, involvedObject: { kind: 'Pod', namespace: 'other', name: 'p' } })).body.details.causes[0].field).toBe('involvedObject.namespace');
  expect((await call(plane, 'POST', events, { metadata: { name: 'e' }, involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' } })).code).toBe(201);
  const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
  expect((await call(plane, 'POST', budgets, { metadata: { name: 'b' }, spec: { minAvailable: 1, maxUnavailable: 1 } })).code).toBe(422);
  expect((await call(plane, 'POST', budgets, { metadata: { name: 'b' }, spec: { minAvailable: '101%' } })).code).toBe(422);
});

test('unknown fields of custom kinds are dropped, or refused when the client is strict', async () => {
  const plane = await start();
  expect((await call(plane, 'POST', shards, shard('a', { colour: 'red' }))).body.spec.colour).toBeUndefined();
  const strict = await call(plane, 'POST', `${shards}?fieldValidation=Strict`, shard('b', { colour: 'red' }));
  expect([strict.code, strict.body.message]).toEqual([400, 'Shard in version "v1alpha1" cannot be handled as a Shard: strict decoding error: unknown field "spec.colour"']);
  expect((await call(plane, 'POST', podsPath, pod('p', { spec: { colour: 'red' } }))).body.spec.colour).toBe('red');
});

test('bodies that are no objects, too large or in another format are refused', async () => {
  const plane = await start();
  expect((await call(plane, 'POST', shards, '{')).code).toBe(400);
  expect((await call(plane, 'POST', shards, '[]')).code).toBe(400);
  expect((await call(plane, 'POST', shards, 'k8s', 'application/vnd.kubernetes.protobuf')).code).toBe(415);
  expect((await call(plane, 'POST', shards, shard('a', {}, { annotations: { x: 'y'.repeat(4_000_000) } }))).code).toBe(413);
  expect((await call(plane, 'POST', shards, 'apiVersion: control.bigfleet.lucy.sh/v1alpha1\nkind: Shard\nmetadata: {name: y}\nspec: {}\n', 'application/yaml')).code).toBe(201);
  expect((await call(plane, 'GET', `${fleet}/upcomingnodes`, undefined, { host: 'evil.example' })).code).toBe(403);
});

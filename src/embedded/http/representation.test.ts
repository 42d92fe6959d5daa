import { expect, test } from 'vitest';
import { builtin } from '../index.ts';
import { call, control, machine, machineType, merge, node, pod, shard, start, watch } from '../testing/harness.ts';
import type { Loose } from '../testing/harness.ts';

const asTable = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const table = async (plane: { url: string }, path: string) => (await call(plane, 'GET', path, undefined, { accept: asTable })).body as Loose;
const headers = (body: Loose, priority = 0): string[] => body.columnDefinitions.filter((c: Loose) => c.priority <= priority).map((c: Loose) => c.name);

test('custom kinds show the columns of their definition', async () => {
  const plane = await start();
  plane.store.create(machineType, machine('m'));
  plane.store.mutate<Loose>(machineType, { name: 'm' }, (m) => ({ ...m, spec: { ...m.spec, binding: { clusterId: 'c', priority: 5 } } }));
  const since = '2026-01-01T00:00:00Z';
  const status = { phase: 'Idle', zone: 'z1', capacityType: 'Spot', host: { ref: 'h-1' }, since };
  plane.store.mutate<Loose>(machineType, { name: 'm' }, (m) => ({ ...m, status }), { subresource: 'status' });
  await plane.clock.advance(90_000);
  const body = await table(plane, `${control}/machines`);
  expect(body.kind).toBe('Table');
  expect(headers(body)).toEqual(['Name', 'State', 'Cluster', 'Type', 'Zone', 'Capacity', '$/h', 'Reason', 'Age']);
  expect(headers(body, 1).slice(-3)).toEqual(['Host', 'Group', 'Priority']);
  expect(body.rows[0].cells).toEqual(['m', 'Idle', null, null, 'z1', 'Spot', null, null, '90s', 'h-1', null, 5]);
  expect(body.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'm' } });
  expect(body.rows[0].object.spec).toBeUndefined();
});

test('a condition column reads the condition of its type', async () => {
  const plane = await start();
  await call(plane, 'POST', `${control}/shards`, shard('a'));
  const condition = (type: string, status: string) => ({ type, status, reason: 'R', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' });
  await call(plane, 'PATCH', `${control}/shards/a/status`, { status: { conditions: [condition('Stalled', 'False'), condition('Ready', 'True')] } }, merge);
  const body = await table(plane, `${control}/shards/a`);
  expect(body.rows[0].cells.slice(0, 3)).toEqual(['a', 'Active', 'True']);
});

test('built-in kinds look as people know them', async () => {
  const plane = await start();
  plane.store.create<Loose>(builtin.nodes, { ...node('n'), metadata: { name: 'n', labels: { 'node-role.kubernetes.io/worker': '' } }, spec: { unschedulable: true } });
  plane.store.create(builtin.pods, pod('p'));
  plane.store.bindPod({ name: 'p' }, 'n');
  plane.store.create<Loose>(builtin.podDisruptionBudgets, { metadata: { name: 'b' }, spec: { maxUnavailable: '10%' } });
  plane.store.create<Loose>(builtin.events, { metadata: { name: 'e' }, involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' }, reason: 'R', type: 'Normal', message: 'm ' });
  plane.store.create<Loose>(builtin.leases, { metadata: { name: 'l' }, spec: { holderIdentity: 'me' } });
  const cells = async (path: string) => (await table(plane, path)).rows.map((row: Loose) => row.cells);
  expect(await cells('/api/v1/nodes')).toEqual([['n', 'Ready,SchedulingDisabled', 'worker', '0s', '', '<none>', '<unknown>']]);
  expect(await cells('/api/v1/pods')).toEqual([['p', '0/1', 'Pending', 0, '0s', '<none>', 'n', '<none>']]);
  expect(await cells('/apis/policy/v1/poddisruptionbudgets')).toEqual([['b', 'N/A', '10%', 0, '0s']]);
  expect(await cells('/api/v1/events')).toEqual([['0s', 'Normal', 'R', 'pod/p', 'm', 1, 'e']]);
  expect(await cells('/apis/coordination.k8s.io/v1/leases')).toEqual([['l', 'me', '0s']]);
  plane.store.delete(builtin.pods, { name: 'p' });
  expect((await cells('/api/v1/pods'))[0][2]).toBe('Terminating');
});

test('a watch can be a table, with its header once', async () => {
  const plane = await start();
  plane.store.create(builtin.pods, pod('a'));
  const stream = await watch(plane, '/api/v1/pods?watch=1', asTable);
  plane.store.create(builtin.pods, pod('b'));
  const [first, second] = await stream.take(2);
  expect([first.object.columnDefinitions.length, second.object.columnDefinitions.length]).toEqual([8, 0]);
  expect([first.object.rows[0].cells[0], second.object.rows[0].cells[0]]).toEqual(['a', 'b']);
  plane.store.delete(builtin.pods, { name: 'a' });
  expect((await stream.next()).type).toBe('DELETED');
});

test('includeObject and metadata-only answers', async () => {
  const plane = await start();
  plane.store.create(builtin.pods, pod('a'));
  expect((await table(plane, '/api/v1/pods?includeObject=Object')).rows[0].object.spec.containers).toHaveLength(1);
  expect((await table(plane, '/api/v1/pods?includeObject=None')).rows[0].object).toBeUndefined();
  const partial = (await call(plane, 'GET', '/api/v1/pods', undefined, { accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1' })).body;
  expect([partial.kind, Object.keys(partial.items[0])]).toEqual(['PartialObjectMetadataList', ['kind', 'apiVersion', 'metadata']]);
});

test('discovery lists groups and kinds, in the old and in the aggregated form', async () => {
  const plane = await start();
  expect((await call(plane, 'GET', '/api')).body.versions).toEqual(['v1']);
  const groups = (await call(plane, 'GET', '/apis')).body.groups.map((g: Loose) => g.name);
  expect(groups).toEqual(expect.arrayContaining(['coordination.k8s.io', 'policy', 'scheduling.k8s.io', 'apiextensions.k8s.io', 'bigfleet.lucy.sh', 'control.bigfleet.lucy.sh']));
  const resources = (await call(plane, 'GET', '/apis/control.bigfleet.lucy.sh/v1alpha1')).body.resources;
  expect(resources).toContainEqual(expect.objectContaining({ name: 'machines', kind: 'Machine', namespaced: true, shortNames: ['mc'], categories: ['fleet'] }));
  expect(resources).toContainEqual(expect.objectContaining({ name: 'machines/status', verbs: ['get', 'patch', 'update'] }));
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
  const aggregated = await call(plane, 'GET', '/api', undefined, { accept });
  expect(aggregated.headers['content-type']).toBe('application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList');
  const podEntry = aggregated.body.items[0].versions[0].resources.find((r: Loose) => r.resource === 'pods');
  expect(podEntry).toMatchObject({ scope: 'Namespaced', responseKind: { kind: 'Pod' } });
  expect(podEntry.subresources.map((s: Loose) => s.subresource)).toEqual(['status', 'binding', 'eviction', 'resize']);
});

test('OpenAPI says that fields are validated here, and holds the schemas of custom kinds', async () => {
  const plane = await start();
  const { paths } = (await call(plane, 'GET', '/openapi/v3')).body;
  const document = (await call(plane, 'GET', paths['apis/control.bigfleet.lucy.sh/v1alpha1'].serverRelativeURL)).body;
  const patch = document.paths['/apis/control.bigfleet.lucy.sh/v1alpha1/namespaces/{namespace}/shards/{name}'].patch;
  expect(patch.parameters.map((p: Loose) => p.name)).toContain('fieldValidation');
  expect(document.components.schemas['sh.lucy.bigfleet.control.v1alpha1.Shard'].properties.spec.properties.mode.default).toBe('Active');
});

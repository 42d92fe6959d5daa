import { expect, test } from 'vitest';
import { builtin } from './index.ts';
import { call, json, merge, node, pod, podsPath, start, strategic } from './testing/harness.ts';
import type { Loose } from './testing/harness.ts';

const requests = (cpu: string): Loose => ({ containers: [{ name: 'main', image: 'app', resources: { requests: { cpu } } }] });

test('a new Pod is Pending, with defaults, and its status is the server’s business', async () => {
  const plane = await start();
  const { body } = await call(plane, 'POST', podsPath, { ...pod('p'), status: { phase: 'Running' } });
  expect(body.spec).toMatchObject({ schedulerName: 'default-scheduler', priority: 0, restartPolicy: 'Always', terminationGracePeriodSeconds: 30, preemptionPolicy: 'PreemptLowerPriority' });
  expect(body.status).toEqual({ phase: 'Pending', qosClass: 'BestEffort' });
});

test('limits count as requests, and make the quality of service', async () => {
  const plane = await start();
  const create = async (name: string, resources: Loose) => (await call(plane, 'POST', podsPath, pod(name, { spec: { containers: [{ name: 'main', image: 'app', resources }] } }))).body as Loose;
  const full = await create('full', { limits: { cpu: '1', memory: '1Gi' } });
  expect(full.spec.containers[0].resources.requests).toEqual({ cpu: '1', memory: '1Gi' });
  expect(full.status.qosClass).toBe('Guaranteed');
  expect((await create('some', { limits: { cpu: '1' }, requests: { cpu: '500m' } })).spec.containers[0].resources.requests).toEqual({ cpu: '500m' });
  expect((await create('half', { requests: { cpu: '1' } })).status.qosClass).toBe('Burstable');
});

test('a priority class gives the priority; unknown ones and numbers of one’s own are forbidden', async () => {
  const plane = await start();
  const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
  await call(plane, 'POST', classes, { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' });
  const high = (await call(plane, 'POST', podsPath, pod('a', { spec: { priorityClassName: 'high' } }))).body;
  expect(high.spec).toMatchObject({ priority: 1000, preemptionPolicy: 'Never' });
  const unknown = await call(plane, 'POST', podsPath, pod('b', { spec: { priorityClassName: 'nope' } }));
  expect([unknown.code, unknown.body.message]).toEqual([403, 'pods "b" is forbidden: no PriorityClass with name nope was found']);
  expect((await call(plane, 'POST', podsPath, pod('b', { spec: { priority: 7 } }))).code).toBe(403);
  expect((await call(plane, 'POST', podsPath, pod('sys', { spec: { priorityClassName: 'system-node-critical' } }))).body.spec.priority).toBe(2_000_001_000);
  await call(plane, 'POST', classes, { metadata: { name: 'usual' }, value: 5, globalDefault: true });
  expect((await call(plane, 'POST', podsPath, pod('c'))).body.spec).toMatchObject({ priority: 5, priorityClassName: 'usual' });
  expect((await call(plane, 'PATCH', `${classes}/high`, { value: 2 }, merge)).code).toBe(422);
});

test('containers need names, images of requests need to be quantities', async () => {
  const plane = await start();
  const field = async (spec: Loose) => (await call(plane, 'POST', podsPath, pod('p', { spec }))).body as Loose;
  expect((await field({ containers: [] })).details.causes).toMatchObject([{ field: 'spec.containers', reason: 'FieldValueRequired' }]);
  expect((await field({ containers: [{ image: 'a' }, { name: 'A_b' }, { name: 'c' }, { name: 'c' }] })).details.causes).toMatchObject([
    { field: 'spec.containers[0].name', reason: 'FieldValueRequired' },
    { field: 'spec.containers[1].name', reason: 'FieldValueInvalid' },
    { field: 'spec.containers[3].name', reason: 'FieldValueDuplicate' },
  ]);
  expect((await field(requests('lots'))).code).toBe(400);
  expect((await field(requests('-1'))).details.causes[0].field).toBe('spec.containers[0].resources.requests[cpu]');
});

test('binding sets the Node once, and only for Pods that may be bound', async () => {
  const plane = await start();
  const bind = (name: string, to: string) => call(plane, 'POST', `${podsPath}/${name}/binding`, { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target: { kind: 'Node', name: to } });
  plane.store.create(builtin.nodes, node('n'));
  await call(plane, 'POST', podsPath, pod('p'));
  expect((await bind('p', 'n')).code).toBe(201);
  const bound = (await call(plane, 'GET', `${podsPath}/p`)).body;
  expect(bound.spec.nodeName).toBe('n');
  expect(bound.status.conditions).toMatchObject([{ type: 'PodScheduled', status: 'True' }]);
  expect((await bind('p', 'm')).body.message).toContain('pod p is already assigned to node "n"');
  await call(plane, 'POST', podsPath, pod('g', { spec: { schedulingGates: [{ name: 'x.y/z' }] } }));
  expect((await bind('g', 'n')).code).toBe(409);
  expect((await bind('nobody', 'n')).code).toBe(404);
  await call(plane, 'DELETE', `${podsPath}/p`);
  expect((await bind('p', 'n')).body.message).toContain('is being deleted');
});

test('a bound Pod goes gracefully, any other at once', async () => {
  const plane = await start();
  plane.store.create(builtin.nodes, node('n'));
  for (const name of ['free', 'bound', 'done']) await call(plane, 'POST', podsPath, pod(name));
  for (const name of ['bound', 'done']) plane.store.bindPod({ name }, 'n');
  plane.store.mutate<Loose>(builtin.pods, { name: 'done' }, (p) => ({ ...p, status: { ...p.status, phase: 'Succeeded' } }), { subresource: 'status' });
  for (const name of ['free', 'done']) {
    expect((await call(plane, 'DELETE', `${podsPath}/${name}`)).body.metadata.deletionGracePeriodSeconds).toBe(0);
    expect((await call(plane, 'GET', `${podsPath}/${name}`)).code).toBe(404);
  }
  const marked = (await call(plane, 'DELETE', `${podsPath}/bound`)).body.metadata;
  expect(marked).toMatchObject({ deletionTimestamp: '2026-01-01T00:00:30Z', deletionGracePeriodSeconds: 30 });
  expect((await call(plane, 'DELETE', `${podsPath}/bound?gracePeriodSeconds=60`)).body.metadata.deletionGracePeriodSeconds).toBe(30);
  expect((await call(plane, 'DELETE', `${podsPath}/bound`, { gracePeriodSeconds: 10 })).body.metadata).toMatchObject({ deletionTimestamp: '2026-01-01T00:00:10Z', deletionGracePeriodSeconds: 10, generation: marked.generation });
  await call(plane, 'DELETE', `${podsPath}/bound?gracePeriodSeconds=0`);
  expect((await call(plane, 'GET', `${podsPath}/bound`)).code).toBe(404);
});

test('of a spec only little may change; resources by resize, gates by removal', async () => {
  const plane = await start();
  await call(plane, 'POST', podsPath, pod('p', { spec: { ...requests('1'), schedulingGates: [{ name: 'x.y/a' }] } }));
  const patch = (body: unknown, type = strategic, sub = '') => call(plane, 'PATCH', `${podsPath}/p${sub}`, body, type);
  const bigger = { spec: { containers: [{ name: 'main', resources: { requests: { cpu: '2' } } }] } };
  expect((await patch({ spec: { nodeName: 'n' } })).code).toBe(422);
  expect((await patch(bigger)).code).toBe(422);
  expect((await patch(bigger, strategic, '/resize')).body.spec.containers[0].resources.requests.cpu).toBe('2');
  expect((await patch({ spec: { containers: [{ name: 'main', image: 'x' }] } }, strategic, '/resize')).code).toBe(422);
  expect((await patch({ spec: { tolerations: [{ operator: 'Exists' }] } })).code).toBe(200);
  expect((await patch({ spec: { nodeSelector: { a: 'b' } } })).code).toBe(200);
  expect((await patch({ spec: { schedulingGates: [{ name: 'x.y/a' }, { name: 'x.y/b' }] } })).body.details.causes[0].field).toBe('spec.schedulingGates');
  expect((await patch([{ op: 'remove', path: '/spec/schedulingGates/0' }], json)).body.spec.schedulingGates).toBeUndefined();
  expect((await patch({ spec: { nodeSelector: { a: 'c' } } })).code).toBe(422);
});

test('status writes touch the status and labels, not the spec', async () => {
  const plane = await start();
  await call(plane, 'POST', podsPath, pod('p'));
  const { body } = await call(plane, 'PATCH', `${podsPath}/p/status`, { spec: { nodeName: 'n' }, metadata: { labels: { a: 'b' } }, status: { phase: 'Running' } }, merge);
  expect([body.spec.nodeName, body.metadata.labels, body.status.phase, body.metadata.generation]).toEqual([undefined, { a: 'b' }, 'Running', 1]);
});

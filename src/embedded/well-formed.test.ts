import { expect, test } from 'vitest';
import { builtin } from './index.ts';
import { apply, call, json, machine, control, merge, node, pod, podsPath, start, strategic } from './testing/harness.ts';
import type { Loose } from './testing/harness.ts';

const term = 'requiredDuringSchedulingIgnoredDuringExecution';
const nodeTerms = (nodeSelectorTerms: unknown): Loose => ({ affinity: { nodeAffinity: { [term]: { nodeSelectorTerms } } } });

test.each<[Loose, string]>([
  [nodeTerms({ matchExpressions: [] }), `spec.affinity.nodeAffinity.${term}.nodeSelectorTerms`],
  [nodeTerms([{ matchExpressions: [{ key: 'a', operator: 'In', values: 'b' }] }]), `spec.affinity.nodeAffinity.${term}.nodeSelectorTerms[0].matchExpressions[0].values`],
  [{ affinity: { podAntiAffinity: { [term]: {} } } }, `spec.affinity.podAntiAffinity.${term}`],
  [{ affinity: { podAffinity: { [term]: [{ namespaces: 'a' }] } } }, `spec.affinity.podAffinity.${term}[0].namespaces`],
  [{ affinity: [] }, 'spec.affinity'],
  [{ topologySpreadConstraints: {} }, 'spec.topologySpreadConstraints'],
  [{ topologySpreadConstraints: [{ maxSkew: '1' }] }, 'spec.topologySpreadConstraints[0].maxSkew'],
  [{ tolerations: [null] }, 'spec.tolerations[0]'],
  [{ schedulingGates: {} }, 'spec.schedulingGates'],
  [{ nodeSelector: { a: 1 } }, 'spec.nodeSelector.a'],
  [{ priority: 'high' }, 'spec.priority'],
  [{ initContainers: {} }, 'spec.initContainers'],
  [{ containers: [{ name: 'main', resources: [] }] }, 'spec.containers[0].resources'],
])('a Pod with %j is refused, and the answer names %s', async (spec, field) => {
  const plane = await start();
  const { code, body } = await call(plane, 'POST', podsPath, pod('p', { spec }));
  expect([code, body.reason, body.details.causes.map((c: Loose) => c.field)]).toEqual([422, 'Invalid', [field]]);
  expect(body.message).toContain(field);
  expect((await call(plane, 'PATCH', `${podsPath}/p?fieldManager=me`, pod('p', { spec }), apply)).code).toBe(422);
  expect((await call(plane, 'GET', `${podsPath}/p`)).code).toBe(404);
});

test.each([
  ['merge patch', 'PATCH', merge, (): Loose => ({ status: { conditions: {} } })],
  ['JSON patch', 'PATCH', json, (): Loose => [{ op: 'add', path: '/status/conditions', value: {} }]],
  ['strategic patch', 'PATCH', strategic, (): Loose => ({ status: { conditions: {} } })],
  ['update', 'PUT', 'application/json', (): Loose => ({ ...pod('p'), status: { conditions: {} } })],
])('a status that is malformed is refused by %s', async (_how, method, type, body) => {
  const plane = await start();
  await call(plane, 'POST', podsPath, pod('p'));
  const answer = await call(plane, method, `${podsPath}/p/status`, body(), type);
  expect([answer.code, answer.body.details.causes[0].field]).toEqual([422, 'status.conditions']);
});

test.each<[string, string, Loose, string]>([
  ['Node', '/api/v1/nodes', { metadata: { name: 'n' }, status: { conditions: {} } }, 'status.conditions'],
  ['Node', '/api/v1/nodes', { metadata: { name: 'n' }, spec: { taints: {} } }, 'spec.taints'],
  ['ConfigMap', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'c' }, data: { a: 1 } }, 'data.a'],
  ['Namespace', '/api/v1/namespaces', { metadata: { name: 'a' }, spec: { finalizers: {} } }, 'spec.finalizers'],
  ['Lease', '/apis/coordination.k8s.io/v1/namespaces/default/leases', { metadata: { name: 'l' }, spec: { leaseDurationSeconds: '3' } }, 'spec.leaseDurationSeconds'],
  ['PriorityClass', '/apis/scheduling.k8s.io/v1/priorityclasses', { metadata: { name: 'c' }, value: 1, globalDefault: 'yes' }, 'globalDefault'],
  ['PodDisruptionBudget', '/apis/policy/v1/namespaces/default/poddisruptionbudgets', { metadata: { name: 'b' }, spec: { selector: { matchExpressions: {} } } }, 'spec.selector.matchExpressions'],
])('a malformed %s is refused', async (_kind, path, object, field) => {
  const plane = await start();
  const { code, body } = await call(plane, 'POST', path, object);
  expect([code, body.reason, body.details.causes.map((c: Loose) => c.field)]).toEqual([422, 'Invalid', [field]]);
});

test.each<[Loose, string]>([
  [{ ownerReferences: {} }, 'metadata.ownerReferences'],
  [{ ownerReferences: [null] }, 'metadata.ownerReferences[0]'],
  [{ ownerReferences: 'me' }, 'metadata.ownerReferences'],
  [{ finalizers: {} }, 'metadata.finalizers'],
  [{ labels: { a: 1 } }, 'metadata.labels.a'],
  [{ annotations: [] }, 'metadata.annotations'],
  [{ name: undefined, generateName: 7 }, 'metadata.generateName'],
])('metadata of %j is refused for built-in and custom kinds', async (metadata, field) => {
  const plane = await start();
  for (const [path, object] of [[podsPath, pod('p', { metadata })], [`${control}/machines`, machine('m', metadata)]] as const) {
    const { code, body } = await call(plane, 'POST', path, object);
    expect([code, body.details.causes.map((c: Loose) => c.field)]).toEqual([422, [field]]);
  }
});

test('unknown fields stay, at every depth, and null counts as absent', async () => {
  const plane = await start();
  const { code, body } = await call(plane, 'POST', podsPath, pod('p', {
    metadata: { creationTimestamp: null, labels: null, odd: { a: [1] } },
    spec: { containers: [{ name: 'main', image: 'app', env: [{ name: 'A', value: 'b' }], odd: [{}] }], affinity: null, volumes: [{ name: 'v', emptyDir: {} }] },
  }));
  expect(code).toBe(201);
  expect(body.metadata).toMatchObject({ odd: { a: [1] } });
  expect(body.spec.containers[0]).toMatchObject({ env: [{ name: 'A', value: 'b' }], odd: [{}] });
  expect(body.spec).toMatchObject({ volumes: [{ name: 'v', emptyDir: {} }] });
  expect(body.spec).not.toHaveProperty('affinity');
});

test('in-process writes are held to the same', async () => {
  const plane = await start();
  plane.store.create(builtin.nodes, node('n'));
  const spoil = (): unknown => plane.store.mutate<Loose>(builtin.nodes, { name: 'n' }, (n) => ({ ...n, status: { conditions: {} } }), { subresource: 'status' });
  expect(spoil).toThrow(/Node "n" is invalid: status\.conditions: .*must be of type array/);
});

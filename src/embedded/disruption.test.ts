import { expect, test } from 'vitest';
import type { EmbeddedControlPlane } from './api.ts';
import { builtin } from './index.ts';
import { call, node, pod, podsPath, settle, start } from './testing/harness.ts';
import type { Loose } from './testing/harness.ts';

const evict = (plane: EmbeddedControlPlane, name: string, extra: object = {}) => call(plane, 'POST', `${podsPath}/${name}/eviction`, { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'default' }, ...extra });

async function withBudget(spec: Loose, pods: number) {
  const plane = await start();
  plane.store.create(builtin.nodes, node('n'));
  plane.store.create<Loose>(builtin.podDisruptionBudgets, { metadata: { name: 'b' }, spec: { selector: { matchLabels: { app: 'x' } }, ...spec } });
  for (let i = 0; i < pods; i++) addPod(plane, `p${i}`);
  await settle();
  return plane;
}

function addPod(plane: EmbeddedControlPlane, name: string, ready = true): void {
  plane.store.create(builtin.pods, pod(name, { metadata: { labels: { app: 'x' } } }));
  plane.store.bindPod({ name }, 'n');
  const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }];
  plane.store.mutate<Loose>(builtin.pods, { name }, (p) => ({ ...p, status: { ...p.status, phase: 'Running', conditions } }), { subresource: 'status' });
}

const status = (plane: EmbeddedControlPlane): Loose => plane.store.get<Loose>(builtin.podDisruptionBudgets, { name: 'b' }).status;

test.each([
  [{ minAvailable: 2 }, 3, 2, 1],
  [{ minAvailable: '50%' }, 3, 2, 1],
  [{ maxUnavailable: 1 }, 3, 2, 1],
  [{ maxUnavailable: '50%' }, 3, 1, 2],
  [{ minAvailable: 5 }, 3, 5, 0],
  [{}, 3, 1, 2],
  [{ maxUnavailable: 1 }, 0, 0, 0],
])('the status of %j with %i Pods', async (spec, pods, desiredHealthy, disruptionsAllowed) => {
  const plane = await withBudget(spec, pods);
  expect(status(plane)).toMatchObject({ expectedPods: pods, currentHealthy: pods, desiredHealthy, disruptionsAllowed, observedGeneration: 1 });
});

test('the status follows Pods that become unready, are deleted or finish', async () => {
  const plane = await withBudget({ minAvailable: 1 }, 3);
  addPod(plane, 'p3', false);
  await settle();
  expect(status(plane)).toMatchObject({ expectedPods: 4, currentHealthy: 3, disruptionsAllowed: 2 });
  plane.store.delete(builtin.pods, { name: 'p0' });
  plane.store.mutate<Loose>(builtin.pods, { name: 'p1' }, (p) => ({ ...p, status: { ...p.status, phase: 'Succeeded' } }), { subresource: 'status' });
  await settle();
  expect(status(plane)).toMatchObject({ expectedPods: 3, currentHealthy: 1, disruptionsAllowed: 0 });
  expect(status(plane).conditions).toMatchObject([{ type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods' }]);
});

test('an eviction deletes gracefully while the budget lasts; then it is 429 with the reason', async () => {
  const plane = await withBudget({ minAvailable: 2 }, 3);
  expect((await evict(plane, 'p0', { deleteOptions: { gracePeriodSeconds: 5 } })).code).toBe(201);
  expect(plane.store.get(builtin.pods, { name: 'p0' })?.metadata.deletionGracePeriodSeconds).toBe(5);
  // At once, before anybody has brought the status up to date.
  const refused = await evict(plane, 'p1');
  expect([refused.code, refused.body.reason, refused.headers['retry-after']]).toEqual([429, 'TooManyRequests', '10']);
  expect(refused.body.message).toBe("Cannot evict pod as it would violate the pod's disruption budget.");
  expect(refused.body.details.causes).toEqual([{ reason: 'DisruptionBudget', message: 'The disruption budget b needs 2 healthy pods and has 2 currently' }]);
  expect(plane.store.get(builtin.pods, { name: 'p1' })?.metadata.deletionTimestamp).toBeUndefined();
  addPod(plane, 'p9');
  expect((await evict(plane, 'p1')).code).toBe(201);
});

test('two evictions in one breath do not spend one disruption twice', async () => {
  const plane = await withBudget({ maxUnavailable: 1 }, 3);
  const codes = (await Promise.all([evict(plane, 'p0'), evict(plane, 'p1'), evict(plane, 'p2')])).map((answer) => answer.code).sort();
  expect(codes).toEqual([201, 429, 429]);
});

test('an eviction spends its disruption in the same write that names the Pod', async () => {
  const plane = await withBudget({ maxUnavailable: 1 }, 3);
  const written: [string[], number][] = [];
  plane.store.watch<Loose>(builtin.podDisruptionBudgets, (event) => {
    if (event.type === 'updated') written.push([Object.keys((event.object as Loose).status.disruptedPods ?? {}), (event.object as Loose).status.disruptionsAllowed]);
  });
  expect((await evict(plane, 'p0')).code).toBe(201);
  expect(written[0]).toEqual([['p0'], 0]);
});

test('finished, pending and unselected Pods go regardless; evicting what is not there is 404', async () => {
  const plane = await withBudget({ minAvailable: 9 }, 1);
  plane.store.create(builtin.pods, pod('pending', { metadata: { labels: { app: 'x' } } }));
  plane.store.create(builtin.pods, pod('other'));
  expect((await evict(plane, 'pending')).code).toBe(201);
  expect((await evict(plane, 'other')).code).toBe(201);
  expect((await evict(plane, 'p0')).code).toBe(429);
  plane.store.mutate<Loose>(builtin.pods, { name: 'p0' }, (p) => ({ ...p, status: { ...p.status, phase: 'Failed' } }), { subresource: 'status' });
  expect((await evict(plane, 'p0')).code).toBe(201);
  expect((await evict(plane, 'nobody')).code).toBe(404);
});

test('an unready Pod goes while enough others are healthy, or if the budget always allows it', async () => {
  const plane = await withBudget({ minAvailable: 2 }, 2);
  addPod(plane, 'sick', false);
  expect((await evict(plane, 'p0')).code).toBe(429);
  expect((await evict(plane, 'sick')).code).toBe(201);
  addPod(plane, 'sick2', false);
  plane.store.delete(builtin.pods, { name: 'p0' }, { gracePeriodSeconds: 0 });
  expect((await evict(plane, 'sick2')).code).toBe(429);
  plane.store.mutate<Loose>(builtin.podDisruptionBudgets, { name: 'b' }, (b) => ({ ...b, spec: { ...b.spec, unhealthyPodEvictionPolicy: 'AlwaysAllow' } }));
  expect((await evict(plane, 'sick2')).code).toBe(201);
});

test('two budgets over one Pod are an error, as upstream', async () => {
  const plane = await withBudget({ minAvailable: 1 }, 2);
  plane.store.create<Loose>(builtin.podDisruptionBudgets, { metadata: { name: 'c' }, spec: { selector: {}, minAvailable: 0 } });
  const answer = await evict(plane, 'p0');
  expect([answer.code, answer.body.message]).toEqual([500, 'Internal error occurred: This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.']);
});

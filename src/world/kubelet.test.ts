import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Node, Pod } from '../api/core.ts';
import { NodeResource, PodResource } from '../api/resources.ts';
import type { EmbeddedControlPlane } from '../embedded/api.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Kubelet } from './kubelet.ts';
import { startTestPlane } from './testing/plane.ts';
import { testNode, testPod } from './testing/objects.ts';

const ref = (name: string): { namespace: string; name: string } => ({ namespace: 'demo', name });
let clock: VirtualClock;
let plane: EmbeddedControlPlane;
let kubelet: Kubelet;
beforeEach(async () => {
  clock = new VirtualClock();
  plane = await startTestPlane(clock);
  kubelet = new Kubelet(plane.store, clock, () => undefined);
});
afterEach(() => plane.close());

function setReady(name: string, status: 'True' | 'Unknown'): void {
  plane.store.mutate<Node>(NodeResource, { name }, (node) => ({ ...node, status: { ...node.status, conditions: [{ type: 'Ready', status }] } }), { subresource: 'status' });
}

function podOn(node: string, name: string, extra: Partial<Pod['spec']> = {}): void {
  plane.store.create(PodResource, testPod(name, extra));
  plane.store.bindPod(ref(name), node);
}

const pod = (name: string): Pod | undefined => plane.store.get<Pod>(PodResource, ref(name));

it('runs a bound Pod on a Ready Node, and only there', async () => {
  plane.store.create(NodeResource, testNode('up'));
  plane.store.create(NodeResource, testNode('starting', { ready: false }));
  kubelet.start();
  podOn('up', 'a');
  podOn('starting', 'b');
  plane.store.create(PodResource, testPod('unbound'));
  await clock.advance(1_000);
  expect([pod('a')?.status?.phase, pod('b')?.status?.phase, pod('unbound')?.status?.phase]).toEqual(['Running', 'Pending', 'Pending']);
  expect(pod('a')?.status?.conditions?.find((c) => c.type === 'Ready')?.status).toBe('True');
  setReady('starting', 'True');
  await clock.advance(1_000);
  expect(pod('b')?.status?.phase).toBe('Running');
});

it('reports the containers of a running Pod, so that kubectl counts them as ready', async () => {
  plane.store.create(NodeResource, testNode('up'));
  kubelet.start();
  podOn('up', 'a', { containers: [{ name: 'one', image: 'i' }, { name: 'two' }] });
  await clock.advance(1_000);
  expect(pod('a')?.status?.containerStatuses).toMatchObject([{ name: 'one', image: 'i', ready: true, restartCount: 0 }, { name: 'two', ready: true }]);
  const answer = await fetch(`${plane.url}/api/v1/namespaces/demo/pods`, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } });
  const table = (await answer.json()) as { columnDefinitions: { name: string }[]; rows: { cells: unknown[] }[] };
  const cells = Object.fromEntries(table.columnDefinitions.map(({ name }, i) => [name, table.rows[0]?.cells[i]]));
  expect(cells).toMatchObject({ Name: 'a', Ready: '2/2', Status: 'Running', Restarts: 0 });
});

it('ends a terminating Pod within 0.1 to 0.3 s', async () => {
  plane.store.create(NodeResource, testNode('up'));
  kubelet.start();
  podOn('up', 'a');
  await clock.advance(1_000);
  plane.store.delete(PodResource, ref('a'));
  await clock.advance(99);
  expect(pod('a')?.metadata.deletionTimestamp).toBeDefined();
  await clock.advance(201);
  expect(pod('a')).toBeUndefined();
});

it('does nothing on a dead Node, and takes its Pods away with it', async () => {
  plane.store.create(NodeResource, testNode('n'));
  kubelet.start();
  podOn('n', 'a');
  await clock.advance(1_000);
  setReady('n', 'Unknown');
  plane.store.delete(PodResource, ref('a'));
  await clock.advance(60_000);
  expect(pod('a')).toBeDefined();
  plane.store.delete(NodeResource, { name: 'n' });
  await clock.advance(100);
  expect(pod('a')).toBeUndefined();
});

it('takes up what it finds when it starts', async () => {
  plane.store.create(NodeResource, testNode('up'));
  podOn('up', 'waiting');
  podOn('up', 'ending');
  plane.store.delete(PodResource, ref('ending'));
  kubelet.start();
  await clock.advance(1_000);
  expect([pod('waiting')?.status?.phase, pod('ending')]).toEqual(['Running', undefined]);
});

it('tells when a Node is empty but for DaemonSet Pods', async () => {
  plane.store.create(NodeResource, testNode('n'));
  kubelet.start();
  podOn('n', 'a');
  const daemon = testPod('daemon');
  plane.store.create(PodResource, { ...daemon, metadata: { ...daemon.metadata, ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd' }] } });
  plane.store.bindPod(ref('daemon'), 'n');
  let empty = false;
  const waiting = kubelet.whenEmpty('n', new AbortController().signal).then(() => {
    empty = true;
  });
  await clock.advance(1_000);
  expect(empty).toBe(false);
  plane.store.delete(PodResource, ref('a'));
  await clock.advance(1_000);
  await waiting;
  await expect(kubelet.whenEmpty('n', AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
});

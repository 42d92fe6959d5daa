import { expect, test } from 'vitest';
import type { KubeObject, OwnerReference } from '../runtime/types.ts';
import type { EmbeddedControlPlane } from './api.ts';
import { builtin } from './index.ts';
import { call, machine, machineType, merge, node, pod, settle, shard, shardType, start } from './testing/harness.ts';

function owner(plane: EmbeddedControlPlane, name: string): OwnerReference {
  const { metadata } = plane.store.create<KubeObject>(builtin.configMaps, { metadata: { name } });
  return { apiVersion: 'v1', kind: 'ConfigMap', name, uid: metadata.uid! };
}

const podNames = (plane: EmbeddedControlPlane): string[] => plane.store.list(builtin.pods).map((p) => p.metadata.name);

test('dependents go when their last owner has gone', async () => {
  const plane = await start();
  const [one, two] = [owner(plane, 'one'), owner(plane, 'two')];
  plane.store.create(builtin.pods, pod('both', { metadata: { ownerReferences: [one, two] } }));
  plane.store.create(builtin.pods, pod('first', { metadata: { ownerReferences: [one] } }));
  plane.store.delete(builtin.configMaps, { name: 'one' });
  await settle();
  expect(podNames(plane)).toEqual(['both']);
  plane.store.delete(builtin.configMaps, { name: 'two' }, { propagationPolicy: 'Foreground' });
  await settle();
  expect(podNames(plane)).toEqual([]);
});

test('collection goes down a chain of owners, across kinds and more objects than one turn takes', async () => {
  const plane = await start();
  const root = owner(plane, 'root');
  const middle = plane.store.create(shardType, shard('middle', {}, { ownerReferences: [root] })) as KubeObject;
  const reference = { apiVersion: 'control.bigfleet.lucy.sh/v1alpha1', kind: 'Shard', name: 'middle', uid: middle.metadata.uid };
  for (let i = 0; i < 450; i++) plane.store.create(machineType, machine(`m${i}`, { ownerReferences: [reference] }));
  plane.store.delete(builtin.configMaps, { name: 'root' });
  await settle();
  expect([plane.store.list(shardType).length, plane.store.list(machineType).length]).toEqual([0, 0]);
});

test('an owner of the same name but another uid is no owner; one of an unknown kind is left alone', async () => {
  const plane = await start();
  const gone = owner(plane, 'x');
  plane.store.delete(builtin.configMaps, { name: 'x' });
  owner(plane, 'x');
  plane.store.create(builtin.pods, pod('late', { metadata: { ownerReferences: [gone] } }));
  plane.store.create(builtin.pods, pod('foreign', { metadata: { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u' }] } }));
  await settle();
  expect(podNames(plane)).toEqual(['foreign']);
});

test('Orphan lets dependents live without the reference', async () => {
  const plane = await start();
  const one = owner(plane, 'one');
  plane.store.create(builtin.pods, pod('p', { metadata: { ownerReferences: [one] } }));
  plane.store.delete(builtin.configMaps, { name: 'one' }, { propagationPolicy: 'Orphan' });
  await settle();
  expect(plane.store.get(builtin.pods, { name: 'p' })?.metadata.ownerReferences).toEqual([]);
});

test('a dependent with a finalizer waits for it', async () => {
  const plane = await start();
  const one = owner(plane, 'one');
  plane.store.create(builtin.pods, pod('p', { metadata: { ownerReferences: [one], finalizers: ['x.y/z'] } }));
  plane.store.delete(builtin.configMaps, { name: 'one' });
  await settle();
  expect(plane.store.get(builtin.pods, { name: 'p' })?.metadata.deletionTimestamp).toBeDefined();
  plane.store.mutate(builtin.pods, { name: 'p' }, (draft) => ({ ...draft, metadata: { ...draft.metadata, finalizers: [] } }));
  expect(podNames(plane)).toEqual([]);
});

test('Pods of a deleted Node go without grace, others stay', async () => {
  const plane = await start();
  for (const name of ['n1', 'n2']) plane.store.create(builtin.nodes, node(name));
  for (const name of ['a', 'b', 'free']) plane.store.create(builtin.pods, pod(name));
  plane.store.bindPod({ name: 'a' }, 'n1');
  plane.store.bindPod({ name: 'b' }, 'n2');
  plane.store.delete(builtin.nodes, { name: 'n1' });
  await settle();
  expect(podNames(plane)).toEqual(['b', 'free']);
  plane.store.bindPod({ name: 'free' }, 'n1'); // bound to a Node that is not there any more
  await settle();
  expect(podNames(plane)).toEqual(['b']);
});

test('a namespace goes with all that is in it, and takes nothing new meanwhile', async () => {
  const plane = await start();
  await call(plane, 'POST', '/api/v1/namespaces', { metadata: { name: 'team' } });
  plane.store.create(shardType, shard('held', {}, { namespace: 'team', finalizers: ['x.y/z'] }));
  plane.store.create(builtin.nodes, node('n'));
  plane.store.create(builtin.pods, pod('p', { metadata: { namespace: 'team' } }));
  plane.store.bindPod({ namespace: 'team', name: 'p' }, 'n');
  const marked = await call(plane, 'DELETE', '/api/v1/namespaces/team');
  expect(marked.body.status.phase).toBe('Terminating');
  const late = await call(plane, 'POST', '/api/v1/namespaces/team/configmaps', { metadata: { name: 'c' } });
  expect([late.code, late.body.message]).toEqual([403, 'configmaps "c" is forbidden: unable to create new content in namespace team because it is being terminated']);
  await settle();
  expect(plane.store.list(builtin.pods, { namespace: 'team' })).toEqual([]);
  expect(plane.store.get(builtin.namespaces, { name: 'team' })).toBeDefined();
  await call(plane, 'PATCH', '/apis/control.bigfleet.lucy.sh/v1alpha1/namespaces/team/shards/held', { metadata: { finalizers: null } }, merge);
  await settle();
  expect(plane.store.get(builtin.namespaces, { name: 'team' })).toBeUndefined();
  expect((await call(plane, 'DELETE', '/api/v1/namespaces/default')).code).toBe(403);
});

test('events are kept for an hour', async () => {
  const plane = await start();
  const event = (name: string): KubeObject => ({ metadata: { name }, involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' } }) as KubeObject;
  plane.store.create(builtin.events, event('old'));
  await plane.clock.advance(3_000_000);
  plane.store.create(builtin.events, event('younger'));
  expect(plane.store.list(builtin.events)).toHaveLength(2);
  await plane.clock.advance(700_000);
  plane.store.create(builtin.events, event('new'));
  expect(plane.store.list(builtin.events).map((e) => e.metadata.name)).toEqual(['new', 'younger']);
});

import { expect, test } from 'vitest';
import { call, control, fleet, machine, merge, pod, podsPath, shard, start } from '../testing/harness.ts';
import type { Loose } from '../testing/harness.ts';

const names = (body: Loose): string[] => body.items.map((item: Loose) => item.metadata.name);

async function withShards(count: number) {
  const plane = await start();
  for (let i = 0; i < count; i++) await call(plane, 'POST', `${control}/shards`, shard(`s${i}`, {}, { labels: { even: String(i % 2 === 0), index: String(i) } }));
  return plane;
}

test('pages hold the limit, in order, and say how many remain', async () => {
  const plane = await withShards(5);
  const first = (await call(plane, 'GET', `${control}/shards?limit=2`)).body;
  expect(names(first)).toEqual(['s0', 's1']);
  expect(first.kind).toBe('ShardList');
  expect(first.metadata.remainingItemCount).toBe(3);
  const second = (await call(plane, 'GET', `${control}/shards?limit=2&continue=${first.metadata.continue}`)).body;
  const third = (await call(plane, 'GET', `${control}/shards?limit=2&continue=${second.metadata.continue}`)).body;
  expect([...names(second), ...names(third)]).toEqual(['s2', 's3', 's4']);
  expect(third.metadata.continue).toBeUndefined();
});

test('pages show the state of the first page, whatever is written between them', async () => {
  const plane = await withShards(4);
  const first = (await call(plane, 'GET', `${control}/shards?limit=2`)).body;
  await call(plane, 'DELETE', `${control}/shards/s3`);
  await call(plane, 'POST', `${control}/shards`, shard('s22'));
  await call(plane, 'PATCH', `${control}/shards/s2`, { spec: { mode: 'Paused' } }, merge);
  const second = (await call(plane, 'GET', `${control}/shards?limit=9&continue=${first.metadata.continue}`)).body;
  expect(names(second)).toEqual(['s2', 's3']);
  expect(second.items[0].spec.mode).toBe('Active');
  expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
});

test('a continue token that is too old is 410 and brings one for the rest as it is now', async () => {
  const plane = await start({ tuning: { historyEvents: 3 } });
  for (let i = 0; i < 4; i++) await call(plane, 'POST', `${control}/shards`, shard(`s${i}`));
  const first = (await call(plane, 'GET', `${control}/shards?limit=2`)).body;
  for (let i = 5; i < 9; i++) await call(plane, 'POST', `${control}/shards`, shard(`s${i}`));
  const late = await call(plane, 'GET', `${control}/shards?limit=2&continue=${first.metadata.continue}`);
  expect([late.code, late.body.reason]).toEqual([410, 'Expired']);
  const rest = await call(plane, 'GET', `${control}/shards?limit=20&continue=${late.body.metadata.continue}`);
  expect(names(rest.body)).toEqual(['s2', 's3', 's5', 's6', 's7', 's8']);
});

test('label selectors', async () => {
  const plane = await withShards(4);
  const select = async (selector: string) => names((await call(plane, 'GET', `${control}/shards?labelSelector=${encodeURIComponent(selector)}`)).body);
  expect(await select('even=true')).toEqual(['s0', 's2']);
  expect(await select('index in (1,3),even!=true')).toEqual(['s1', 's3']);
  expect(await select('index notin (1,3)')).toEqual(['s0', 's2']);
  expect(await select('!index')).toEqual([]);
  expect((await call(plane, 'GET', `${control}/shards?labelSelector=${encodeURIComponent('a b')}`)).code).toBe(400);
});

test('field selectors: names, Pods by Node and phase, selectable fields of custom kinds', async () => {
  const plane = await withShards(2);
  expect(names((await call(plane, 'GET', `${control}/shards?fieldSelector=metadata.name=s1`)).body)).toEqual(['s1']);
  expect(names((await call(plane, 'GET', `/apis/control.bigfleet.lucy.sh/v1alpha1/shards?fieldSelector=metadata.namespace=default,metadata.name!=s1`)).body)).toEqual(['s0']);
  await call(plane, 'POST', podsPath, pod('a'));
  await call(plane, 'POST', '/api/v1/nodes', { metadata: { name: 'n' } });
  await call(plane, 'POST', podsPath, pod('b'));
  plane.store.bindPod({ namespace: 'default', name: 'b' }, 'n');
  expect(names((await call(plane, 'GET', '/api/v1/pods?fieldSelector=spec.nodeName=n')).body)).toEqual(['b']);
  expect(names((await call(plane, 'GET', '/api/v1/pods?fieldSelector=spec.nodeName=,status.phase=Pending')).body)).toEqual(['a']);
  await call(plane, 'POST', `${control}/machines`, machine('m'));
  expect(names((await call(plane, 'GET', `${control}/machines?fieldSelector=spec.shardRef=s`)).body)).toEqual(['m']);
  const bad = await call(plane, 'GET', `${control}/machines?fieldSelector=spec.hold=true`);
  expect([bad.code, bad.body.message]).toEqual([400, 'field label not supported: spec.hold']);
});

test('lists stay within their namespace', async () => {
  const plane = await withShards(1);
  await call(plane, 'POST', '/api/v1/namespaces', { metadata: { name: 'other' } });
  await call(plane, 'POST', '/apis/control.bigfleet.lucy.sh/v1alpha1/namespaces/other/shards', shard('s9'));
  expect(names((await call(plane, 'GET', `${control}/shards`)).body)).toEqual(['s0']);
  expect(names((await call(plane, 'GET', '/apis/control.bigfleet.lucy.sh/v1alpha1/shards')).body)).toEqual(['s0', 's9']);
});

test('resourceVersion: 0 is any, Exact is the past, the future is 504', async () => {
  const plane = await withShards(2);
  const then = (await call(plane, 'GET', `${control}/shards`)).body.metadata.resourceVersion as string;
  await call(plane, 'DELETE', `${control}/shards/s0`);
  const get = async (query: string) => call(plane, 'GET', `${control}/shards?${query}`);
  expect(names((await get('resourceVersion=0')).body)).toEqual(['s1']);
  expect(names((await get(`resourceVersion=${then}&resourceVersionMatch=NotOlderThan`)).body)).toEqual(['s1']);
  expect(names((await get(`resourceVersion=${then}&resourceVersionMatch=Exact`)).body)).toEqual(['s0', 's1']);
  const future = await get('resourceVersion=99999');
  expect([future.code, future.body.details.causes[0].reason]).toEqual([504, 'ResourceVersionTooLarge']);
  expect((await get('resourceVersionMatch=Exact')).code).toBe(422);
  expect((await get('resourceVersion=0&resourceVersionMatch=Exact')).code).toBe(422);
});

test('a long list arrives whole although it is sent in slices', async () => {
  const plane = await start();
  const filler = 'ü'.repeat(1000);
  for (let i = 0; i < 600; i++) plane.store.create({ group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true }, { metadata: { name: `c${i}` }, data: { filler } } as Loose);
  const { body } = await call(plane, 'GET', '/api/v1/configmaps');
  expect(body.items).toHaveLength(600);
  expect(body.items.every((item: Loose) => item.data.filler === filler)).toBe(true);
});

test('cluster-scoped kinds refuse a namespace, unknown kinds and methods are refused', async () => {
  const plane = await start();
  expect((await call(plane, 'GET', `${fleet}/namespaces/default/upcomingnodes`)).code).toBe(404);
  expect((await call(plane, 'GET', `${fleet}/upcomingnodes`)).body.kind).toBe('UpcomingNodeList');
  expect((await call(plane, 'GET', `${control}/nothings`)).code).toBe(404);
  expect((await call(plane, 'PUT', `${control}/shards`, {})).code).toBe(405);
});

import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { KubeObject } from '../runtime/types.ts';
import { builtin } from './index.ts';
import { Journal } from './journal.ts';
import { call, control, crds, merge, node, pod, settle, shard, shardType, start, watch } from './testing/harness.ts';
import type { Loose } from './testing/harness.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'embedded-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const log = (): string => path.join(dataDir, 'log-0.jsonl');

test('a restart finds everything, and counts on', async () => {
  const first = await start({ dataDir });
  await call(first, 'POST', `${control}/shards`, shard('a', { mode: 'Paused' }));
  await call(first, 'PATCH', `${control}/shards/a/status`, { status: { epoch: 3 } }, merge);
  await call(first, 'POST', `${control}/shards`, shard('b'));
  await call(first, 'DELETE', `${control}/shards/b`);
  const before = { all: first.store.list(shardType), version: Number(first.store.resourceVersion) };
  await first.close();

  const second = await start({ dataDir });
  expect(second.store.list(shardType)).toEqual(before.all);
  expect(Number(second.store.resourceVersion)).toBe(before.version);
  const next = await call(second, 'POST', `${control}/shards`, shard('c'));
  expect(Number(next.body.metadata.resourceVersion)).toBe(before.version + 1);
});

test('after a restart a watch may go on from the last version, but from no earlier one', async () => {
  const first = await start({ dataDir });
  await call(first, 'POST', `${control}/shards`, shard('a'));
  const last = first.store.resourceVersion;
  await first.close();
  const second = await start({ dataDir });
  const late = await watch(second, `${control}/shards?watch=1&resourceVersion=${Number(last) - 1}`);
  expect((await late.next()).object.code).toBe(410);
  const intime = await watch(second, `${control}/shards?watch=1&resourceVersion=${last}`);
  await call(second, 'POST', `${control}/shards`, shard('b'));
  expect((await intime.next()).object.metadata.name).toBe('b');
});

test('kinds of definitions that came over HTTP are there again, before their objects', async () => {
  const first = await start({ dataDir, crds: crds.filter((file) => !file.includes('shards')) });
  const definition = (await (await import('yaml')).parse(readFileSync(crds.find((file) => file.includes('shards'))!, 'utf8'))) as Loose;
  await call(first, 'POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition);
  await call(first, 'POST', `${control}/shards`, shard('a'));
  await first.close();
  const second = await start({ dataDir, crds: [] });
  expect((await call(second, 'GET', `${control}/shards/a`)).body.spec.mode).toBe('Active');
});

test('collection that a stop interrupted is taken up again', async () => {
  const first = await start({ dataDir });
  first.store.create(builtin.nodes, node('n'));
  first.store.create(builtin.pods, pod('p'));
  first.store.bindPod({ name: 'p' }, 'n');
  const owner = first.store.create<KubeObject>(builtin.configMaps, { metadata: { name: 'owner' } });
  const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid! };
  first.store.create(builtin.configMaps, { metadata: { name: 'dependent', ownerReferences: [reference] } });
  first.store.delete(builtin.nodes, { name: 'n' });
  first.store.delete(builtin.configMaps, { name: 'owner' });
  await first.close(); // before the collector had a turn
  const second = await start({ dataDir });
  await settle();
  expect(second.store.list(builtin.pods)).toEqual([]);
  expect(second.store.list(builtin.configMaps)).toEqual([]);
});

test('a last line without its end is dropped, and writing goes on after it', async () => {
  const first = await start({ dataDir, crds: [] });
  first.store.create(builtin.configMaps, { metadata: { name: 'a' } });
  await first.close();
  appendFileSync(log(), '{"kind":"configmaps","put":{"apiVersion":"v1","metadata":{"name":"torn"');
  const second = await start({ dataDir, crds: [] });
  expect(second.store.list(builtin.configMaps).map((o) => o.metadata.name)).toEqual(['a']);
  second.store.create(builtin.configMaps, { metadata: { name: 'b' } });
  await second.close();
  const third = await start({ dataDir, crds: [] });
  expect(third.store.list(builtin.configMaps).map((o) => o.metadata.name)).toEqual(['a', 'b']);
});

test('a log of which not even the first line was finished is an empty one', async () => {
  writeFileSync(log(), '{"embedded');
  const plane = await start({ dataDir, crds: [] });
  plane.store.create(builtin.configMaps, { metadata: { name: 'a' } });
  await plane.close();
  expect((await start({ dataDir, crds: [] })).store.list(builtin.configMaps)).toHaveLength(1);
});

test('a damaged line in the middle is an error that names file and line', async () => {
  const first = await start({ dataDir, crds: [] });
  await first.close();
  const lines = readFileSync(log(), 'utf8').split('\n');
  lines[2] = lines[2]!.slice(0, 40);
  writeFileSync(log(), lines.join('\n'));
  await expect(start({ dataDir, crds: [] })).rejects.toThrow(`${log()}:3: `);
  // The failed attempt has not kept the directory.
  truncateSync(log(), 0);
  await start({ dataDir, crds: [] });
});

test.each([['{"some":"file"}\n', ':1: not a file of format 1'], ['{"embeddedControlPlane":1,"number":0,"version":0}\n{"kind":"configmaps"}\n', ':2: not an entry']])('%j is refused', async (content, message) => {
  writeFileSync(log(), content);
  await expect(start({ dataDir, crds: [] })).rejects.toThrow(message);
});

test('a missing log is an error and not a smaller state', async () => {
  const first = await start({ dataDir, crds: [], tuning: { compactBytes: 1 } });
  for (let i = 0; i < 50; i++) first.store.create(builtin.configMaps, { metadata: { name: `c${i}` } });
  await first.close();
  const logs = readdirSync(dataDir).filter((file) => file.startsWith('log-'));
  rmSync(path.join(dataDir, logs[0]!));
  await expect(start({ dataDir, crds: [] })).rejects.toThrow(`${path.join(dataDir, logs[0]!)} is missing`);
});

test('compaction keeps the state and the last version, and removes what it replaces', async () => {
  const first = await start({ dataDir, crds: [], tuning: { compactBytes: 2000 } });
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 20; i++) first.store.create(builtin.configMaps, { metadata: { name: `c${i}` } });
    for (let i = 0; i < 20; i++) if (round < 4 || i > 0) first.store.delete(builtin.configMaps, { name: `c${i}` });
    await settle(50);
  }
  const version = first.store.resourceVersion;
  await first.close();
  const files = readdirSync(dataDir).filter((file) => file.endsWith('.jsonl')).sort();
  expect(files.filter((file) => file.startsWith('snapshot-'))).toHaveLength(1);
  expect(existsSync(log())).toBe(false);
  expect(files).toHaveLength(2);
  const second = await start({ dataDir, crds: [] });
  expect(second.store.resourceVersion).toBe(version);
  expect(second.store.list(builtin.configMaps).map((o) => o.metadata.name)).toEqual(['c0']);
});

test('changes made while a snapshot is being written are in the next log', async () => {
  const journal = Journal.open(dataDir, () => undefined);
  const object = (name: string, version: number): string => JSON.stringify({ metadata: { name, resourceVersion: String(version) } });
  journal.put('x', object('a', 1));
  const written = journal.compact(1, [{ kind: { id: 'x' }, json: object('a', 1) }]);
  expect(journal.wantsCompaction(0)).toBe(false);
  journal.put('x', object('b', 2));
  journal.remove('x', 'a', 3);
  await written;
  await journal.close();
  const seen: string[] = [];
  const again = Journal.open(dataDir, (entry) => seen.push('removed' in entry ? `-${entry.removed}` : (entry.parsed as Loose).metadata.name));
  expect([seen, again.version]).toEqual([['a', 'b', '-a'], 3]);
  await again.close();
});

test('one directory serves one server', async () => {
  const first = await start({ dataDir, crds: [] });
  await expect(start({ dataDir, crds: [] })).rejects.toThrow(`data directory ${dataDir} is in use by process ${process.pid}`);
  await first.close();
  await start({ dataDir, crds: [] });
});

test('a process that is killed while it writes loses nothing that it acknowledged', async () => {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'testing/write-until-killed.ts'), dataDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8');
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (text: string) => {
      output += text;
      if (output.length > 20_000) child.kill('SIGKILL');
    });
    child.on('close', () => resolve());
  });
  const lines = output.slice(0, output.lastIndexOf('\n')).split('\n');
  const expected = new Set<string>();
  for (const line of lines) {
    const name = line.split(' ')[0]!;
    if (name.startsWith('-')) expected.delete(name.slice(1));
    else expected.add(name);
  }
  const plane = await start({ dataDir, crds: [] });
  const present = new Set(plane.store.list(builtin.configMaps).map((o) => o.metadata.name));
  const acknowledged = Number(lines.at(-1)!.split(' ')[1]);
  expect(lines.length).toBeGreaterThan(500);
  expect(readdirSync(dataDir).some((file) => file.startsWith('snapshot-'))).toBe(true);
  expect([...expected].filter((name) => !present.has(name) && Number(plane.store.resourceVersion) <= acknowledged)).toEqual([]);
  // What is there beyond it are at most the one or two writes whose acknowledgement the kill cut off.
  expect(Number(plane.store.resourceVersion)).toBeGreaterThanOrEqual(acknowledged);
  const lost = [...expected].filter((name) => !present.has(name));
  expect(lost.length).toBeLessThanOrEqual(Number(plane.store.resourceVersion) - acknowledged);
});

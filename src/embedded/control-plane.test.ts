import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { call, control, crds, shard, start, watch } from './testing/harness.ts';
import type { Loose } from './testing/harness.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'embedded-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('listens on loopback and answers health and version', async () => {
  const plane = await start();
  expect(plane.url).toBe(`http://127.0.0.1:${plane.port}`);
  for (const check of ['/healthz', '/readyz', '/livez', '/livez/ping']) expect((await call(plane, 'GET', check)).text).toBe('ok');
  expect((await call(plane, 'GET', '/version')).body).toMatchObject({ major: '1', minor: '36' });
  expect((await call(plane, 'GET', '/nothing')).body).toMatchObject({ kind: 'Status', code: 404 });
});

test('a port in use is an error that names it', async () => {
  const { port } = await start();
  await expect(start({ port, name: 'second' })).rejects.toThrow(`control plane second: port ${port} on 127.0.0.1 is in use`);
});

test('requests that are not allowed are refused as RBAC refuses them, watches too', async () => {
  const asked: unknown[] = [];
  const plane = await start({ authorize: (request, token) => {
    asked.push({ ...request, token });
    return request.verb !== 'watch' && request.subresource !== 'status';
  } });
  expect((await call(plane, 'GET', '/api/v1/namespaces/default/pods')).code).toBe(200);
  const refused = await call(plane, 'PATCH', `${control}/shards/s/status`, {});
  expect(refused.body).toMatchObject({ reason: 'Forbidden', code: 403, message: 'shards.control.bigfleet.lucy.sh "s" is forbidden: User "anonymous" cannot patch resource "shards/status" in API group "control.bigfleet.lucy.sh"' });
  expect((await call(plane, 'GET', '/api/v1/nodes?watch=1')).code).toBe(403);
  expect(asked).toEqual([
    { verb: 'list', group: '', plural: 'pods', subresource: '', namespace: 'default', name: '', token: undefined },
    { verb: 'patch', group: 'control.bigfleet.lucy.sh', plural: 'shards', subresource: 'status', namespace: expect.any(String) as string, name: 's', token: undefined },
    { verb: 'watch', group: '', plural: 'nodes', subresource: '', namespace: '', name: '', token: undefined },
  ]);
});

test('closing gives the port free and ends the watches', async () => {
  const first = await start();
  const stream = await watch(first, `${control}/shards?watch=1`);
  await first.close();
  expect(await stream.next()).toBeUndefined();
  const second = await start({ port: first.port });
  expect(second.port).toBe(first.port);
});

test('the kubeconfig leads to the server, and only its owner can read it', async () => {
  const plane = await start();
  const file = path.join(folder, 'kubeconfig');
  await plane.writeKubeconfig(file);
  const config = parse(await readFile(file, 'utf8')) as Loose;
  expect(config.clusters).toEqual([{ name: 'test', cluster: { server: plane.url } }]);
  expect(config['current-context']).toBe(config.contexts[0].name);
  expect(config.contexts[0].context.namespace).toBe('default');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await plane.writeKubeconfig(file, 'elsewhere');
  expect((parse(await readFile(file, 'utf8')) as Loose).contexts[0].context.namespace).toBe('elsewhere');
});

test('a definition file that is unusable is an error that names it', async () => {
  const file = path.join(folder, 'bad.yaml');
  for (const [content, message] of [['kind: ConfigMap\n', 'not a CustomResourceDefinition'], ['a: [', ''], ['kind: CustomResourceDefinition\nmetadata: {name: x}\nspec: {}\n', 'spec.group: Required value']] as const) {
    writeFileSync(file, content);
    await expect(start({ crds: [file] })).rejects.toThrow(`definition file ${file}: `);
    await expect(start({ crds: [file] })).rejects.toThrow(message);
  }
});

test('definitions on disk replace older ones of the data directory, equal ones change nothing', async () => {
  const dataDir = path.join(folder, 'data');
  const first = await start({ dataDir });
  const version = first.store.resourceVersion;
  await first.close();
  const second = await start({ dataDir });
  expect(second.store.resourceVersion).toBe(version);
  await second.close();
  const definition = parse(await readFile(crds.find((file) => file.includes('shards'))!, 'utf8')) as Loose;
  definition.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.mode.default = 'Paused';
  const file = path.join(folder, 'shards.yaml');
  writeFileSync(file, JSON.stringify(definition));
  const third = await start({ dataDir, crds: [file] });
  expect((await call(third, 'POST', `${control}/shards`, shard('a'))).body.spec.mode).toBe('Paused');
});

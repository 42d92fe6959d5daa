import { appendFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../lib/testing/temporary-folder.ts';
import type { Pod } from '../api/core.ts';
import { NodeResource, PodResource } from '../api/resources.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { silentLog } from '../runtime/types.ts';
import { testNode, testPod } from './testing/objects.ts';
import { startWorld } from './world.ts';
import type { World, WorldOptions } from './world.ts';

let taken: Server;
let takenPort: number;
beforeEach(async () => {
  taken = createServer();
  takenPort = await listen(taken, 0);
});
afterEach(() => close(taken));

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
const close = (server: Server): Promise<void> => new Promise((resolve) => void server.close(() => resolve()));
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server, 0);
  await close(server);
  return port;
}

const start = (options: Partial<WorldOptions>): Promise<World> =>
  startWorld({
    dataDir: temporaryFolder('world'),
    crdDir: fileURLToPath(new URL('../../config/crd/bases', import.meta.url)),
    hubPort: 0, clusters: [], nodeAgent: { host: '127.0.0.1', port: 0 }, hubObjects: [],
    clock: new VirtualClock(), random: () => 0.5, log: silentLog, tell: () => undefined, ...options,
  });

describe('a start that fails', () => {
  it.each([
    ['the port of a cluster is taken', () => ({ clusters: [{ id: 'a', port: 0 }, { id: 'b', port: takenPort }] }), () => `port ${takenPort}`],
    ['the port of the node agent is taken', () => ({ clusters: [{ id: 'a', port: 0 }], nodeAgent: { host: '127.0.0.1', port: takenPort } }), () => `--node-agent-listen 127.0.0.1:${takenPort}: cannot listen`],
  ])('closes what had started when %s, and names it', async (_, options, message) => {
    const hubPort = await freePort();
    const dataDir = temporaryFolder('world');
    await expect(start({ hubPort, dataDir, ...options() })).rejects.toThrow(message());
    // Ports and the claims on the folders are free again: the same world can start.
    const world = await start({ hubPort, dataDir, clusters: [{ id: 'a', port: 0 }, { id: 'b', port: 0 }] });
    expect(world.hub.port).toBe(hubPort);
    await world.close();
  });
});

it('survives what an API server without checks has stored: it is left out with a warning, the rest goes on', async () => {
  const dataDir = temporaryFolder('world');
  const clusters = [{ id: 'a', port: 0 }];
  const before = await start({ dataDir, clusters });
  let version = Number(before.clusters.get('a')!.store.resourceVersion);
  await before.close();
  const store = (kind: string, object: { metadata: object }, parts: object): void =>
    appendFileSync(join(dataDir, 'a', 'log-0.jsonl'), `${JSON.stringify({ kind, put: { ...object, ...parts, metadata: { ...object.metadata, resourceVersion: String(++version) } } })}\n`);
  const waits = testPod('waits', { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: {} as [] } } } });
  store('nodes', testNode('bad'), { status: { conditions: {} } });
  store('nodes', testNode('good'), {});
  store('pods', waits, {});
  store('pods', testPod('stuck', { nodeName: 'good' }), { status: { phase: 'Pending', conditions: {} } });

  const warnings: string[] = [];
  const clock = new VirtualClock();
  const world = await start({ dataDir, clusters, clock, log: { ...silentLog, warn: (_fields: object, text: string) => void warnings.push(text) } });
  const plane = world.clusters.get('a')!.store;
  plane.create(PodResource, testPod('fine'));
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(1_000);
  const phase = (name: string): string | undefined => plane.get<Pod>(PodResource, { namespace: 'demo', name })?.status?.phase;
  expect([phase('fine'), phase('waits'), phase('stuck')]).toEqual(['Running', undefined, 'Pending']);
  expect([...new Set(warnings.map((text) => text.split(': ').slice(0, 2).join(': ')))].sort()).toEqual([
    'Node bad counts as not Ready: status.conditions',
    'Node bad is left out: status.conditions',
    'Pod demo/stuck does not run: status.conditions',
    'Pod demo/stuck is left out: status.conditions',
    'Pod demo/waits is left out: spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms',
  ]);
  // What is not wrong about it can be written to, and it can be deleted.
  plane.mutate<Pod>(PodResource, { namespace: 'demo', name: 'waits' }, (pod) => ({ ...pod, status: { phase: 'Pending' } }), { subresource: 'status' });
  expect(phase('waits')).toBe('Pending');
  plane.delete(PodResource, { namespace: 'demo', name: 'stuck' });
  plane.delete(NodeResource, { name: 'bad' });
  await clock.advance(1_000);
  expect(phase('stuck')).toBeUndefined();
  await world.close();
});

import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { silentLog } from '../runtime/types.ts';
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
    dataDir: mkdtempSync(join(tmpdir(), 'world-')),
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
    const dataDir = mkdtempSync(join(tmpdir(), 'world-'));
    await expect(start({ hubPort, dataDir, ...options() })).rejects.toThrow(message());
    // Ports and the claims on the folders are free again: the same world can start.
    const world = await start({ hubPort, dataDir, clusters: [{ id: 'a', port: 0 }, { id: 'b', port: 0 }] });
    expect(world.hub.port).toBe(hubPort);
    await world.close();
  });
});

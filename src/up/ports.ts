import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { UsageError } from '../lib/usage-error.ts';
import { clusterNames } from '../world/labels.ts';

/** The sockets of a run, all on loopback. They stay the same when a process is restarted. */
export interface Ports {
  readonly hub: number;
  readonly clusters: ReadonlyMap<string, number>;
  readonly nodeAgent: number;
  readonly provider: number;
  readonly providerAdmin: number;
  readonly shard: number;
}

const HOST = '127.0.0.1';

/** Free ports, or consecutive ones from `base`; throws a UsageError if one of those is taken. */
export async function choosePorts(clusters: number, base?: number): Promise<Ports> {
  const names = clusterNames(clusters);
  const count = names.length + 5;
  const wanted = Array.from({ length: count }, (_, i) => (base === undefined ? 0 : base + i));
  const servers: Server[] = [];
  const ports: number[] = [];
  try {
    // All are held at once, so that the same one is not handed out twice.
    for (const port of wanted) {
      const server = createServer();
      await listen(server, port);
      servers.push(server);
      ports.push((server.address() as AddressInfo).port);
    }
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
  const next = (): number => ports.shift() ?? 0;
  return { hub: next(), clusters: new Map(names.map((name) => [name, next()])), nodeAgent: next(), provider: next(), providerAdmin: next(), shard: next() };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new UsageError(`--port-base: port ${port} is in use; choose another base`) : error);
    });
    server.listen(port, HOST, resolve);
  });
}

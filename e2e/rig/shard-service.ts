import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export interface ShardEndpoint {
  readonly port: number;
  /** Where it answers /readyz. */
  readonly probes: number;
}

/** Stands in for the Service before the replicas of a shard: a connection goes to one that is ready, or is refused. */
export class ShardService {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(endpoints: readonly ShardEndpoint[]) {
    this.server = createServer((socket) => void this.forward(socket, endpoints));
  }

  static async start(endpoints: readonly ShardEndpoint[]): Promise<ShardService> {
    const service = new ShardService(endpoints);
    service.server.listen(0, '127.0.0.1');
    await once(service.server, 'listening');
    return service;
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.server.close();
    this.drop();
  }

  /** Breaks every connection; returns how many there were. Whoever dials again is served. */
  drop(): number {
    const count = this.sockets.size;
    for (const socket of this.sockets) socket.destroy();
    return count;
  }

  private async forward(caller: Socket, endpoints: readonly ShardEndpoint[]): Promise<void> {
    this.keep(caller);
    const ready = await firstReady(endpoints);
    if (!ready || caller.destroyed) return void caller.destroy();
    const shard = connect(ready.port, '127.0.0.1');
    this.keep(shard);
    caller.pipe(shard).pipe(caller);
    caller.on('close', () => shard.destroy());
    shard.on('close', () => caller.destroy());
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.sockets.delete(socket));
  }
}

async function firstReady(endpoints: readonly ShardEndpoint[]): Promise<ShardEndpoint | undefined> {
  for (const endpoint of endpoints) if (await isReady(endpoint)) return endpoint;
  return undefined;
}

export async function isReady({ probes }: ShardEndpoint): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${probes}/readyz`, { signal: AbortSignal.timeout(2_000) })).status === 200;
  } catch {
    return false;
  }
}

import { randomBytes, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { createProviderClient } from '../provider/client.ts';
import type { ProviderClient, ProviderClientOptions } from '../provider/client.ts';
import { createKubeClient, loadKubeConfig } from '../runtime/index.ts';
import type { KubeClientHandle, KubeClientOptions, Runnable } from '../runtime/index.ts';
import { realDisk } from './disk.ts';
import type { ShardDisk } from './disk.ts';
import { createShardServer } from './grpc-server.ts';
import type { ShardServerOptions } from './grpc-server.ts';
import { checkStart, type StartOptions } from './start.ts';

/** Everything through which a shard process touches the world, so that the whole of it can run in a simulated one. */
export interface ShardSurroundings {
  /** Unique per process. */
  readonly identity: string;
  /** Names for instructions and requests. */
  readonly ids: () => string;
  /** Whether SIGTERM and SIGINT stop the shard. */
  readonly handlesSignals: boolean;
  readonly disk: ShardDisk;
  /** Rejects with what would only fail later. */
  readonly check: () => Promise<void>;
  readonly kube: (options: Omit<KubeClientOptions, 'config'>) => KubeClientHandle;
  readonly provider: (options: ProviderClientOptions) => ProviderClient;
  readonly server: (options: ShardServerOptions) => Runnable;
}

/** Those of a process of its own: sockets, files, the system's randomness. */
export function processSurroundings(options: StartOptions & { readonly kubeconfig?: string }): ShardSurroundings {
  const { kubeconfig } = options;
  return {
    identity: `${hostname()}_${randomUUID()}`,
    ids: () => randomBytes(8).toString('hex'),
    handlesSignals: true,
    disk: realDisk,
    check: () => checkStart(options),
    kube: (client) => createKubeClient({ ...client, config: loadKubeConfig(kubeconfig === undefined ? {} : { path: kubeconfig }) }),
    provider: createProviderClient,
    server: createShardServer,
  };
}

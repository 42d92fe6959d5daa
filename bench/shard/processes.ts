/** Hub, provider and shard as they run in production: processes of their own, real sockets between them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONTROL_GROUP, SYSTEM_NAMESPACE, VERSION } from '../../src/api/constants.ts';
import { CapacityProviderResource, ShardResource } from '../../src/api/resources.ts';
import { choosePorts } from '../../src/up/ports.ts';
import { ResourceUsage } from '../../src/up/resource-usage.ts';
import { seedInstance } from '../../src/world/seed-instance.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const SHARD = 'shard-0';
const TYPES = 5;

export interface Fleet {
  readonly shardAddress: string;
  readonly metricsUrl: string;
  startShard(): void;
  /** Why it cannot go on, if one of its processes has ended. */
  failed(): Error | undefined;
  /** Resident memory of the shard process now. */
  shardRssBytes(): number;
  stop(): Promise<void>;
}

/** Starts hub and provider with so many idle machines of five types, and returns when both serve. Logs lie in `folder`. */
export async function startFleet(folder: string, machines: number, signal: AbortSignal): Promise<Fleet> {
  const ports = await choosePorts(2);
  const [, spare] = [...ports.clusters.values()];
  const metrics = spare ?? 0;
  const seeds = join(folder, 'seeds.jsonl');
  await writeSeeds(seeds, machines);
  const objects = join(folder, 'hub-objects.json');
  writeFileSync(objects, JSON.stringify(hubObjects(ports.provider)));
  const running: ChildProcess[] = [];
  let death: Error | undefined;
  let stopped = false;
  const start = (name: string, heapMb: number, ...args: string[]): Promise<void> => {
    const flags = name === 'shard' ? (process.env['SHARD_NODE_FLAGS'] ?? '').split(' ').filter(Boolean) : [];
    const child = spawn(process.execPath, [`--max-old-space-size=${heapMb}`, ...flags, MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], signal });
    running.push(child);
    const log = createWriteStream(join(folder, `${name}.log`));
    child.stderr.pipe(log);
    child.stdout.pipe(log);
    return new Promise((resolve, reject) => {
      child.stdout.on('data', () => resolve());
      child.on('error', reject);
      child.on('exit', (code) => {
        const error = new Error(`the ${name} process ended with ${code ?? 'a signal'}; see ${folder}/${name}.log`);
        if (!stopped) death ??= error;
        reject(error);
      });
    });
  };
  await Promise.all([
    start('hub', 4_000, 'world', '--data-dir', join(folder, 'world'), '--hub-port', String(ports.hub), '--node-agent-listen', `127.0.0.1:${ports.nodeAgent}`, '--hub-objects', objects),
    start('provider', 8_000, 'provider', 'sim', '--i-know-this-is-simulated', '--listen', `127.0.0.1:${ports.provider}`, '--seed-file', seeds,
      '--create-ms', '1', '--configure-ms', '1', '--drain-ms', '1', '--delete-ms', '1'),
  ]);
  return {
    shardAddress: `127.0.0.1:${ports.shard}`,
    metricsUrl: `http://127.0.0.1:${metrics}/metrics`,
    startShard: () => {
      start('shard', 8_000, 'shard', '--id', SHARD, '--listen', `127.0.0.1:${ports.shard}`, '--metrics-addr', `127.0.0.1:${metrics}`, '--data-dir', join(folder, 'shard'),
        '--kubeconfig', join(folder, 'world', 'hub.kubeconfig'), '--audit-log', join(folder, 'audit.jsonl'), '--reclaim-grace', '1s', '--qps', '5000', '--burst', '5000',
      ).catch(() => undefined); // `failed` tells
    },
    failed: () => death,
    shardRssBytes: () => {
      const usage = new ResourceUsage();
      usage.sample([{ name: 'shard', pid: running[2]?.pid }]);
      return usage.peakRssBytes;
    },
    stop: async () => {
      stopped = true;
      const gone = running.map((child) => new Promise<void>((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
        setTimeout(() => child.kill('SIGKILL'), 5_000).unref();
      }));
      await Promise.all(gone);
    },
  };
}

function hubObjects(providerPort: number): object[] {
  const apiVersion = `${CONTROL_GROUP}/${VERSION}`;
  const metadata = { namespace: SYSTEM_NAMESPACE };
  return [
    { type: ShardResource, object: {
      apiVersion, kind: 'Shard', metadata: { ...metadata, name: SHARD },
      spec: { cycleSeconds: 1, concurrencyPerProvider: 64, rails: { reclaimCapFraction: '1', maxConcurrentDrainsPerCluster: 100_000 }, holds: { onDemandSeconds: 86_400, spotSeconds: 86_400, occupiedExcessSeconds: 0 } },
    } },
    { type: CapacityProviderResource, object: { apiVersion, kind: 'CapacityProvider', metadata: { ...metadata, name: 'sim' }, spec: { address: `127.0.0.1:${providerPort}`, shardRef: SHARD } } },
  ];
}

async function writeSeeds(file: string, machines: number): Promise<void> {
  const out = createWriteStream(file);
  for (let i = 0; i < machines; i++) {
    const type = i % TYPES;
    const line = JSON.stringify(seedInstance({
      id: `m-${String(i).padStart(7, '0')}`, instanceType: instanceType(type), zone: `zone-${i % 3}`, capacityType: 'BareMetal', onDemandMicroUsdPerHour: 100_000 + type,
      resources: { cpu: '8', memory: '32Gi' }, labels: { 'topology.kubernetes.io/zone': `zone-${i % 3}` },
    }));
    if (!out.write(`${line}\n`)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
}

export function instanceType(type: number): string {
  return `type-${type % TYPES}`;
}

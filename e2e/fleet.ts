import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './control-plane/free-port.ts';
import { GuardedProcess } from './control-plane/guarded-process.ts';
import { applyManifests, kubectl, startEtcd, startRealControlPlane } from './control-plane/real-control-plane.ts';
import { bootstrapTemplate } from '../src/world/bootstrap-blob.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const crds = (names: readonly string[]): string[] => names.map((name) => join(root, `config/crd/bases/${name}.yaml`));
export const controlCrds = crds(['control.bigfleet.lucy.sh_shards', 'control.bigfleet.lucy.sh_machines', 'control.bigfleet.lucy.sh_capacityproviders']);
export const publicCrds = crds(['bigfleet.lucy.sh_capacityrequests', 'bigfleet.lucy.sh_upcomingnodes', 'bigfleet.lucy.sh_availablecapacities']);

/** A hub, one managed cluster without a single Node, and all of BigFleet's components, as processes. */
export interface Fleet {
  readonly hub: Cluster;
  readonly east: Cluster;
  readonly kubernetes: string;
  readonly operationLog: string;
  stop(): Promise<void>;
}

export interface Cluster {
  readonly kubeconfigPath: string;
}

/** Two machines that exist already and six that can be created, of 8 cores each. */
export function seedFile(): string {
  const instance = (id: string, capacityType: string, pricePerHour: number, state: string): string =>
    JSON.stringify({
      id, instanceType: 'c8', zone: 'zone-a', capacityType, pricePerHour, state,
      interruptionProbability: capacityType === 'Spot' ? 0.02 : 0,
      resources: { cpu: '8', memory: '32Gi' }, allocatable: { cpu: '8', memory: '32Gi' }, labels: { 'kubernetes.io/arch': 'amd64' },
    });
  return [
    instance('metal-0', 'BareMetal', 0.1, 'Idle'),
    instance('metal-1', 'BareMetal', 0.1, 'Idle'),
    ...Array.from({ length: 6 }, (_, i) => instance(`cloud-${i}`, 'OnDemand', 0.4, 'Speculative')),
  ].join('\n');
}

const objects = (providerAddress: string): string => `
apiVersion: v1
kind: Namespace
metadata: { name: bigfleet-system }
---
apiVersion: control.bigfleet.lucy.sh/v1alpha1
kind: Shard
metadata: { name: shard-0, namespace: bigfleet-system }
spec:
  cycleSeconds: 1
  rails: { reclaimCapFraction: "1", maxConcurrentDrainsPerCluster: 50 }
  holds: { onDemandSeconds: 5, spotSeconds: 2, occupiedExcessSeconds: 5 }
---
apiVersion: control.bigfleet.lucy.sh/v1alpha1
kind: CapacityProvider
metadata: { name: sim, namespace: bigfleet-system }
spec: { address: "${providerAddress}", shardRef: shard-0 }
`;

/** Starts everything on real API servers, a real scheduler and a real controller manager; kwok plays the kubelets. */
export async function startRealFleet(dir: string, log: (line: string) => void): Promise<Fleet> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.reverse()) await each();
    stops.length = 0;
  };
  try {
    log('starting etcd, a hub and a managed cluster');
    const etcd = await startEtcd(dir, log);
    stops.push(() => etcd.stop());
    const [hub, east] = await Promise.all([
      startRealControlPlane({ name: 'hub', dir, etcd, workload: false, log }),
      startRealControlPlane({ name: 'east', dir, etcd, workload: true, log }),
    ]);
    stops.push(async () => void (await Promise.all([hub.stop(), east.stop()])));
    await Promise.all([applyManifests(hub, controlCrds), applyManifests(east, publicCrds)]);

    const [providerPort, adminPort, shardPort, nodeAgentPort] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const file = (name: string, content: string): string => {
      writeFileSync(join(dir, name), content);
      return join(dir, name);
    };
    await applyManifests(hub, [file('hub.yaml', objects(`127.0.0.1:${providerPort}`))]);
    const operationLog = join(dir, 'operations.jsonl');
    const lease = ['--lease-duration', '6s', '--lease-renew', '4s', '--lease-retry', '1s'];
    const launch = (name: string, args: readonly string[]): void => {
      const dataDir = join(dir, name);
      mkdirSync(dataDir, { recursive: true });
      const process = GuardedProcess.start({
        name,
        command: globalThis.process.execPath,
        args: [join(root, 'src/main.ts'), ...args],
        logPath: join(dir, `${name}.log`),
        graceMs: 5_000,
        onUnexpectedExit: log,
      });
      stops.push(() => process.stop());
    };
    log('starting the provider, the node agent, the shard and the agent');
    launch('node-agent', ['node-agent', '--listen', `127.0.0.1:${nodeAgentPort}`, '--cluster', `east=${east.kubeconfigPath}`]);
    launch('provider', [
      'provider', 'sim', '--i-know-this-is-simulated', '--listen', `127.0.0.1:${providerPort}`, '--admin-listen', `127.0.0.1:${adminPort}`,
      '--seed-file', file('seeds.jsonl', seedFile()), '--data-dir', join(dir, 'provider'), '--operation-log', operationLog,
      '--node-agent', `http://127.0.0.1:${nodeAgentPort}`,
    ]);
    launch('shard', [
      'shard', '--id', 'shard-0', '--listen', `127.0.0.1:${shardPort}`, '--metrics-addr', '0', '--kubeconfig', hub.kubeconfigPath,
      '--data-dir', join(dir, 'shard'), '--poll', '250ms', '--reclaim-grace', '20s', ...lease,
    ]);
    launch('agent', [
      'agent', '--cluster-id', 'east', '--shard-addr', `127.0.0.1:${shardPort}`, '--kubeconfig', east.kubeconfigPath,
      '--rollup-interval', '1s', '--bootstrap-template-file', file('bootstrap.tmpl', bootstrapTemplate('east')), '--metrics-addr', '0',
      '--qps', '200', '--burst', '400', ...lease,
    ]);
    const version = JSON.parse(await kubectl(hub, ['version', '-o', 'json'])) as { serverVersion: { gitVersion: string } };
    return { hub, east, kubernetes: version.serverVersion.gitVersion, operationLog, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A hub and one cluster of real Kubernetes processes, and BigFleet's processes with the settings of the demonstration. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { applyManifests, kubectl, startEtcd, startRealControlPlane } from '../../e2e/control-plane/real-control-plane.ts';
import { controlCrds, publicCrds } from '../../e2e/fleet.ts';
import { register } from '../../src/cli/up.ts';
import { NamespaceResource } from '../../src/api/resources.ts';
import { SYSTEM_NAMESPACE } from '../../src/api/constants.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createKubeClient, loadKubeConfig, type KubeClientHandle } from '../../src/runtime/index.ts';
import { connectedClusters } from '../../src/up/api-questions.ts';
import { agentProcesses, providerProcess, shardProcess, type ProcessSpec } from '../../src/up/commands.ts';
import { Fleet } from '../../src/up/fleet.ts';
import { hubObjects } from '../../src/up/hub-objects.ts';
import { layoutOf, type Layout } from '../../src/up/layout.ts';
import { choosePorts } from '../../src/up/ports.ts';
import { readSettings, type UpFlags } from '../../src/up/settings.ts';
import { bootstrapTemplate } from '../../src/world/bootstrap-blob.ts';
import type { SeedInstance } from '../../src/world/seed-instance.ts';
import { WRITES_ONLY } from './api-writes.ts';

export interface BurstFleet {
  readonly cluster: string;
  readonly client: KubeClientHandle;
  readonly kubernetes: string;
  readonly layout: Layout;
  /** Audit logs of the API servers. */
  readonly auditLogs: readonly string[];
  readonly failed: AbortSignal;
  readonly restarts: () => number;
  processes(): { readonly name: string; readonly pid: number | undefined }[];
  stop(): Promise<void>;
}

const CONNECT_MS = 60_000;
/** More than the demonstration gives: nothing here is to be about small heaps. */
const HEAP_MB = 1_024;

/** What `bigfleet up` would use, so that its settings are written down once. */
function demoSettings(podDemand: string): ReturnType<typeof readSettings> {
  const program = new Command();
  register(program);
  const up = program.commands[0]?.action(() => undefined);
  program.parse(['up', '--clusters', '1', '--pod-demand', podDemand], { from: 'user' });
  if (!up) throw new Error('there is no command up');
  return readSettings(up.opts<UpFlags>());
}

/** Resolves when the operator is connected to the shard. Logs and state lie in `dir`. */
export async function startBurstFleet(dir: string, podDemand: 'direct' | 'requests', machines: readonly SeedInstance[], progress: (line: string) => void, signal: AbortSignal): Promise<BurstFleet> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const settings = demoSettings(podDemand);
    const ports = await choosePorts(1);
    const [cluster = ''] = ports.clusters.keys();
    const layout = layoutOf(dir);
    for (const folder of [layout.world, layout.logs, layout.shardState, layout.providerState]) mkdirSync(folder, { recursive: true });
    const policyFile = join(dir, 'audit-policy.json');
    writeFileSync(policyFile, WRITES_ONLY);
    writeFileSync(layout.providerSeeds, machines.map((machine) => `${JSON.stringify(machine)}\n`).join(''));
    writeFileSync(layout.bootstrapTemplate(cluster), bootstrapTemplate(cluster));

    progress('starting etcd, a hub and a cluster');
    const etcd = await startEtcd(join(dir, 'etcd'), progress);
    stops.push(() => etcd.stop());
    const plane = (name: string, workload: boolean) => startRealControlPlane({ name, dir, etcd, workload, log: progress, audit: { policyFile, logFile: join(dir, `${name}-audit.jsonl`) } });
    const [hub, managed] = await Promise.all([plane('hub', false), plane(cluster, true)]);
    stops.push(async () => void (await Promise.all([hub.stop(), managed.stop()])));
    await Promise.all([applyManifests(hub, controlCrds), applyManifests(managed, publicCrds)]);
    copyFileSync(hub.kubeconfigPath, layout.hubKubeconfig);
    copyFileSync(managed.kubeconfigPath, layout.clusterKubeconfig(cluster));

    const connect = (path: string): KubeClientHandle => createKubeClient({
      config: loadKubeConfig({ path }), clock: systemClock, random: Math.random, qps: 5_000, burst: 10_000, fieldManager: 'bigfleet-bench', userAgent: 'bigfleet-bench',
    });
    const hubClient = connect(hub.kubeconfigPath);
    const client = connect(managed.kubeconfigPath);
    stops.push(async () => void (await Promise.all([hubClient.close(), client.close()])));
    await hubClient.create(NamespaceResource, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM_NAMESPACE } });
    for (const { type, object } of hubObjects(settings, ports)) await hubClient.create(type, object);

    progress('starting the provider, the node agent, the shard and the agent');
    const fleet = new Fleet({ layout, clock: systemClock, onMessage: () => undefined, onRestart: (name, how) => progress(`${name} ended (${how}) and is started again`) });
    stops.push(() => fleet.stop());
    const nodeAgent: ProcessSpec = {
      name: 'node-agent', heapMb: HEAP_MB, semiSpaceMb: 4,
      args: ['node-agent', '--listen', `127.0.0.1:${ports.nodeAgent}`, '--cluster', `${cluster}=${managed.kubeconfigPath}`, '--ready-delay', `${settings.compressed.nodeReadyMs}ms`],
    };
    const specs = [nodeAgent, providerProcess(settings, ports, layout), shardProcess(settings, ports, layout), ...agentProcesses(settings, ports, layout)];
    for (const spec of specs) fleet.start({ ...spec, heapMb: HEAP_MB });
    const deadline = performance.now() + CONNECT_MS;
    while ((await connectedClusters(hubClient)) < 1) {
      signal.throwIfAborted();
      fleet.failed.throwIfAborted();
      if (performance.now() > deadline) throw new Error(`the agent did not connect to the shard within ${CONNECT_MS / 1_000} s; logs are in ${layout.logs}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    const { serverVersion } = JSON.parse(await kubectl(hub, ['version', '-o', 'json'])) as { serverVersion: { gitVersion: string } };
    return {
      cluster, client, layout, kubernetes: serverVersion.gitVersion, failed: fleet.failed, restarts: () => fleet.restarts,
      auditLogs: [join(dir, 'hub-audit.jsonl'), join(dir, `${cluster}-audit.jsonl`)],
      processes: () => [
        ...fleet.processes(),
        { name: 'etcd', pid: etcd.pid },
        ...[hub, managed].flatMap(({ name, pids }) => Object.entries(pids).map(([program, pid]) => ({ name: `${name}: ${program}`, pid }))),
      ],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

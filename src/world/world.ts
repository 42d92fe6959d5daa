import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../lib/make-folder.ts';
import { SYSTEM_NAMESPACE } from '../api/constants.ts';
import { NamespaceResource } from '../api/resources.ts';
import type { EmbeddedControlPlane, EmbeddedStore } from '../embedded/api.ts';
import { startEmbeddedControlPlane } from '../embedded/control-plane.ts';
import { StatusError } from '../embedded/status-error.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { createKubeClient } from '../runtime/client/kube-client.ts';
import type { KubeObject, Log, ResourceType } from '../runtime/types.ts';
import { Generator } from './demand/generator.ts';
import type { DemandPlan } from './demand/plan.ts';
import { openStateLog } from './demand/state-log.ts';
import { DEMAND_LOG, HUB_KUBECONFIG, kubeconfigName } from './file-names.ts';
import { requestInterruption } from './interruption-request.ts';
import { Kubelet } from './kubelet.ts';
import { DEMO_NAMESPACE } from './labels.ts';
import { serveNodeAgent } from './node-agent-server.ts';
import { NodeAgent } from './node-agent.ts';
import type { AgentCluster } from './node-agent.ts';
import { runScheduler } from './scheduling.ts';

export interface WorldOptions {
  readonly dataDir: string;
  readonly crdDir: string;
  /** 0 takes a free port; a restart has to be told the same ones. */
  readonly hubPort: number;
  readonly clusters: readonly { readonly id: string; readonly port: number }[];
  readonly nodeAgent: { readonly host: string; readonly port: number };
  /** Created in the hub if they are not there yet. */
  readonly hubObjects: readonly { readonly type: ResourceType; readonly object: KubeObject }[];
  /** From a Node's appearance until it is Ready. */
  readonly nodeReadyMs?: number;
  readonly demand?: DemandPlan;
  /** The provider's control panel, for interruptions. */
  readonly providerAdmin?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly tell: (event: Readonly<Record<string, unknown>>) => void;
}

export interface World {
  readonly hub: EmbeddedControlPlane;
  readonly clusters: ReadonlyMap<string, EmbeddedControlPlane>;
  readonly nodeAgentUrl: string;
  readonly generator: Generator | undefined;
  close(): Promise<void>;
}

/** Enough for watches that resume after a short break; older ones list again. The default would hold far more than the state. */
const HISTORY = { historyEvents: 4_000, historyBytes: 8 * 1024 * 1024 };

/** The kinds each API server has: `control` for the hub, `public` for managed clusters. */
const CRD_PREFIX = { control: 'control.bigfleet', public: 'bigfleet' } as const;

/**
 * Starts everything that a real site has around BigFleet: API servers, schedulers, kubelets, machines that join, and
 * demand. State lies in the data directory; a new process continues where a killed one stopped. If any of it cannot start
 * (a port is taken, say), what had started is closed again and the cause is thrown.
 */
export async function startWorld(options: WorldOptions): Promise<World> {
  const onClose: (() => unknown)[] = [];
  try {
    return await startParts(options, onClose);
  } catch (error) {
    await closeAll(onClose).catch((problem: unknown) => options.log.warn({ problem: String(problem) }, 'closing after a failed start'));
    throw error;
  }
}

/** Ends everything in reverse order, also what comes after a part that fails to end; then throws the first failure. */
async function closeAll(onClose: (() => unknown)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const stop of onClose.splice(0).reverse()) {
    try {
      await stop();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

async function startParts(options: WorldOptions, onClose: (() => unknown)[]): Promise<World> {
  const { clock, random, log, dataDir } = options;
  makeFolder(dataDir);
  const startPlane = async (name: string, port: number, crds: keyof typeof CRD_PREFIX): Promise<EmbeddedControlPlane> => {
    const plane = await startEmbeddedControlPlane({
      name, port, dataDir: join(dataDir, name), crds: crdFiles(options.crdDir, CRD_PREFIX[crds]), clock, tuning: HISTORY,
      log: (message) => log.warn({ controlPlane: name }, message),
    });
    onClose.push(() => plane.close());
    return plane;
  };

  const hub = await startPlane('hub', options.hubPort, 'control');
  ensureNamespaces(hub.store, [SYSTEM_NAMESPACE]);
  for (const { type, object } of options.hubObjects) ensure(hub.store, type, object);
  const clusters = new Map<string, EmbeddedControlPlane>();
  const agentClusters: AgentCluster[] = [];
  for (const { id, port } of options.clusters) {
    const plane = await startPlane(id, port, 'public');
    clusters.set(id, plane);
    ensureNamespaces(plane.store, [SYSTEM_NAMESPACE, DEMO_NAMESPACE]);
    const report = (problem: string): void => log.warn({ cluster: id }, problem);
    const kubelet = new Kubelet(plane.store, clock, report);
    kubelet.start();
    onClose.push(() => kubelet.close());
    onClose.push(runScheduler(plane.store, clock, report));
    const client = createKubeClient({
      config: { server: plane.url }, clock, random, qps: 1000, burst: 2000, fieldManager: 'bigfleet-world', userAgent: 'bigfleet-world', log,
    });
    onClose.push(() => client.close());
    agentClusters.push({ id, client, pods: kubelet });
  }

  const agent = new NodeAgent({ clusters: agentClusters, clock, log, ...(options.nodeReadyMs !== undefined && { readyDelayMs: options.nodeReadyMs }) });
  onClose.push(() => agent.close());
  await agent.adopt();
  const server = await serveNodeAgent(agent, { flag: '--node-agent-listen', ...options.nodeAgent });
  onClose.push(() => server.close());
  await hub.writeKubeconfig(join(dataDir, HUB_KUBECONFIG), SYSTEM_NAMESPACE);
  for (const [id, plane] of clusters) await plane.writeKubeconfig(join(dataDir, kubeconfigName(id)), DEMO_NAMESPACE);
  const generator = options.demand && startDemand(options, options.demand, clusters, onClose);
  return {
    hub,
    clusters,
    nodeAgentUrl: server.url,
    generator,
    close: () => closeAll(onClose),
  };
}

function startDemand(options: WorldOptions, plan: DemandPlan, clusters: ReadonlyMap<string, EmbeddedControlPlane>, onClose: (() => unknown)[]): Generator {
  const { providerAdmin } = options;
  const generator = new Generator({
    plan,
    stores: new Map([...clusters].map(([id, { store }]) => [id, store])),
    log: openStateLog(join(options.dataDir, DEMAND_LOG)),
    clock: options.clock,
    tell: options.tell,
    interrupt: (request) => (providerAdmin === undefined ? Promise.resolve([]) : requestInterruption(providerAdmin, request)),
  });
  onClose.push(() => generator.close());
  // A demand that had begun goes on at once: lives run by the wall clock.
  if (generator.started) generator.start();
  return generator;
}

function crdFiles(dir: string, prefix: string): string[] {
  return readdirSync(dir).filter((name) => name.startsWith(`${prefix}.`) && name.endsWith('.yaml')).sort().map((name) => join(dir, name));
}

function ensureNamespaces(store: EmbeddedStore, names: readonly string[]): void {
  for (const name of names) ensure(store, NamespaceResource, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
}

function ensure(store: EmbeddedStore, type: ResourceType, object: KubeObject): void {
  try {
    store.create(type, object);
  } catch (error) {
    if (!(error instanceof StatusError) || error.reason !== 'AlreadyExists') throw error;
  }
}


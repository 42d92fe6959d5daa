import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { createKubeClient, loadKubeConfig } from '../../src/runtime/index.ts';
import type { KubeClientHandle } from '../../src/runtime/index.ts';
import { freePort } from '../control-plane/free-port.ts';
import { applyManifests, kubectl, startEtcd, startRealControlPlane } from '../control-plane/real-control-plane.ts';
import type { ControlPlane } from '../control-plane/real-control-plane.ts';
import { controlCrds, publicCrds } from '../fleet.ts';
import { eventually } from '../promise.ts';
import { Part } from './part.ts';

export type ControlPlaneKind = 'processes' | 'embedded';

/** An API server and a client of it. */
export interface Site {
  readonly id: string;
  readonly kubeconfigPath: string;
  readonly client: KubeClientHandle;
}

/** A hub and two managed clusters without a Node, and what makes machines join them. */
export interface Sites {
  readonly hub: Site;
  readonly clusters: readonly Site[];
  readonly kubernetes: string;
  readonly nodeAgentUrl: string;
  /** Of the hub alone; its address stays the same. Only on real servers. */
  stopHubServer(): Promise<void>;
  startHubServer(): Promise<void>;
  /** It stands still: connections stay, and nobody answers. Only on real servers. */
  pauseServer(id: string): void;
  resumeServer(id: string): void;
}

type Log = (line: string) => void;

export const clusterIds = ['east', 'west'] as const;
/** kwok plays the kubelet of Nodes that carry it; the machines' agent takes it off when a machine dies. */
export const KUBELET_ANNOTATION = ['kwok.x-k8s.io/node', 'fake'] as const;
/** The same as kwok and the node agent take it. */
export const KUBELETS = KUBELET_ANNOTATION.join('=');

/** Starts them from what Kubernetes itself is built from; kwok plays the kubelets. `stops` gets what ends each part. */
export async function startRealSites(dir: string, log: Log, stops: (() => Promise<void>)[]): Promise<Sites> {
  log('starting etcd, a hub and two managed clusters');
  const etcd = await startEtcd(dir, log);
  stops.push(() => etcd.stop());
  const [hub, ...clusters] = await Promise.all(['hub', ...clusterIds].map(async (name) => {
    const plane = await startRealControlPlane({ name, dir, etcd, workload: name !== 'hub', kubelets: KUBELETS, log });
    stops.push(() => plane.stop());
    await applyManifests(plane, name === 'hub' ? controlCrds : publicCrds);
    return plane;
  }));
  const sites = clusters.map(({ name, kubeconfigPath }) => siteOf(name, kubeconfigPath, stops));
  const planeOf = (id: string): ControlPlane => [hub!, ...clusters].find(({ name }) => name === id)!;
  return {
    hub: siteOf('hub', hub!.kubeconfigPath, stops), clusters: sites, kubernetes: await versionOf(hub!.kubeconfigPath), nodeAgentUrl: await startNodeAgent(dir, sites, log, stops),
    stopHubServer: () => hub!.stopApiServer(), startHubServer: () => hub!.startApiServer(),
    pauseServer: (id) => planeOf(id).signalApiServer('SIGSTOP'), resumeServer: (id) => planeOf(id).signalApiServer('SIGCONT'),
  };
}

/** Makes machines join, leave and die in these clusters; resolves to its address. */
export async function startNodeAgent(dir: string, clusters: readonly Site[], log: Log, stops: (() => Promise<void>)[]): Promise<string> {
  const port = await freePort();
  const agent = new Part(dir, 'node-agent', [
    'node-agent', '--listen', `127.0.0.1:${port}`, '--node-annotation', KUBELETS, ...clusters.flatMap(({ id, kubeconfigPath }) => ['--cluster', `${id}=${kubeconfigPath}`]),
  ], log).start();
  stops.push(() => agent.stop());
  return `http://127.0.0.1:${port}`;
}

/** The same in one process of ours. */
export async function startEmbeddedSites(dir: string, log: Log, stops: (() => Promise<void>)[]): Promise<Sites> {
  log('starting the embedded control planes');
  const ports = await Promise.all(['hub', ...clusterIds, 'agent'].map(() => freePort()));
  const data = join(dir, 'world-data');
  mkdirSync(data, { recursive: true });
  const world = new Part(dir, 'world', [
    'world', '--data-dir', data, '--hub-port', String(ports[0]), ...clusterIds.flatMap((id, i) => ['--cluster', `${id}=${ports[i + 1]}`]),
    '--node-agent-listen', `127.0.0.1:${ports[3]}`,
  ], log).start();
  stops.push(() => world.stop());
  await eventually('the embedded control planes listen', 60, () => {
    if (!world.said().includes('"listening"')) throw new Error(world.lastWords());
    return Promise.resolve();
  });
  const site = (id: string): Site => siteOf(id, join(data, `${id}.kubeconfig`), stops);
  const cannot = (): never => {
    throw new Error('the embedded control planes are one process: none stops alone');
  };
  const refuse = (): Promise<void> => Promise.resolve().then(cannot);
  const hub = site('hub');
  return {
    hub, clusters: clusterIds.map(site), kubernetes: await versionOf(hub.kubeconfigPath), nodeAgentUrl: `http://127.0.0.1:${ports[3]}`, stopHubServer: refuse, startHubServer: refuse, pauseServer: cannot, resumeServer: cannot,
  };
}

export function siteOf(id: string, kubeconfigPath: string, stops: (() => Promise<void>)[]): Site {
  const client = createKubeClient({
    config: loadKubeConfig({ path: kubeconfigPath }), clock: systemClock, random: Math.random, qps: 500, burst: 1_000, fieldManager: 'e2e', userAgent: 'e2e',
  });
  stops.push(() => client.close());
  return { id, kubeconfigPath, client };
}

export async function versionOf(kubeconfigPath: string): Promise<string> {
  const { serverVersion } = JSON.parse(await kubectl({ kubeconfigPath }, ['version', '-o', 'json'])) as { serverVersion: { gitVersion: string } };
  return serverVersion.gitVersion;
}

/** Writes a manifest into the folder of the rig and applies it with kubectl. */
export async function applyText(site: Site, dir: string, name: string, text: string): Promise<void> {
  const path = join(dir, `${site.id}-${name}.yaml`);
  writeFileSync(path, text);
  await applyManifests(site, [path]);
}

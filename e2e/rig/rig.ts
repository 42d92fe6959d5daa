import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SYSTEM_NAMESPACE } from '../../src/api/constants.ts';
import { NamespaceResource } from '../../src/api/resources.ts';
import { bootstrapTemplate } from '../../src/world/bootstrap-blob.ts';
import type { SeedInstance } from '../../src/world/seed-instance.ts';
import { freePort } from '../control-plane/free-port.ts';
import { eventually, expect } from '../promise.ts';
import { startKindSites } from './kind-sites.ts';
import { Part, temporaryIn } from './part.ts';
import { underRoles } from './roles.ts';
import { isReady, ShardService } from './shard-service.ts';
import type { ShardEndpoint } from './shard-service.ts';
import { applyText, startEmbeddedSites, startRealSites } from './sites.ts';
import type { ControlPlaneKind, Sites } from './sites.ts';

export const SHARD = 'shard-0';
/** Of shards and operators; production has 15 s. */
const LEASE = ['--lease-duration', '4s', '--lease-renew', '3s', '--lease-retry', '500ms'];

const hubObjects = (provider: string): string => `
apiVersion: v1
kind: Namespace
metadata: { name: ${SYSTEM_NAMESPACE} }
---
apiVersion: control.bigfleet.lucy.sh/v1alpha1
kind: Shard
metadata: { name: ${SHARD}, namespace: ${SYSTEM_NAMESPACE} }
spec:
  cycleSeconds: 1
  rails: { reclaimCapFraction: "1", maxConcurrentDrainsPerCluster: 50 }
  holds: { onDemandSeconds: 2, spotSeconds: 1, occupiedExcessSeconds: 3 }
---
apiVersion: control.bigfleet.lucy.sh/v1alpha1
kind: CapacityProvider
metadata: { name: sim, namespace: ${SYSTEM_NAMESPACE} }
spec: { address: "${provider}", shardRef: ${SHARD} }
`;

export interface RigOptions {
  readonly kind: ControlPlaneKind;
  /** Of real API servers: kind clusters instead of plain processes. */
  readonly inKind?: boolean;
  readonly dir: string;
  readonly machines: readonly SeedInstance[];
  /** Made in both clusters, one for each promise. */
  readonly namespaces: readonly string[];
  readonly log: (line: string) => void;
}

export interface Replica extends ShardEndpoint {
  readonly part: Part;
}

/**
 * A hub, two managed clusters, a provider, two replicas of a shard behind a Service, and an operator with a pod controller
 * for each cluster: real processes, started once for many promises, each of which has machines and a namespace of its own.
 */
export interface Rig {
  readonly kind: ControlPlaneKind;
  readonly dir: string;
  readonly sites: Sites;
  /** Version of the API servers. */
  readonly kubernetes: string;
  readonly replicas: readonly Replica[];
  /** Where operators and readers find the shard. */
  readonly shardAddress: string;
  /** Operator and pod controller in one process, by cluster. */
  readonly agents: ReadonlyMap<string, Part>;
  readonly provider: Part;
  /** The provider's control panel. */
  readonly panel: string;
  /** What the provider itself writes down of each call and each change of a machine. */
  readonly operationLog: string;
  /** What each replica of the shard decided. */
  readonly auditLogs: readonly string[];
  /** Where its processes may put files that they do not keep. */
  readonly temporary: string;
  /** The replica that leads. Throws when none is ready. */
  leader(): Promise<Replica>;
  /** Resolves when the shard that leads has a session with both clusters. */
  connected(seconds: number): Promise<void>;
  /** Breaks all connections to the shard; returns how many there were. */
  dropSessions(): number;
  stop(): Promise<void>;
}

/** Resolves when both clusters are connected to the shard. Throws, leaving nothing behind, if any of it does not start. */
export async function startRig(options: RigOptions): Promise<Rig> {
  const stops: (() => Promise<void>)[] = [];
  try {
    return await startParts(options, stops);
  } catch (error) {
    await stopAll(stops);
    throw error;
  }
}

async function stopAll(stops: (() => Promise<void>)[]): Promise<void> {
  for (const stop of stops.splice(0).reverse()) await stop().catch(() => undefined);
}

async function startParts({ kind, inKind, dir, machines, namespaces, log }: RigOptions, stops: (() => Promise<void>)[]): Promise<Rig> {
  mkdirSync(dir, { recursive: true });
  const sites = await (kind === 'embedded' ? startEmbeddedSites : inKind === true ? startKindSites : startRealSites)(dir, log, stops);
  const [provider, admin, ...ports] = await Promise.all(Array.from({ length: 6 }, () => freePort()));
  const [port1 = 0, probes1 = 0, port2 = 0, probes2 = 0] = ports;
  await applyText(sites.hub, dir, 'objects', hubObjects(`127.0.0.1:${provider}`));
  for (const { client } of sites.clusters) for (const name of namespaces) await client.create(NamespaceResource, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  // The embedded control plane lets everybody do everything.
  const hubAccess = kind === 'embedded' ? sites.hub.kubeconfigPath : await underRoles(sites.hub, dir, ['bigfleet-shard']);
  const accesses = kind === 'embedded' ? [] : await Promise.all(sites.clusters.map((site) => underRoles(site, dir, ['bigfleet-operator', 'bigfleet-pod-controller'])));
  const part = (name: string, args: readonly string[]): Part => {
    const made = new Part(dir, name, args, log);
    stops.push(() => made.stop());
    return made;
  };
  log('starting the provider, two replicas of the shard and two agents');
  const operationLog = join(dir, 'operations.jsonl');
  writeFileSync(join(dir, 'seeds.jsonl'), machines.map((machine) => `${JSON.stringify(machine)}\n`).join(''));
  const providerPart = part('provider', [
    'provider', 'sim', '--i-know-this-is-simulated', '--listen', `127.0.0.1:${provider}`, '--admin-listen', `127.0.0.1:${admin}`,
    '--seed-file', join(dir, 'seeds.jsonl'), '--data-dir', join(dir, 'provider'), '--operation-log', operationLog, '--node-agent', sites.nodeAgentUrl,
  ]).start();
  const auditLogs = ['a', 'b'].map((letter) => join(dir, `shard-${letter}-audit.jsonl`));
  for (const path of auditLogs) writeFileSync(path, '');
  const replicas = [[port1, probes1], [port2, probes2]].map(([port = 0, probes = 0], i): Replica => ({
    port, probes,
    part: part(`shard-${'ab'[i]}`, [
      'shard', '--id', SHARD, '--listen', `127.0.0.1:${port}`, '--metrics-addr', `127.0.0.1:${probes}`, '--kubeconfig', hubAccess,
      '--data-dir', join(dir, `shard-${'ab'[i]}`), '--audit-log', auditLogs[i]!, '--audit-log-size', '0', '--poll', '250ms', '--reclaim-grace', '120s', '--preemption-grace', '2s,2s,3s,5s', '--api-backoff', '1s', ...LEASE,
    ]),
  }));
  const service = await ShardService.start(replicas);
  stops.push(() => Promise.resolve(service.close()));
  for (const replica of replicas) replica.part.start();
  const agents = new Map(sites.clusters.map(({ id, kubeconfigPath }, i) => {
    writeFileSync(join(dir, `${id}.tmpl`), bootstrapTemplate(id));
    return [id, part(`agent-${id}`, [
      'agent', '--cluster-id', id, '--shard-addr', service.address, '--kubeconfig', accesses[i] ?? kubeconfigPath, '--rollup-interval', '1s',
      '--bootstrap-template-file', join(dir, `${id}.tmpl`), '--metrics-addr', '0', '--qps', '200', '--burst', '400', '--lifeless-grace', '10s', '--reconnect-max', '2s', '--api-backoff', '1s', ...LEASE,
    ]).start()] as const;
  }));
  const leader = async (): Promise<Replica> => {
    for (const replica of replicas) if (replica.part.runs && (await isReady(replica))) return replica;
    throw new Error(`no replica of the shard is ready; ${replicas.map((replica) => replica.part.lastWords()).join('\n')}`);
  };
  const connected = (seconds: number): Promise<void> => eventually('both operators are connected to the shard', seconds, async () => {
    // Of the process that leads now: the Shard's status may still be its predecessor's.
    const metrics = await (await fetch(`http://127.0.0.1:${(await leader()).probes}/metrics`)).text();
    const sessions = Number(/_active_sessions(?:\{[^}]*\})? (\d+)/.exec(metrics)?.[1] ?? NaN);
    expect(sessions === agents.size, `${sessions} of ${agents.size}; ${[...replicas.map((replica) => replica.part), ...agents.values()].map((each) => each.lastWords()).join('\n')}`);
  });
  await connected(90);
  return {
    kind, dir, sites, kubernetes: sites.kubernetes, replicas, shardAddress: service.address, agents, provider: providerPart, panel: `http://127.0.0.1:${admin}`, operationLog, auditLogs,
    temporary: temporaryIn(dir), dropSessions: () => service.drop(), leader, connected, stop: () => stopAll(stops),
  };
}

import type { Layout } from './layout.ts';
import type { Ports } from './ports.ts';
import type { UpSettings } from './settings.ts';

/** One process of the run: what `bigfleet` is called with, and how much memory its JavaScript may take. */
export interface ProcessSpec {
  readonly name: string;
  readonly args: readonly string[];
  readonly heapMb: number;
  /** Young generation: small ones cost a little processor time and save much memory. */
  readonly semiSpaceMb: number;
}

export const SHARD_ID = 'shard-0';
export const SYSTEM_NAMESPACE = 'bigfleet-system';

const at = (port: number): string => `127.0.0.1:${port}`;
const ms = (value: number): string => `${value}ms`;

/** Name of the agent process of the n-th cluster (from 0). */
export function agentName(index: number): string {
  return `agent-${index + 1}`;
}

export function worldProcess({ compressed }: UpSettings, ports: Ports, layout: Layout): ProcessSpec {
  return {
    name: 'world',
    heapMb: 384,
    semiSpaceMb: 8,
    args: [
      'world', '--data-dir', layout.world, '--hub-port', String(ports.hub),
      ...[...ports.clusters].flatMap(([id, port]) => ['--cluster', `${id}=${port}`]),
      '--node-agent-listen', at(ports.nodeAgent), '--hub-objects', layout.hubObjects, '--node-ready-ms', String(compressed.nodeReadyMs),
      '--demand', layout.demandPlan, '--provider-admin', `http://${at(ports.providerAdmin)}`,
    ],
  };
}

export function providerProcess(settings: UpSettings, ports: Ports, layout: Layout): ProcessSpec {
  const { compressed } = settings;
  return {
    name: 'provider',
    heapMb: 96,
    semiSpaceMb: 2,
    args: [
      'provider', 'sim', '--i-know-this-is-simulated', '--listen', at(ports.provider), '--seed-file', layout.providerSeeds,
      '--data-dir', layout.providerState, '--operation-log', layout.operationLog, '--admin-listen', at(ports.providerAdmin),
      '--node-agent', `http://${at(ports.nodeAgent)}`, '--create-ms', compressed.createMs, '--configure-ms', compressed.configureMs,
      '--drain-ms', compressed.drainMs, '--delete-ms', compressed.deleteMs, '--recover-ms', compressed.recoverMs,
    ],
  };
}

export function shardProcess(settings: UpSettings, ports: Ports, layout: Layout): ProcessSpec {
  const { compressed } = settings;
  return {
    name: 'shard',
    heapMb: 192,
    semiSpaceMb: 4,
    args: [
      'shard', '--id', SHARD_ID, '--listen', at(ports.shard), '--metrics-addr', '0', '--kubeconfig', layout.hubKubeconfig,
      '--namespace', SYSTEM_NAMESPACE, '--data-dir', layout.shardState, '--audit-log', layout.auditLog,
      '--poll', ms(compressed.pollMs), '--reclaim-grace', ms(compressed.reclaimGraceMs),
      '--preemption-grace', compressed.preemptionGraceSeconds.map((grace) => `${grace}s`).join(), '--api-backoff', '1s', ...clientFlags(settings),
    ],
  };
}

export function agentProcesses(settings: UpSettings, ports: Ports, layout: Layout): ProcessSpec[] {
  return [...ports.clusters.keys()].map((cluster, index) => ({
    name: agentName(index),
    heapMb: 128,
    semiSpaceMb: 4,
    args: [
      'agent', '--cluster-id', cluster, '--shard-addr', at(ports.shard), '--kubeconfig', layout.clusterKubeconfig(cluster),
      '--rollup-interval', ms(settings.compressed.rollupIntervalMs), '--bootstrap-template-file', layout.bootstrapTemplate(cluster),
      '--lifeless-grace', ms(settings.compressed.lifelessGraceMs), '--pod-demand', settings.podDemand, '--reconnect-max', '2s', '--api-backoff', '1s', '--metrics-addr', '0', ...clientFlags(settings),
    ],
  }));
}

function clientFlags({ compressed: { lease, qps, burst } }: UpSettings): string[] {
  return [
    '--lease-duration', ms(lease.durationMs), '--lease-renew', ms(lease.renewMs), '--lease-retry', ms(lease.retryMs),
    '--qps', String(qps), '--burst', String(burst),
  ];
}

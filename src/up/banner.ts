import { PROVIDER_CALLS } from './hub-objects.ts';
import type { Layout } from './layout.ts';
import type { Ports } from './ports.ts';
import type { UpSettings } from './settings.ts';

/** What a person needs to look into a running demonstration, and every setting that differs from production. */
export function banner(settings: UpSettings, ports: Ports, layout: Layout): string {
  const c = settings.compressed;
  const clusters = [...ports.clusters];
  const lines = [
    `BigFleet demonstration: ${clusters.length} clusters, ${settings.trace === undefined ? 'built-in demand' : `trace ${settings.trace}`} over ${seconds(settings.durationMs)}. Embedded API servers and simulated machines: not for production.`,
    'Prices are invented.',
    '',
    `hub        http://127.0.0.1:${ports.hub}   kubectl --kubeconfig ${layout.hubKubeconfig} get machines,shards,capacityproviders`,
    ...clusters.map(([id, port]) => `${id.padEnd(10)} http://127.0.0.1:${port}   kubectl --kubeconfig ${layout.clusterKubeconfig(id)} get pods,nodes,upcomingnodes`),
    `shard      127.0.0.1:${ports.shard}   provider 127.0.0.1:${ports.provider}   provider's control panel http://127.0.0.1:${ports.providerAdmin}`,
    `data       ${layout.root}   logs ${layout.logs}`,
    ...(settings.podDemand === 'direct' ? ['demand     straight from the Pods, without CapacityRequests for them'] : []),
    '',
    'Compressed for the demonstration (production default):',
    `  roll-up ${seconds(c.rollupIntervalMs)} (10 s) · cycle ${c.cycleSeconds} s (10 s) · provider poll ${seconds(c.pollMs)} (10 s) · reclaim grace ${seconds(c.reclaimGraceMs)} (10 min)`,
    `  preemption graces ${c.preemptionGraceSeconds.join('/')} s (10/30/120/600 s), by the gap of the priorities`,
    `  holds: on demand ${c.holdOnDemandSeconds} s (600 s), spot ${c.holdSpotSeconds} s (60 s), occupied excess ${c.occupiedExcessSeconds} s (300 s), lifeless Nodes ${seconds(c.lifelessGraceMs)} (5 min)`,
    `  reclaim cap ${c.reclaimCapFraction} (0.05) · drains at a time per cluster ${c.maxConcurrentDrains} (10) · provider calls at a time ${PROVIDER_CALLS} (16)`,
    `  simulated create ${c.createMs} ms, configure ${c.configureMs} ms, node ready ${c.nodeReadyMs} ms, drain ${c.drainMs} ms after the last Pod, delete ${c.deleteMs} ms, recovery ${c.recoverMs} ms`,
    `  leases ${seconds(c.lease.durationMs)}/${seconds(c.lease.renewMs)}/${seconds(c.lease.retryMs)} (15 s/10 s/2 s) · client ${c.qps} requests/s, burst ${c.burst}`,
    '  pauses between tries: API servers up to 1 s (30 s), operator to shard up to 2 s (30 s)',
    ...(settings.kills.length > 0 ? ['', `Will be killed: ${settings.kills.map((kill) => `${kill.name} at ${seconds(kill.atMs)}`).join(', ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}

import type { Command } from 'commander';
import { integer, leaseDurations, listenAddress } from './flags.ts';

/** Flags of every process that is a client of an API server and holds a Lease there. */
export interface ClientFlags {
  kubeconfig?: string;
  metricsAddr: string;
  namespace: string;
  qps: string;
  burst: string;
  leaseDuration: string;
  leaseRenew: string;
  leaseRetry: string;
  apiBackoff: string;
}

export interface ClientFlagDefaults {
  /** Whose API server it is. */
  readonly apiServer: string;
  readonly metricsAddress: string;
  /** What the namespace is for. */
  readonly namespace: string;
  readonly qps: number;
  readonly burst: number;
}

export function addClientFlags(command: Command, { apiServer, metricsAddress, namespace, qps, burst }: ClientFlagDefaults): Command {
  return command
    .option('--kubeconfig <file>', `${apiServer}; default: $KUBECONFIG, then in-cluster`)
    .option('--metrics-addr <host:port>', 'serve /metrics, /healthz and /readyz here; 0 turns it off', metricsAddress)
    .option('--namespace <name>', namespace, 'bigfleet-system')
    .option('--qps <n>', 'requests per second to the API server', String(qps))
    .option('--burst <n>', 'requests at once to the API server', String(burst))
    .option('--lease-duration <time>', 'how long the Lease lasts', '15s')
    .option('--lease-renew <time>', 'how long a renewal may be tried', '10s')
    .option('--lease-retry <time>', 'pause between tries', '2s')
    .option('--api-backoff <time>', 'longest pause between tries to reach the API server', '30s');
}

/** What the flags mean, without --api-backoff; throws a UsageError that names the one that cannot work. */
export function clientOptions(flags: ClientFlags) {
  return {
    ...(flags.kubeconfig !== undefined && { kubeconfig: flags.kubeconfig }),
    metricsAddress: flags.metricsAddr === '0' ? '0' : listenAddress('--metrics-addr', flags.metricsAddr),
    namespace: flags.namespace,
    qps: integer('--qps', flags.qps, { min: 1 }),
    burst: integer('--burst', flags.burst, { min: 1 }),
    lease: leaseDurations(flags.leaseDuration, flags.leaseRenew, flags.leaseRetry),
  };
}

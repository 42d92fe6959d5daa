import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import { durationMs, integer, leaseDurations, listenAddress } from './flags.ts';

interface ShardFlags {
  id: string;
  listen: string;
  metricsAddr: string;
  kubeconfig?: string;
  namespace: string;
  dataDir: string;
  leaseDuration: string;
  leaseRenew: string;
  leaseRetry: string;
  poll?: string;
  minCycle: string;
  reclaimGrace: string;
  qps: string;
  burst: string;
  auditLog?: string;
  apiBackoff: string;
}

const help = `
What it does:
  Owns the machines of one or more providers and decides which cluster each of them serves. Its settings are the Shard
  object of the same name; its machines come from the CapacityProvider whose spec.shardRef names it; what it decides is
  written to Machine objects. Operators of clusters connect to --listen.

Examples:
  bigfleet shard --id shard-0 --kubeconfig hub.kubeconfig
  kubectl -n bigfleet-system patch shard shard-0 --type merge -p '{"spec":{"mode":"Paused"}}'    stop acting, go on planning

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags`;

export function register(program: Command): void {
  program
    .command('shard')
    .description('the decision maker: owns machines, serves operators, drives the provider')
    .option('--id <id>', 'shard id, the name of its Shard object', 'shard-0')
    .option('--listen <host:port>', 'where operators and readers connect', ':7780')
    .option('--metrics-addr <host:port>', 'serve /metrics, /healthz and /readyz here; 0 turns it off', ':8780')
    .option('--kubeconfig <file>', 'the hub; default: $KUBECONFIG, then in-cluster')
    .option('--namespace <name>', 'namespace of the Shard, Machine and CapacityProvider objects', 'bigfleet-system')
    .option('--data-dir <dir>', 'keeps the epoch and the last seen settings', './data')
    .option('--lease-duration <time>', 'how long the Lease of the shard lasts', '15s')
    .option('--lease-renew <time>', 'how long a renewal may be tried', '10s')
    .option('--lease-retry <time>', 'pause between tries', '2s')
    .option('--poll <time>', 'look for changes at the provider this often; default: CapacityProvider.spec.pollSeconds')
    .option('--min-cycle <time>', 'gather what arrives within this time into one plan', '100ms')
    .option('--reclaim-grace <time>', 'time that Pods get to leave an excess machine', '10m')
    .option('--qps <n>', 'requests per second to the hub', '200')
    .option('--burst <n>', 'requests at once to the hub', '400')
    .option('--audit-log <file>', 'append every decision as a JSON line')
    .option('--api-backoff <time>', 'longest pause between tries to reach the hub', '30s')
    .addHelpText('after', help)
    .action(run);
}

/** What the flags mean; throws a UsageError that names the one that cannot work. */
function optionsOf(flags: ShardFlags) {
  if (flags.id === '') throw new UsageError('--id: must not be empty; it is the name of the Shard object');
  const apiMaxMs = durationMs('--api-backoff', flags.apiBackoff, 100);
  return {
    id: flags.id,
    listen: listenAddress('--listen', flags.listen),
    metricsAddress: flags.metricsAddr === '0' ? '0' : listenAddress('--metrics-addr', flags.metricsAddr),
    ...(flags.kubeconfig !== undefined && { kubeconfig: flags.kubeconfig }),
    namespace: flags.namespace,
    dataDir: flags.dataDir,
    lease: leaseDurations(flags.leaseDuration, flags.leaseRenew, flags.leaseRetry),
    ...(flags.poll !== undefined && { pollMs: durationMs('--poll', flags.poll, 50) }),
    minCycleMs: durationMs('--min-cycle', flags.minCycle),
    reclaimGraceSeconds: Math.ceil(durationMs('--reclaim-grace', flags.reclaimGrace) / 1000),
    qps: integer('--qps', flags.qps, { min: 1 }),
    burst: integer('--burst', flags.burst, { min: 1 }),
    ...(flags.auditLog !== undefined && { auditLog: flags.auditLog }),
    apiBackoff: { minMs: Math.min(1_000, apiMaxMs / 4), maxMs: apiMaxMs },
  };
}

async function run(flags: ShardFlags): Promise<void> {
  const options = optionsOf(flags);
  const [{ runShard }, { createLog }, { systemClock }] = await Promise.all([
    import('../shard/compose.ts'),
    import('../lib/log.ts'),
    import('../lib/clock.ts'),
  ]);
  await runShard({ ...options, clock: systemClock, random: Math.random, log: createLog('shard', { shard: flags.id }) });
}

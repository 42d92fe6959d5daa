import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import { addClientFlags, clientOptions, type ClientFlags } from './client-flags.ts';
import { addTlsFlags, tlsFilesOf, type TlsFlags } from './tls-flags.ts';
import { byteSize, durationMs, fourGraces, integer, listenAddress } from './flags.ts';

export interface ShardFlags extends ClientFlags, TlsFlags {
  id: string;
  listen: string;
  dataDir: string;
  poll?: string;
  minCycle: string;
  reclaimGrace: string;
  preemptionGrace: string;
  auditLog?: string;
  auditLogSize: string;
  auditLogKeep: string;
}

const help = `
What it does:
  Owns the machines of one or more providers and decides which cluster each of them serves. Its settings are the Shard
  object of the same name; its machines come from the CapacityProvider whose spec.shardRef names it; what it decides is
  written to Machine objects. Operators of clusters connect to --listen.

Examples:
  bigfleet shard --id shard-0 --kubeconfig hub.kubeconfig
  bigfleet pause --shard shard-0 --kubeconfig hub.kubeconfig    stop acting, go on planning

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags`;

export function register(program: Command): void {
  const command = program
    .command('shard')
    .description('the decision maker: owns machines, serves operators, drives the provider')
    .option('--id <id>', 'shard id, the name of its Shard object', 'shard-0')
    .option('--listen <host:port>', 'where operators and readers connect', ':7780')
    .option('--data-dir <dir>', 'keeps the epoch and the last seen settings', './data')
    .option('--poll <time>', 'look for changes at the provider this often; default: CapacityProvider.spec.pollSeconds')
    .option('--min-cycle <time>', 'gather what arrives within this time into one plan', '100ms')
    .option('--reclaim-grace <time>', 'time that Pods get to leave an excess machine', '10m')
    .option('--preemption-grace <t1,t2,t3,t4>', 'time that Pods get to leave for demand of a priority higher by more than 900000, 500000, 100000, and less', '10s,30s,2m,10m')
    .option('--audit-log <file>', 'append every decision as a JSON line')
    .option('--audit-log-size <size>', 'put the audit log aside as FILE.1 when it holds so much; 0 = never', '100Mi')
    .option('--audit-log-keep <n>', 'so many audit logs that were put aside are kept', '9');
  addTlsFlags(command, {
    cert: 'certificate, looked at again every 5 s, and presented to providers whose objects name no other',
    ca: 'authorities of callers: operators need bigfleet://cluster/<their cluster> in their certificates, readers bigfleet://readonly or bigfleet://admin',
  });
  addClientFlags(command, { apiServer: 'the hub', metricsAddress: ':8780', namespace: 'namespace of the Shard, Machine and CapacityProvider objects', qps: 200, burst: 400 })
    .addHelpText('after', help)
    .action(run);
}

/** What the flags mean; throws a UsageError that names the one that cannot work. */
export function optionsOf(flags: ShardFlags) {
  if (flags.id === '') throw new UsageError('--id: must not be empty; it is the name of the Shard object');
  const maxBytes = byteSize('--audit-log-size', flags.auditLogSize);
  const keep = integer('--audit-log-keep', flags.auditLogKeep, { min: 0, max: 1_000 });
  const tlsFiles = tlsFilesOf(flags);
  const apiMaxMs = durationMs('--api-backoff', flags.apiBackoff, 100);
  return {
    id: flags.id,
    listen: listenAddress('--listen', flags.listen),
    ...(tlsFiles && { tlsFiles }),
    ...clientOptions(flags),
    dataDir: flags.dataDir,
    ...(flags.poll !== undefined && { pollMs: durationMs('--poll', flags.poll, 50) }),
    minCycleMs: durationMs('--min-cycle', flags.minCycle),
    graces: {
      reclaimSeconds: Math.ceil(durationMs('--reclaim-grace', flags.reclaimGrace) / 1000),
      preemptionSeconds: fourGraces('--preemption-grace', flags.preemptionGrace),
    },
    ...(flags.auditLog !== undefined && { auditLog: flags.auditLog, ...(maxBytes > 0 && { auditRotation: { maxBytes, keep } }) }),
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

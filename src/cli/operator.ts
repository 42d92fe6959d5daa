import type { Command } from 'commander';
import { addCommonFlags, addOperatorFlags, commonOptions, operatorOptions, type CommonFlags, type OperatorFlags } from './agent-flags.ts';

/** The caches of an operator fill within this time or the process ends (spec: cluster-operator 4.5). */
const SYNC_TIMEOUT_MS = 30_000;

const help = `
What it does:
  Stands in a managed cluster and only dials out. It adds up the CapacityRequests and reports the sums to the shard,
  announces machines as UpcomingNodes, empties Nodes that have to go, and tells every request its fate.

Examples:
  bigfleet operator --cluster-id prod-eu-1 --shard-addr shard-0.fleet:7780
  bigfleet operator --kubeconfig ~/.kube/config --cluster-id local --shard-addr localhost:7780 --rollup-interval 1s

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags or files`;

export function register(program: Command): void {
  const command = program.command('operator').description('the cluster operator: connects one managed cluster to its shard');
  addCommonFlags(addOperatorFlags(command), ':8770').addHelpText('after', help).action(run);
}

async function run(flags: CommonFlags & OperatorFlags): Promise<void> {
  const options = { ...commonOptions(flags), operator: await operatorOptions(flags), syncTimeoutMs: SYNC_TIMEOUT_MS };
  const [{ runAgent }, { createLog }, { systemClock }] = await Promise.all([import('../operator/compose.ts'), import('../lib/log.ts'), import('../lib/clock.ts')]);
  await runAgent({ ...options, clock: systemClock, random: Math.random, log: createLog('operator', { cluster: options.operator.clusterId }) });
}

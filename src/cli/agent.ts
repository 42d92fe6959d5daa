import type { Command } from 'commander';
import {
  addCommonFlags, addOperatorFlags, addPodControllerFlags, commonOptions, operatorOptions, podControllerOptions,
  type CommonFlags, type OperatorFlags, type PodControllerFlags,
} from './agent-flags.ts';

const SYNC_TIMEOUT_MS = 600_000;

const help = `
What it does:
  \`bigfleet operator\` and \`bigfleet pod-controller\` in one process, with one set of caches and connections. With
  --pod-demand direct there is no pod controller in it: the operator reads the Pods itself (\`bigfleet operator --help\`).

Example:
  bigfleet agent --cluster-id demo --shard-addr localhost:7780 --kubeconfig demo.kubeconfig --rollup-interval 1s

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags or files`;

export function register(program: Command): void {
  const command = program.command('agent').description('operator and pod controller of one cluster in one process');
  addCommonFlags(addPodControllerFlags(addOperatorFlags(command)), ':8770').addHelpText('after', help).action(run);
}

async function run(flags: CommonFlags & OperatorFlags & PodControllerFlags): Promise<void> {
  const operator = await operatorOptions(flags);
  const options = {
    ...commonOptions(flags), operator, ...(!operator.directPods && { podController: await podControllerOptions(flags) }), syncTimeoutMs: SYNC_TIMEOUT_MS,
  };
  const [{ runAgent }, { createLog }, { systemClock }] = await Promise.all([import('../operator/compose.ts'), import('../lib/log.ts'), import('../lib/clock.ts')]);
  await runAgent({ ...options, clock: systemClock, random: Math.random, log: createLog('agent', { cluster: options.operator.clusterId }) });
}

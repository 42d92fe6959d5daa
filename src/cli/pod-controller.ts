import type { Command } from 'commander';
import { addCommonFlags, addPodControllerFlags, commonOptions, podControllerOptions, type CommonFlags, type PodControllerFlags } from './agent-flags.ts';

/** A hundred thousand Pods take longer to list than the usual two minutes (spec: pod-controller 3.1). */
const SYNC_TIMEOUT_MS = 600_000;

const help = `
What it does:
  Keeps one CapacityRequest for every Pod that wants room in the fleet, scheduled or not, for as long as the Pod lives.

Examples:
  bigfleet pod-controller --kubeconfig ~/.kube/config
  bigfleet pod-controller --priority-class-defaults defaults.yaml      # high: {interruptionPenalty: "8192", reclamationPenalty: "65536"}

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags or files`;

export function register(program: Command): void {
  const command = program.command('pod-controller').description('turns Pods into CapacityRequests');
  addCommonFlags(addPodControllerFlags(command), ':8080').addHelpText('after', help).action(run);
}

async function run(flags: CommonFlags & PodControllerFlags): Promise<void> {
  const options = { ...commonOptions(flags), podController: await podControllerOptions(flags), syncTimeoutMs: SYNC_TIMEOUT_MS };
  const [{ runAgent }, { createLog }, { systemClock }] = await Promise.all([import('../operator/compose.ts'), import('../lib/log.ts'), import('../lib/clock.ts')]);
  await runAgent({ ...options, clock: systemClock, random: Math.random, log: createLog('pod-controller') });
}

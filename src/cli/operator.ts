import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import { addCommonFlags, addOperatorFlags, addPodFlags, commonOptions, operatorOptions, type CommonFlags, type OperatorFlags, type PodFlags } from './agent-flags.ts';

/** The caches of an operator fill within this time or the process ends (spec: cluster-operator 4.5). */
const SYNC_TIMEOUT_MS = 30_000;

const help = `
What it does:
  Stands in a managed cluster and only dials out. It adds up the CapacityRequests and reports the sums to the shard,
  announces machines as UpcomingNodes, empties Nodes that have to go, and tells every request its fate.

Pods as demand (--pod-demand):
  requests  Pods count by the CapacityRequests that the pod controller makes for them: one object for each Pod, for
            everybody to see, at the price of two to five writes per Pod.
  direct    The operator reads the Pods itself, by the pod controller's own rules, and writes nothing per Pod. Requests that
            belong to Pods are left out, all others count. A Pod that cannot be served learns it from an event;
            bigfleet explain pod tells the whole story. The pod controller is not needed. --priority-class-defaults,
            --include-daemonset-pods and --foreign-nodes mean what they mean there, and need this mode.
  To change over: to direct, restart the operator with it, then stop the pod controller; back, start the pod controller,
  wait until every Pod has its request, then restart the operator.

Examples:
  bigfleet operator --cluster-id prod-eu-1 --shard-addr shard-0.fleet:7780
  bigfleet operator --kubeconfig ~/.kube/config --cluster-id local --shard-addr localhost:7780 --rollup-interval 1s
  bigfleet operator --cluster-id batch-7 --shard-addr shard-0.fleet:7780 --pod-demand direct

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags or files`;

export function register(program: Command): void {
  const command = program.command('operator').description('the cluster operator: connects one managed cluster to its shard');
  addCommonFlags(addPodFlags(addOperatorFlags(command)), ':8770').addHelpText('after', help).action(run);
}

async function run(flags: CommonFlags & OperatorFlags & PodFlags): Promise<void> {
  const unused = flags.podDemand === 'direct' ? undefined : unusedPodFlag(flags);
  if (unused !== undefined) throw new UsageError(`${unused} is about Pods, which this operator does not read: give it to the pod controller, or add --pod-demand direct`);
  const options = { ...commonOptions(flags), operator: await operatorOptions(flags), syncTimeoutMs: SYNC_TIMEOUT_MS };
  const [{ runAgent }, { createLog }, { systemClock }] = await Promise.all([import('../operator/compose.ts'), import('../lib/log.ts'), import('../lib/clock.ts')]);
  await runAgent({ ...options, clock: systemClock, random: Math.random, log: createLog('operator', { cluster: options.operator.clusterId }) });
}

function unusedPodFlag({ priorityClassDefaults, includeDaemonsetPods, foreignNodes }: PodFlags): string | undefined {
  if (priorityClassDefaults !== undefined) return '--priority-class-defaults';
  if (includeDaemonsetPods) return '--include-daemonset-pods';
  return foreignNodes === 'ignore' ? undefined : '--foreign-nodes';
}

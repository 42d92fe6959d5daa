import { Option, type Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import type { AgentOptions } from '../operator/compose.ts';
import type { OperatorOptions } from '../operator/operator-wiring.ts';
import type { PodDemandOptions } from '../operator/pod-demand.ts';
import type { Penalties } from '../operator/pod-request.ts';
import type { PodControllerOptions } from '../operator/pod-wiring.ts';
import { addClientFlags, clientOptions, type ClientFlags } from './client-flags.ts';
import { durationMs, integer } from './flags.ts';
import { addTlsFlags, tlsFilesOf, type TlsFlags } from './tls-flags.ts';

/** Flags that `operator`, `pod-controller` and `agent` share, and how they become options. */
export type CommonFlags = ClientFlags;

export interface OperatorFlags extends TlsFlags {
  clusterId?: string;
  shardAddr?: string;
  rollupInterval: string;
  rollUpInterval?: string;
  ackConcurrency: string;
  bootstrapTemplateFile?: string;
  bootstrapTtl?: string;
  bootstrapApiServer?: string;
  deleteDrainedNodes: string;
  lifelessGrace: string;
  demandModel: 'allowance' | 'requests';
  podDemand: 'direct' | 'requests';
  reconnectMax: string;
  keepalive: string;
}

/** For whoever turns Pods into demand: the pod controller, and an operator with `--pod-demand=direct`. */
export interface PodFlags {
  priorityClassDefaults?: string;
  includeDaemonsetPods?: boolean;
  foreignNodes: 'ignore' | 'count';
}

export interface PodControllerFlags extends PodFlags {
  pendingAfter: string;
}

export function addCommonFlags(command: Command, metricsAddress: string): Command {
  return addClientFlags(command, { apiServer: 'the managed cluster', metricsAddress, namespace: 'namespace of the Lease; made if it does not exist', qps: 50, burst: 100 });
}

export function addOperatorFlags(command: Command): Command {
  command
    .option('--cluster-id <id>', 'name of this cluster in the fleet (required)')
    .option('--shard-addr <host:port>', 'the shard that serves this cluster (required)')
    .option('--rollup-interval <time>', 'report demand this often; 0 = 10s', '10s')
    .addOption(new Option('--roll-up-interval <time>').hideHelp())
    .option('--ack-concurrency <n>', 'CapacityRequest statuses written at a time', '16')
    .option('--bootstrap-template-file <file>', 'template of what a machine needs to join, where {{ .BootstrapToken }} is a token made for it; without a template a stub is sent')
    .option('--bootstrap-api-server <host:port>', 'what {{ .APIServer }} is in the template: where machines reach the API server; default: where the operator reaches it, outside the cluster')
    .option('--bootstrap-ttl <time>', 'how long what the template writes stays valid; 0 = unstated, with a token 30m')
    .option('--delete-drained-nodes <true|false>', 'delete the Node of a machine that has left', 'true')
    .option('--lifeless-grace <time>', 'delete the Node of a machine that the shard only stopped naming once it has been NotReady for so long', '5m')
    .addOption(new Option('--demand-model <model>', 'allowance: ask for more where Pods do not fit; requests: report requests as they are').choices(['allowance', 'requests']).default('allowance'))
    .addOption(new Option('--pod-demand <from>', 'requests: Pods are demand by their CapacityRequests; direct: Pods are read, their requests are not, and nothing is written per Pod').choices(['direct', 'requests']).default('requests'))
    .option('--reconnect-max <time>', 'longest pause between dials of the shard', '30s')
    .option('--keepalive <time>', 'ping the shard this often; at least 5m for shards written in Go', '30s');
  return addTlsFlags(command, { cert: 'our certificate, with the name bigfleet://cluster/<--cluster-id>, read at every dial', ca: 'authorities of the shard' });
}

export function addPodFlags(command: Command): Command {
  return command
    .option('--priority-class-defaults <file>', 'YAML: penalties by PriorityClass')
    .option('--include-daemonset-pods', 'DaemonSet and mirror Pods are demand, too')
    .addOption(new Option('--foreign-nodes <mode>', 'Pods on Nodes that are no machines of the fleet: ignore them, or count them').choices(['ignore', 'count']).default('ignore'));
}

export function addPodControllerFlags(command: Command): Command {
  return addPodFlags(command)
    .option('--pending-after <time>', 'write phase Pending onto a request not acknowledged for so long; 0 = at once', '10s');
}

export function commonOptions(flags: CommonFlags): Omit<AgentOptions, 'clock' | 'random' | 'log' | 'operator' | 'podController' | 'syncTimeoutMs'> {
  return {
    ...clientOptions(flags),
    apiMaxBackoffMs: durationMs('--api-backoff', flags.apiBackoff, 100),
  };
}

/** Reads the files that the flags name, so that a bad one is an error before anything starts. */
export async function operatorOptions(flags: OperatorFlags & PodFlags): Promise<OperatorOptions> {
  const clusterId = required('--cluster-id', flags.clusterId, 'the name of this cluster, e.g. --cluster-id prod-eu-1');
  if (!/^[A-Za-z0-9._-]+$/.test(clusterId)) throw new UsageError(`--cluster-id: "${clusterId}" may hold only letters, digits, ".", "_" and "-"`);
  const shardAddress = required('--shard-addr', flags.shardAddr, 'host:port of the shard, e.g. --shard-addr shard-0:7780');
  if (!/:\d+$/.test(shardAddress)) throw new UsageError(`--shard-addr: "${shardAddress}" is not an address; write host:port`);
  if (flags.bootstrapTtl !== undefined && flags.bootstrapTemplateFile === undefined) throw new UsageError('--bootstrap-ttl needs --bootstrap-template-file: the stub states its own');
  if (flags.bootstrapApiServer !== undefined && !/^[^\s/]+:\d+$/.test(flags.bootstrapApiServer)) throw new UsageError(`--bootstrap-api-server: "${flags.bootstrapApiServer}" is not an address; write host:port`);
  const tlsFiles = tlsFilesOf(flags);
  const [{ dialCredentials }, { compileBootstrapTemplate }] = await Promise.all([import('../api/dial-credentials.ts'), import('../operator/bootstrap-template.ts')]);
  const template = flags.bootstrapTemplateFile === undefined ? undefined : await readText('--bootstrap-template-file', flags.bootstrapTemplateFile);
  if (template !== undefined) named('--bootstrap-template-file', () => compileBootstrapTemplate(template));
  return {
    clusterId, shardAddress,
    credentials: named('--tls-cert, --tls-key, --tls-ca', () => dialCredentials(tlsFiles)),
    rollupIntervalMs: durationMs('--rollup-interval', flags.rollUpInterval ?? flags.rollupInterval) || 10_000,
    ackConcurrency: integer('--ack-concurrency', flags.ackConcurrency, { min: 1, max: 1_000 }),
    deletesNodes: yesOrNo('--delete-drained-nodes', flags.deleteDrainedNodes),
    lifelessMs: durationMs('--lifeless-grace', flags.lifelessGrace),
    demandModel: flags.demandModel,
    ...(flags.podDemand === 'direct' && { directPods: await podDemandOptions(flags) }),
    reconnectMaxMs: positive('--reconnect-max', flags.reconnectMax),
    keepaliveMs: positive('--keepalive', flags.keepalive),
    ...(template === undefined ? {} : { bootstrapTemplate: template }),
    ...(flags.bootstrapApiServer === undefined ? {} : { bootstrapApiServer: flags.bootstrapApiServer }),
    ...(flags.bootstrapTtl === undefined ? {} : { bootstrapTtlSeconds: Math.round(durationMs('--bootstrap-ttl', flags.bootstrapTtl) / 1000) }),
  };
}

export async function podControllerOptions(flags: PodControllerFlags): Promise<PodControllerOptions> {
  return { ...(await podDemandOptions(flags)), pendingAfterMs: durationMs('--pending-after', flags.pendingAfter) };
}

async function podDemandOptions(flags: PodFlags): Promise<PodDemandOptions> {
  const file = flags.priorityClassDefaults;
  return {
    includeDaemonSetPods: flags.includeDaemonsetPods ?? false,
    foreignNodes: flags.foreignNodes,
    ...(file === undefined || file === '' ? {} : { priorityClassDefaults: await readPriorityClassDefaults(file) }),
  };
}

/** Throws a UsageError that names the flag, and what in the file is wrong. */
export async function readPriorityClassDefaults(file: string): Promise<ReadonlyMap<string, Penalties>> {
  const text = await readText('--priority-class-defaults', file);
  const { parsePriorityClassDefaults } = await import('../operator/priority-class-defaults.ts');
  return named('--priority-class-defaults', () => parsePriorityClassDefaults(text, file));
}

function required(flag: string, value: string | undefined, hint: string): string {
  if (!value) throw new UsageError(`${flag} is required: ${hint}`);
  return value;
}

function positive(flag: string, text: string): number {
  const ms = durationMs(flag, text);
  if (ms <= 0) throw new UsageError(`${flag} must be more than 0`);
  return ms;
}

function yesOrNo(flag: string, text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new UsageError(`${flag}: "${text}" is neither true nor false`);
  return text === 'true';
}

async function readText(flag: string, path: string): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function named<T>(flag: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new UsageError(`${flag}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Registry } from 'prom-client';
import { OPERATOR_NOTE_ANNOTATION, SHARD_EPOCHS_ANNOTATION, SYSTEM_NAMESPACE } from '../api/constants.ts';
import { LeaseResource, NamespaceResource } from '../api/resources.ts';
import type { Lease, Namespace } from '../api/types.ts';
import { sleep, type Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import {
  createEventRecorder, createHealthServer, createKubeClient, createLeaseElection, createManager, createRuntimeMetrics, informerGroup, isAlreadyExists, isApiError,
  leaderGroup, loadKubeConfig, type ClusterConfig, type KubeClient, type LeaseDurations, type Log, type ObjectRef, type RunnableGroup,
} from '../runtime/index.ts';
import { EpochGuard, formatEpochs, parseEpochs } from '../session/client/epoch-guard.ts';
import { createCaches } from './caches.ts';
import { createOperatorMetrics } from './metrics.ts';
import { OPERATOR_NAME, POD_CONTROLLER_NAME } from './names.ts';
import { formatNote } from './operator-note.ts';
import { wireOperator, type OperatorOptions } from './operator-wiring.ts';
import { wirePodController, type PodControllerOptions } from './pod-wiring.ts';

export interface AgentOptions {
  /** `operator` and `podController` may run in one process; then they share caches and client. At least one is needed. */
  readonly operator?: OperatorOptions;
  readonly podController?: PodControllerOptions;
  /** Path of a kubeconfig, or the settings themselves. Default: $KUBECONFIG, then in-cluster. */
  readonly kubeconfig?: string | ClusterConfig;
  /** `host:port` of /metrics, /healthz and /readyz; `0` for none. */
  readonly metricsAddress: string;
  readonly namespace?: string; // of the Lease; default bigfleet-system
  readonly lease?: Partial<LeaseDurations>;
  readonly qps?: number; // default 50
  readonly burst?: number; // default 100
  /** Longest pause between tries to reach the API server. */
  readonly apiMaxBackoffMs?: number;
  readonly syncTimeoutMs: number;
  readonly graceMs?: number; // default 10,000
  readonly handleSignals?: boolean; // default true
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const NAMESPACE_RETRY_MS = 1_000;

/**
 * Runs operator, pod controller or both in one managed cluster until the signal aborts or something fatal happens. Only
 * the holder of the Lease acts; a restarted process waits for it. The one page of wiring of these processes.
 */
export async function runAgent(options: AgentOptions, signal?: AbortSignal): Promise<void> {
  const { clock, random, log, namespace = SYSTEM_NAMESPACE } = options;
  const name = options.operator ? OPERATOR_NAME : POD_CONTROLLER_NAME;
  const identity = `${hostname()}_${randomUUID()}`;
  const registry = new Registry();
  const runtimeMetrics = createRuntimeMetrics(registry);
  const metrics = createOperatorMetrics(registry);
  const cluster = configOf(options.kubeconfig);
  const client = createKubeClient({
    config: cluster, clock, random, log, fieldManager: name, userAgent: name, onRequest: runtimeMetrics.request,
    ...(options.qps === undefined ? {} : { qps: options.qps }), ...(options.burst === undefined ? {} : { burst: options.burst }),
  });
  const backoff = options.apiMaxBackoffMs === undefined ? {} : { backoff: { minMs: Math.min(1_000, options.apiMaxBackoffMs / 4), maxMs: options.apiMaxBackoffMs } };
  const caches = createCaches({ client, clock, random, log, metrics: runtimeMetrics.informers, ...backoff });
  const events = createEventRecorder({ client, clock, random, log, component: name, instance: identity });
  const election = createLeaseElection({
    client, name, namespace, identity, clock, random, log, ...(options.lease ? { durations: options.lease } : {}),
    onAcquired: () => runtimeMetrics.leader(name, true),
    onLost: (other) => log.error({ other }, 'another process holds the Lease of this cluster: stopping at once'),
  });
  const epochs = new EpochGuard(new Map(), (known) => void annotate(client, { name, namespace }, SHARD_EPOCHS_ANNOTATION, formatEpochs(known), log));
  const deps = { client, caches, events, metrics, runtimeMetrics, clock, log };
  const podRunnables = options.podController ? wirePodController(options.podController, deps) : [];
  const operator = options.operator ? wireOperator({ ...options.operator, namespace, cluster }, { ...deps, random, epochs }) : undefined;

  const leader = leaderGroup(election);
  const groups: RunnableGroup[] = [
    { name: 'namespace', runnables: [], ready: (stop) => ensureNamespace(client, namespace, clock, log, stop) },
    within(options.syncTimeoutMs, clock, informerGroup({ pods: caches.pods, nodes: caches.nodes, requests: caches.requests, upcoming: caches.upcoming })),
    {
      ...leader,
      ready: async (stop) => {
        await leader.ready?.(stop);
        if (!options.operator || !operator) return;
        await Promise.all([readLease(client, { name, namespace }, epochs, formatNote(options.operator), log, stop), operator.prepare(stop)]);
      },
    },
    { name: 'controllers', runnables: [events, ...podRunnables, ...(operator?.controllers ?? [])] },
    ...(operator ? [{ name: 'session', runnables: [operator.session] }] : []),
  ];
  const health = createHealthServer({ address: options.metricsAddress, log, registry });
  const manager = createManager({ clock, log, health, graceMs: options.graceMs ?? 10_000, groups, handleSignals: options.handleSignals ?? true });
  try {
    await manager.run(signal);
  } finally {
    await client.close();
  }
}

function configOf(kubeconfig: AgentOptions['kubeconfig']): ClusterConfig {
  return typeof kubeconfig === 'object' ? kubeconfig : loadKubeConfig(kubeconfig === undefined ? {} : { path: kubeconfig });
}

/** Leases need a namespace to live in; who may not create it must have been given it. Waits for the API server. */
async function ensureNamespace(client: KubeClient, name: string, clock: Clock, log: Log, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      if (await client.get(NamespaceResource, { name }, { signal })) return;
      await client.create<Namespace>(NamespaceResource, { metadata: { name } }, { signal });
      return;
    } catch (error) {
      if (signal.aborted || isAlreadyExists(error)) return;
      if (isApiError(error) && error.status === 403) {
        log.debug({ namespace: name }, 'not allowed to look after the namespace; assuming that it exists');
        return;
      }
      log.warn({ namespace: name, err: error }, 'the API server does not answer as it should; trying again');
    }
    await sleep(clock, NAMESPACE_RETRY_MS, signal).catch(() => {});
  }
}

/** A cache that cannot be filled in time means that the process is of no use; a restart says so loudly. */
function within(ms: number, clock: Clock, group: RunnableGroup): RunnableGroup {
  return {
    ...group,
    ready: async (signal) => {
      const give = new AbortController();
      const timeout = sleep(clock, ms, AbortSignal.any([give.signal, signal])).then(() => {
        throw new Error(`the caches did not fill within ${ms / 1000} s: is the API server reachable and are the CRDs installed?`);
      });
      try {
        await Promise.race([group.ready?.(signal), timeout]);
      } finally {
        give.abort();
        timeout.catch(() => {});
      }
    },
  };
}

/** What an earlier process has left there for us; and what we leave there for people is written if it says something else. */
async function readLease(client: KubeClient, lease: ObjectRef, epochs: EpochGuard, note: string, log: Log, signal: AbortSignal): Promise<void> {
  const { annotations } = (await client.get<Lease>(LeaseResource, lease, { signal }))?.metadata ?? {};
  epochs.restore(parseEpochs(annotations?.[SHARD_EPOCHS_ANNOTATION]));
  if (annotations?.[OPERATOR_NOTE_ANNOTATION] !== note) void annotate(client, lease, OPERATOR_NOTE_ANNOTATION, note, log);
}

/** Without it nothing is lost but what it is for: an epoch is checked in this process only, `explain pod` asks for --cluster. */
async function annotate(client: KubeClient, lease: ObjectRef, annotation: string, text: string, log: Log): Promise<void> {
  try {
    await client.patch(LeaseResource, lease, { metadata: { annotations: { [annotation]: text } } }, { unthrottled: true });
  } catch (error) {
    log.warn({ annotation, err: error }, 'something could not be noted at the Lease');
  }
}

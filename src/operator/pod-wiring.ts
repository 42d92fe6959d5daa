import type { Pod } from '../api/types.ts';
import type { Clock } from '../lib/clock.ts';
import { PendingMarker } from '../reconcilers/pod/pending-marker.ts';
import { PodReconciler } from '../reconcilers/pod/reconciler.ts';
import { createController, createWorkQueue, type EventRecorder, type KubeClient, type Log, type Runnable, type RuntimeMetrics } from '../runtime/index.ts';
import type { Caches } from './caches.ts';
import type { OperatorMetrics } from './metrics.ts';
import { podRequestOptions, recheckPodsOfNodes, type PodDemandOptions } from './pod-demand.ts';

export interface PodControllerOptions extends PodDemandOptions {
  /** See PendingMarker. */
  readonly pendingAfterMs: number;
  readonly workers?: number; // default 16
}

export interface WiringDeps {
  readonly client: KubeClient;
  readonly caches: Caches;
  readonly events: EventRecorder;
  readonly metrics: OperatorMetrics;
  readonly runtimeMetrics: RuntimeMetrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** Pods in, CapacityRequests out. Returns what has to run. */
export function wirePodController(options: PodControllerOptions, deps: WiringDeps): Runnable[] {
  const { client, caches, events, metrics, runtimeMetrics, clock, log } = deps;
  const { workers = 16, foreignNodes } = options;
  const pending = new PendingMarker({ client, requests: caches.requests.store, clock, log, afterMs: options.pendingAfterMs });
  const reconciler = new PodReconciler({
    client, pods: caches.pods.store, requests: caches.requestWrites, pending,
    options: podRequestOptions(options, caches.fleet),
    warn: (pod, { reason, message }) => events.publish({ regarding: podRef(pod), type: 'Warning', reason, message }),
    reconciled: (outcome) => metrics.podReconciles.inc({ outcome }),
  });
  const queue = createWorkQueue({ clock, metrics: runtimeMetrics.queue('pod'), backoff: { minMs: 50, maxMs: 30_000 }, retryQps: 100, retryBurst: 1_000 });
  const controller = createController({ reconciler, clock, log, workers, queue, metrics: runtimeMetrics.controller('pod', workers) });

  caches.pods.subscribe((event) => {
    if (event.type === 'deleted') return;
    controller.enqueue(event.key, event.type === 'added' && event.initial ? { lane: 'low' } : undefined);
  });
  // Somebody deleted or changed a request that a Pod still needs.
  caches.requests.subscribe((event) => {
    if (event.type === 'added') return;
    if (event.type === 'updated' && event.object.metadata.generation === event.old.metadata.generation) return;
    const owner = event.old.metadata.ownerReferences?.find((o) => o.kind === 'Pod');
    if (owner) controller.enqueue(`${event.old.metadata.namespace ?? ''}/${owner.name}`);
  });
  recheckPodsOfNodes(caches, foreignNodes, (key) => controller.enqueue(key));
  return [controller, pending];
}

export function podRef(pod: Pod): Pod {
  return { apiVersion: 'v1', kind: 'Pod', ...pod };
}

import type { Finding } from '../api/conditions.ts';
import type { NodeStateUpdate, ReclaimInstruction } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { upcomingNodeName } from '../api/names.ts';
import { apiVersionOf, AvailableCapacityResource, CapacityRequestResource } from '../api/resources.ts';
import type { CapacityRequest, Node, Pod } from '../api/types.ts';
import type { Random } from '../lib/random.ts';
import { CapacityRequestReconciler } from '../reconcilers/capacityrequest/reconciler.ts';
import { AvailableCapacityReconciler } from '../reconcilers/availablecapacity/reconciler.ts';
import { DrainReconciler } from '../reconcilers/drain/reconciler.ts';
import { NodeReconciler } from '../reconcilers/node/reconciler.ts';
import { UpcomingNodeReconciler } from '../reconcilers/upcomingnode/reconciler.ts';
import { createController, createWorkQueue, type ClusterConfig, type Controller, type KubeObject, type Reconciler, type Runnable } from '../runtime/index.ts';
import type { EpochGuard } from '../session/client/epoch-guard.ts';
import { SessionClient, type SessionClientOptions } from '../session/client/session-client.ts';
import type { SessionHandlers, SessionMetrics } from '../session/client/types.ts';
import { AllowancePlanner } from './allowance-planner.ts';
import { AllowanceStore } from './allowance-store.ts';
import { createBootstrapRenderer } from './bootstrap.ts';
import { BootstrapTokens } from './bootstrap-tokens.ts';
import { clusterInfo } from './cluster-info.ts';
import { DemandIntake } from './demand-intake.ts';
import { DrainOrders } from './drain-orders.ts';
import { FateLedger } from './fate-ledger.ts';
import { isReady, machineIdOfUpcomingNode } from './fleet-nodes.ts';
import { KeysInTurns } from './keys-in-turns.ts';
import { CORDONED_ANNOTATION } from './labels.ts';
import { isOrdered } from './machine-life.ts';
import { MachineNews } from './machine-news.ts';
import { NodeLoad } from './node-load.ts';
import type { PodDemandOptions } from './pod-demand.ts';
import { podRef, type WiringDeps } from './pod-wiring.ts';
import { RequestFates } from './request-fates.ts';
import { DemandBook } from './rollup.ts';
import { RollupSource } from './rollup-source.ts';

export interface OperatorOptions {
  readonly clusterId: string;
  readonly shardAddress: string;
  readonly credentials: SessionClientOptions['credentials'];
  readonly rollupIntervalMs: number;
  readonly ackConcurrency: number;
  readonly bootstrapTemplate?: string;
  readonly bootstrapTtlSeconds?: number;
  /** `host:port` at which machines reach the API server; default: where this process does, if that is no address for Pods alone. */
  readonly bootstrapApiServer?: string;
  readonly deletesNodes: boolean;
  /** See NodeDeps. */
  readonly lifelessMs: number;
  /** allowance: report more than the requests where Pods turn out not to fit (D3). */
  readonly demandModel: 'allowance' | 'requests';
  /** Pods are demand themselves, and requests that belong to Pods are not (D33). Absent: only requests are demand. */
  readonly directPods?: PodDemandOptions;
  readonly reconnectMaxMs?: number;
  readonly keepaliveMs?: number;
}

const WORKERS = 16;

export interface WiredOperator {
  /** To be run first. */
  readonly controllers: Runnable[];
  readonly session: SessionClient;
  /** To be awaited between the two: reads what the first roll-up needs. */
  readonly prepare: (signal: AbortSignal) => Promise<void>;
}

/** Everything between the shard and the cluster's objects. */
export function wireOperator(options: OperatorOptions & { namespace: string; cluster: ClusterConfig }, deps: WiringDeps & { random: Random; epochs: EpochGuard }): WiredOperator {
  const { client, caches, events, metrics, runtimeMetrics, clock, random, log, epochs } = deps;
  const { pods, nodes, requests, upcoming, fleet } = caches;
  const tokens = new BootstrapTokens({ client, clusterId: options.clusterId, upcoming: upcoming.store, fleet, clock });
  const render = createBootstrapRenderer({
    clusterId: options.clusterId, mint: (machineId, ttlSeconds) => tokens.mint(machineId, ttlSeconds),
    ...(options.bootstrapTemplate === undefined ? {} : { template: options.bootstrapTemplate, cluster: clusterInfo(options.cluster, options.bootstrapApiServer) }),
    ...(options.bootstrapTtlSeconds === undefined ? {} : { ttlSeconds: options.bootstrapTtlSeconds }),
  });

  // What is known.
  const book = new DemandBook();
  const load = new NodeLoad();
  const news = new MachineNews(clock);
  const mayBeTold = new KeysInTurns((key) => enqueueIfDue(key));
  const ledger = new FateLedger({
    clock, intervalMs: options.rollupIntervalMs,
    requestsChanged: (keys) => mayBeTold.add(keys),
    rowChanged: (statusKey) => {
      for (const row of book.rowsByStatusKey(statusKey)) mayBeTold.add(row.members);
    },
    onFallback: (count) => metrics.ackFallbacks.inc(count),
  });
  const fates = new RequestFates(book, ledger, pods.store, (key) => planner?.allowances.misfitOf(key));
  const orders = new DrainOrders((ack) => session.respond({ $case: 'reclaimAck', value: ack }));
  const rollups: RollupSource = new RollupSource({
    clusterId: options.clusterId, book, ledger, load, nodes: nodes.store, fleet, clock, metrics, heldBy: (machineId) => orders.heldBy(machineId), applyAllowances: (timestamp) => planner?.apply(timestamp),
  });
  const planner = options.demandModel === 'requests' ? undefined : new AllowancePlanner({
    book, ledger, load, nodes: nodes.store, upcoming: upcoming.store, fleet,
    podsOn: (nodeName) => pods.store.byIndex('node', nodeName),
    requestOf: (pod) => rollups.requestOf(pod),
    misfitsChanged: (keys) => mayBeTold.add(keys),
  });
  const allowanceStore = planner && new AllowanceStore({
    client, namespace: options.namespace, allowances: planner.allowances, clock, log, intervalMs: Math.max(1_000, options.rollupIntervalMs),
  });

  // What acts on it.
  const controllers: Controller[] = [];
  const control = (reconciler: Reconciler, workers: number): Controller => {
    const { name } = reconciler;
    const queue = createWorkQueue({ clock, metrics: runtimeMetrics.queue(name), backoff: { minMs: 50, maxMs: 10_000 }, retryQps: 100, retryBurst: 1_000 });
    const controller = createController({ reconciler, clock, log, workers, queue, metrics: runtimeMetrics.controller(name, workers) });
    controllers.push(controller);
    return controller;
  };
  const statuses = control(new CapacityRequestReconciler({
    client, requests: caches.requestWrites, fates, clock,
    acknowledged: () => metrics.acknowledged.inc(),
    complain: (about, finding) => complain('pod' in about ? podRef(about.pod) : requestRef(about.request), finding),
  }), options.ackConcurrency);
  const announcements = control(new UpcomingNodeReconciler({
    client, upcoming: caches.upcomingWrites, fleet, news, clock, deletesNodes: options.deletesNodes,
    wrote: (op, outcome) => metrics.upcomingNodeWrites.inc({ op, outcome }),
  }), WORKERS);
  const drains = control(new DrainReconciler({
    client, upcoming: caches.upcomingWrites, nodes: nodes.store, pods: pods.store, fleet, orders, news, clock, log,
    finished: (outcome) => metrics.drains.inc({ outcome }),
  }), WORKERS);
  const cleanup = options.deletesNodes ? control(new NodeReconciler({ client, upcoming: caches.upcomingWrites, fleet, news, clock, log, lifelessMs: options.lifelessMs }), WORKERS) : undefined;
  const offers = new AvailableCapacityReconciler({ client, clock });
  const offersController = control(offers, 2);

  const tokensController = control(tokens, 4);

  const intake: DemandIntake = new DemandIntake({
    caches, book, ledger, rollups, fates, clock, log, metrics,
    tell: (key) => statuses.enqueue(key),
    warn: (pod, { reason, message }) => events.publish({ regarding: podRef(pod), type: 'Warning', reason, message }),
    complain: (pod, finding) => complain(podRef(pod), finding),
  }, options.directPods);

  function complain(regarding: KubeObject, { type, reason, message }: Finding): void {
    events.publish({ regarding, type: 'Warning', reason: `Not${type}`, message: `${reason}: ${message}` });
  }
  function enqueueIfDue(key: string): void {
    if (intake.settle(key)) return;
    const request = requests.store.get(key);
    if (request && fates.next(key, request, clock.now())) statuses.enqueue(key);
  }
  function machineChanged(machineId: string): void {
    announcements.enqueue(machineId);
    cleanup?.enqueue(machineId);
    tokensController.enqueue(machineId);
    if (news.stays(machineId) && isBeingEmptied(machineId)) drains.enqueue(machineId);
  }

  // News from the cluster.
  pods.subscribe((event) => {
    load.observe(event);
    planner?.observe(event);
    if (event.type !== 'deleted' && event.object.spec.nodeName && !(event.type === 'updated' && event.old.spec.nodeName)) {
      const key = rollups.requestOf(event.object);
      if (key !== undefined) enqueueIfDue(key);
    }
    const drained = nodeNameOf(event.type === 'deleted' ? event.old : event.object);
    const machine = drained === undefined ? undefined : orders.machineOn(drained);
    if (machine !== undefined) drains.enqueue(machine);
  });
  nodes.subscribe((event) => {
    if (event.type === 'updated' && !nodeMatters(event.old, event.object)) return;
    for (const node of event.type === 'updated' ? [event.old, event.object] : [event.type === 'added' ? event.object : event.old]) {
      const machineId = fleet.machineIdOf(node);
      if (machineId !== undefined) machineChanged(machineId);
    }
  });
  upcoming.subscribe((event) => {
    const object = event.type === 'deleted' ? event.old : event.object;
    const machineId = machineIdOfUpcomingNode(object);
    machineChanged(machineId);
    if (event.type !== 'deleted' && isOrdered(object)) drains.enqueue(machineId);
  });

  // News from the shard.
  let additions = false;
  const handlers: SessionHandlers = {
    buildRollup: () => rollups.build(),
    rollupSent: (rollup) => rollups.sent(rollup),
    rollupAcked: () => ledger.rollupAcked(),
    nodeState(update: NodeStateUpdate) {
      if (news.record(update, !additions)) machineChanged(update.machineId);
    },
    replayComplete(machineIds) {
      // Nodes too: one that showed up while nobody watched has no UpcomingNode that would remind us of it.
      const joined = [...nodes.store.values()].flatMap((node) => fleet.machineIdOf(node) ?? []);
      const known = [...[...upcoming.store.values()].map(machineIdOfUpcomingNode), ...joined];
      news.replayed(machineIds, known).forEach(machineChanged);
    },
    needStatuses: (message) => ledger.needStatuses(message),
    availableCapacity(update) {
      const key = offers.offered(update);
      if (key !== undefined) offersController.enqueue(key);
    },
    bootstrap: (request) => render(request),
    reclaim(instruction) {
      const machineIds = targetsOf(instruction);
      log.info({ instruction: instruction.instructionId, machines: machineIds, graceSeconds: Number(instruction.gracePeriodSeconds) }, 'told to drain');
      machineIds.forEach((id) => news.ordered(id));
      orders.accept(instruction, machineIds, clock.now());
      for (const id of machineIds) drains.enqueue(id);
    },
    connected(ofShard) {
      additions = ofShard;
      ledger.sessionChanged(true);
    },
    disconnected: () => ledger.sessionChanged(false),
  };

  function isBeingEmptied(machineId: string): boolean {
    return orders.get(machineId) !== undefined || isOrdered(upcoming.store.get(upcomingNodeName(machineId)))
      || fleet.nodeOf(machineId)?.metadata.annotations?.[CORDONED_ANNOTATION] !== undefined;
  }

  /** Machine ids where the shard gives them; a Node's name or a machine id where it does not. */
  function targetsOf({ machineIds, nodes: names }: ReclaimInstruction): readonly string[] {
    if (machineIds.length > 0) return machineIds;
    return names.map((name) => {
      const node = nodes.store.get(name);
      const announced = upcoming.store.byIndex('node', name)[0];
      return (node && fleet.machineIdOf(node)) ?? (announced ? machineIdOfUpcomingNode(announced) : name);
    });
  }

  const sessionMetrics: SessionMetrics = {
    reconnected: () => metrics.reconnects.inc(),
    state: (state) => metrics.sessionState(state),
    outboxDropped: (kind) => metrics.outboxDropped.inc({ kind }),
    staleRefused: (kind) => metrics.staleRefused.inc({ kind }),
    rejected: (code) => metrics.sessionRejected.inc({ code }),
    refused: (reason) => metrics.shardRefused.inc({ reason }),
    ackLag: (ms) => metrics.ackLagSeconds.observe(ms / 1000),
  };
  const session = new SessionClient({
    address: options.shardAddress, credentials: options.credentials, clusterId: options.clusterId, handlers, metrics: sessionMetrics,
    clock, random, log, epochs, intervalMs: options.rollupIntervalMs,
    ...(options.reconnectMaxMs === undefined ? {} : { reconnectMaxMs: options.reconnectMaxMs, reconnectInitialMs: Math.min(500, options.reconnectMaxMs) }),
    ...(options.keepaliveMs === undefined ? {} : { keepaliveMs: options.keepaliveMs }),
  });
  const untilStopped: Runnable = {
    name: 'fates',
    run: (signal) => new Promise((resolve) => {
      const stop = (): void => {
        ledger.stop();
        resolve();
      };
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    }),
  };
  return {
    controllers: [...controllers, untilStopped, ...(allowanceStore ? [allowanceStore] : [])],
    session,
    prepare: async (signal) => {
      intake.speak();
      await allowanceStore?.load(signal);
      for await (const { metadata } of client.list(AvailableCapacityResource, { signal })) {
        offers.adopt(metadata.name);
        offersController.enqueue(metadata.name);
      }
    },
  };
}

function nodeMatters(old: Node, now: Node): boolean {
  return isReady(old) !== isReady(now) || old.spec?.providerID !== now.spec?.providerID || old.spec?.unschedulable !== now.spec?.unschedulable
    || old.metadata.uid !== now.metadata.uid || JSON.stringify(old.metadata.labels) !== JSON.stringify(now.metadata.labels);
}

function nodeNameOf(pod: Pod): string | undefined {
  return pod.spec.nodeName;
}

function requestRef(request: CapacityRequest): CapacityRequest {
  return { apiVersion: apiVersionOf(CapacityRequestResource), kind: CapacityRequestResource.kind, ...request };
}


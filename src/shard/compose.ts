import { Registry } from 'prom-client';
import { machineObjectName } from '../api/names.ts';
import { CapacityProviderResource, MachineResource, ShardResource } from '../api/resources.ts';
import type { CapacityProvider, Machine, Shard } from '../api/types.ts';
import { createEngine } from '../engine/engine.ts';
import type { ServerTlsFiles } from '../api/tls-listener.ts';
import type { Clock } from '../lib/clock.ts';
import { steadyClock } from '../lib/steady-clock.ts';
import { makeFolder } from '../lib/make-folder.ts';
import type { Random } from '../lib/random.ts';
import { inTurns } from '../lib/turns.ts';
import { CYCLE_KEY, CycleReconciler } from '../reconcilers/shard/cycle.ts';
import { createController, createHealthServer, createInformer, createLeaseElection, createManager, createRuntimeMetrics, createWorkQueue, done } from '../runtime/index.ts';
import type { LeaseDurations, Log } from '../runtime/index.ts';
import { obstacle } from '../server/explanation.ts';
import { ShardView } from '../server/shard-view.ts';
import { SessionHub } from '../session/server/session-hub.ts';
import { AuditLog } from './audit-log.ts';
import { Rotation } from './audit-rotation.ts';
import type { RotationLimits } from './audit-rotation.ts';
import { AvailableCapacityPublisher } from './available-capacity.ts';
import { BindRefusals } from './bind-refusals.ts';
import { measureChange } from './change-metrics.ts';
import { claimEpoch } from './claim-epoch.ts';
import { Demand } from './demand.ts';
import { DrainHolds } from './drain-holds.ts';
import { EdgeRights } from './edge-rights.ts';
import { Inventory, isWork } from './inventory.ts';
import { LeaseGuard } from './lease-guard.ts';
import { LiveSettings } from './live-settings.ts';
import type { Graces } from './live-settings.ts';
import { MachineWriter } from './machine-writer.ts';
import { createShardMetrics } from './metrics.ts';
import { NeedStatusPublisher } from './need-status.ts';
import { asGone, framesFor, framesForDisowned, nodeStateUpdate } from './node-state.ts';
import { machineObjectsMode } from './object-policy.ts';
import type { MachineObjects } from './object-policy.ts';
import { PlanReport } from './plan-report.ts';
import { isNewsForThePlan } from './plan-news.ts';
import { PlannedStates } from './planned-state.ts';
import { isReleaseRequest } from './release-requests.ts';
import { Releases } from './releases.ts';
import { measureProviders } from './provider/metrics.ts';
import { tellUnseen } from './provider/unseen.ts';
import { ProviderRooms } from './provider/rooms.ts';
import { Restoration } from './restoration.ts';
import { RowTroubles } from './row-troubles.ts';
import { SourceRows } from './source-rows.ts';
import { whyInactive } from './settings.ts';
import { waitForProviders } from './start.ts';
import { ShardStatusPublisher } from './status-publisher.ts';
import { Succession } from './succession.ts';
import { processSurroundings } from './surroundings.ts';
import type { ShardSurroundings } from './surroundings.ts';
import { wireRequirements } from './wire-names.ts';

export interface ShardOptions {
  readonly id: string;
  readonly listen: string;
  /** Operators and readers must present certificates; absent: plaintext. */
  readonly tlsFiles?: ServerTlsFiles;
  readonly metricsAddress: string;
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly dataDir: string;
  readonly lease: Partial<LeaseDurations>;
  /** Finer than CapacityProvider.spec.pollSeconds can say. */
  readonly pollMs?: number;
  readonly minCycleMs: number;
  /** Once one provider has listed, the others are waited for so long before the first plan; 15 s if absent. */
  readonly providerPatienceMs?: number;
  /** Least time between two statuses of the Shard and its CapacityProvider; 2 s if absent. */
  readonly statusMs?: number;
  /** Graces other than the default ones. */
  readonly graces?: Graces;
  readonly qps: number;
  readonly burst: number;
  readonly auditLog?: string;
  /** Absent: the audit log grows without end. */
  readonly auditRotation?: RotationLimits;
  readonly apiBackoff?: { readonly minMs: number; readonly maxMs: number };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What is not that of a process of its own. */
  readonly surroundings?: Partial<ShardSurroundings>;
}

const WRITER_WORKERS = 8;
const WRITER_SETTLE_MS = 50;
const SETTINGS_KEY = 'spec';
const KEEP_BACKOFF = { minMs: 100, maxMs: 30_000 };

/** The one page of wiring of a shard process. Resolves after a clean stop. */
export async function runShard(options: ShardOptions, signal?: AbortSignal): Promise<void> {
  const { clock: wallClock, random, log, namespace, id: shardId } = options;
  // What lasts must neither end nor go on for longer because the wall clock is set, or the machine was suspended. Leases and their proof must notice.
  const clock = steadyClock(wallClock);
  makeFolder(options.dataDir);
  const surroundings = { ...processSurroundings(options), ...options.surroundings };
  const { identity, disk } = surroundings;
  await surroundings.check();
  const registry = new Registry();
  const runtimeMetrics = createRuntimeMetrics(registry);
  const metrics = createShardMetrics(registry);
  const client = surroundings.kube({ clock: wallClock, random, qps: options.qps, burst: options.burst, fieldManager: 'bigfleet-shard', userAgent: `bigfleet-shard/${shardId}`, log, onRequest: runtimeMetrics.request });
  const informerDeps = { client, clock, random, log, metrics: runtimeMetrics.informers, ...(options.apiBackoff && { backoff: options.apiBackoff }) };

  // What the hub says: our settings, our provider, the objects of our machines.
  const shardInformer = createInformer<Shard>({ ...informerDeps, type: ShardResource, namespace, fieldSelector: `metadata.name=${shardId}` });
  const providerInformer = createInformer<CapacityProvider>({ ...informerDeps, type: CapacityProviderResource, namespace });
  const machineInformer = createInformer<Machine>({ ...informerDeps, type: MachineResource, namespace, project: withoutManagedFields });
  const shardObject = (): Shard | undefined => shardInformer.store.get(`${namespace}/${shardId}`);
  const settings = new LiveSettings(options.dataDir, options.graces, disk);

  // What the shard knows and decides.
  const inventory = new Inventory(clock, (machineId) => {
    const object = machineInformer.store.get(`${namespace}/${machineObjectName(machineId)}`);
    return object?.spec.hold === true && object.spec.shardRef === shardId;
  });
  const engine = createEngine(settings.current.policy);
  const drainHolds = new DrainHolds(inventory);
  const demand = new Demand({ clock, log, guardEnabled: () => settings.current.emptyRollupGuard, onRejected: (cluster) => metrics.rollupsRejected.inc({ cluster }) });
  let epoch = 0n;
  let objectsMode: MachineObjects = settings.current.machineObjects;

  const election = createLeaseElection({
    client, name: `bigfleet-shard-${shardId}`, namespace, identity, durations: options.lease, clock: wallClock, random, log,
    mayRelease: () => guard.outstanding === 0,
    onLost: (other) => log.error({ other }, 'another process holds the Lease of this shard: stopping at once'),
  });
  const guard = new LeaseGuard(election, wallClock);
  const succession = new Succession({ identity, log, onSucceeded: (error) => guard.close(error) });
  const mayTakeAway = (): boolean => election.isProven() && guard.isOpen && settings.known && rooms.fenced === '';

  const { tlsFiles } = options;
  const rights = tlsFiles && new EdgeRights({
    onRefused({ reason, of, text }) {
      metrics.peersRefused.inc({ reason });
      if (of === 'session') metrics.identityRejected.inc();
      log.error({ reason, of }, text);
    },
  });
  const hub = new SessionHub({
    shardId, clock, log,
    epoch: () => epoch,
    ids: surroundings.ids,
    ...(rights && { authorize: (stream, cluster) => rights.mayReport(stream, cluster) }),
    onRollup: async (cluster, rollup) => {
      const first = !demand.hasReported(cluster);
      const acked = await demand.offerInTurns(cluster, rollup);
      if (acked) drainHolds.report(cluster, demand.holdsOf(cluster));
      if (acked) wakeCycle();
      if (acked && first) wakeMachinesOf(cluster);
      return acked;
    },
    replay: (cluster) => ({
      updates: [...inventory.ofCluster(cluster)].map((m) => nodeStateUpdate(m, cluster)),
      complete: rooms.areTrusted,
    }),
    onReported: (cluster) => {
      // While nobody knows whether to believe what it has just said, nothing is got for what it said before either, or taken from it.
      engine.apply({ kind: 'session', cluster, connected: !demand.isHolding(cluster) });
      wakeCycle();
    },
    onConnected: (cluster) => {
      // What it said before it went away may be long out of date: nothing new is planned for it or taken from it before it has spoken again.
      engine.apply({ kind: 'session', cluster, connected: false });
      for (const { setbacks } of rooms.all()) setbacks.clusters.succeeded(cluster); // perhaps another process, which may be able to
      needStatus.forget(cluster);
      availableCapacity.forget(cluster);
      metrics.sessions.set(hub.count);
      wakeMachinesOf(cluster);
      wakeCycle();
    },
    onDisconnected: (cluster) => {
      engine.apply({ kind: 'session', cluster, connected: false });
      availableCapacity.forget(cluster);
      metrics.sessions.set(hub.count);
      wakeMachinesOf(cluster);
      wakeCycle();
    },
    onLifecycle: (event) => metrics.sessionLifecycle.inc({ event }),
  });
  const sourceRows = new SourceRows();
  const refusals = new BindRefusals(clock, sourceRows);
  inventory.onChange((change) => refusals.observe(change));
  inventory.onChange((change) => rooms.observe(change));
  const inactive = (): string => whyInactive(settings.current.mode);
  const whyWithheld = (): string => inactive() || tellUnseen(rooms.unseen);
  const troubles = new RowTroubles({ clock, inventory, refusals, rows: sourceRows, whyWithheld });
  const needStatus = new NeedStatusPublisher({
    clock,
    clusters: () => hub.clusters(),
    timestampOf: (cluster) => demand.timestampOf(cluster),
    troubles: () => troubles.current(),
    send: (cluster, statuses) => hub.sendNeedStatus(cluster, statuses),
    onError: (error) => log.error({ err: error }, 'operators could not be told what became of their rows'),
  });

  const availableCapacity = new AvailableCapacityPublisher({
    clock,
    supplies: () => inventory.trustedSupplies(),
    mayBuy: () => (settings.current.policy.limits.machines ?? Infinity) - inventory.tally.paidFor,
    clusters: () => hub.clusters(),
    send: (cluster, update) => hub.sendAvailableCapacity(cluster, update),
    onError: (error) => log.error({ err: error }, 'operators could not be told what is to be had'),
  });

  // Wait for what names the provider before anything that needs it is built.
  const informers = [shardInformer, providerInformer, machineInformer];
  const informersAbort = new AbortController();
  const informersRun = informers.map((informer) => informer.run(informersAbort.signal));
  const start = informersAbort.signal;
  // Alive and not ready while it waits, so that whoever probes does not end a process that lacks nothing but an object.
  let starting = 'no CapacityProvider names this shard yet, or the hub does not answer';
  const health = createHealthServer({ address: options.metricsAddress, log, registry });
  health.addReadiness('start', () => starting || undefined);
  const disconnect = async (): Promise<void> => {
    await health.stop();
    informersAbort.abort(new Error('the shard is stopping'));
    await Promise.allSettled(informersRun);
    await client.close();
  };
  const stopStarting = (): void => informersAbort.abort(new Error('stopped while starting'));
  const forgetTermination = !surroundings.handlesSignals ? () => undefined : onTermination(stopStarting);
  signal?.addEventListener('abort', stopStarting, { once: true });
  if (signal?.aborted) stopStarting();
  let providers: readonly CapacityProvider[];
  try {
    await health.start();
    await shardInformer.waitForSync(start);
    providers = await waitForProviders(providerInformer, shardId, { clock, log, signal: start });
  } catch (error) {
    const asked = start.aborted;
    await disconnect();
    if (asked) return;
    throw error;
  } finally {
    forgetTermination();
    signal?.removeEventListener('abort', stopStarting);
  }
  /** Listed by a provider of ours, and another shard's by their objects. */
  const foreignMachines = new Set<string>();
  /** Machines that a person wants gone. */
  const writer = new MachineWriter({ client, inventory, identity: { namespace, shard: shardId }, objects: machineInformer.store, clock, log, workers: WRITER_WORKERS, mode: () => objectsMode, isReleasing: (machineId) => releases.has(machineId), isAwaited: (machineId) => restoration.awaits(machineId), settleMs: WRITER_SETTLE_MS });
  const restoration = new Restoration({
    clock, shard: shardId, inventory,
    onSettled: (machineId) => {
      writer.markDirty(machineId);
      wakeCycle();
    },
  });
  const rooms: ProviderRooms = new ProviderRooms(providers, {
    room: {
      client, namespace, shardId, epoch: () => epoch, clock, random, log, inventory,
      dial: (provider) => surroundings.provider({ ...provider, onRefused: (reason) => metrics.providersRefused.inc({ reason }) }),
      objects: providerInformer.store, machineObjects: machineInformer.store,
      pollMs: options.pollMs,
      ...(tlsFiles && { tlsFiles }),
      wereAllObjects: () => shardObject()?.status?.conditions?.some((c) => c.type === 'AllMachinesAreObjects' && c.status === 'True') ?? false,
      concurrency: () => settings.current.concurrencyPerProvider,
      isForeign: (machineId) => foreignMachines.has(machineId),
      onRejected: (reason) => metrics.machinesRejected.inc({ reason }),
      onOrphan: (machineId) => {
        restoration.gone(machineId);
        writer.markGone(machineId);
      },
      signal: informersAbort.signal,
    },
    onReliance: () => wakeCycle(),
    ...(options.providerPatienceMs !== undefined && { patienceMs: options.providerPatienceMs }),
    onTrusted: () => void inTurns(hub.clusters(), (cluster) => hub.replay(cluster), 1),
    actuation: {
      inventory, clock, random, metrics, runtimeMetrics, refusals,
      inactive,
      isLeaseProven: mayTakeAway,
      pass: (callSignal) => guard.pass(callSignal),
      goesOut: (pass) => guard.goesOut(pass),
      isConnected: (cluster) => hub.connected(cluster),
      hasReported: (cluster) => demand.hasReported(cluster),
      requestBlob: async (cluster, requirements, blobSignal, machineId) => {
        const asked = clock.monotonic();
        const response = await hub.requestBlob(cluster, wireRequirements(requirements), blobSignal, machineId);
        if (response.error) throw new Error(`operator of cluster ${cluster} cannot make a bootstrap blob: ${response.error}`);
        metrics.bootstrapSeconds.observe((clock.monotonic() - asked) / 1000);
        const ttlMs = Number(response.ttlSeconds) * 1000;
        return { userData: response.userData, expiresAt: ttlMs > 0 ? clock.monotonic() + ttlMs : undefined };
      },
      sendReclaim: (machine, intent) => hub.sendReclaim(machine.seen.cluster, {
        instructionId: surroundings.ids(),
        nodes: [demand.nodeNameOf(machine.seen.cluster, machine.seen.id) ?? machine.seen.id],
        gracePeriodSeconds: BigInt(intent.graceSeconds),
        preemptorPriority: intent.preemptorPriority,
        machineIds: [machine.seen.id],
      }),
      requirementsOf: (to) => demand.requirementsOf(to),
      written: (machineId, writeSignal) => writer.written(machineId, writeSignal),
    },
  });

  measureProviders(registry, () => rooms.all());
  const report = new PlanReport({
    metrics, inventory, demand, writeBacklog: () => writer.backlog, troubles: () => troubles.current(),
    actuation: () => rooms.actuationNow(),
  });
  const audit = options.auditLog === undefined ? undefined : new AuditLog(options.auditLog, wallClock, {
    write: disk.append,
    onUnrotated: (error) => log.error({ error: String(error) }, 'the audit log is full and cannot be put aside: it grows on'),
    ...(options.auditRotation && { rotation: new Rotation(options.auditLog, options.auditRotation) }),
  });
  const releases: Releases = new Releases({
    inventory, clock, log, audit,
    mode: () => settings.current.mode,
    graceSeconds: () => settings.current.policy.reclaimGraceSeconds,
    onDone: (machineId) => writer.markDirty(machineId),
  });
  const cycleController = createController({
    clock, log, workers: 1, metrics: runtimeMetrics.controller('shard', 1),
    reconciler: new CycleReconciler({
      engine, inventory, demand, clock, log, audit,
      mode: () => settings.current.mode,
      mayTakeAway: () => rooms.isSomeTrusted && mayTakeAway(),
      mayAcquire: () => rooms.unseen.size === 0,
      whyWithheld,
      cycleMs: () => settings.current.cycleMs,
      onActions: (kinds, outcome) => report.acted(kinds, outcome),
      onPlanDiffers: () => metrics.planDifferences.inc(),
      onPlanned: (plan, facts) => {
        sourceRows.planned(plan.verdicts);
        adoptObjectsMode();
        releases.stepAll();
        needStatus.planned(plan.verdicts);
        availableCapacity.planned(plan.verdicts);
        report.planned(plan, facts);
        plannedStates.planned(plan);
        statusPublisher.planned(plan, facts);
      },
    }),
  });
  // A disk that is full now will have room again: until then a person's word holds, and would not outlast the process.
  const settingsController = createController({
    clock, log, queue: createWorkQueue({ clock, backoff: KEEP_BACKOFF }),
    reconciler: { name: 'settings', reconcile: () => (settings.keep(), Promise.resolve(done)) },
  });
  const plannedStates = new PlannedStates({ capture: () => engine.capture(), wake: wakeCycle });
  const statusPublisher = new ShardStatusPublisher({
    client, namespace, shardId, clock, log,
    shardObject,
    providers: () => rooms.sights(),
    ...(options.statusMs !== undefined && { intervalMs: options.statusMs }),
    facts: () => {
      const inTheWay = troubles.current();
      return {
        epoch, holder: identity, sessions: hub.count, leaseProven: election.isProven(), supplyTrusted: rooms.areTrusted, isSomeTrusted: rooms.isSomeTrusted, setAside: rooms.setAside,
        unseen: rooms.unseen, fenced: rooms.fenced, objectsMode, unmetSince: (verdict) => report.unmetSince(verdict, inTheWay), troubles: inTheWay,
      };
    },
  });

  inventory.onChange((change) => {
    if (!change.after) restoration.gone(change.id);
    if (change.disowned) {
      writer.forget(change.id);
      for (const { cluster, update } of change.before ? framesForDisowned(change.before) : []) hub.sendNodeState(cluster, update);
      wakeCycle();
      return;
    }
    for (const { cluster, left, update } of framesFor(change.before, change.after)) {
      hub.sendNodeState(cluster, left && hub.additions(cluster) ? asGone(update) : update);
    }
    // Not only with the next plan: the List of a large fleet must not queue an object for each machine.
    if (!change.before) adoptObjectsMode();
    if (change.after) writer.markDirty(change.id);
    else if (!change.before?.hold) writer.markGone(change.id); // a person's word outlasts the machine
    if (isWork(change)) rooms.enqueue(change.id);
    releases.step(change.id);
    if (isNewsForThePlan(change)) wakeCycle();
    measureChange(change, metrics, clock);
    restoration.observed(change.id);
  });

  providerInformer.subscribe((event) => {
    rooms.look();
    if (event.type !== 'deleted' && event.object.spec.shardRef === shardId) rooms.add(event.object);
  });

  // Objects of people's making: settings, holds, deletions, machines of other shards.
  shardInformer.subscribe(adoptSettings);
  shardInformer.subscribe(() => succession.look(epoch, shardObject()));
  adoptSettings();
  machineInformer.subscribe((event) => {
    const object = event.type === 'deleted' ? event.old : event.object;
    const machineId = object.spec.machineId;
    const foreign = event.type !== 'deleted' && object.spec.shardRef !== shardId;
    if (foreign !== foreignMachines.has(machineId)) setForeign(machineId, foreign);
    if (event.type === 'deleted' || foreign) restoration.gone(machineId);
    if (object.spec.shardRef !== shardId) return;
    if (event.type === 'added') restoration.offer(object);
    if (event.type === 'deleted' && !inventory.get(machineId)) releases.forget(machineId);
    // A deleted object says nothing about the machine, and takes no hold with it: it comes back as it was.
    if (event.type !== 'deleted') adoptHold(object);
    if (event.type !== 'deleted' && isReleaseRequest(object)) releases.ask(machineId);
    writer.observed(machineId, event.type === 'deleted' ? undefined : object);
  });

  const server = surroundings.server({
    listen: options.listen, clock, log, hub,
    ...(tlsFiles && rights && { tls: { files: tlsFiles, rights, onRefused: (reason) => metrics.peersRefused.inc({ reason }) } }),
    needViews: () => report.needViews(),
    view: new ShardView({
      needViews: () => report.needViews(),
      machine: (machineId) => inventory.get(machineId),
      machines: () => inventory.all(),
      machinesOf: (cluster) => inventory.ofCluster(cluster),
      hintOf: (cluster, machineId) => demand.hintOf(cluster, machineId),
      nodeNameOf: (cluster, machineId) => demand.nodeNameOf(cluster, machineId),
      clusterFacts: (cluster) => ({ connected: hub.connected(cluster), lastRollupUnixNanos: demand.timestampOf(cluster), held: (demand.heldByCluster().get(cluster) ?? 0) > 0 }),
      plannedState: () => plannedStates.next(),
      withheld: () => [
        ...(settings.current.mode === 'Active' ? [] : [obstacle(settings.current.mode, `The shard is in mode ${settings.current.mode}: it decides and does not act.`)]),
        ...(audit?.failure ? [obstacle('AuditLogUnwritable', `What takes machines away waits: the audit log could not be written (${audit.failure}).`)] : []),
        ...(rooms.fenced ? [obstacle('Fenced', rooms.fenced)] : []),
        ...(rooms.unseen.size > 0 ? [obstacle('BoundMachinesUnseen', `Nothing is acquired: ${tellUnseen(rooms.unseen)}.`)] : []),
        ...[...rooms.setAside].map((name) => obstacle('ProviderSetAside', `Provider ${name} cannot be relied on at present: nothing is taken away or chosen of what it has.`)),
      ],
    }),
  });
  starting = '';
  health.addReadiness('fence', () => (rooms.fenced ? `fenced: ${rooms.fenced}` : undefined));
  health.addReadiness('provider', () => ([...rooms.all()].some((room) => room.poller.status.lastListAt > 0) ? undefined : 'no successful List yet'));

  const manager = createManager({
    clock, log, health, graceMs: 10_000, handleSignals: surroundings.handlesSignals,
    groups: [
      { name: 'leader', runnables: [election, succession, settingsController], ready: (s) => waitForLeadership(s) },
      // Whose a machine is must be known before the first List is looked at.
      { name: 'objects', runnables: [], ready: (s) => recall(s) },
      { name: 'supply', runnables: [statusPublisher, rooms.supply], ready: (s) => waitForSupply(s) },
      { name: 'actuation', runnables: [writer, rooms.actuation] },
      { name: 'decisions', runnables: [cycleController] },
      { name: 'sessions', runnables: [server] },
    ],
  });
  try {
    await manager.run(signal);
  } finally {
    needStatus.stop();
    availableCapacity.stop();
    restoration.stop();
    plannedStates.stop();
    rooms.close();
    await disconnect();
  }

  async function waitForLeadership(s: AbortSignal): Promise<void> {
    await election.waitUntilLeader(s);
    epoch = await claimEpoch({
      client, namespace, shardId, dataDir: options.dataDir, transitions: election.transitions ?? 0, holder: identity,
      lastSeen: shardObject(), pass: () => guard.pass(s), disk, clock, random, log, signal: s,
    });
    log.info({ epoch: String(epoch), identity }, 'leading');
    succession.look(epoch, shardObject());
  }

  /** Whose a machine is, and what was decided about it, is known before the first List. */
  async function recall(s: AbortSignal): Promise<void> {
    await machineInformer.waitForSync(s);
    rooms.recall();
  }

  /** Until the first List has been merged: deciding on an empty inventory would report everything as missing. */
  async function waitForSupply(s: AbortSignal): Promise<void> {
    await rooms.waitUntilListed(s);
    restoration.begin(machineInformer.store.values());
  }

  /** A machine's owner is what its object says, else the shard of its provider (D15). */
  function setForeign(machineId: string, foreign: boolean): void {
    if (foreign) {
      foreignMachines.add(machineId);
      inventory.disown(machineId);
    } else {
      foreignMachines.delete(machineId);
      rooms.listFully();
    }
    metrics.foreignMachines.set(foreignMachines.size);
  }

  function adoptHold({ spec }: Machine): void {
    const hold = spec.hold ?? false;
    const known = inventory.get(spec.machineId);
    if (known && known.hold !== hold) inventory.update(spec.machineId, { hold });
  }

  function adoptSettings(): void {
    const object = shardObject();
    const before = settings.current.mode;
    if (!object || !settings.adopt(object)) return;
    const { mode, policy } = settings.current;
    metrics.paused.set(mode === 'Paused' ? 1 : 0);
    if (before !== mode) log.info({ from: before, to: mode }, 'mode changed');
    engine.apply({ kind: 'policy', policy });
    settingsController.enqueue(SETTINGS_KEY);
    if (before !== mode) releases.stepAll(); // before anything else acts
    wakeCycle();
    void inTurns(inventory.tally.withIntent(), (id) => rooms.reconsiderMachine(id));
  }

  /** A short pause gathers what arrives together into one plan. */
  function wakeCycle(): void {
    cycleController.enqueueAfter(CYCLE_KEY, options.minCycleMs);
  }

  function wakeMachinesOf(cluster: string): void {
    void inTurns(inventory.ofCluster(cluster), ({ seen, intent }) => {
      if (intent?.kind === 'bind' && intent.to.cluster === cluster) rooms.reconsiderMachine(seen.id);
    });
  }

  /** Too many objects would be more than one API server should hold: then only exceptions are kept (D22). */
  function adoptObjectsMode(): void {
    const mode = machineObjectsMode(settings.current.machineObjects, objectsMode, inventory.tally.nonSpeculative);
    if (mode === objectsMode) return;
    log.info({ from: objectsMode, to: mode, machines: inventory.size }, 'which machines are kept as objects has changed');
    objectsMode = mode;
    void inTurns(inventory.all(), ({ seen }) => writer.markDirty(seen.id));
  }
}

function withoutManagedFields(machine: Machine): Machine {
  const { managedFields: _dropped, ...metadata } = machine.metadata as Machine['metadata'] & { managedFields?: unknown };
  return { ...machine, metadata };
}

/** Until the manager takes over the signals. */
function onTermination(stop: () => void): () => void {
  process.once('SIGTERM', stop).once('SIGINT', stop);
  return () => void process.off('SIGTERM', stop).off('SIGINT', stop);
}

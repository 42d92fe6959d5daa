import { accessSync, constants, existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { sleep } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { makeFolder } from '../lib/make-folder.ts';
import type { Random } from '../lib/random.ts';
import { UsageError } from '../lib/usage-error.ts';
import { createKubeClient } from '../runtime/client/kube-client.ts';
import type { KubeClientHandle } from '../runtime/client/kube-client.ts';
import { silentLog } from '../runtime/types.ts';
import { bootstrapTemplate } from '../world/bootstrap-blob.ts';
import { plannedPods } from '../world/demand/plan.ts';
import type { WorldReport } from '../world/supervision.ts';
import type { Trace } from '../world/trace/read-trace.ts';
import { connectedClusters, countLeft, pendingByReason } from './api-questions.ts';
import { banner } from './banner.ts';
import { agentProcesses, providerProcess, shardProcess, worldProcess } from './commands.ts';
import { conclude } from './conclude.ts';
import { demandSource } from './demand-source.ts';
import { Fleet } from './fleet.ts';
import { hubObjects } from './hub-objects.ts';
import { layoutOf } from './layout.ts';
import type { Layout } from './layout.ts';
import { watchCluster, watchHub } from './observer/cluster-watch.ts';
import { FileTail } from './observer/file-tail.ts';
import { Observation } from './observer/observation.ts';
import { choosePorts } from './ports.ts';
import type { Ports } from './ports.ts';
import { Progress } from './progress.ts';
import type { UpReport } from './report.ts';
import { ResourceUsage } from './resource-usage.ts';
import type { UpSettings } from './settings.ts';
import { toldText } from './told-text.ts';

export interface UpDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when the person wants to stop. */
  readonly signal: AbortSignal;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly terminal: boolean;
}

const START_LIMIT_MS = 60_000;
const LOOK_MS = 250;
const SAMPLE_MS = 1_000;
const MAX_ACCUSATIONS = 20;

/** Runs the whole demonstration and reports; the answer is the exit code (spec: demo, reports). */
export async function runUp(settings: UpSettings, deps: UpDeps): Promise<number> {
  const source = demandSource(settings);
  const ports = await choosePorts(settings.clusters, settings.portBase);
  const layout = prepareFolder(settings, ports, source);
  const run = new Run(settings, deps, source, ports, layout);
  deps.stderr(banner(settings, ports, layout));
  return conclude(run, await run.play(), { ...settings, root: layout.root }, deps);
}

function prepareFolder(settings: UpSettings, ports: Ports, source: Trace): Layout {
  const { dataDir } = settings;
  if (dataDir !== undefined) checkDataDir(dataDir);
  const root = dataDir === undefined ? mkdtempSync(join(tmpdir(), 'bigfleet-up-')) : resolve(dataDir);
  const layout = layoutOf(root);
  for (const folder of [layout.world, layout.logs, layout.shardState, layout.providerState]) makeFolder(folder);
  writeFileSync(layout.demandPlan, JSON.stringify(source.demand));
  writeFileSync(layout.providerSeeds, source.machines.map((machine) => `${JSON.stringify(machine)}\n`).join(''));
  writeFileSync(layout.hubObjects, JSON.stringify(hubObjects(settings, ports)));
  for (const cluster of ports.clusters.keys()) writeFileSync(layout.bootstrapTemplate(cluster), bootstrapTemplate(cluster));
  return layout;
}

/** Throws a UsageError unless the folder can be made or is empty: state of another run would be mistaken for this one's. */
function checkDataDir(dataDir: string): void {
  try {
    if (existsSync(dataDir) && readdirSync(dataDir).length === 0) accessSync(dataDir, constants.W_OK);
    else if (!existsSync(dataDir)) makeFolder(dataDir);
    else throw new UsageError(`--data-dir: ${dataDir} is not empty; name a new or an empty folder`);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--data-dir: ${dataDir} cannot be used: ${error instanceof Error ? error.message : String(error)}; name a folder that can be written`);
  }
}

type Ending = NonNullable<UpReport['stoppedBy']> | 'done';

class Run {
  private readonly settings: UpSettings;
  private readonly deps: UpDeps;
  private readonly source: Trace;
  private readonly ports: Ports;
  private readonly layout: Layout;
  private readonly observation: Observation;
  private readonly usage = new ResourceUsage();
  private readonly progress: Progress;
  private readonly fleet: Fleet;
  private readonly tails: readonly FileTail[];
  private readonly stopWatching = new AbortController();
  private readonly hub: KubeClientHandle;
  private readonly clusters: ReadonlyMap<string, KubeClientHandle>;
  private readonly startedAt: number;
  private demandBegan = false;
  private looking = true;

  constructor(settings: UpSettings, deps: UpDeps, source: Trace, ports: Ports, layout: Layout) {
    this.settings = settings;
    this.deps = deps;
    this.source = source;
    this.ports = ports;
    this.layout = layout;
    this.startedAt = deps.clock.monotonic();
    this.observation = new Observation(source.machines);
    this.progress = new Progress(deps.stderr, deps.terminal);
    this.fleet = new Fleet({
      layout, clock: deps.clock,
      onMessage: (name, message) => this.heard(name, message),
      onRestart: (name, how) => this.progress.say(`${name} ended (${how}) and is started again`),
    });
    this.tails = [
      new FileTail(layout.operationLog, (line) => this.observation.machines.take(line)),
      new FileTail(layout.auditLog, (line) => this.observation.decisions.takeAudit(line)),
      new FileTail(layout.demandLog, (line) => this.observation.takeDemand(line)),
    ];
    const client = (port: number): KubeClientHandle => createKubeClient({
      config: { server: `http://127.0.0.1:${port}` }, clock: deps.clock, random: deps.random, fieldManager: 'bigfleet-observer', userAgent: 'bigfleet-observer',
    });
    this.hub = client(ports.hub);
    this.clusters = new Map([...ports.clusters].map(([id, port]) => [id, client(port)]));
  }

  /** Until the demand has ended and everything was given back, or something ends it before. */
  async play(): Promise<UpReport> {
    this.look();
    this.sample();
    let ending: Ending;
    try {
      await this.start();
      ending = await this.untilGivenBack();
    } catch (error) {
      ending = this.deps.signal.aborted ? 'signal' : 'failure';
      if (ending === 'failure') this.progress.say(error instanceof Error ? error.message : String(error));
    }
    return this.report(ending);
  }

  /** So far: it goes on counting while the processes are kept up. */
  get restarts(): number {
    return this.fleet.restarts;
  }

  /** Aborts when a process cannot be kept alive. */
  get failed(): AbortSignal {
    return this.fleet.failed;
  }

  say(text: string): void {
    this.progress.say(text);
  }

  async stop(): Promise<void> {
    this.looking = false;
    this.stopWatching.abort(new Error('the run is over'));
    await this.fleet.stop();
    await Promise.all([this.hub, ...this.clusters.values()].map((client) => client.close()));
    for (const tail of this.tails) tail.close();
  }

  private async start(): Promise<void> {
    const { settings, ports, layout, fleet } = this;
    const limit = AbortSignal.any([this.deps.signal, AbortSignal.timeout(START_LIMIT_MS), fleet.failed]);
    fleet.start(worldProcess(settings, ports, layout));
    await this.worldReady(limit);
    this.watch();
    fleet.start(providerProcess(settings, ports, layout));
    fleet.start(shardProcess(settings, ports, layout));
    for (const spec of agentProcesses(settings, ports, layout)) fleet.start(spec);
    while ((await connectedClusters(this.hub)) < ports.clusters.size) await sleepOr(this.deps.clock, LOOK_MS, limit, 'the clusters did not connect to the shard in time', fleet);
    this.demandBegan = true;
    fleet.send('world', { kind: 'start' });
    for (const { name, atMs } of settings.kills) {
      this.deps.clock.after(atMs, () => {
        if (!this.looking) return;
        this.progress.say(`kill -9 ${name}`);
        fleet.kill(name);
      });
    }
  }

  private resolveWorldReady: () => void = () => {};

  private async worldReady(limit: AbortSignal): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.resolveWorldReady = resolve;
    });
    await Promise.race([ready, rejection(limit, 'the API servers did not start in time', this.fleet)]);
  }

  private heard(name: string, message: unknown): void {
    if (name !== 'world') return;
    const report = message as WorldReport;
    if (report.kind === 'ready') {
      this.resolveWorldReady();
      if (this.demandBegan) this.fleet.send('world', { kind: 'start' });
    } else if (report.kind === 'told') {
      this.progress.say(toldText(report.event));
    }
  }

  private watch(): void {
    const { clock, random } = this.deps;
    const deps = { clock, random, log: silentLog };
    const informers = [
      ...watchHub({ ...deps, client: this.hub }, this.observation),
      ...[...this.clusters].flatMap(([id, client]) => watchCluster(id, { ...deps, client }, this.observation)),
    ];
    for (const informer of informers) void informer.run(this.stopWatching.signal);
  }

  private async untilGivenBack(): Promise<Ending> {
    const { clock, signal } = this.deps;
    const planned = plannedPods(this.source.demand).length;
    const began = clock.monotonic();
    for (;;) {
      if (signal.aborted) return 'signal';
      if (this.fleet.failed.aborted) throw this.fleet.failed.reason;
      if (clock.monotonic() - began > this.settings.timeLimitMs) return 'timeLimit';
      if (this.observation.isQuiet(planned) && Object.values(await countLeft(this.clusters.values())).every((left) => left === 0)) return 'done';
      await sleep(clock, LOOK_MS, signal).catch(() => undefined);
    }
  }

  /** Reads the logs and shows progress, four times a second. */
  private look(): void {
    if (!this.looking) return;
    for (const tail of this.tails) tail.read();
    this.progress.tick(this.observation, this.deps.clock.now());
    this.deps.clock.after(LOOK_MS, () => this.look());
  }

  private sample(): void {
    if (!this.looking) return;
    this.usage.sample([{ name: 'supervisor', pid: process.pid }, ...this.fleet.processes()]);
    this.deps.clock.after(SAMPLE_MS, () => this.sample());
  }

  private async report(ending: Ending): Promise<UpReport> {
    const { observation, source, settings } = this;
    const { machines, nodes, pods, decisions } = observation;
    const left = ending === 'done' || ending === 'timeLimit' ? await countLeft(this.clusters.values()) : {};
    const waiting = pods.waiting();
    const reasons = waiting.length === 0 ? {} : await pendingByReason(this.clusters, waiting);
    for (const tail of this.tails) tail.read();
    this.progress.clear();
    for (const accusation of observation.accusations().slice(0, MAX_ACCUSATIONS)) this.progress.say(accusation);
    const now = this.deps.clock.now();
    this.progress.ended(observation, now);
    return {
      kind: 'UpReport',
      demand: { source: source.demand.source, clusters: settings.clusters, pods: plannedPods(source.demand).length },
      pods: { ...observation.counts(), alivePeak: pods.alivePeak, pending: waiting.length, pendingByReason: reasons },
      machines: { known: machines.known, boundPeak: machines.boundPeak, boundAtEnd: machines.boundNow, byType: machines.boundPeakByType() },
      actions: decisions.actions(),
      providerCalls: machines.providerCalls(),
      latencyMs: observation.latencies(),
      cost: { spentMicroUsd: machines.spentMicroUsd(now), peakMicroUsdPerHour: machines.peakMicroUsdPerHour },
      leaks: { machinesBound: machines.boundNow, ...left, nodes: nodes.count },
      violations: observation.violations(now),
      restarts: this.fleet.restarts,
      processes: this.usage.processes(),
      peakRssBytes: this.usage.peakRssBytes,
      wallSeconds: Math.round((this.deps.clock.monotonic() - this.startedAt) / 100) / 10,
      ...(source.demand.traceSeconds !== undefined && { traceSeconds: source.demand.traceSeconds }),
      ...(ending !== 'done' && { stoppedBy: ending }),
    };
  }
}

async function sleepOr(clock: Clock, ms: number, limit: AbortSignal, late: string, fleet: Fleet): Promise<void> {
  try {
    await sleep(clock, ms, limit);
  } catch {
    throw reasonOf(limit, late, fleet);
  }
}

function rejection(limit: AbortSignal, late: string, fleet: Fleet): Promise<never> {
  return new Promise((_, reject) => {
    limit.addEventListener('abort', () => reject(reasonOf(limit, late, fleet)), { once: true });
  });
}

function reasonOf(limit: AbortSignal, late: string, fleet: Fleet): Error {
  if (fleet.failed.aborted && fleet.failed.reason instanceof Error) return fleet.failed.reason;
  const reason: unknown = limit.reason;
  if (reason instanceof DOMException && reason.name === 'TimeoutError') return new Error(`${late}; see the logs`);
  return reason instanceof Error ? reason : new Error(late);
}

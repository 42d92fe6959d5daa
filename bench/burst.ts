/** The `burst` suite: many Pods at once on an empty cluster, until all run; then none, until all machines are given back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeResource, PodResource } from '../src/api/resources.ts';
import type { Pod } from '../src/api/types.ts';
import { systemClock } from '../src/lib/clock.ts';
import { createInformer } from '../src/runtime/index.ts';
import { silentLog } from '../src/runtime/types.ts';
import { FileTail } from '../src/up/observer/file-tail.ts';
import { MachineLedger } from '../src/up/observer/machine-ledger.ts';
import { countLeft } from '../src/up/api-questions.ts';
import { ResourceUsage } from '../src/up/resource-usage.ts';
import type { PlannedPod } from '../src/world/demand/plan.ts';
import { podManifest, podName } from '../src/world/demand/pod-manifest.ts';
import { ApiWrites } from './burst/api-writes.ts';
import { startBurstFleet, type BurstFleet } from './burst/fleet.ts';
import { MachineRequests } from './burst/machine-requests.ts';
import { PodTimes } from './burst/pod-times.ts';
import { burstTable } from './burst/table.ts';
import { burstPods, offers } from './burst/workload.ts';
import { spreadOf } from './engine/measure.ts';
import type { BenchOptions, BenchRow, SuiteResult } from './suite.ts';

const DEFAULT_PODS = 1_000;
const CALLERS = 64;
const PATIENCE_MS = 900_000;
const REQUESTED_GOAL_MS = 5_000;
const RETURNED_GOAL_MS = 30_000;
/** Not one for each: an event for a Pod now and then is what it is there for. */
const WRITES_PER_POD_GOAL = 0.05;
const LOOK_MS = 250;

export const table = burstTable;

export const help = `flags of this suite:
  --pods N              Pods (default ${DEFAULT_PODS}); the goals are for 8152
  --pod-demand direct   the operator reads Pods itself (default requests: a CapacityRequest for each Pod)
  --trace DIR           cpu and memory of the Pods of this trace; default: invented shapes

benches, one after the other:
  burst/requested  from each Pod's creation until the machine on which it then runs is requested of the provider; 0 if it was before.
                   lastMs: from the creation of the last Pod until the last machine is requested.
                   coveredMs: … until the machines requested have as much cpu and memory as all Pods together. What is requested
                   later is for Pods that turned out not to fit beside others (the allowance), once Nodes were there to try
  burst/bound      … until the scheduler has bound it
  burst/running    … until it runs. writesPerPod: writes of CapacityRequests and events by the operator
                   A Pod that is evicted meanwhile is replaced, as its controller would; evicted says how many
  burst/returned   the Pods are deleted; from the end of the last one until the last machine is given back

API servers, scheduler, controller manager and etcd are those of Kubernetes, kwok plays the kubelets; they, and everything that
starts BigFleet's processes with the demonstration's settings, share this machine's cores.
Creation is the answer to it; bound and running are
when a watch tells of it, so that a busy API server shows. Writes are counted by the API servers' audit logs, Leases left out.`;

export async function run(options: BenchOptions): Promise<SuiteResult> {
  const { pods: count = DEFAULT_PODS, podDemand = 'requests', progress, signal } = options;
  const folder = mkdtempSync(join(tmpdir(), 'bigfleet-bench-burst-'));
  progress(`— ${count} Pods, ${podDemand}; logs in ${folder}`);
  const failures: string[] = [];
  const rows: BenchRow[] = [];
  let fleet: BurstFleet | undefined;
  try {
    fleet = await startBurstFleet(folder, podDemand, offers(count), progress, signal);
    const burst = new Burst(fleet, options, count, podDemand);
    try {
      await burst.play(rows);
    } finally {
      burst.stop();
    }
    failures.push(...burst.failures());
  } catch (error) {
    failures.push(`${error instanceof Error ? error.message : String(error)}; logs are in ${folder}`);
  } finally {
    await fleet?.stop();
  }
  if (failures.length === 0) rmSync(folder, { recursive: true, force: true });
  return { rows, failures };
}

class Burst {
  private readonly fleet: BurstFleet;
  private readonly options: BenchOptions;
  private readonly count: number;
  private readonly podDemand: 'direct' | 'requests';
  private readonly pods = new PodTimes();
  private readonly machines: MachineLedger;
  private readonly requests: MachineRequests;
  private readonly planned: readonly PlannedPod[];
  private readonly alive = new Map<string, { readonly planned: PlannedPod; readonly r: number }>();
  private readonly writes = new ApiWrites();
  private readonly usage = new ResourceUsage();
  private readonly tails: readonly FileTail[];
  private readonly over = new AbortController();
  private readonly loads: number[] = [];
  private readonly wrong: string[] = [];
  private sampledAt = 0;

  constructor(fleet: BurstFleet, options: BenchOptions, count: number, podDemand: 'direct' | 'requests') {
    this.fleet = fleet;
    this.options = options;
    this.count = count;
    this.podDemand = podDemand;
    this.planned = burstPods(count, fleet.cluster, options.trace);
    this.machines = new MachineLedger(offers(count));
    this.requests = new MachineRequests(offers(count));
    this.tails = [
      new FileTail(fleet.layout.operationLog, (line) => {
        this.machines.take(line);
        this.requests.take(line);
      }),
      ...fleet.auditLogs.map((path) => new FileTail(path, (line) => this.writes.take(line))),
    ];
  }

  failures(): string[] {
    return [...this.wrong, ...this.pods.surprises.slice(0, 5), ...(this.fleet.restarts() > 0 ? [`${this.fleet.restarts()} processes ended and were started again`] : [])];
  }

  stop(): void {
    this.over.abort(new Error('the bench is over'));
    for (const tail of this.tails) tail.close();
  }

  async play(rows: BenchRow[]): Promise<void> {
    const { client } = this.fleet;
    const informer = createInformer<Pod>({ client, clock: systemClock, random: Math.random, log: silentLog, type: PodResource, namespace: 'default', project: projectPod });
    informer.subscribe((event) => {
      this.pods.seen(event, Date.now());
      if (event.type === 'deleted' && !this.pods.mayGo) void this.replace(event.old.metadata.name).catch((error: unknown) => this.wrong.push(String(error)));
    });
    void informer.run(this.over.signal);
    await informer.waitForSync(this.over.signal);

    let isOver = false;
    try {
      await this.create();
      await this.until('all Pods run', () => this.pods.runningNow === this.count);
      this.checkRush();
      isOver = true;
    } finally {
      this.read();
      rows.push(...this.rushRows(isOver));
    }
    isOver = false;
    this.pods.mayGo = true;
    try {
      await this.remove();
      await this.until('all Pods are gone', () => this.pods.gone === this.pods.created);
      await this.until('all machines are given back', () => this.requests.allReturned);
      isOver = true;
      await this.until('nothing is left in the cluster', async () => (await this.left()) === 0);
    } finally {
      this.read();
      rows.push(this.returnedRow(isOver));
    }
    this.expect(this.machines.boundNow === 0 && this.machines.microUsdPerHour === 0, `${this.machines.boundNow} machines are bound and ${this.machines.microUsdPerHour} micro-dollars an hour are paid at the end`);
  }

  private checkRush(): void {
    const { created, bound, running, evicted } = this.pods;
    this.expect(created === this.count + evicted && bound === created && running <= created, `${created} Pods created, ${bound} bound, ${running} run, ${evicted} evicted: expected ${this.count} each, and one more for each evicted`);
    const stranger = [...this.pods.nodesInUse()].find((node) => this.requests.at(node) === undefined);
    this.expect(stranger === undefined, `Pods run on ${stranger}, which nobody requested of the provider`);
    this.expect(this.podDemand === 'requests' || this.writes.ofRequests === 0, `${this.writes.ofRequests} writes of CapacityRequests, of which there are to be none`);
  }

  /** Of a run that was cut short what there is, without a word on goals. */
  private rushRows(isOver: boolean): BenchRow[] {
    const { evicted, lastCreatedAt } = this.pods;
    const goals = (...all: ReturnType<typeof goal>[]): { goals?: typeof all } => (isOver && all.length > 0 ? { goals: all } : {});
    const lastMs = Math.max(0, this.requests.lastAt - lastCreatedAt);
    const covered = this.requests.coveredAt(this.planned.map((each) => each.requests));
    const afterMs = { lastMs, ...(covered && { coveredMs: Math.max(0, covered.at - lastCreatedAt), machinesWhenCovered: covered.machines }) };
    const bought = { evicted, machines: this.requests.count, machinesInUse: this.pods.nodesInUse().size, microUsdPerHour: this.machines.microUsdPerHour };
    const writesPerPod = this.writes.ofPods / this.count;
    return [
      { bench: 'burst/requested', ...this.common(isOver), ...spread(this.pods.toRequested((node) => this.requests.at(node))), ...afterMs, ...bought, ...goals(goal('lastMs', REQUESTED_GOAL_MS, lastMs)) },
      { bench: 'burst/bound', ...this.common(isOver), ...spread(this.pods.toBound()) },
      {
        bench: 'burst/running', ...this.common(isOver), ...spread(this.pods.toRunning()), ...this.costs(), writesPerPod,
        ...goals(...(this.podDemand === 'direct' ? [goal('writesPerPod', WRITES_PER_POD_GOAL, writesPerPod)] : [])),
      },
    ];
  }

  private returnedRow(isOver: boolean): BenchRow {
    const returnedMs = this.requests.lastReturnedAt - this.pods.lastGoneAt;
    return {
      bench: 'burst/returned', ...this.common(isOver), machines: this.requests.returned, ...this.costs(),
      ...(isOver && { maxMs: returnedMs, goals: [goal('maxMs', RETURNED_GOAL_MS, returnedMs)] }),
    };
  }

  private common(isOver: boolean): Pick<BenchRow, 'shape'> & Partial<BenchRow> {
    return {
      shape: `${this.count} pods, ${this.podDemand}`, controlPlane: 'processes', kubernetes: this.fleet.kubernetes, pods: this.count, podDemand: this.podDemand,
      ...(!isOver && { cutShort: true }),
    };
  }

  private costs(): Partial<BenchRow> {
    return {
      apiWrites: this.writes.byProcess(), apiWritesTotal: this.writes.total, processes: this.usage.processes(),
      ...(this.loads.length > 0 && { loadAverage: Math.round(Math.max(...this.loads) * 10) / 10 }),
    };
  }

  /** As fast as the API server takes them. */
  private async create(): Promise<void> {
    const queue = this.planned.values();
    const began = Date.now();
    await Promise.all(Array.from({ length: CALLERS }, async () => {
      for (const each of queue) {
        this.options.signal.throwIfAborted();
        await this.submit(each, 0);
        this.read();
      }
    }));
    this.options.progress(`${this.pods.created} Pods created in ${((Date.now() - began) / 1_000).toFixed(1)} s`);
  }

  private async submit(planned: PlannedPod, r: number): Promise<void> {
    const name = podName(planned, r);
    this.alive.set(name, { planned, r });
    const { metadata } = await this.fleet.client.create<Pod>(PodResource, { ...podManifest(planned, r), metadata: { name, namespace: 'default' } });
    this.pods.createdOne(metadata.uid ?? '', Date.now(), r > 0);
  }

  /** What a controller would do for a Pod that was evicted. */
  private async replace(name: string): Promise<void> {
    const gone = this.alive.get(name);
    if (!gone || !this.alive.delete(name)) return;
    await this.submit(gone.planned, gone.r + 1);
  }

  private async remove(): Promise<void> {
    const queue = [...this.alive.keys()].values();
    await Promise.all(Array.from({ length: CALLERS }, async () => {
      for (const name of queue) await this.fleet.client.delete(PodResource, { namespace: 'default', name });
    }));
  }

  private async left(): Promise<number> {
    let nodes = 0;
    for await (const _ of this.fleet.client.list(NodeResource)) nodes++;
    const { capacityRequests = 1, upcomingNodes = 1 } = await countLeft([this.fleet.client]);
    return nodes + capacityRequests + upcomingNodes;
  }

  private async until(what: string, isOver: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    for (let told = performance.now(); ; ) {
      this.read();
      if (await isOver()) return;
      this.options.signal.throwIfAborted();
      this.fleet.failed.throwIfAborted();
      const { created, bound, running, gone } = this.pods;
      const state = `Pods ${created} created, ${bound} bound, ${running} run, ${gone} gone · machines ${this.requests.count} requested, ${this.machines.boundNow} bound, ${this.requests.returned} returned`;
      if (performance.now() > end) throw new Error(`${what}: not within ${PATIENCE_MS / 1_000} s: ${state}`);
      if (performance.now() - told > 5_000) {
        told = performance.now();
        this.options.progress(state);
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  private read(): void {
    for (const tail of this.tails) tail.read();
    if (performance.now() - this.sampledAt < 1_000) return;
    this.sampledAt = performance.now();
    this.loads.push(loadavg()[0] ?? 0);
    this.usage.sample(this.fleet.processes());
  }

  private expect(holds: boolean, message: string): void {
    if (!holds) this.wrong.push(message);
  }
}

function spread(ms: readonly number[]): Partial<ReturnType<typeof spreadOf>> {
  return ms.length > 0 ? spreadOf(ms) : {};
}

function goal(field: string, below: number, value: number): { field: string; below: number; met: boolean } {
  return { field, below, met: value < below };
}

function projectPod({ metadata, spec, status }: Pod): Pod {
  const { name, namespace = '', uid = '', resourceVersion = '' } = metadata;
  return { metadata: { name, namespace, uid, resourceVersion }, spec: { containers: [], ...(spec.nodeName && { nodeName: spec.nodeName }) }, status: { ...(status?.phase && { phase: status.phase }) } };
}

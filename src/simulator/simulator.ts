/**
 * The whole loop in virtual time around the real engine: clusters own Pods, their operators report what the Pods ask for,
 * the engine decides, machines move, Nodes join and leave, Pods are evicted, recreated and bound. Nothing here reads a
 * clock; equal inputs give equal runs. Every tick is checked: no machine is lost or serves two clusters, no Pod is bound
 * twice or to a machine that is not its cluster's, every action is legal for its machine.
 */
import { createEngine } from '../engine/engine.ts';
import { arrivalKey } from '../engine/keys.ts';
import type { Action, ActionKind, Engine, EngineMachine, Millis, Need, NeedVerdict, Plan, Policy } from '../engine/types.ts';
import { covers, labelsMatch } from './fitting.ts';
import { Cluster } from './cluster.ts';
import type { Placement } from './cluster.ts';
import { DemandReporter } from './demand.ts';
import type { DemandModel } from './demand.ts';
import { Fleet } from './fleet.ts';
import type { Dwell } from './fleet.ts';
import { decided } from './machine-life.ts';
import type { SimulatedPod, Template } from './pod.ts';

export interface SimulatorOptions {
  readonly clusters: readonly string[];
  readonly machines: readonly EngineMachine[];
  readonly policy: Policy;
  readonly demand: DemandModel;
  readonly placement: Placement;
  /** How many Pods the scheduler of a cluster tries in a tick; absent: all, and again whenever something has changed. */
  readonly triesPerTick?: number;
  readonly dwell: Dwell;
  /** From Configured to a Node that takes Pods. */
  readonly nodeReadyMs: (machine: EngineMachine) => Millis;
  /** Whether somebody recreates a Pod that was evicted or lost its machine. */
  readonly controllers: boolean;
  readonly tickMs: Millis;
  /** How often each cluster reports, a multiple of the tick; clusters are spread over it. */
  readonly rollupMs: Millis;
  /** 'rotating' makes another cluster the first to have asked in every tick: a hostile world. */
  readonly arrivals: 'kept' | 'rotating';
}

export interface Tick {
  /** From 1. */
  readonly cycle: number;
  readonly actions: Readonly<Record<ActionKind, number>>;
  /** Needs that were not satisfied. */
  readonly shortfalls: number;
  readonly configured: number;
  readonly bound: number;
  readonly pending: number;
  readonly live: number;
  /** Pods that lost their machine to a decision of this tick. */
  readonly evicted: number;
  /** Reclaims of a machine that an unsatisfied Need of the same plan could have used. */
  readonly reclaimedThoughWanted: number;
}

const START: Millis = 1_800_000_000_000;

export class Simulator {
  readonly engine: Engine;
  readonly fleet: Fleet;
  readonly clusters = new Map<string, Cluster>();
  /** From creation to binding, one for each Pod that was bound. */
  readonly waitsMs: Millis[] = [];
  evictedTotal = 0;
  boundTotal = 0;
  now = START;
  cycle = 0;
  plan: Plan | undefined;

  readonly #options: SimulatorOptions;
  readonly #reporters = new Map<string, DemandReporter>();
  readonly #needs = new Map<string, readonly Need[]>();
  readonly #changed = new Map<string, EngineMachine>();
  readonly #decided: string[] = [];
  readonly #readyAt = new Map<string, Millis>();
  readonly #endings = new Map<number, SimulatedPod[]>();
  #sequence = 0;
  #evicted = 0;
  #spent = 0;
  #spentInUse = 0;
  #news = true;

  constructor(options: SimulatorOptions) {
    this.#options = options;
    this.engine = createEngine(options.policy);
    this.fleet = new Fleet(options.machines, options.dwell, {
      changed: (machine) => this.#tell(machine),
      draining: (machine) => this.#evict(machine.id, machine.cluster),
      configured: (machine) => this.#join(machine),
    });
    this.engine.apply({ kind: 'machines', upserted: options.machines, removed: [] });
    this.engine.apply({ kind: 'supply', trusted: true });
    for (const name of options.clusters) {
      const cluster = new Cluster(name, options.placement, options.triesPerTick);
      this.clusters.set(name, cluster);
      this.#reporters.set(name, new DemandReporter(cluster, options.demand));
      this.engine.apply({ kind: 'session', cluster: name, connected: true });
    }
    for (const machine of options.machines) if (machine.state === 'Configured') this.clusterOf(machine.cluster).join(machine, true);
  }

  submit(cluster: string, template: Template, lifeMs: Millis = Infinity): SimulatedPod {
    const sequence = this.#sequence++;
    const pod: SimulatedPod = { id: `pod-${sequence}`, cluster, template, createdAt: this.now, lifeMs, sequence, machine: undefined, boundAt: undefined };
    this.clusterOf(cluster).submit(pod);
    this.reporterOf(cluster).created(pod);
    return pod;
  }

  remove(pod: SimulatedPod): void {
    this.clusterOf(pod.cluster).remove(pod);
    this.reporterOf(pod.cluster).gone(pod);
  }

  /** Takes Pods away: those that wait first, then the newest. */
  scaleDown(cluster: string, count: number, which: (pod: SimulatedPod) => boolean = () => true): void {
    const pods = [...this.clusterOf(cluster).pods.values()].filter(which);
    pods.sort((a, b) => Number(a.machine !== undefined) - Number(b.machine !== undefined) || b.sequence - a.sequence);
    for (const pod of pods.slice(0, count)) this.remove(pod);
  }

  /** Binds what fits at this moment, as before the first cycle. */
  fill(): void {
    for (const cluster of this.clusters.values()) for (const pod of cluster.schedule(this.now)) this.#noteBound(pod);
    this.waitsMs.length = 0;
  }

  /** The machine is gone without a word. */
  lose(id: string): void {
    const machine = this.fleet.get(id);
    this.fleet.remove(id);
    this.#changed.delete(id);
    this.#readyAt.delete(id);
    this.engine.apply({ kind: 'machines', upserted: [], removed: [id] });
    this.#news = true;
    if (machine.cluster !== '') this.#replace(this.clusterOf(machine.cluster).leave(id));
  }

  /** One moment of the world and, when there is anything to decide on, one plan. */
  step(): Tick {
    this.cycle++;
    this.#evicted = 0;
    this.fleet.mature(this.now);
    this.#finishPods();
    this.#readyNodes();
    this.#report();
    const plan = this.#decide();
    for (const id of this.#decided.splice(0)) this.fleet.advance(id, this.now);
    this.#readyNodes();
    for (const cluster of this.clusters.values()) for (const pod of cluster.schedule(this.now)) this.#noteBound(pod);
    this.fleet.check();
    for (const cluster of this.clusters.values()) cluster.check((id) => this.fleet.ownerOf(id));
    const tick = this.#tick(plan);
    this.#spent += (this.fleet.microUsdPerHour * this.#options.tickMs) / 3_600_000;
    this.#spentInUse += (this.fleet.microUsdPerHourInUse * this.#options.tickMs) / 3_600_000;
    this.now += this.#options.tickMs;
    return tick;
  }

  run(cycles: number): Tick[] {
    return Array.from({ length: cycles }, () => this.step());
  }

  /** On everything that stands. */
  get spentMicroUsd(): number {
    return Math.round(this.#spent);
  }

  /** Without the fleet's own machines while they stand Idle. */
  get spentInUseMicroUsd(): number {
    return Math.round(this.#spentInUse);
  }

  get livePods(): number {
    return [...this.clusters.values()].reduce((sum, cluster) => sum + cluster.pods.size, 0);
  }

  clusterOf(name: string): Cluster {
    return found(this.clusters.get(name), name);
  }

  reporterOf(name: string): DemandReporter {
    return found(this.#reporters.get(name), name);
  }

  #report(): void {
    const { clusters, rollupMs, tickMs, arrivals } = this.#options;
    const ticks = Math.max(1, Math.round(rollupMs / tickMs));
    const changes: { what: 'arrival'; key: string; at: Millis }[] = [];
    clusters.forEach((_, turn) => {
      const index = (turn + this.cycle) % clusters.length;
      const name = clusters[index] ?? '';
      if ((this.cycle + Math.floor((index * ticks) / clusters.length)) % ticks !== 0) return;
      const { needs, hints } = this.reporterOf(name).report(this.now, () => this.#onItsWay(name));
      this.#needs.set(name, needs);
      this.engine.apply({ kind: 'needs', cluster: name, needs });
      this.engine.apply({ kind: 'hints', cluster: name, hints });
      this.#news = true;
      for (const need of needs) changes.push({ what: 'arrival', key: arrivalKey(name, need.fingerprint, need.group), at: this.cycle * clusters.length + turn });
    });
    if (arrivals === 'rotating') this.engine.apply({ kind: 'memory', changes });
  }

  #onItsWay(cluster: string): EngineMachine[] {
    const unready = [...this.clusterOf(cluster).nodes.values()].filter((node) => !node.ready).map((node) => node.machine);
    return [...unready, ...this.fleet.comingTo(cluster)];
  }

  #decide(): Plan | undefined {
    if (this.#changed.size > 0) {
      this.engine.apply({ kind: 'machines', upserted: [...this.#changed.values()], removed: [] });
      this.#changed.clear();
      this.#news = true;
    }
    if (!this.#news && (this.plan?.wakeAt ?? Infinity) > this.now) return undefined;
    this.#news = false;
    const plan = this.engine.plan(this.now);
    this.engine.apply({ kind: 'memory', changes: plan.memory });
    this.#judge(plan);
    for (const action of plan.actions) this.#take(action);
    this.plan = plan;
    return plan;
  }

  #take(action: Action): void {
    this.fleet.put(decided(this.fleet.get(action.machineId), action));
    this.#decided.push(action.machineId);
  }

  #judge(plan: Plan): void {
    const byCluster = Map.groupBy(plan.verdicts, ({ need }) => need.cluster);
    for (const name of this.#needs.keys()) this.reporterOf(name).judged(byCluster.get(name) ?? []);
  }

  #tell(machine: EngineMachine): void {
    this.#changed.set(machine.id, machine);
  }

  #join(machine: EngineMachine): void {
    const ms = this.#options.nodeReadyMs(machine);
    this.clusterOf(machine.cluster).join(machine, ms === 0);
    if (ms > 0) this.#readyAt.set(machine.id, this.now + ms);
  }

  #readyNodes(): void {
    for (const [id, at] of this.#readyAt) {
      if (at > this.now) continue;
      this.#readyAt.delete(id);
      const { cluster } = this.fleet.get(id);
      if (cluster !== '') this.clusterOf(cluster).becomesReady(id);
    }
  }

  #evict(id: string, cluster: string): void {
    this.#readyAt.delete(id);
    const pods = this.clusterOf(cluster).leave(id);
    this.#evicted += pods.length;
    this.evictedTotal += pods.length;
    this.#replace(pods);
  }

  #replace(pods: readonly SimulatedPod[]): void {
    for (const pod of pods) {
      this.reporterOf(pod.cluster).gone(pod);
      if (this.#options.controllers) this.submit(pod.cluster, pod.template, pod.lifeMs - (this.now - (pod.boundAt ?? this.now)));
    }
  }

  #noteBound(pod: SimulatedPod): void {
    this.reporterOf(pod.cluster).bound(pod);
    this.waitsMs.push(this.now - pod.createdAt);
    this.boundTotal++;
    if (pod.lifeMs === Infinity) return;
    const at = this.cycle + Math.max(1, Math.ceil(pod.lifeMs / this.#options.tickMs));
    const others = this.#endings.get(at);
    if (others) others.push(pod);
    else this.#endings.set(at, [pod]);
  }

  #finishPods(): void {
    for (const pod of this.#endings.get(this.cycle) ?? []) if (this.clusterOf(pod.cluster).pods.get(pod.id) === pod) this.remove(pod);
    this.#endings.delete(this.cycle);
  }

  #tick(plan: Plan | undefined): Tick {
    const actions: Record<ActionKind, number> = { Bootstrap: 0, Provision: 0, Reclaim: 0, Preempt: 0, Delete: 0, Withdraw: 0 };
    for (const { kind } of plan?.actions ?? []) actions[kind]++;
    const pending = [...this.clusters.values()].reduce((sum, cluster) => sum + cluster.pending.size, 0);
    return {
      cycle: this.cycle,
      actions,
      shortfalls: (plan ?? this.plan)?.stats.unmet ?? 0,
      configured: this.fleet.count('Configured'),
      bound: this.livePods - pending,
      pending,
      live: this.livePods,
      evicted: this.#evicted,
      reclaimedThoughWanted: plan === undefined || actions.Reclaim === 0 ? 0 : this.#reclaimedThoughWanted(plan),
    };
  }

  #reclaimedThoughWanted({ actions, verdicts }: Plan): number {
    const unmet = verdicts.filter((verdict) => !verdict.satisfied);
    const wanted = (machine: EngineMachine) => ({ need, deficit }: NeedVerdict): boolean =>
      labelsMatch(need.profile, machine) && covers(machine, need.minUnit) && deficit.some(([dimension, amount]) => amount > 0 && covers(machine, [[dimension, 1]]));
    return actions.filter(({ kind, machineId }) => kind === 'Reclaim' && unmet.some(wanted(this.fleet.get(machineId)))).length;
  }
}

function found<T>(value: T | undefined, cluster: string): T {
  if (value === undefined) throw new Error(`there is no cluster "${cluster}"`);
  return value;
}

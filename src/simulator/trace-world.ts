/** A recorded trace as a simulated fleet: the demonstration's machines, demand and settings (spec: demo). */
import { parseResources } from '../api/resource-vector.ts';
import { stableHash } from '../lib/random.ts';
import { capacityRequestFor } from '../operator/pod-request.ts';
import type { EngineMachine, Millis, Policy } from '../engine/types.ts';
import { podManifest } from '../world/demand/pod-manifest.ts';
import { plannedPods } from '../world/demand/plan.ts';
import type { PlannedPod } from '../world/demand/plan.ts';
import { clusterNames } from '../world/labels.ts';
import type { Trace } from '../world/trace/read-trace.ts';
import type { SeedInstance } from '../world/seed-instance.ts';
import type { Transition } from './machine-life.ts';
import { templateOf } from './pod.ts';
import type { Template } from './pod.ts';
import { Simulator } from './simulator.ts';

/** What is compared: everything else is the same in every run. */
export interface TracePolicy {
  /** D2 */
  readonly unitClasses: boolean;
  /** D13 */
  readonly busyFirst: boolean;
  /** D32; needs busyFirst, because without hints every machine counts as empty. */
  readonly patienceMs: Millis;
  /** D3 */
  readonly allowances: boolean;
}

export interface TraceOutcome {
  readonly pods: number;
  readonly finished: number;
  readonly pendingAtEnd: number;
  readonly evictions: number;
  /** On everything that stands, to the end of the last Pod. */
  readonly spentMicroUsd: number;
  /** Without the fleet's own machines while they stand Idle. */
  readonly spentInUseMicroUsd: number;
  /** Ascending: from the creation of a Pod to its binding, recreated ones as well. */
  readonly waitsMs: readonly Millis[];
  readonly machinesPeak: number;
  readonly podsPeak: number;
  readonly machinesAtEnd: number;
  readonly actions: Readonly<Record<string, number>>;
  readonly simulatedMs: Millis;
}

const TICK_MS = 100;
const ROLLUP_MS = 1_000;
const NODE_READY_MS = 300;
const DRAIN_MS = 200;
const DELETE_MS = 500;
/** After the last arrival: longer than any life, any patience and any hold together. */
const AFTERMATH_MS = 240_000;

const POLICY: Policy = {
  reclaimCapFraction: 0.25,
  maxConcurrentDrainsPerCluster: 50,
  maxReclaimsPerMinute: 0,
  holds: { onDemandMs: 8_000, spotMs: 2_000, occupiedExcessMs: 0 },
  limits: {},
  reclaimGraceSeconds: 5,
  preemptionGraceSeconds: [1, 2, 3, 5],
};

/** Plays the whole trace until everything is over. Deterministic. */
export function playTrace(trace: Trace, policy: TracePolicy): TraceOutcome {
  const clusters = clusterNames(trace.demand.clusters);
  const sim = new Simulator({
    clusters,
    machines: trace.machines.map(toMachine),
    policy: { ...POLICY, holds: { ...POLICY.holds, occupiedExcessMs: policy.patienceMs } },
    demand: { unitClasses: policy.unitClasses, of: 'all', allowances: policy.allowances, hints: policy.busyFirst },
    placement: 'most-allocated',
    dwell: traceDwell,
    nodeReadyMs: () => NODE_READY_MS,
    controllers: true,
    tickMs: TICK_MS,
    rollupMs: ROLLUP_MS,
    arrivals: 'kept',
  });
  const pods = plannedPods(trace.demand);
  const lastMs = pods.at(-1)?.atMs ?? 0;
  const templates = new Map<string, Template>();
  const actions: Record<string, number> = {};
  let [next, machinesPeak, podsPeak, elapsed] = [0, 0, 0, 0];
  for (; elapsed < lastMs + AFTERMATH_MS; elapsed += TICK_MS) {
    for (let pod = pods[next]; pod !== undefined && pod.atMs <= elapsed; pod = pods[++next]) {
      sim.submit(pod.cluster, templateFor(pod, templates), pod.lifeMs ?? Infinity);
    }
    const tick = sim.step();
    machinesPeak = Math.max(machinesPeak, sim.fleet.count('Configured', 'Configuring'));
    podsPeak = Math.max(podsPeak, tick.bound);
    for (const [kind, n] of Object.entries(tick.actions)) actions[kind] = (actions[kind] ?? 0) + n;
    if (next === pods.length && sim.livePods === 0 && sim.fleet.count('Configured', 'Configuring', 'Creating', 'Draining') === 0) break;
  }
  return {
    pods: pods.length,
    finished: pods.length - sim.livePods,
    pendingAtEnd: [...sim.clusters.values()].reduce((sum, cluster) => sum + cluster.pending.size, 0),
    evictions: sim.evictedTotal,
    spentMicroUsd: sim.spentMicroUsd,
    spentInUseMicroUsd: sim.spentInUseMicroUsd,
    waitsMs: sim.waitsMs.sort((a, b) => a - b),
    machinesPeak,
    podsPeak,
    machinesAtEnd: sim.fleet.count('Configured'),
    actions,
    simulatedMs: elapsed,
  };
}

function toMachine({ id, instanceType, zone, capacityType, pricePerHour, interruptionProbability, allocatable, labels, state }: SeedInstance): EngineMachine {
  return {
    id, state, instanceType, zone, capacityType, labels, interruptionProbability,
    cluster: '', hold: false, stuck: false,
    allocatable: parseResources(Object.entries(allocatable), 'down'),
    priceMicroUsdPerHour: Math.round(pricePerHour * 1_000_000),
  };
}

/** Through the pod controller's own code, so that a Pod asks for what it would ask for. */
function templateFor(pod: PlannedPod, known: Map<string, Template>): Template {
  const key = JSON.stringify([pod.requests, pod.placement, pod.priority]);
  let template = known.get(key);
  if (template === undefined) {
    const manifest = podManifest(pod, 0);
    const demand = capacityRequestFor({ ...manifest, spec: { ...manifest.spec, priority: pod.priority } });
    if (demand.kind !== 'request') throw new Error(`Pod "${pod.name}" asks for nothing`);
    template = templateOf({ request: demand.request.spec, gang: '' });
    known.set(key, template);
  }
  return template;
}

/** Create 0.4 to 1.5 s, Configure 0.3 to 1 s, always the same for the same machine. */
function traceDwell(machine: EngineMachine, transition: Transition): Millis {
  const share = (stableHash(`${machine.id} ${transition}`) % 1_000) / 1_000;
  switch (transition) {
    case 'create':
      return 400 + Math.round(1_100 * share);
    case 'configure':
      return 300 + Math.round(700 * share);
    case 'drain':
      return DRAIN_MS;
    case 'delete':
      return DELETE_MS;
  }
}

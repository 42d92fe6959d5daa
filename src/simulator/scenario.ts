/** Small fleets described in a few lines: what each cluster runs, which machines there are, how long things take. */
import type { CapacityRequestRequirement, CapacityRequestSpec } from '../api/types.ts';
import { INSTANCE_TYPE_LABEL, ZONE_LABEL } from '../api/constants.ts';
import type { Policy } from '../engine/types.ts';
import { templateOf } from './pod.ts';
import type { SimulatedPod, Template } from './pod.ts';
import { RACK_LABEL, SEED_ZONES, seedMachines } from './seed.ts';
import type { SeedPool } from './seed.ts';
import { Simulator } from './simulator.ts';
import type { SimulatorOptions } from './simulator.ts';

/** So many objects of so many Pods in each cluster; each object of a gang is one gang. */
export interface Workload {
  readonly name: string;
  readonly request: CapacityRequestSpec;
  readonly objects: number;
  readonly replicas: number;
}

export interface Scenario {
  readonly clusters: number;
  readonly pools: readonly SeedPool[];
  readonly workloads: readonly Workload[];
  /** Seeded machines remember for whom they were bound. */
  readonly stamped?: boolean;
  /** Cycles that a machine stays Creating and Configuring. */
  readonly createCycles?: number;
  readonly configureCycles?: number;
  readonly options?: Partial<SimulatorOptions>;
  readonly policy?: Partial<Policy>;
}

export const CYCLE_MS = 1_000;

/** Nothing softens what the engine decides, so that what goes wrong is seen. */
export const BARE_POLICY: Policy = {
  reclaimCapFraction: 0,
  maxConcurrentDrainsPerCluster: 0,
  maxReclaimsPerMinute: 0,
  holds: { onDemandMs: 600_000, spotMs: 60_000, occupiedExcessMs: 0 },
  limits: {},
  reclaimGraceSeconds: 600,
  preemptionGraceSeconds: [10, 30, 120, 600],
};

export function clusterNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `cluster-${String(i).padStart(3, '0')}`);
}

/** The world of a scenario with its Pods bound as far as they fit. */
export function simulate(scenario: Scenario): Simulator {
  const clusters = clusterNames(scenario.clusters);
  const machines = scenario.pools.flatMap((pool) => seedMachines(pool, clusters));
  const { createCycles = 0, configureCycles = 0 } = scenario;
  const sim = new Simulator({
    clusters,
    machines,
    policy: { ...BARE_POLICY, ...scenario.policy },
    demand: { unitClasses: true, of: 'all', allowances: false, hints: true },
    placement: 'emptiest',
    dwell: (_, transition) => (transition === 'create' ? createCycles : transition === 'configure' ? configureCycles : 0) * CYCLE_MS,
    nodeReadyMs: () => 0,
    controllers: true,
    tickMs: CYCLE_MS,
    rollupMs: CYCLE_MS,
    arrivals: 'kept',
    ...scenario.options,
  });
  for (const cluster of clusters) for (const workload of scenario.workloads) submitWorkload(sim, cluster, workload);
  sim.fill();
  if (scenario.stamped === true) stamp(sim);
  return sim;
}

export function submitWorkload(sim: Simulator, cluster: string, { name, request, objects, replicas }: Workload): SimulatedPod[] {
  const gang = request.coLocation !== undefined;
  const shared = gang ? undefined : templateOf({ request, gang: '' });
  return Array.from({ length: objects }, (_, object): Template => shared ?? templateOf({ request, gang: `${name}-${object}` }))
    .flatMap((template) => Array.from({ length: replicas }, () => sim.submit(cluster, template)));
}

/** Every machine that runs Pods was bound for the first of them. */
function stamp(sim: Simulator): void {
  for (const cluster of sim.clusters.values()) {
    for (const [id, { pods }] of cluster.nodes) {
      const [first] = pods;
      if (first === undefined) continue;
      const { fingerprint, group, profile } = first.template.contribution.row;
      const { priority, interruptionBucket, reclamationBucket } = profile;
      sim.fleet.put({ ...sim.fleet.get(id), assigned: { cluster: cluster.name, fingerprint, group, priority, interruptionBucket, reclamationBucket } });
    }
  }
}

const unit = {
  tiny: { cpu: '200m', memory: '256Mi' },
  service: { cpu: '2', memory: '8Gi' },
  gang: { cpu: '64', memory: '256Gi', 'nvidia.com/gpu': '8' },
} as const;

const typeIn = (...values: string[]): CapacityRequestRequirement => ({ key: INSTANCE_TYPE_LABEL, operator: 'In', values });

/** The kinds of Pods that the scenarios share. */
export const requests = {
  tiny: { resources: { ...unit.tiny }, requirements: [typeIn('m6i.large')], priority: 100, interruptionPenalty: '32', reclamationPenalty: '64' },
  service: {
    resources: { ...unit.service }, priority: 1_000, interruptionPenalty: '1024', reclamationPenalty: '8192',
    requirements: [typeIn('m6i.xlarge'), { key: ZONE_LABEL, operator: 'In', values: [...SEED_ZONES] }],
  },
  gang: {
    resources: { ...unit.gang }, requirements: [typeIn('a3-highgpu-8g')], priority: 5_000, interruptionPenalty: '8192', reclamationPenalty: '65536',
    coLocation: { topologyKey: RACK_LABEL },
  },
} satisfies Readonly<Record<string, CapacityRequestSpec>>;

/** The machines that go with them: configured per cluster, Idle, Speculative. */
export const pools = {
  tiny: (configuredPerCluster: number, idle: number, speculative: number): SeedPool =>
    ({ name: 'tiny', instanceType: 'm6i.large', unit: unit.tiny, density: 10, configuredPerCluster, idle, speculative }),
  service: (configuredPerCluster: number, idle: number, speculative: number): SeedPool =>
    ({ name: 'service', instanceType: 'm6i.xlarge', unit: unit.service, density: 10, configuredPerCluster, idle, speculative }),
  gang: (configuredPerCluster: number, idle: number, speculative: number, racks: Pick<SeedPool, 'rackBlock' | 'racksPerZone'> = { rackBlock: 4 }): SeedPool =>
    ({ name: 'gang', instanceType: 'a3-highgpu-8g', unit: unit.gang, density: 1, configuredPerCluster, idle, speculative, ...racks }),
};

/** A fleet of many kinds of Pods, in the shares of the workload catalog (spec: scale 1.1) but with ten Pods to a machine. */
import { INSTANCE_TYPE_LABEL } from '../../api/constants.ts';
import type { CapacityRequestSpec } from '../../api/types.ts';
import type { Random } from '../../lib/random.ts';
import type { SeedPool } from '../seed.ts';
import { requests } from '../scenario.ts';
import type { Workload } from '../scenario.ts';
import type { Simulator } from '../simulator.ts';

interface Kind {
  readonly name: string;
  readonly type: string;
  readonly unit: Readonly<Record<string, string>>;
  readonly density: number;
  readonly priority: number;
  readonly penalties: readonly [interruption: string, reclamation: string];
  /** Machines among a hundred. */
  readonly share: number;
  /** Members of a gang. */
  readonly gangOf?: number;
}

const KINDS: readonly Kind[] = [
  { name: 'stateless', type: 'm6i.large', unit: { cpu: '400m', memory: '500Mi' }, density: 10, priority: 100, penalties: ['32', '64'], share: 66 },
  { name: 'service', type: 'm6i.2xlarge', unit: { cpu: '2200m', memory: '8500Mi' }, density: 10, priority: 1_000, penalties: ['1024', '8192'], share: 12 },
  { name: 'batch', type: 'c6i.4xlarge', unit: { cpu: '4', memory: '8Gi' }, density: 10, priority: 100, penalties: ['64', '256'], share: 6 },
  { name: 'critical', type: 'c6i.4xlarge', unit: { cpu: '4', memory: '8Gi' }, density: 10, priority: 1_000_000, penalties: ['65536', '65536'], share: 2 },
  { name: 'inference', type: 'a2-highgpu-8g', unit: { cpu: '8', memory: '32Gi', 'nvidia.com/gpu': '1' }, density: 8, priority: 1_000, penalties: ['4096', '8192'], share: 6 },
  { name: 'training', type: 'a3-highgpu-8g', unit: { cpu: '64', memory: '256Gi', 'nvidia.com/gpu': '8' }, density: 1, priority: 1_000, penalties: ['16384', '32768'], share: 8, gangOf: 4 },
];

/** What one cluster of a hundred machines runs, times `scale`. */
export function population(scale: number): Workload[] {
  return KINDS.map((kind): Workload => {
    const machines = Math.round(kind.share * scale);
    const size = kind.gangOf ?? machines * kind.density;
    return { name: kind.name, request: requestOf(kind), objects: kind.gangOf === undefined ? 1 : Math.max(1, Math.round(machines / kind.gangOf)), replicas: size };
  });
}

export interface Spare {
  readonly idle: number;
  readonly speculative: number;
  /** Racks of the gangs' machines, per zone. Default: so many that a rack holds one gang. */
  readonly racksPerZone?: number;
}

/** Machines for it: configured in full, and shares of the whole fleet Idle and Speculative. */
export function machinesFor(scale: number, clusters: number, spare: Spare): SeedPool[] {
  return KINDS.map((kind): SeedPool => {
    const perCluster = Math.round(kind.share * scale);
    return {
      name: kind.name,
      instanceType: kind.type,
      unit: kind.unit,
      density: kind.density,
      configuredPerCluster: perCluster,
      idle: Math.round(perCluster * clusters * spare.idle),
      speculative: Math.round(perCluster * clusters * spare.speculative),
      ...(kind.gangOf !== undefined && { rackBlock: kind.gangOf, racksPerZone: spare.racksPerZone ?? 40 }),
    };
  });
}

/** So many Pods per minute and Pod are deleted and made anew by their controllers. Fractions wait for the next tick. */
export class Churn {
  readonly #sim: Simulator;
  readonly #random: Random;
  readonly #perMinute: number;
  #due = 0;

  constructor(sim: Simulator, random: Random, perMinute: number) {
    this.#sim = sim;
    this.#random = random;
    this.#perMinute = perMinute;
  }

  /** Of `ms` of time; to be called between ticks. */
  pass(ms: number): void {
    this.#due += (this.#sim.livePods * this.#perMinute * ms) / 60_000;
    const clusters = [...this.#sim.clusters.values()];
    const pods = clusters.map((cluster) => [...cluster.pods.values()]);
    for (; this.#due >= 1; this.#due--) {
      const index = Math.floor(this.#random() * clusters.length);
      const list = pods[index] ?? [];
      const [pod] = list.splice(Math.floor(this.#random() * list.length), 1);
      if (pod === undefined) continue;
      this.#sim.remove(pod);
      this.#sim.submit(pod.cluster, pod.template);
    }
  }
}

/** Halves every cluster: half of the Pods of each kind, and every other gang whole. Returns how to undo it. */
export function halve(sim: Simulator): () => void {
  const undo: (() => void)[] = [];
  for (const cluster of sim.clusters.values()) {
    let gangs = 0;
    for (const [template, pods] of Map.groupBy(cluster.pods.values(), (pod) => pod.template)) {
      const gang = template.gangKey !== '';
      const gone = gang ? (gangs++ % 2 === 0 ? [] : pods) : pods.slice(Math.ceil(pods.length / 2));
      for (const pod of gone) sim.remove(pod);
      undo.push(() => gone.forEach((pod) => sim.submit(cluster.name, pod.template)));
    }
  }
  return () => undo.forEach((again) => again());
}

function requestOf({ type, unit, priority, penalties: [interruptionPenalty, reclamationPenalty], gangOf }: Kind): CapacityRequestSpec {
  return {
    resources: { ...unit }, priority, interruptionPenalty, reclamationPenalty,
    requirements: [{ key: INSTANCE_TYPE_LABEL, operator: 'In', values: [type] }],
    ...(gangOf !== undefined && { coLocation: requests.gang.coLocation }),
  };
}

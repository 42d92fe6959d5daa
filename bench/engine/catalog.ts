/**
 * The workload catalog (spec: scale 1): which workloads a realistic fleet runs, how many Pods they have, and how many
 * machines of each kind that takes. Distributions are reproduced from a seeded generator, not any particular draw.
 */
import type { Random } from '../../src/lib/random.ts';
import type { ResourceVector } from '../../src/engine/types.ts';
import { GIB, MIB, vector } from './demand.ts';

export interface Archetype {
  readonly name: string;
  readonly weight: number;
  /** Pods that share a machine. */
  readonly podsPerMachine: number;
  readonly types: readonly string[];
  /** Requests of one Pod, by how often. */
  readonly sizes: readonly (readonly [weight: number, request: ResourceVector])[];
  readonly priority: number;
  readonly interruptionDollars: number;
  readonly reclamationDollars: number;
  /** Members of one gang, at least and at most; all in one rack. */
  readonly gang?: readonly [number, number];
  /** How often a workload must be spread over zones, skew 1. Where spreading is only wished for, it never reaches a row. */
  readonly strictSpread: number;
}

const DENSITY = 100;

/** In the order that draws go by. The one that is for bursts only (gpu-training-large) is left out. */
export const CATALOG: readonly Archetype[] = [
  plain('tiny-stateless', 16_073, ['m6i.large', 'm6i.xlarge'], [[60, cpuMemory(400, 500 * MIB)], [40, cpuMemory(300, 384 * MIB)]], [100, 32, 64]),
  { ...plain('cpu-service', 2_755, ['m6i.xlarge', 'm6i.2xlarge'], [[70, cpuMemory(2_200, 8_500 * MIB)], [30, cpuMemory(4_200, 16_500 * MIB)]], [1_000, 1_024, 8_192]), strictSpread: 0.75 },
  plain('cpu-batch', 1_378, ['c6i.4xlarge', 'c6i.8xlarge', 'n2-standard-32'], [[60, cpuMemory(4_000, 8 * GIB)], [40, cpuMemory(8_000, 16 * GIB)]], [100, 64, 256]),
  { ...plain('memory-cache', 2_000, ['r6i.xlarge', 'r6i.2xlarge'], [[100, cpuMemory(2_000, 16 * GIB)]], [1_000, 4_096, 16_384]), gang: [3, 5] },
  { ...plain('stateful-db', 2_000, ['r6i.2xlarge', 'r6i.4xlarge'], [[100, cpuMemory(8_000, 32 * GIB)]], [1_000, 8_192, 32_768]), gang: [3, 5] },
  { ...plain('gpu-inference', 100, ['a3-highgpu-8g', 'a2-highgpu-8g'], [[100, gpu(8_000, 32, 1)]], [1_000, 4_096, 8_192]), podsPerMachine: 8 },
  { ...plain('gpu-training-small', 32, ['a3-highgpu-8g'], [[100, gpu(64_000, 256, 8)]], [1_000, 16_384, 32_768]), podsPerMachine: 1, gang: [2, 8] },
  { ...plain('gpu-training-medium', 18, ['a3-highgpu-8g'], [[100, gpu(64_000, 256, 8)]], [1_000, 32_768, 65_536]), podsPerMachine: 1, gang: [8, 16] },
  { ...plain('critical-realtime', 230, ['c6i.4xlarge', 'm6i.2xlarge'], [[100, cpuMemory(4_000, 8 * GIB)]], [1_000_000, 65_536, 65_536]), strictSpread: 1 },
];

/** Replicas of a workload that is no gang: bands by weight, even inside a band. */
const REPLICAS: readonly (readonly [weight: number, low: number, high: number])[] = [[55, 1, 5], [30, 6, 25], [12, 26, 100], [3, 101, 400]];
const ZONE_COUNT = 3;

/** One workload object: all its Pods have one size; a gang is one object. */
export interface Workload {
  readonly archetype: Archetype;
  readonly request: ResourceVector;
  readonly pods: number;
  readonly spread: boolean;
}

/** Workloads until they have `pods` Pods in all; the last one is cut to fit, unless it is a gang. */
export function* workloads(random: Random, pods: number): Generator<Workload> {
  for (let left = pods; left > 0; ) {
    const archetype = draw(random, CATALOG.map((a) => [a.weight, a] as const));
    const [low, high] = archetype.gang ?? draw(random, REPLICAS.map(([weight, l, h]) => [weight, [l, h] as const] as const));
    const wanted = low + Math.floor(random() * (high - low + 1));
    const request = draw(random, archetype.sizes);
    const spread = random() < archetype.strictSpread;
    const taken = archetype.gang === undefined ? Math.min(wanted, left) : wanted;
    yield { archetype, request, pods: taken, spread };
    left -= taken;
  }
}

/** Machines that `pods` Pods take in all, with room for a largest gang in every zone. */
export function machinesForPods(pods: number): number {
  const all = sum(CATALOG, podShare);
  return sum(CATALOG, (a) => Math.ceil((pods * podShare(a)) / all / a.podsPerMachine)) + sum(CATALOG, gangFloor);
}

/** Splits `total` machines over the catalog by what its Pods take; the largest remainders get the rest. */
export function machinesByArchetype(total: number): ReadonlyMap<Archetype, number> {
  const all = sum(CATALOG, machineShare);
  const exact = CATALOG.map((a) => (total * machineShare(a)) / all);
  const counts = exact.map(Math.floor);
  const byRemainder = exact.map((n, i) => [n - Math.floor(n), i] as const).sort(([a], [b]) => b - a);
  for (const [, i] of byRemainder.slice(0, total - sum(counts, (n) => n))) counts[i] = (counts[i] as number) + 1;
  return new Map(CATALOG.map((a, i) => [a, counts[i] as number]));
}

/** Draws by weight. */
export function draw<T>(random: Random, choices: readonly (readonly [weight: number, choice: T])[]): T {
  let left = random() * sum(choices, ([weight]) => weight);
  for (const [weight, choice] of choices) {
    left -= weight;
    if (left < 0) return choice;
  }
  throw new Error('nothing to draw from');
}

function podShare({ weight, gang }: Archetype): number {
  const replicas = gang === undefined ? sum(REPLICAS, ([w, low, high]) => (w * (low + high)) / 2) / 100 : (gang[0] + gang[1]) / 2;
  return weight * replicas;
}

function machineShare(archetype: Archetype): number {
  return podShare(archetype) / archetype.podsPerMachine;
}

function gangFloor({ gang }: Archetype): number {
  return gang === undefined ? 0 : gang[1] * ZONE_COUNT;
}

function plain(
  name: string,
  weight: number,
  types: readonly string[],
  sizes: Archetype['sizes'],
  [priority, interruptionDollars, reclamationDollars]: readonly [number, number, number],
): Archetype {
  return { name, weight, podsPerMachine: DENSITY, types, sizes, priority, interruptionDollars, reclamationDollars, strictSpread: 0 };
}

function cpuMemory(cpu: number, memory: number): ResourceVector {
  return vector({ cpu, memory });
}

function gpu(cpu: number, gibibytes: number, gpus: number): ResourceVector {
  return vector({ cpu, memory: gibibytes * GIB, 'nvidia.com/gpu': gpus * 1000 });
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

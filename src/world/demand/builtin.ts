import { seededRandom } from '../../lib/random.ts';
import type { Random } from '../../lib/random.ts';
import { RACK_LABEL, ZONES, clusterNames } from '../labels.ts';
import { onDemandMicroUsdPerHour } from '../prices.ts';
import { seedInstance } from '../seed-instance.ts';
import type { SeedInstance } from '../seed-instance.ts';
import type { DemandPlan, DemandStep, PlannedPod } from './plan.ts';

const SEED = 20;
const TOTAL = 300;

export interface BuiltinOptions {
  readonly clusters: number;
  /** The acts are stretched or squeezed to fit. */
  readonly durationMs: number;
  /** About so many Pods instead of 300, in the same proportions. */
  readonly pods?: number;
}

/** The acts, in shares of the duration and of the Pods. */
const RAMP = { from: 0, to: 0.3, share: 0.55 };
const SURGE = { from: 0.42, to: 0.5, share: 0.25 };
const INTERRUPTION_AT = 0.64;
const EVENING = { from: 0.66, to: 0.8, share: 0.2 };
const ZERO_AT = 0.9;

/** About 300 Pods in about a minute, in acts that show what the fleet does and why (spec: demo, built-in demand). */
export function builtinDemand(options: BuiltinOptions): DemandPlan {
  const { durationMs } = options;
  const total = options.pods ?? TOTAL;
  const random = seededRandom(SEED);
  const clusters = clusterNames(options.clusters);
  const at = (share: number): number => Math.round(share * durationMs);
  const count = (share: number): number => Math.max(1, Math.round(total * share));
  const evenings = Math.max(0, total - count(RAMP.share) - count(SURGE.share));
  const spread = (act: { from: number; to: number }, i: number, n: number): number => at(act.from + ((act.to - act.from) * i) / n);
  const clusterOf = (i: number): string => clusters[i % clusters.length] ?? '';
  const surgeCluster = clusters[Math.min(1, clusters.length - 1)] ?? '';

  const steps: DemandStep[] = [
    { kind: 'act', atMs: 0, act: 'morning ramp', why: 'services of every cluster scale up; the cheapest machines go first: owned ones, then spot, then on demand' },
    { kind: 'act', atMs: at(SURGE.from), act: 'surge', why: `${surgeCluster} asks for a burst of high priority; it is served before everything else that waits, and the fleet grows on demand` },
    { kind: 'act', atMs: at(INTERRUPTION_AT), act: 'spot interruption', why: 'the cloud takes a spot machine back without notice; its Pods are replaced and so is the machine' },
    { kind: 'interrupt', atMs: at(INTERRUPTION_AT), capacityType: 'Spot', count: 1 },
    { kind: 'act', atMs: at(EVENING.from), act: 'evening batch', why: 'short jobs of low priority use what has become free' },
    { kind: 'act', atMs: at(ZERO_AT), act: 'scale to zero', why: 'all services end; machines are drained and handed back, the paid ones released' },
    { kind: 'finish-all', atMs: at(ZERO_AT) },
  ];
  for (let i = 0, n = Math.min(total, count(RAMP.share)); i < n; i++) {
    steps.push({ ...service(`web-${pad(i)}`, i, random), cluster: clusterOf(i), atMs: spread(RAMP, i, n) });
  }
  for (let i = 0, n = Math.min(total - 1, count(SURGE.share)); i < n; i++) {
    steps.push({
      kind: 'pod', name: `surge-${pad(i)}`, cluster: surgeCluster, atMs: spread(SURGE, i, n), lifeMs: at(0.2),
      priority: 10_000, requests: { cpu: '4', memory: '12Gi' }, labels: { app: 'surge' },
    });
  }
  for (let i = 0; i < evenings; i++) {
    steps.push({
      kind: 'pod', name: `batch-${pad(i)}`, cluster: clusterOf(i), atMs: spread(EVENING, i, evenings),
      lifeMs: at(0.06 + 0.06 * random()), priority: 0, requests: { cpu: '1', memory: '2Gi' }, labels: { app: 'batch' },
    });
  }
  // A stable sort: an act is announced before the Pods of the same instant.
  steps.sort((a, b) => a.atMs - b.atMs);
  return { source: 'builtin', clusters: options.clusters, steps };
}

/** A service's replica; one of the services insists on a spread over zones. They live until told. */
function service(name: string, i: number, random: Random): Omit<PlannedPod, 'cluster' | 'atMs'> {
  const app = i % 8 === 4 ? 'edge' : (['frontend', 'api', 'cache'][i % 5 % 3] ?? 'api');
  const cpuMilli = 500 + 250 * Math.floor(random() * 5);
  return {
    kind: 'pod',
    name,
    priority: 100,
    requests: { cpu: `${cpuMilli}m`, memory: `${Math.ceil(cpuMilli / 500)}Gi` },
    labels: { app },
    ...(app === 'edge'
      ? { placement: { topologySpreadConstraints: [{ topologyKey: 'topology.kubernetes.io/zone', maxSkew: 3, whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app } } }] } }
      : {}),
  };
}

const FLEET = [
  { prefix: 'metal', count: 8, capacityType: 'BareMetal', cores: 16, gib: 64 },
  { prefix: 'spot', count: 12, capacityType: 'Spot', cores: 8, gib: 32 },
  { prefix: 'cloud', count: 60, capacityType: 'OnDemand', cores: 8, gib: 32 },
] as const;

/** The machines of the built-in demonstration: what is owned and spot serves the ramp, the surge needs the rest. */
export function builtinFleet(): SeedInstance[] {
  return FLEET.flatMap(({ prefix, count, capacityType, cores, gib }) =>
    Array.from({ length: count }, (_, i) =>
      seedInstance({
        id: `${prefix}-${pad(i)}`,
        instanceType: `${prefix}-${cores}c-${gib}g`,
        zone: ZONES[i % ZONES.length] ?? ZONES[0],
        capacityType,
        onDemandMicroUsdPerHour: onDemandMicroUsdPerHour({ cpuMilli: cores * 1000, memoryMib: gib * 1024, gpus: 0, gpuModel: '' }),
        resources: { cpu: String(cores), memory: `${gib}Gi` },
        labels: { [RACK_LABEL]: `${prefix}-rack-${i % ZONES.length}` },
      }),
    ),
  );
}

function pad(i: number): string {
  return String(i).padStart(3, '0');
}

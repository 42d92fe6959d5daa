/** What a burst asks for, and the machines that there are for it. */
import { seededRandom } from '../../src/lib/random.ts';
import type { PlannedPod } from '../../src/world/demand/plan.ts';
import { plannedPods } from '../../src/world/demand/plan.ts';
import { onDemandMicroUsdPerHour } from '../../src/world/prices.ts';
import { seedInstance, type SeedInstance } from '../../src/world/seed-instance.ts';
import { readTrace } from '../../src/world/trace/read-trace.ts';

/** Without a trace: shapes of batch work, in cores and GiB. */
const SHAPES = [[3, 6], [4, 22], [8, 30], [10, 40], [12, 48], [16, 64], [32, 48]] as const;
const ZONES = ['zone-a', 'zone-b', 'zone-c'];
/** Sizes on offer: cores and GiB, at one price per core and GiB. */
const TYPES = [[64, 256], [128, 512], [192, 768]] as const;
const SEED = 8_152;

/** So many Pods; of a trace its first ones with their cpu and memory, over again where it has fewer. They live until deleted. */
export function burstPods(count: number, cluster: string, trace?: string): PlannedPod[] {
  const requests = trace === undefined ? invented(count) : recorded(trace);
  return Array.from({ length: count }, (_, i): PlannedPod => ({
    kind: 'pod', atMs: 0, cluster, name: `burst-${String(i).padStart(5, '0')}`, priority: 0, requests: requests[i % requests.length] ?? {},
  }));
}

function invented(count: number): PlannedPod['requests'][] {
  const random = seededRandom(SEED);
  return Array.from({ length: count }, () => {
    const [cores, gib] = SHAPES[Math.floor(random() * SHAPES.length)] ?? SHAPES[0];
    return { cpu: String(cores), memory: `${gib}Gi` };
  });
}

function recorded(folder: string): PlannedPod['requests'][] {
  return plannedPods(readTrace(folder, { clusters: 1, durationMs: 1 }).demand).map(({ requests: { cpu = '1m', memory } }) => ({ cpu, ...(memory !== undefined && { memory }) }));
}

/** Nothing exists at first; of each size there are enough offers for all Pods. */
export function offers(pods: number): SeedInstance[] {
  return TYPES.flatMap(([cores, gib]) =>
    Array.from({ length: Math.ceil((pods * 24) / cores) + 20 }, (_, i) =>
      seedInstance({
        id: `c${cores}-${String(i).padStart(5, '0')}`, instanceType: `c${cores}-${gib}g`, zone: ZONES[i % ZONES.length] ?? 'zone-a', capacityType: 'OnDemand',
        onDemandMicroUsdPerHour: onDemandMicroUsdPerHour({ cpuMilli: cores * 1_000, memoryMib: gib * 1_024, gpus: 0, gpuModel: '' }),
        resources: { cpu: String(cores), memory: `${gib}Gi` }, labels: {},
      })));
}

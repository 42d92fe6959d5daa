import { stableHash } from '../../lib/random.ts';
import { UsageError } from '../../lib/usage-error.ts';
import type { DemandPlan, PlannedPod } from '../demand/plan.ts';
import { replacedName } from '../demand/pod-manifest.ts';
import { GPU_MILLI, GPU_MODEL_LABEL, clusterNames } from '../labels.ts';
import { gpuModels } from '../prices.ts';
import { integer, objectName, oneOf, optionalInteger, optionalListOf, optionalOneOf, readCsv, requireUnique } from './csv.ts';

const PRIORITY_BY_QOS: Readonly<Record<string, number>> = { Guaranteed: 10_000, LS: 1_000, Burstable: 100, BE: 0 };

/** Kubernetes allows 253 characters; the rest is for the `-rN` of a Pod that replaces one. */
const MAX_NAME_LENGTH = 240;

const columns = {
  name: objectName(MAX_NAME_LENGTH),
  cpu_milli: integer(0),
  memory_mib: integer(0),
  num_gpu: integer(0, 1024),
  gpu_milli: integer(0, 1000),
  gpu_spec: optionalListOf(...gpuModels),
  qos: oneOf(...Object.keys(PRIORITY_BY_QOS)),
  pod_phase: optionalOneOf('Running', 'Succeeded', 'Failed', 'Pending'),
  creation_time: integer(0),
  deletion_time: integer(0),
  scheduled_time: optionalInteger(0),
};

const LIFE_DIVISOR = 60;
const MIN_LIFE_MS = 4_000;
const MAX_LIFE_MS = 40_000;

export interface TraceDemandOptions {
  readonly clusters: number;
  readonly durationMs: number;
  /** Only the first so many Pods by rank, spread over the same duration. */
  readonly pods?: number;
}

/** The trace's Pod list as a demand plan: arrivals evenly by rank, lives compressed (spec: demo, trace replay). */
export function readTraceDemand(file: string, content: string, options: TraceDemandOptions): DemandPlan {
  const rows = readCsv(file, content, columns);
  requireUnique(file, rows, 'name');
  refuseNamesOfReplacements(file, rows);
  const ranked = [...rows]
    .sort((a, b) => a.creation_time - b.creation_time || (a.name < b.name ? -1 : 1))
    .slice(0, options.pods ?? rows.length);
  const clusters = clusterNames(options.clusters);
  const steps = ranked.map((row, rank): PlannedPod => ({
    kind: 'pod',
    atMs: Math.floor((rank * options.durationMs) / ranked.length),
    cluster: clusters[stableHash(row.name) % clusters.length] ?? '',
    name: row.name,
    lifeMs: lifeMs(row.creation_time, row.deletion_time),
    priority: PRIORITY_BY_QOS[row.qos] ?? 0,
    requests: requests(row),
    ...modelPlacement(row),
  }));
  return { source: 'trace', clusters: options.clusters, steps, traceSeconds: spanSeconds(ranked) };
}

/** A Pod `a-r1` could not be told from the one that replaces `a`. */
function refuseNamesOfReplacements(file: string, rows: readonly { readonly name: string; readonly line: number }[]): void {
  const lines = new Map(rows.map(({ name, line }) => [name, line]));
  for (const { name, line } of rows) {
    const replaced = replacedName(name);
    const other = replaced === undefined ? undefined : lines.get(replaced);
    if (other === undefined) continue;
    throw new UsageError(`${file}: line ${line}, column name: expected a name other than those that replacements of Pod "${replaced}" (line ${other}) get, found "${name}"; rename one of the two`);
  }
}

function requests(row: { cpu_milli: number; memory_mib: number; num_gpu: number; gpu_milli: number }): Record<string, string> {
  const gpuMilli = row.num_gpu * row.gpu_milli;
  return {
    ...(row.cpu_milli > 0 ? { cpu: `${row.cpu_milli}m` } : {}),
    ...(row.memory_mib > 0 ? { memory: `${row.memory_mib}Mi` } : {}),
    ...(gpuMilli > 0 ? { [GPU_MILLI]: String(gpuMilli) } : {}),
  };
}

/** A Pod that names GPU models (`A|B`) runs on those only. */
function modelPlacement(row: { gpu_spec: readonly string[]; num_gpu: number }): Pick<PlannedPod, 'placement'> {
  if (row.gpu_spec.length === 0 || row.num_gpu === 0) return {};
  const matchExpressions = [{ key: GPU_MODEL_LABEL, operator: 'In', values: row.gpu_spec }];
  return { placement: { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } } } } };
}

/** Seconds in the trace, compressed to milliseconds of the run. A Pod that ends before it begins lives the shortest life. */
function lifeMs(creationSeconds: number, deletionSeconds: number): number {
  const ms = Math.round(((deletionSeconds - creationSeconds) * 1000) / LIFE_DIVISOR);
  return Math.min(MAX_LIFE_MS, Math.max(MIN_LIFE_MS, ms));
}

function spanSeconds(rows: readonly { creation_time: number; deletion_time: number }[]): number {
  let first = Infinity;
  let last = 0;
  for (const row of rows) {
    first = Math.min(first, row.creation_time);
    last = Math.max(last, row.deletion_time, row.creation_time);
  }
  return rows.length === 0 ? 0 : last - first;
}

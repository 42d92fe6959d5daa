/** The `rollup` suite: what an operator needs to turn its requests into the message that reports demand. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ClusterCapacityNeeds } from '../src/api/gen/bigfleet/v1alpha1/capacity.ts';
import type { CapacityRequest } from '../src/api/types.ts';
import { seededRandom, type Random } from '../src/lib/random.ts';
import { DemandBook } from '../src/operator/rollup.ts';
import { spreadOf, timed } from './engine/measure.ts';
import type { BenchOptions, BenchRow, SuiteResult } from './suite.ts';

export const help = `100k   100,000 CapacityRequests that make 834 rows: 42 profiles in three unit classes, and 708 gangs of 14
  cold           a new book takes every request, as after a start; the message is built and encoded
  changed2pct    2,000 requests change (half of them have gone, others have come), then the message is built and encoded
  …-message      the part of the same samples that comes after the requests have arrived: what an operator does when it reports
  …-uncollected  what the samples before and the making of the changed requests left behind is collected whenever the runtime
                 likes, often within a sample. In the other rows, out of the time that counts: before each cold one everything,
                 since a start follows no other book; before each change only what is young: collecting everything slows down what follows
the floor      one pass over the same requests that reads every field which decides the bytes, and keeps nothing
cpuP50Ms       p50 (and p99) of the thread's CPU time, which neighbours on the machine change less than the clock's
firstMs        the first sample: the code has hardly run before and the heap has yet to grow
The sums of every sample are compared with sums made apart, and the last bytes with those of the same requests in another order.`;

const GANGS = 708;
const GANG = 14;
const REQUESTS = 100_000;
const PLAIN = REQUESTS - GANGS * GANG;
const PROFILES = 42;
const ROWS = PROFILES * 3 + GANGS;
const CHANGED = REQUESTS / 50;
const FRAME_BYTES = 4 * 1024 * 1024;
/** Within one unit class each, milli cpu and MiB: from, to, in steps of (D2). */
const CLASSES = [[[100, 250, 10], [300, 1_000, 4]], [[1_100, 4_000, 100], [4_100, 16_000, 128]], [[4_200, 16_000, 100], [17_000, 65_000, 256]]] as const;

interface Sized {
  readonly key: string;
  readonly request: CapacityRequest;
  readonly cpuMilli: number;
  readonly memoryMi: number;
}

export function run({ samples, budgetSeconds, progress, shape }: BenchOptions): Promise<SuiteResult> {
  if (shape !== undefined && shape !== '100k') return Promise.resolve({ rows: [], failures: [`there is no shape "${shape}"; there is 100k`] });
  const random = seededRandom(7);
  const failures: string[] = [];
  const collect = collector();
  const requests = Array.from({ length: REQUESTS }, (_, i) => draw(i, `r-${i}`, random));
  const rows: BenchRow[] = [];
  const measure = ({ bench, below, actions, floor, collectBefore, prepare }: Measured): void => {
    for (const collected of [true, false]) {
      collect();
      const name = collected ? bench : `${bench}-uncollected`;
      const taken = series(samples, budgetSeconds, () => {
        const arrive = prepare();
        if (collected) collectBefore();
        return sampled(requests, arrive);
      });
      progress(`rollup: ${name} ${taken.length} times`);
      failures.push(...wrong(name, taken, requests, random));
      const row = rowOf(taken, floor, actions);
      rows.push(row(name, ({ ms }) => ms, below));
      if (collected) rows.push(row(`${bench}-message`, ({ messageMs }) => messageMs));
    }
  };
  measure({ bench: 'cold', below: 150, actions: REQUESTS, floor: floorMs(requests), collectBefore: () => collect(), prepare: () => () => fill(requests) });
  const book = fill(requests);
  let made = 0;
  measure({
    bench: 'changed2pct', below: 15, actions: CHANGED, floor: floorMs(requests.slice(0, CHANGED)), collectBefore: () => collect({ type: 'minor' }),
    prepare: () => {
      const { gone, come } = change(requests, ++made, random);
      return () => {
        for (const { key } of gone) book.remove(key);
        for (const { key, request } of come) book.set(key, request);
        return book;
      };
    },
  });
  return Promise.resolve({ rows, failures });
}

interface Measured {
  readonly bench: string;
  /** The goal of the p99, ms. */
  readonly below: number;
  readonly actions: number;
  readonly floor: number;
  readonly collectBefore: () => void;
  /** Untimed; what it returns is timed, and brings a book to where it holds just the requests. */
  readonly prepare: () => () => DemandBook;
}

function rowOf(taken: readonly Sample[], floor: number, actions: number): (bench: string, of: (sample: Sample) => number, below?: number) => BenchRow {
  const common = { shape: '100k', needs: ROWS, requests: REQUESTS, actions, bytes: taken.at(-1)?.bytes.length };
  return (bench, of, below) => {
    const times = taken.map(of);
    const spread = spreadOf(times);
    const cpu = spreadOf(taken.map(({ cpuMs }) => cpuMs));
    return {
      bench: `rollup/${bench}`, ...common, ...spread, firstMs: times[0],
      ...(below !== undefined && {
        cpuP50Ms: cpu.p50Ms, cpuP99Ms: cpu.p99Ms, floorMs: floor, ratioToFloor: spread.p99Ms / floor,
        goals: [{ field: 'p99Ms', below, met: spread.p99Ms < below }],
      }),
    };
  };
}

/** The i-th place in demand: what it asks for follows from it, how much is drawn. */
function draw(place: number, key: string, random: Random): Sized {
  const [cpu, memory] = CLASSES[place < PLAIN ? Math.floor(place / PROFILES) % 3 : 1] as (typeof CLASSES)[number];
  const between = ([from, to, step]: readonly [number, number, number]): number => from + step * Math.floor((random() * (to - from)) / step);
  const [cpuMilli, memoryMi] = [between(cpu), between(memory)];
  const gang = Math.floor((place - PLAIN) / GANG);
  const profile = (place < PLAIN ? place : gang) % PROFILES;
  return {
    key, cpuMilli, memoryMi,
    request: {
      metadata: { name: key, namespace: 'work', uid: `uid-${key}`, generation: 1 },
      spec: {
        resources: { cpu: `${cpuMilli}m`, memory: `${memoryMi}Mi` },
        requirements: [{ key: 'topology.kubernetes.io/zone', operator: 'In', values: [`zone-${profile % 3}`] }, { key: 'node.kubernetes.io/instance-type', operator: 'NotIn', values: ['old', 'older'] }],
        priority: Math.floor(profile / 3) * 1_000,
        interruptionPenalty: '0.5', reclamationPenalty: '0.1',
        ...(place >= PLAIN && { coLocation: { topologyKey: 'topology.bigfleet/rack', labelSelector: { matchLabels: { job: `job-${gang}` } } } }),
      },
    },
  };
}

function fill(requests: readonly Sized[]): DemandBook {
  const book = new DemandBook();
  for (const { key, request } of requests) book.set(key, request);
  return book;
}

function bytesOf(book: DemandBook): Uint8Array {
  return ClusterCapacityNeeds.encode({ clusterId: 'c', timestampUnixNanos: 1n, needs: book.needs(), nodeHints: undefined }).finish();
}

/** Other requests take the places of some: half of them under their names with another generation, half under new ones. */
function change(requests: Sized[], serial: number, random: Random): { gone: Sized[]; come: Sized[] } {
  const [gone, come]: [Sized[], Sized[]] = [[], []];
  for (let i = 0; i < CHANGED; i++) {
    const place = (i * (REQUESTS / CHANGED) + serial) % REQUESTS;
    const before = requests[place] as Sized;
    const renamed = i % 2 === 0;
    const drawn = draw(place, renamed ? `r-${place}-${serial}` : before.key, random);
    const after = { ...drawn, request: { ...drawn.request, metadata: { ...drawn.request.metadata, generation: (before.request.metadata.generation ?? 0) + 1 } } };
    if (renamed) gone.push(before);
    come.push(after);
    requests[place] = after;
  }
  return { gone, come };
}

function wrong(bench: string, taken: readonly Sample[], requests: readonly Sized[], random: Random): string[] {
  const failures = taken.flatMap((sample, i) => wrongSums(`${bench}, sample ${i}`, sample));
  const shuffled = requests.map((sized) => [random(), sized] as const).sort(([a], [b]) => a - b).map(([, sized]) => sized);
  if (Buffer.compare(taken.at(-1)?.bytes ?? new Uint8Array(), bytesOf(fill(shuffled))) !== 0) failures.push(`${bench}: the requests in another order give other bytes`);
  return failures;
}

function wrongSums(bench: string, { bytes, cpuMilli, memoryMi }: Sample): string[] {
  const failures: string[] = [];
  if (bytes.length > FRAME_BYTES) failures.push(`${bench}: a message of ${bytes.length} bytes, more than ${FRAME_BYTES}`);
  const { needs } = ClusterCapacityNeeds.decode(bytes);
  if (needs.length !== ROWS) failures.push(`${bench}: ${needs.length} rows instead of ${ROWS}`);
  const total = (dimension: string): number => needs.reduce((sum, need) => sum + milliOf(need.aggregateResources.get(dimension) ?? ''), 0);
  if (total('cpu') !== cpuMilli) failures.push(`${bench}: the rows ask for ${total('cpu')} milli cpu, the requests for ${cpuMilli}`);
  if (total('memory') !== memoryMi) failures.push(`${bench}: the rows ask for ${total('memory')} MiB, the requests for ${memoryMi}`);
  return failures;
}

/** Thousandths of cpu, or MiB. */
function milliOf(text: string): number {
  const [, amount = 'NaN', unit = ''] = /^(\d+)(m|k|Mi|Gi|Ti)?$/.exec(text) ?? [];
  return Number(amount) * ({ m: 1, '': 1_000, k: 1_000_000, Mi: 1, Gi: 1_024, Ti: 1_048_576 }[unit] ?? NaN);
}

/** One pass over every field of the requests that decides bytes or whether they changed, amounts digit by digit, and no book. */
function floorMs(requests: readonly Sized[]): number {
  const passes = Array.from({ length: 25 }, () => {
    const { ms, result } = timed(() => requests.reduce((all, { key, request }) => all + key.length + read(request), 0));
    if (!(result > 0)) throw new Error('nothing was read');
    return ms;
  });
  return spreadOf(passes).p50Ms;
}

function read({ metadata, spec }: CapacityRequest): number {
  let all = (metadata.uid?.length ?? 0) + (metadata.generation ?? 0) + spec.priority + lengthOf(spec.interruptionPenalty) + lengthOf(spec.reclamationPenalty);
  for (const dimension in spec.resources) {
    const text = String(spec.resources[dimension]);
    for (let i = 0; i < text.length; i++) all += text.charCodeAt(i);
  }
  for (const { key, operator, values = [] } of spec.requirements ?? []) {
    all += key.length + operator.length;
    for (const value of values) all += last(value);
  }
  if (!spec.coLocation) return all;
  const { topologyKey, labelSelector } = spec.coLocation;
  all += topologyKey.length + (metadata.namespace?.length ?? 0);
  for (const label in labelSelector?.matchLabels) all += label.length + last(labelSelector.matchLabels[label] ?? '');
  return all;
}

function lengthOf(amount: string | number | undefined): number {
  return String(amount).length;
}

function last(text: string): number {
  return text.charCodeAt(text.length - 1);
}

interface Sample {
  readonly ms: number;
  readonly cpuMs: number;
  /** Of `ms`, the part after the last request had arrived. */
  readonly messageMs: number;
  readonly bytes: Uint8Array;
  /** What the requests ask for. */
  readonly cpuMilli: number;
  readonly memoryMi: number;
}

function series(samples: number, budgetSeconds: number, once: () => Sample): readonly Sample[] {
  const taken: Sample[] = [];
  for (const end = performance.now() + budgetSeconds * 1_000; taken.length < samples && (taken.length < 3 || performance.now() < end);) taken.push(once());
  return taken;
}

function sampled(requests: readonly Sized[], arrive: () => DemandBook): Sample {
  const cpu = process.threadCpuUsage();
  const began = performance.now();
  const book = arrive();
  const arrived = performance.now();
  const bytes = bytesOf(book);
  const ended = performance.now();
  const { user, system } = process.threadCpuUsage(cpu);
  return {
    ms: ended - began, cpuMs: (user + system) / 1_000, messageMs: ended - arrived, bytes,
    cpuMilli: requests.reduce((sum, r) => sum + r.cpuMilli, 0), memoryMi: requests.reduce((sum, r) => sum + r.memoryMi, 0),
  };
}

/** What collects garbage at once. */
function collector(): NodeJS.GCFunction {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as NodeJS.GCFunction;
}

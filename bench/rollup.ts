/** The `rollup` suite: what an operator needs to turn its requests into the message that reports demand. */
import { ClusterCapacityNeeds } from '../src/api/gen/bigfleet/v1alpha1/capacity.ts';
import type { CapacityRequest } from '../src/api/types.ts';
import { seededRandom, type Random } from '../src/lib/random.ts';
import { DemandBook } from '../src/operator/rollup.ts';
import { spreadOf } from './engine/measure.ts';
import type { BenchOptions, BenchRow, SuiteResult } from './suite.ts';

export const help = `100k   100,000 CapacityRequests that make 834 rows: 42 profiles in three unit classes, and 708 gangs of 14
  cold           a new book takes every request, as after a start; the message is built and encoded
  changed2pct    2,000 requests change (half of them have gone, others have come), then the message is built and encoded
the floor      one pass over the same requests that reads every field which decides the bytes, and keeps nothing
cpuP50Ms       p50 of the thread's CPU time, which neighbours on the machine change less than the clock's
Each time the bytes are compared with those of the same requests in another order, and the sums with sums made apart.`;

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
  let requests = Array.from({ length: REQUESTS }, (_, i) => draw(i, `r-${i}`, random));
  const cold = series(samples, budgetSeconds, () => timed(() => bytesOf(fill(requests))));
  progress(`rollup: cold ${cold.times.length} times`);
  check('cold', cold.last, requests, random, failures);

  const book = fill(requests);
  let made = 0;
  const changed = series(samples, budgetSeconds, () => {
    const { gone, come, next } = change(requests, ++made, random);
    requests = next;
    return timed(() => {
      for (const { key } of gone) book.remove(key);
      for (const { key, request } of come) book.set(key, request);
      return bytesOf(book);
    });
  });
  check('changed2pct', changed.last, requests, random, failures);
  const row = (bench: string, { times, cpu }: Series, floor: number, below: number, actions: number): BenchRow => {
    const spread = spreadOf(times);
    return {
      bench: `rollup/${bench}`, shape: '100k', needs: ROWS, requests: REQUESTS, actions, ...spread, cpuP50Ms: spreadOf(cpu).p50Ms, floorMs: floor, ratioToFloor: spread.p99Ms / floor,
      bytes: cold.last.length, goals: [{ field: 'p99Ms', below, met: spread.p99Ms < below }],
    };
  };
  return Promise.resolve({
    rows: [row('cold', cold, floorMs(requests), 150, REQUESTS), row('changed2pct', changed, floorMs(requests.slice(0, CHANGED)), 15, CHANGED)],
    failures,
  });
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

/** Other requests stand in the places of some: half of them under their names with another generation, half under new ones. */
function change(requests: readonly Sized[], serial: number, random: Random): { gone: Sized[]; come: Sized[]; next: Sized[] } {
  const [gone, come, next]: [Sized[], Sized[], Sized[]] = [[], [], [...requests]];
  for (let i = 0; i < CHANGED; i++) {
    const place = (i * (REQUESTS / CHANGED) + serial) % REQUESTS;
    const before = next[place] as Sized;
    const renamed = i % 2 === 0;
    const drawn = draw(place, renamed ? `r-${place}-${serial}` : before.key, random);
    const after = { ...drawn, request: { ...drawn.request, metadata: { ...drawn.request.metadata, generation: (before.request.metadata.generation ?? 0) + 1 } } };
    if (renamed) gone.push(before);
    come.push(after);
    next[place] = after;
  }
  return { gone, come, next };
}

function check(bench: string, bytes: Uint8Array, requests: readonly Sized[], random: Random, failures: string[]): void {
  const shuffled = requests.map((sized) => [random(), sized] as const).sort(([a], [b]) => a - b).map(([, sized]) => sized);
  if (Buffer.compare(bytes, bytesOf(fill(shuffled))) !== 0) failures.push(`${bench}: the requests in another order give other bytes`);
  if (bytes.length > FRAME_BYTES) failures.push(`${bench}: a message of ${bytes.length} bytes, more than ${FRAME_BYTES}`);
  const { needs } = ClusterCapacityNeeds.decode(bytes);
  if (needs.length !== ROWS) failures.push(`${bench}: ${needs.length} rows instead of ${ROWS}`);
  const total = (dimension: string): number => needs.reduce((sum, need) => sum + milliOf(need.aggregateResources.get(dimension) ?? ''), 0);
  const [cpu, memory] = [requests.reduce((sum, r) => sum + r.cpuMilli, 0), requests.reduce((sum, r) => sum + r.memoryMi, 0)];
  if (total('cpu') !== cpu) failures.push(`${bench}: the rows ask for ${total('cpu')} milli cpu, the requests for ${cpu}`);
  if (total('memory') !== memory) failures.push(`${bench}: the rows ask for ${total('memory')} MiB, the requests for ${memory}`);
}

/** Thousandths of cpu, or MiB. */
function milliOf(text: string): number {
  const [, amount = 'NaN', unit = ''] = /^(\d+)(m|k|Mi|Gi|Ti)?$/.exec(text) ?? [];
  return Number(amount) * ({ m: 1, '': 1_000, k: 1_000_000, Mi: 1, Gi: 1_024, Ti: 1_048_576 }[unit] ?? NaN);
}

/** One pass over every field of the requests that decides bytes or whether they changed, amounts digit by digit, and no book. */
function floorMs(requests: readonly Sized[]): number {
  const passes = Array.from({ length: 25 }, () => {
    const [ms, sum] = timed(() => requests.reduce((all, { key, request }) => all + key.length + read(request), 0));
    if (!(sum > 0)) throw new Error('nothing was read');
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

interface Series {
  readonly times: readonly number[];
  readonly cpu: readonly number[];
  readonly last: Uint8Array;
}

function series(samples: number, budgetSeconds: number, once: () => Timed<Uint8Array>): Series {
  const [times, cpu]: [number[], number[]] = [[], []];
  let last = new Uint8Array();
  for (const end = performance.now() + budgetSeconds * 1_000; times.length < samples && (times.length < 3 || performance.now() < end);) {
    const [ms, bytes, cpuMs] = once();
    times.push(ms);
    cpu.push(cpuMs);
    last = new Uint8Array(bytes);
  }
  return { times, cpu, last };
}

type Timed<T> = readonly [ms: number, result: T, cpuMs: number];

function timed<T>(act: () => T): Timed<T> {
  const cpu = process.threadCpuUsage();
  const began = performance.now();
  const result = act();
  const ms = performance.now() - began;
  const { user, system } = process.threadCpuUsage(cpu);
  return [ms, result, (user + system) / 1_000];
}

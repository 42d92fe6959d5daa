import type { ProcessLife, Sample } from './samples.ts';

/** Of one process: what its longest life held, and whether that stayed as it was. */
export interface Held {
  readonly name: string;
  readonly lives: number;
  readonly longestSeconds: number;
  /** At the last look, after a rest. */
  readonly rssMb: number;
  readonly peakRssMb: number;
  /** Over the second half of its longest life; null: too short to say. */
  readonly rssMbPerMinute: number | null;
  /** Least at the beginning and at the end of its longest life, and most ever. */
  readonly descriptors: Levels;
  readonly sockets: Levels;
}

export interface Levels {
  readonly early: number;
  readonly late: number;
  readonly most: number;
}

/** While a process starts it loads and compiles. */
const START_MS = 15_000;
/** In less, a slope of a heap that is collected now and then says nothing. */
const SLOPE_SPAN_MS = 150_000;
/** A process that is served by few connections is allowed a few more for a while. */
export const MORE_DESCRIPTORS = 6;
export const RSS_MB_PER_MINUTE = 3;
export const RSS_MB = 350;

/** One for each process, by name. */
export function heldBy(lives: readonly ProcessLife[]): Held[] {
  const names = [...new Set(lives.map(({ name }) => name))].sort();
  return names.map((name) => {
    const own = lives.filter((life) => life.name === name);
    const longest = own.reduce((best, life) => (spanMs(life.samples) > spanMs(best.samples) ? life : best));
    const all = own.flatMap(({ samples }) => samples);
    return {
      name, lives: own.length, longestSeconds: Math.round(spanMs(longest.samples) / 1_000),
      rssMb: round(own.at(-1)?.samples.at(-1)?.rssMb ?? 0), peakRssMb: round(most(all, ({ rssMb }) => rssMb)),
      rssMbPerMinute: slope(longest.samples),
      descriptors: levels(longest.samples, all, (sample) => sample.descriptors), sockets: levels(longest.samples, all, (sample) => sample.sockets),
    };
  });
}

/** What is not flat, in words; none: all is. */
export function growths(held: readonly Held[]): string[] {
  const found: string[] = [];
  for (const { name, rssMb, rssMbPerMinute, longestSeconds, ...levelsOf } of held) {
    for (const what of ['descriptors', 'sockets'] as const) {
      const { early, late } = levelsOf[what];
      if (late - early > MORE_DESCRIPTORS) found.push(`${name} holds ${late} ${what} and held ${early} at the beginning of ${longestSeconds} s`);
    }
    if (rssMbPerMinute !== null && rssMbPerMinute > RSS_MB_PER_MINUTE) found.push(`the memory of ${name} grows by ${rssMbPerMinute} MB a minute`);
    if (rssMb > RSS_MB) found.push(`${name} holds ${rssMb} MB at rest`);
  }
  return found;
}

/** Least-squares slope over the second half, in MB per minute. */
function slope(samples: readonly Sample[]): number | null {
  const half = samples.filter(({ atMs }) => atMs >= samples[0]!.atMs + spanMs(samples) / 2);
  if (spanMs(half) < SLOPE_SPAN_MS) return null;
  const mean = (of: (sample: Sample) => number): number => half.reduce((sum, sample) => sum + of(sample), 0) / half.length;
  const minutes = ({ atMs }: Sample): number => atMs / 60_000;
  const [x, y] = [mean(minutes), mean(({ rssMb }) => rssMb)];
  const across = half.reduce((sum, sample) => sum + (minutes(sample) - x) * (sample.rssMb - y), 0);
  return round(across / half.reduce((sum, sample) => sum + (minutes(sample) - x) ** 2, 0));
}

/** The least of a third of a life: connections come and go with every fault, and a leak lifts what there is always. */
function levels(life: readonly Sample[], all: readonly Sample[], of: (sample: Sample) => number): Levels {
  const started = life.filter(({ atMs }) => atMs >= life[0]!.atMs + START_MS);
  const counted = started.length < 3 ? life : started;
  const third = Math.max(1, Math.floor(counted.length / 3));
  const least = (some: readonly Sample[]): number => some.reduce((low, sample) => Math.min(low, of(sample)), Infinity);
  return { early: least(counted.slice(0, third)), late: least(counted.slice(-third)), most: most(all, of) };
}

function most(samples: readonly Sample[], of: (sample: Sample) => number): number {
  return samples.reduce((high, sample) => Math.max(high, of(sample)), 0);
}

function spanMs(samples: readonly Sample[]): number {
  return (samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

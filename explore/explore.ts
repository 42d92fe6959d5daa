import { Worker } from 'node:worker_threads';
import { KINDS } from './faults/kinds.ts';
import type { FaultKind } from './faults/kinds.ts';
import type { RunOutcome } from './world/world.ts';

export interface ExploreOptions {
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
  /** Of the seeds, those that are played before the others. */
  readonly first?: readonly number[];
  /** Ends with the first world that fails. */
  readonly stopsAtFirst?: boolean;
  readonly onProgress?: (text: string) => void;
}

/** How often one kind of fault struck. */
export interface Coverage {
  readonly kind: FaultKind;
  readonly times: number;
  /** In so many worlds at least once. */
  readonly worlds: number;
}

export interface ExploreReport {
  readonly from: number;
  readonly worlds: number;
  readonly seconds: number;
  readonly seedsPerSecond: number;
  /** Simulated, of all worlds together. */
  readonly worldHours: number;
  readonly coverage: readonly Coverage[];
  /** So many of the worlds had two providers. */
  readonly withTwoProviders: number;
  /** Kinds of faults, and of worlds, that came in less than a tenth of all worlds: what they might show was not looked for. */
  readonly neglected: readonly string[];
  readonly failed: readonly { readonly seed: number; readonly violations: readonly string[] }[];
  /** Of the first world that failed. */
  readonly transcript?: string;
}

/** In at least this share of all worlds every kind of fault has to strike. */
const ENOUGH = 0.1;
/** Below so many worlds shares say nothing. */
const WORLDS_THAT_COUNT = 200;
const PROGRESS_MS = 10_000;
/** Of real time, for one world, on a busy machine. */
const PATIENCE_MS = 60_000;

/** Plays all of the worlds, on several threads; what comes of them does not depend on the threads. */
export async function explore(options: ExploreOptions): Promise<ExploreReport> {
  const { from, seeds, first = [], stopsAtFirst = false, onProgress = () => undefined } = options;
  const started = performance.now();
  const outcomes: RunOutcome[] = [];
  const queue = inOrder(from, seeds, first);
  let isOver = false;
  const progress = setInterval(() => onProgress(`${outcomes.length} of ${seeds} worlds, ${outcomes.filter(hasFailed).length} failed`), PROGRESS_MS);
  const work = async (): Promise<void> => {
    let worker = newWorker();
    try {
      for (let seed = queue.next().value; !isOver && seed !== undefined; seed = queue.next().value) {
        let outcome = await play(worker, seed);
        if (!outcome) {
          await worker.terminate();
          worker = newWorker();
          outcome = endless(seed);
        }
        outcomes.push(outcome);
        if (!hasFailed(outcome)) continue;
        onProgress(`seed ${outcome.seed}: ${outcome.violations.join('; ')}`);
        if (stopsAtFirst) isOver = true;
      }
    } finally {
      await worker.terminate();
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(options.workers, seeds) }, work));
  } finally {
    clearInterval(progress);
  }
  outcomes.sort((a, b) => a.seed - b.seed);
  return summary(from, outcomes, (performance.now() - started) / 1000);
}

function* inOrder(from: number, seeds: number, first: readonly number[]): Generator<number, undefined> {
  const early = new Set(first.filter((seed) => seed >= from && seed < from + seeds));
  yield* early;
  for (let seed = from; seed < from + seeds; seed++) if (!early.has(seed)) yield seed;
}

function newWorker(): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url));
}

/** Undefined: it takes longer than any world may. */
function play(worker: Worker, seed: number): Promise<RunOutcome | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      worker.off('message', onMessage).off('error', onError);
      resolve(undefined);
    }, PATIENCE_MS);
    const onMessage = (outcome: RunOutcome): void => {
      clearTimeout(timer);
      worker.off('error', onError);
      resolve(outcome);
    };
    const onError = (error: unknown): void => {
      clearTimeout(timer);
      worker.off('message', onMessage);
      reject(new Error(`seed ${seed}: the world itself broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, { cause: error }));
    };
    worker.once('message', onMessage).once('error', onError);
    worker.postMessage(seed);
  });
}

function summary(from: number, outcomes: readonly RunOutcome[], seconds: number): ExploreReport {
  const coverage = KINDS.map((kind) => ({
    kind,
    times: outcomes.reduce((sum, { faults }) => sum + (faults[kind] ?? 0), 0),
    worlds: outcomes.filter(({ faults }) => (faults[kind] ?? 0) > 0).length,
  }));
  const withTwoProviders = outcomes.filter(({ providers }) => providers > 1).length;
  const failed = outcomes.filter(hasFailed);
  const counts = outcomes.length >= WORLDS_THAT_COUNT;
  return {
    from, worlds: outcomes.length, seconds: round(seconds), seedsPerSecond: round(outcomes.length / seconds),
    worldHours: round(outcomes.reduce((sum, outcome) => sum + outcome.seconds, 0) / 3_600),
    coverage, withTwoProviders,
    neglected: counts ? [...coverage.map(({ kind, worlds }) => [kind, worlds] as const), ['two providers', withTwoProviders] as const].filter(([, worlds]) => worlds < ENOUGH * outcomes.length).map(([what]) => what) : [],
    failed: failed.map(({ seed, violations }) => ({ seed, violations })),
    ...(failed[0] && { transcript: failed[0].transcript }),
  };
}

function endless(seed: number): RunOutcome {
  return { seed, providers: 1, violations: [`the world does not end within ${PATIENCE_MS / 1000} s of real time: something goes round in circles`], faults: {}, transcript: '', seconds: 0, events: 0 };
}

function hasFailed({ violations }: RunOutcome): boolean {
  return violations.length > 0;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

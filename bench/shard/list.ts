/** How long a List of half a million machines takes the parts of a shard that take it in, in a process of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { quantile } from '../engine/measure.ts';
import type { BenchOptions, BenchRow } from '../suite.ts';
import { CHANGED_EVERY, expectedSum } from './list-machines.ts';
import type { ListTaken } from './list-shard.ts';
import type { Metered } from './turn-meter.ts';

const GOAL_MS = 2_000;
const MAIN_GOAL_MS = 1_500;
const TURN_GOAL_MS = 25;
/** Processes, one after the other: each takes in a first List, the same again, and a changed one. */
const MOST_SAMPLES = 5;

export async function lists(shape: string, machines: number, { samples, progress, signal }: BenchOptions, rows: BenchRow[], failures: string[]): Promise<void> {
  const provider = start('list-provider.ts', [String(machines)], signal);
  try {
    const ports = await firstLine(provider);
    const taken: ListTaken[] = [];
    for (let i = 0; i < Math.min(samples, MOST_SAMPLES); i++) {
      const flags = (process.env['SHARD_NODE_FLAGS'] ?? '').split(' ').filter(Boolean);
      const results = JSON.parse(await firstLine(start('list-shard.ts', [ports], signal, flags))) as ListTaken[];
      for (const result of results) progress(`shard/${result.list}-list: ${tell(result.taken)}; then the engine: ${tell(result.toEngine)}`);
      taken.push(...results);
    }
    for (const list of ['first', 'same', 'changed'] as const) {
      const isChanged = list === 'changed';
      const news = { first: machines, same: 0, changed: machines / CHANGED_EVERY }[list];
      const sum = expectedSum(machines, isChanged);
      const of = taken.filter((result) => result.list === list);
      for (const result of of) {
        const wrong = result.machines !== machines || result.engineMachines !== machines || result.told !== news || result.engineTold !== news || result.sum !== sum;
        if (wrong) failures.push(`${shape}: of the ${list} List ${result.machines} machines are known, ${result.engineMachines} to the engine, ${result.told} and ${result.engineTold} were news, their sum is ${result.sum}; it should be ${machines}, ${machines}, ${news}, ${news}, ${sum}`);
      }
      rows.push(rowOf(`shard/${list}-list`, shape, machines, of.map((result) => result.taken), Math.max(...of.map(({ rssBytes }) => rssBytes))));
      rows.push(rowOf(`shard/${list}-list-engine`, shape, news, of.map((result) => result.toEngine)));
    }
  } catch (error) {
    failures.push(`${shape}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    provider.kill('SIGKILL');
  }
}

/** Medians over the processes of the times, the longest turn of all. */
function rowOf(bench: string, shape: string, machines: number, all: readonly Metered[], rssBytes?: number): BenchRow {
  const median = (of: (metered: Metered) => number): number => quantile(all.map(of), 0.5);
  const turns = all.flatMap(({ turnsMs }) => turnsMs);
  const maxOwnMs = Math.max(0, ...all.flatMap(({ ownMs }) => ownMs));
  const [wallMs, mainMs] = [median((m) => m.wallMs), median((m) => m.mainMs)];
  return {
    bench, shape, machines, samples: all.length, wallMs, mainMs, processMs: median((m) => m.processMs), ...(rssBytes !== undefined && { rssBytes }),
    ...(turns.length > 0 && { p50Ms: quantile(turns, 0.5), p99Ms: quantile(turns, 0.99), maxMs: quantile(turns, 1), maxOwnMs }),
    pauses: median((m) => m.pausesMs.length), pausesMs: median((m) => sum(m.pausesMs)), maxPauseMs: Math.max(0, ...all.flatMap(({ pausesMs }) => pausesMs)),
    ...(rssBytes !== undefined && {
      goals: [
        { field: 'wallMs', below: GOAL_MS, met: wallMs < GOAL_MS }, { field: 'mainMs', below: MAIN_GOAL_MS, met: mainMs < MAIN_GOAL_MS }, { field: 'maxOwnMs', below: TURN_GOAL_MS, met: maxOwnMs < TURN_GOAL_MS },
      ],
    }),
  };
}

function tell({ wallMs, mainMs, processMs, turnsMs, ownMs, pausesMs }: Metered): string {
  const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  const longest = [...turnsMs].sort((a, b) => b - a).slice(0, 4).map((turn) => turn.toFixed(1)).join(', ');
  return `${ms(wallMs)} by the clock, main thread ${ms(mainMs)}, process ${ms(processMs)}; longest turns ${longest} ms (${ms(Math.max(0, ...ownMs))} without collections); ${pausesMs.length} collections of ${ms(sum(pausesMs))}, longest ${ms(Math.max(0, ...pausesMs))}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function start(file: string, args: readonly string[], signal: AbortSignal, flags: readonly string[] = []): ChildProcess {
  return spawn(process.execPath, [...flags, fileURLToPath(new URL(`./${file}`, import.meta.url)), ...args], { stdio: ['ignore', 'pipe', 'inherit'], signal });
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout) for await (const line of createInterface({ input: stdout })) return line;
  throw new Error('a process ended before it had anything to say');
}

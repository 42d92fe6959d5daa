/** The `shard` suite: how long the main loop of a whole shard process stands still, from its start to its daily work. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../src/lib/usage-error.ts';
import { quantile, spreadOf } from './engine/measure.ts';
import { changes } from './shard/changes.ts';
import { lists } from './shard/list.ts';
import { startFleet, type Fleet } from './shard/processes.ts';
import { Operators } from './shard/operators.ts';
import { Scraper } from './shard/scraper.ts';
import type { BenchOptions, BenchRow, SuiteResult } from './suite.ts';

interface Shape {
  readonly name: string;
  readonly machines: number;
  readonly clusters: number;
  /** Machines that each of three rows per cluster asks for at first; half of it afterwards. */
  readonly perRow: number;
}

const SHAPES: readonly Shape[] = [
  { name: '500k', machines: 500_000, clusters: 50, perRow: 100 },
  { name: '20k', machines: 20_000, clusters: 10, perRow: 100 },
];

/** The parts of a shard that take in what changed, alone in this process. */
const CHANGES = { name: '50k-changes', machines: 50_000 };
/** Likewise, what takes in whole Lists, in a process of its own. */
const LISTS = { name: '500k-list', machines: 500_000 };

/** The main loop may stand still for so long. */
const STALL_GOAL_MS = 50;
const STEADY_SECONDS = 20;
const PATIENCE_MS = 600_000;

export const help = `shapes:
${SHAPES.map(({ name, machines, clusters, perRow }) => `  ${name.padEnd(6)} ${machines.toLocaleString('en-US')} idle machines; ${clusters} clusters × 3 rows of ${perRow} machines each`).join('\n')}
  ${CHANGES.name.padEnd(6)} ${CHANGES.machines.toLocaleString('en-US')} slots of a provider of the kit; 1 % of them changes, at least 30 times
  ${LISTS.name.padEnd(6)} ${LISTS.machines.toLocaleString('en-US')} idle machines, Listed thrice; in the third List 1 % has changed

benches, one after the other in the same shard process:
  shard/list     it starts and takes in its provider's first List
  shard/acquire  demand arrives; all machines are bound through provider, operators and hub
  shard/steady   nothing changes for ${STEADY_SECONDS} s
  shard/return   demand halves; the machines are drained and idle again

  shard/changes         from the moment it asks until 1 % changed machines are in its inventory (provider a process of its own, over a socket)
  shard/changes-engine  ... until its engine has heard of them as well

  shard/first-list, same-list, changed-list  one List of all machines, the next one, and one with changes: client, poller, inventory and all that hear of
                        changes, in a process of their own; the provider, another process, has its answer ready
  shard/…-list-engine   ... until the engine has heard of it as well

figures of shard/…-list (times: medians over processes, at most five; of turns and pauses those of all):
  wallMs, mainMs, processMs   the clock; processor time of the main thread, of all threads
  samples                     processes; p50Ms, p99Ms, maxMs: turns of the main loop in processor time; maxOwnMs: without collections of garbage
  pauses, pausesMs, maxPauseMs  collections of garbage on the main thread, by the clock
figures of shard/changes…: of the time they take; cpuP50Ms, cpuP99Ms of the processor time of this process in it, which neighbours on the machine
change less. Figures of the others:
  samples, p50Ms, p99Ms, maxMs   of the longest stall of the event loop in each quarter of a second (metric event_loop_stall_seconds)
  wallMs                         how long the phase took
Hub, provider and shard are processes of their own with sockets between them; they share this machine's cores; their own needs show in it. SHARD_NODE_FLAGS='--cpu-prof'
leaves a profile of the shard.`;

export async function run(options: BenchOptions): Promise<SuiteResult> {
  const isAsked = ({ name }: { readonly name: string }): boolean => options.shape === undefined || options.shape === name;
  const shapes = SHAPES.filter(isAsked);
  if (shapes.length === 0 && !isAsked(CHANGES) && !isAsked(LISTS)) throw new UsageError(`there is no shape "${options.shape}"; there are ${[...SHAPES, CHANGES, LISTS].map((s) => s.name).join(', ')}`);
  const rows: BenchRow[] = [];
  const failures: string[] = [];
  if (isAsked(CHANGES)) await changes(CHANGES.name, CHANGES.machines, options, rows, failures);
  if (isAsked(LISTS)) await lists(LISTS.name, LISTS.machines, options, rows, failures);
  for (const shape of shapes) {
    const folder = mkdtempSync(join(tmpdir(), 'bigfleet-bench-shard-'));
    options.progress(`— ${shape.name}: ${shape.machines} machines, ${shape.clusters} clusters; logs in ${folder}`);
    const fleet = await startFleet(folder, shape.machines, options.signal);
    try {
      await measure(shape, fleet, rows, options);
      rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      failures.push(`${shape.name}: ${error instanceof Error ? error.message : String(error)}; logs are in ${folder}`);
    } finally {
      await fleet.stop();
    }
  }
  return { rows, failures };
}

async function measure(shape: Shape, fleet: Fleet, rows: BenchRow[], { progress, signal }: BenchOptions): Promise<void> {
  const scraper = new Scraper(fleet.metricsUrl, () => fleet.failed(), signal);
  const operators = new Operators(shape.clusters);
  const wanted = operators.rows * shape.perRow;
  const phase = async (bench: string, needs: number, isOver: () => boolean): Promise<void> => {
    const { stallsMs, wallMs, actions } = await scraper.until(isOver, PATIENCE_MS, (told) => progress(`${bench}: ${told}`));
    const spread = spreadOf(stallsMs);
    rows.push({
      bench, shape: shape.name, machines: shape.machines, needs, actions, ...spread, wallMs, rssBytes: fleet.shardRssBytes(),
      goals: [{ field: 'maxMs', below: STALL_GOAL_MS, met: quantile(stallsMs, 1) < STALL_GOAL_MS }],
    });
  };
  try {
    fleet.startShard();
    await phase('shard/list', 0, () => scraper.machines() === shape.machines);
    operators.ask(shape.perRow);
    operators.connect(fleet.shardAddress);
    await phase('shard/acquire', operators.rows, () => scraper.machines('Configured') === wanted);
    const end = performance.now() + STEADY_SECONDS * 1_000;
    await phase('shard/steady', operators.rows, () => performance.now() >= end);
    if (scraper.machines('Configured') !== wanted) throw new Error(`${scraper.machines('Configured')} machines serve at rest, not ${wanted}`);
    operators.ask(shape.perRow / 2);
    await phase('shard/return', operators.rows, () => scraper.machines('Configured') === wanted / 2 && scraper.machines('Idle') === shape.machines - wanted / 2);
  } finally {
    await operators.stop();
  }
}

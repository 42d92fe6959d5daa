import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { CapacityProviderService, type Machine } from '../../src/api/gen/bigfleet/v1alpha1/provider.ts';
import { startProvider } from '../../src/provider/testing/provider-child.ts';
import type { Rpc } from '../../src/provider/testing/rpc.ts';
import { spreadOf } from '../engine/measure.ts';
import type { BenchOptions, BenchRow } from '../suite.ts';

/** The suite's budgets for full Lists are meant for so many machines. */
const SUITE_MACHINES = 20_000;
/** Its budgets (spec: provider 1.4, B1106 and B1107), in milliseconds. */
const BUDGETS = { get: 250, create: 250, fullP99: 2_000, fullMax: 3_000 };
const SAMPLES = { get: 120, create: 120, list: 60 };
/** For the delta of 1 % of so many machines. */
const DELTA_GOAL = { machines: 50_000, ms: 60 };
const DELTA_ROUNDS = 30;
const PAGE = 500;
const FEW = 20;

/** Asks a provider with so many machines for everything that a shard and a conformance suite ask for. */
export async function scale(shape: string, machines: number, { progress }: BenchOptions, rows: BenchRow[], failures: string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bigfleet-bench-provider-'));
  const flags = ['certify', `--seed-count=${machines}`, `--state=${join(folder, 'state')}`];
  const wrong = (text: string): void => void failures.push(`${shape}: ${text}`);
  const row = (bench: string, samples: readonly number[], more: Partial<BenchRow> = {}): void => {
    rows.push({ bench: `provider/${bench}`, shape, machines, ...spreadOf(samples), ...more });
    progress(`${shape} ${bench}: ${samples.length} samples`);
  };
  let provider = await startProvider(...flags);
  try {
    row('first-start', [provider.startMs]);
    await provider.kill();
    provider = await startProvider(...flags);
    row('start-again', [provider.startMs]);
    const { rpc } = provider;
    const slots = (await rpc.list()).machines.map((machine) => machine.id);
    const take = (n: number): string[] => {
      const taken = slots.splice(0, n);
      if (taken.length < n) throw new Error('the slots are used up');
      return taken;
    };
    await fullLists(rpc, machines, take, row, wrong);
    await singleCalls(rpc, slots, take, row);
    await deltas(rpc, machines, take, row, wrong);
    await pages(rpc, row, wrong);
    rows[rows.length - 1] = { ...rows[rows.length - 1]!, rssBytes: rssOf(provider.child.pid) };
  } catch (error) {
    wrong(error instanceof Error ? error.message : String(error));
  } finally {
    await provider.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

type AddRow = (bench: string, samples: readonly number[], more?: Partial<BenchRow>) => void;

/** Half of them right after a change, so that nothing is left over from the one before. */
async function fullLists(rpc: Rpc, machines: number, take: (n: number) => string[], row: AddRow, wrong: (text: string) => void): Promise<void> {
  const wire: number[] = [];
  const decoded: number[] = [];
  let bytes = 0;
  for (let i = 0; i < SAMPLES.list; i++) {
    if (i % 2 === 0) await rpc.create(take(1)[0]!);
    const [rawMs, raw] = await timed(rawList(rpc));
    const [listMs, list] = await timed(rpc.list());
    bytes = raw.length;
    wire.push(rawMs);
    decoded.push(listMs);
    const ids = new Set(list.machines.map((machine) => machine.id));
    if (ids.size !== machines || list.machines.length !== machines) wrong(`a full List holds ${list.machines.length} machines, ${ids.size} different ones`);
    const bad = list.machines.find((machine) => !isComplete(machine));
    if (bad) wrong(`machine ${bad.id} lacks a field`);
  }
  const goals = (samples: readonly number[]): NonNullable<BenchRow['goals']> => {
    const { p99Ms, maxMs } = spreadOf(samples);
    if (machines !== SUITE_MACHINES) return [];
    return [{ field: 'p99Ms', below: BUDGETS.fullP99, met: p99Ms < BUDGETS.fullP99 }, { field: 'maxMs', below: BUDGETS.fullMax, met: maxMs < BUDGETS.fullMax }];
  };
  row('list-full', wire, { bytes, bytesPerMachine: bytes / machines, goals: goals(wire) });
  row('list-full-decoded', decoded, { goals: goals(decoded) });
}

/** Get and Create, alone and while full Lists are being made, which share the connection and the loop of the caller with them. */
async function singleCalls(rpc: Rpc, slots: readonly string[], take: (n: number) => string[], row: AddRow): Promise<void> {
  const below = (budget: number, samples: readonly number[]): Partial<BenchRow> => ({ goals: [{ field: 'p99Ms', below: budget, met: spreadOf(samples).p99Ms < budget }] });
  for (const busy of [false, true]) {
    const name = busy ? '-during-lists' : '';
    let done = false;
    const lists = busy ? (async () => {
      while (!done) await rawList(rpc);
    })() : Promise.resolve();
    const gets: number[] = [];
    for (let i = 0; i < SAMPLES.get; i++) gets.push((await timed(rpc.get(slots[(i * 97) % slots.length]!)))[0]);
    const creates: number[] = [];
    for (const id of take(SAMPLES.create)) creates.push((await timed(rpc.create(id)))[0]);
    done = true;
    await lists;
    row(`get${name}`, gets, busy ? {} : below(BUDGETS.get, gets));
    row(`create${name}`, creates, busy ? {} : below(BUDGETS.create, creates));
  }
}

/** What changed: 20 machines, and 1 % of all. */
async function deltas(rpc: Rpc, machines: number, take: (n: number) => string[], row: AddRow, wrong: (text: string) => void): Promise<void> {
  for (const [name, count, rounds] of [['delta-20', FEW, DELTA_ROUNDS], ['delta-1%', machines / 100, DELTA_ROUNDS]] as const) {
    const samples: number[] = [];
    for (let i = 0; i < rounds; i++) {
      await quiet(rpc);
      const { revision } = await rpc.list({ maxResults: 1 });
      const changed = take(count);
      await Promise.all(changed.map((id) => rpc.create(id)));
      await quiet(rpc);
      const [ms, delta] = await timed(rpc.list({ sinceRevision: revision }));
      samples.push(ms);
      const got = delta.machines.map((machine) => machine.id).sort();
      if (JSON.stringify(got) !== JSON.stringify([...changed].sort())) wrong(`a delta holds ${got.length} machines instead of the ${count} that changed`);
    }
    const { p99Ms } = spreadOf(samples);
    const hasGoal = name === 'delta-1%' && machines === DELTA_GOAL.machines;
    row(name, samples, { actions: count, ...(hasGoal && { goals: [{ field: 'p99Ms', below: DELTA_GOAL.ms, met: p99Ms < DELTA_GOAL.ms }] }) });
  }
}

async function pages(rpc: Rpc, row: AddRow, wrong: (text: string) => void): Promise<void> {
  const samples: number[] = [];
  for (let i = 0; i < SAMPLES.list; i++) {
    const [ms, page] = await timed(rpc.list({ maxResults: PAGE }));
    samples.push(ms);
    if (new Set(page.machines.map((machine) => machine.id)).size !== PAGE) wrong(`a page holds ${page.machines.length} machines instead of ${PAGE}`);
  }
  row('page-500', samples);
}

/** Resolves when nothing is under way any more. */
async function quiet(rpc: Rpc): Promise<void> {
  while ((await rpc.list({ states: [2], maxResults: 1 })).machines.length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** The bytes of a full List, undecoded: what the provider alone takes. */
function rawList(rpc: Rpc): Promise<Buffer> {
  const method = { ...CapacityProviderService.list, responseDeserialize: (bytes: Buffer) => bytes };
  return rpc.peer.unary(method, { states: [], maxResults: 0, sinceRevision: new Uint8Array() });
}

function isComplete(machine: Machine): boolean {
  return Boolean(machine.id && machine.state && machine.instanceType && machine.zone && machine.capacityType && machine.resources?.resources.size && machine.allocatable?.resources.size);
}

async function timed<T>(work: Promise<T>): Promise<[ms: number, result: T]> {
  const start = performance.now();
  const result = await work;
  return [performance.now() - start, result];
}

function rssOf(pid: number | undefined): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1_024;
}


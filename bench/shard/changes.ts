/** How long the parts of a shard need to take in 1 % changed machines of a provider that is a process of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createEngine } from '../../src/engine/engine.ts';
import { nextTurn, PER_TURN } from '../../src/lib/turns.ts';
import { createProviderClient } from '../../src/provider/client.ts';
import { startProvider } from '../../src/provider/testing/provider-child.ts';
import { ProviderPoller } from '../../src/reconcilers/provider/poller.ts';
import { silentLog } from '../../src/runtime/types.ts';
import { Inventory } from '../../src/shard/inventory.ts';
import { Holdings } from '../../src/shard/provider/holdings.ts';
import { pollerSettingsOf, settingsOf } from '../../src/shard/settings.ts';
import { spreadOf } from '../engine/measure.ts';
import type { BenchOptions, BenchRow } from '../suite.ts';
import { POLL_MS, PollClock } from './poll-clock.ts';

const PROVIDER = 'sim';
const GOAL_MS = 60;
/** Samples that only warm up. */
const WARM = 3;
const LEAST_SAMPLES = 30;
/** What changes at the provider while nobody looks is polled, merged and told to the engine, as a shard does it; once per sample. */
export async function changes(shape: string, machines: number, { samples, progress, signal }: BenchOptions, rows: BenchRow[], failures: string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bigfleet-bench-changes-'));
  const provider = await startProvider('certify', `--seed-count=${machines}`, `--state=${join(folder, 'state')}`);
  const clock = new PollClock();
  const inventory = new Inventory(clock);
  const engine = createEngine(settingsOf({ spec: {} }).policy);
  const client = createProviderClient({ address: () => `127.0.0.1:${provider.port}`, shardId: 'shard-0', epoch: () => 1n, clock });
  const object = { metadata: { name: PROVIDER }, spec: { address: '', shardRef: 'shard-0', fullListSeconds: 86_400 } };
  const poller = new ProviderPoller({
    provider: client, inventory: new Holdings(inventory, PROVIDER), clock, random: () => 0.5, log: silentLog,
    settings: () => pollerSettingsOf(object, POLL_MS),
    isForeign: () => false, confirmation: () => undefined, withdrawConfirmation: () => undefined, onTrust: () => undefined, onRejected: () => undefined,
  });
  const stop = new AbortController();
  const running = poller.run(stop.signal);
  const changed = new Set<string>();
  let wanted = Infinity;
  let taken = Promise.withResolvers<number>();
  inventory.onChange(({ id }) => {
    changed.add(id);
    if (changed.size === wanted) taken.resolve(performance.now());
  });
  const settle = async (): Promise<void> => {
    for (;;) {
      const told = inventory.takeEngineChanges(PER_TURN);
      if (told) engine.apply({ kind: 'machines', ...told });
      if (inventory.engineBacklog === 0 && !engine.settle(PER_TURN)) return;
      await nextTurn();
    }
  };
  const until = async (isSo: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await isSo())) {
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  try {
    await until(() => clock.isPaused && inventory.size === machines);
    await settle();
    engine.plan(clock.now());
    const slots = [...inventory.all()].filter(({ seen }) => seen.state === 'Speculative').map(({ seen }) => seen.id);
    const count = machines / 100;
    const rounds = Math.max(samples, LEAST_SAMPLES);
    const figures = { inventory: [] as number[], inventoryCpu: [] as number[], engine: [] as number[], engineCpu: [] as number[] };
    for (let i = -WARM; i < rounds; i++) {
      const ids = slots.splice(0, count);
      if (ids.length < count) throw new Error('the slots are used up');
      await Promise.all(ids.map((id) => provider.rpc.create(id)));
      await until(async () => (await provider.rpc.list({ states: [2], maxResults: 1 })).machines.length === 0); // none is CREATING
      changed.clear();
      wanted = count;
      taken = Promise.withResolvers();
      const cpu = process.cpuUsage();
      const began = performance.now();
      clock.resume();
      const ms = (await taken.promise) - began;
      const cpuMs = cpuSince(cpu);
      await settle();
      const toEngineMs = performance.now() - began;
      const toEngineCpuMs = cpuSince(cpu);
      await until(() => clock.isPaused);
      const wrong = ids.filter((id) => inventory.get(id)?.seen.state !== 'Idle').length;
      const { stats } = engine.plan(clock.now());
      const idle = (i + WARM + 1) * count;
      if (wrong > 0 || changed.size !== count || stats.machines !== machines || stats.byState.Idle !== idle) {
        throw new Error(`${changed.size} machines changed, ${wrong} of them wrongly; the engine knows ${stats.machines}, ${stats.byState.Idle} of them idle; it should be ${count} changed, ${machines} known, ${idle} idle`);
      }
      if (i < 0) continue;
      figures.inventory.push(ms);
      figures.inventoryCpu.push(cpuMs);
      figures.engine.push(toEngineMs);
      figures.engineCpu.push(toEngineCpuMs);
    }
    const row = (bench: string, times: readonly number[], cpu: readonly number[]): void => {
      const spread = spreadOf(times);
      rows.push({
        bench, shape, machines, actions: count, ...spread, cpuP50Ms: spreadOf(cpu).p50Ms, cpuP99Ms: spreadOf(cpu).p99Ms,
        goals: [{ field: 'p99Ms', below: GOAL_MS, met: spread.p99Ms < GOAL_MS }, { field: 'cpuP99Ms', below: GOAL_MS, met: spreadOf(cpu).p99Ms < GOAL_MS }],
      });
      progress(`${bench}: ${times.length} samples of ${count} changed machines, p50 ${spread.p50Ms.toFixed(1)} ms (CPU ${spreadOf(cpu).p50Ms.toFixed(1)}), p99 ${spread.p99Ms.toFixed(1)} ms (CPU ${spreadOf(cpu).p99Ms.toFixed(1)})`);
    };
    row('shard/changes', figures.inventory, figures.inventoryCpu);
    row('shard/changes-engine', figures.engine, figures.engineCpu);
  } catch (error) {
    failures.push(`${shape}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    stop.abort(new Error('done'));
    clock.resume();
    await running.catch(() => undefined);
    client.close();
    await provider.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

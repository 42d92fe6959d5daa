/** What of a shard takes in a List, alone in a process: client, poller, inventory, those who hear of changes, the queue of objects; then the engine. Prints figures as JSON. */
import { setTimeout as after } from 'node:timers/promises';
import { createEngine } from '../../src/engine/engine.ts';
import { nextTurn } from '../../src/lib/turns.ts';
import { createProviderClient } from '../../src/provider/client.ts';
import { ProviderPoller } from '../../src/reconcilers/provider/poller.ts';
import { silentLog, type KubeClient, type Store } from '../../src/runtime/types.ts';
import type { Machine } from '../../src/api/types.ts';
import { BindRefusals } from '../../src/shard/bind-refusals.ts';
import { measureChange } from '../../src/shard/change-metrics.ts';
import { Inventory, isWork } from '../../src/shard/inventory.ts';
import { MachineWriter } from '../../src/shard/machine-writer.ts';
import { createShardMetrics } from '../../src/shard/metrics.ts';
import { framesFor } from '../../src/shard/node-state.ts';
import { machineObjectsMode, type MachineObjects } from '../../src/shard/object-policy.ts';
import { Holdings } from '../../src/shard/provider/holdings.ts';
import { Setbacks } from '../../src/shard/setbacks.ts';
import { pollerSettingsOf, settingsOf } from '../../src/shard/settings.ts';
import { SourceRows } from '../../src/shard/source-rows.ts';
import { Registry } from 'prom-client';
import { sumOf } from './list-machines.ts';
import { POLL_MS, PollClock } from './poll-clock.ts';
import { TurnMeter, type Metered } from './turn-meter.ts';

export interface ListTask {
  readonly same: number;
  readonly changed: number;
}

export interface ListTaken {
  readonly list: 'first' | 'same' | 'changed';
  readonly machines: number;
  /** Of what is known of all machines (`list-machines.ts`). */
  readonly sum: number;
  readonly engineMachines: number;
  /** How many machines somebody was told about; how many the engine was. */
  readonly told: number;
  readonly engineTold: number;
  readonly taken: Metered;
  readonly toEngine: Metered;
  readonly rssBytes: number;
}

const PROVIDER = 'sim';
/** As the cycle has it. */
const TOLD_PER_TURN = 1_000;
const task = JSON.parse(process.argv[2] ?? '') as ListTask;
const settings = settingsOf({ spec: {} });
const clock = new PollClock();
const inventory = new Inventory(clock);
const holdings = new Holdings(inventory, PROVIDER);
const engine = createEngine(settings.policy);
let port = task.same;
let objects: MachineObjects = settings.machineObjects;
const client = createProviderClient({ address: () => `127.0.0.1:${port}`, shardId: 'shard-0', epoch: () => 1n, clock });
const object = { metadata: { name: PROVIDER }, spec: { address: '', shardRef: 'shard-0' } };
const poller = new ProviderPoller({
  provider: client, inventory: holdings, clock, random: () => 0.5, log: silentLog,
  settings: () => ({ ...pollerSettingsOf(object, POLL_MS), fullListMs: 0 }),
  isForeign: () => false, confirmation: () => undefined, withdrawConfirmation: () => undefined, onTrust: () => undefined, onRejected: () => undefined,
});
const writer = new MachineWriter({
  client: {} as KubeClient, inventory, identity: { namespace: 'bigfleet-system', shard: 'shard-0' }, objects: { get: () => undefined } as unknown as Store<Machine>,
  clock, log: silentLog, workers: 4, mode: () => objects, isReleasing: () => false, settleMs: 0,
});
let told = 0;
listen();
const stop = new AbortController();
const results: ListTaken[] = [];
let running: Promise<unknown> | undefined;
for (const list of ['first', 'same', 'changed'] as const) {
  port = list === 'changed' ? task.changed : task.same;
  told = 0;
  const meter = new TurnMeter();
  if (running === undefined) running = poller.run(stop.signal);
  else clock.resume();
  await clock.paused();
  const taken = await meter.stop();
  const feeding = new TurnMeter();
  const engineTold = await feed();
  const toEngine = await feeding.stop();
  // Nothing is written before the first plan; those that were queued until there were too many need no object any more.
  if (list === 'first') {
    engine.plan(clock.now());
    running = Promise.all([running, writer.run(stop.signal)]);
    while (writer.backlog > 0) await after(5);
  }
  const { machines: engineMachines } = engine.plan(clock.now()).stats;
  results.push({ list, machines: inventory.size, sum: sumOf(seen()), engineMachines, told, engineTold, taken, toEngine, rssBytes: process.memoryUsage.rss() });
}
process.stdout.write(`${JSON.stringify(results)}\n`, () => process.exit(0));

/** As a shard composes it; nobody is connected. */
function listen(): void {
  const refusals = new BindRefusals(clock, new SourceRows());
  const setbacks = new Setbacks({ clock, random: () => 0.5, inventory: holdings, log: silentLog });
  const metrics = createShardMetrics(new Registry());
  inventory.onChange((change) => refusals.observe(change));
  inventory.onChange((change) => setbacks.observe(change));
  inventory.onChange((change) => {
    told++;
    if (framesFor(change.before, change.after).length > 0) throw new Error('no cluster has a machine');
    if (!change.before) objects = machineObjectsMode(settings.machineObjects, objects, inventory.tally.nonSpeculative);
    writer.markDirty(change.id);
    if (isWork(change)) throw new Error('nothing is to be done');
    measureChange(change, metrics, clock);
  });
}

async function feed(): Promise<number> {
  let count = 0;
  for (;;) {
    const changes = inventory.takeEngineChanges(TOLD_PER_TURN);
    if (changes) engine.apply({ kind: 'machines', ...changes });
    count += changes?.upserted.length ?? 0;
    if (inventory.engineBacklog === 0 && !engine.settle(2_000)) return count;
    await nextTurn();
  }
}

function* seen(): Iterable<Parameters<typeof sumOf>[0] extends Iterable<infer M> ? M : never> {
  for (const machine of inventory.all()) yield machine.seen;
}

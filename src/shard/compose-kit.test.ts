import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { machineObjectName } from '../api/names.ts';
import { CapacityProviderResource, MachineResource, NamespaceResource, ShardResource } from '../api/resources.ts';
import type { CapacityProvider, Machine, Shard } from '../api/types.ts';
import { startEmbeddedControlPlane } from '../embedded/index.ts';
import type { EmbeddedControlPlane } from '../embedded/index.ts';
import { systemClock } from '../lib/clock.ts';
import type { CallEvent, StateChangeEvent } from '../provider/kit/events.ts';
import { memoryStore } from '../provider/kit/state-store.ts';
import { serveProvider } from '../provider/kit/serve-provider.ts';
import type { RunningProvider } from '../provider/kit/serve-provider.ts';
import { noNodeAgent } from '../provider/sim/node-agent.ts';
import { SimBackend } from '../provider/sim/sim-backend.ts';
import { silentLog } from '../runtime/types.ts';
import { FakeOperator } from '../session/server/testing/fake-operator.ts';
import { runShard } from './compose.ts';
import { wireRow } from './testing/needs.ts';
import { eventually } from './testing/shard-world.ts';

const NAMESPACE = 'bigfleet-system';
const MACHINES = 120;
const CONCURRENCY = 32;
const crd = (name: string): string => fileURLToPath(new URL(`../../config/crd/bases/control.bigfleet.lucy.sh_${name}.yaml`, import.meta.url));
const ids = Array.from({ length: MACHINES }, (_, i) => `m-${String(i).padStart(3, '0')}`);

let dir: string;
let hub: EmbeddedControlPlane;
let provider: RunningProvider;
let calls: CallEvent[];
let changes: StateChangeEvent[];
const stops: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kit-'));
  [calls, changes] = [[], []];
  const span = { fromMs: 5, toMs: 40 };
  const backend = new SimBackend({
    seeds: () => ids.map((id) => ({
      id, instanceType: 'c8', zone: 'a', capacityType: 'OnDemand', pricePerHour: 0.4, interruptionProbability: 0,
      resources: { cpu: '8' }, labels: {}, state: 'Speculative',
    })),
    create: span, configure: span, drain: span, delete: span, recover: span,
    failureRates: { create: 0, configure: 0, drain: 0, delete: 0 }, clock: systemClock, nodeAgent: noNodeAgent, seed: 7,
  });
  provider = await serveProvider(backend, {
    address: '127.0.0.1:0', store: memoryStore(), reconcileIntervalMs: 0,
    events: { onCall: (call) => calls.push(call), onStateChange: (change) => changes.push(change) },
  });
  hub = await startEmbeddedControlPlane({ name: 'hub', crds: ['machines', 'shards', 'capacityproviders'].map(crd), clock: systemClock });
  hub.store.create(NamespaceResource, { metadata: { name: NAMESPACE } });
  await hub.writeKubeconfig(join(dir, 'kubeconfig'));
});

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await provider.close();
  await hub.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A shard with a provider of its own at the one address, and the operator of its only cluster. */
async function shardOf(id: string, cluster: string): Promise<FakeOperator> {
  hub.store.create<Shard>(ShardResource, {
    metadata: { name: id, namespace: NAMESPACE },
    spec: {
      cycleSeconds: 1, concurrencyPerProvider: CONCURRENCY, rails: { emptyRollupGuard: false, reclaimCapFraction: '1', maxConcurrentDrainsPerCluster: 200 },
      holds: { onDemandSeconds: 1, spotSeconds: 1, occupiedExcessSeconds: 0 },
    },
  });
  hub.store.create<CapacityProvider>(CapacityProviderResource, {
    metadata: { name: `kit-${id}`, namespace: NAMESPACE }, spec: { address: `127.0.0.1:${provider.port}`, shardRef: id },
  });
  const abort = new AbortController();
  const serving = Promise.withResolvers<number>();
  const running = runShard({
    id, listen: '127.0.0.1:0', metricsAddress: '0', kubeconfig: join(dir, 'kubeconfig'), namespace: NAMESPACE, dataDir: join(dir, id), lease: {}, pollMs: 50, minCycleMs: 10,
    graces: { reclaimSeconds: 0 }, qps: 10_000, burst: 10_000, clock: systemClock, random: Math.random,
    log: { ...silentLog, info: (fields, message) => message === 'serving operators' && serving.resolve((fields as { port: number }).port) },
  }, abort.signal);
  running.catch((error: unknown) => serving.reject(error));
  stops.push(() => (abort.abort(new Error('the test is over')), running.catch(() => undefined)));
  const operator = new FakeOperator(`127.0.0.1:${await serving.promise}`);
  stops.push(() => Promise.resolve(operator.close()));
  operator.hello(cluster);
  await operator.ack('hello');
  void (async () => {
    for (;;) operator.answer((await operator.wait('bootstrapRequest')).requestId, { userData: Buffer.from('join') });
  })();
  return operator;
}

let timestamp = 0n;
function wants(operator: FakeOperator, clusterId: string, machines: number): void {
  const needs = machines === 0 ? [] : [wireRow({ aggregateResources: new Map([['cpu', String(8 * machines)]]), minUnit: new Map([['cpu', '8']]) })];
  operator.rollup({ clusterId, timestampUnixNanos: ++timestamp, needs });
}

const inState = (state: string, cluster?: string): number => [...provider.machines()].filter((m) => m.state === state && (cluster === undefined || m.cluster === cluster)).length;

/** What a provider that behaves must never have to say, and what must never become of its machines. */
function expectNoIncident(): void {
  const refused = calls.filter((call) => call.outcome !== 'OK');
  expect(refused.map(({ rpc, machineId, outcome }) => `${rpc} ${machineId} ${outcome}`)).toEqual([]);
  expect(changes.filter(({ machine }) => machine.state === 'Failed').map(({ machine }) => machine.id)).toEqual([]);
}

describe(`${MACHINES} machines, ${CONCURRENCY} calls at a time, a provider that behaves`, () => {
  it('one shard: all are bought, given back, and bought again, and no call is refused', async () => {
    const east = await shardOf('shard-0', 'east');
    for (const round of [1, 2]) {
      wants(east, 'east', MACHINES);
      await eventually(`all serve, round ${round}`, () => inState('Configured') === MACHINES, 60_000);
      wants(east, 'east', 0);
      await eventually(`all are given back, round ${round}`, () => inState('Speculative') === MACHINES, 60_000);
    }
    expectNoIncident();
    for (const rpc of ['Create', 'Configure', 'Drain', 'Delete']) expect([rpc, calls.filter((call) => call.rpc === rpc).length]).toEqual([rpc, 2 * MACHINES]);
  }, 240_000);

  it('two shards on one provider: neither touches a machine of the other, and no call is refused', async () => {
    const [mine, yours] = [ids.slice(0, MACHINES / 2), ids.slice(MACHINES / 2)];
    // Whose a machine is has to be known before either shard starts.
    for (const [machines, id] of [[mine, 'shard-0'], [yours, 'shard-1']] as const) {
      for (const machineId of machines) hub.store.create<Machine>(MachineResource, { metadata: { name: machineObjectName(machineId), namespace: NAMESPACE }, spec: { machineId, shardRef: id, providerRef: `kit-${id}` } });
    }
    const east = await shardOf('shard-0', 'east');
    const west = await shardOf('shard-1', 'west');
    wants(east, 'east', MACHINES);
    wants(west, 'west', MACHINES);
    await eventually('both have all that is theirs', () => inState('Configured', 'east') === mine.length && inState('Configured', 'west') === yours.length, 60_000);
    wants(east, 'east', 10);
    wants(west, 'west', 20);
    await eventually('both have what they want', () => inState('Configured', 'east') === 10 && inState('Configured', 'west') === 20, 60_000);
    expectNoIncident();
    const touched = (shard: string): string[] => [...new Set(calls.filter(({ token }) => token.shardId === shard).map((call) => call.machineId))].sort();
    expect([touched('shard-0'), touched('shard-1')]).toEqual([mine, yours]);
  }, 240_000);
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MachineResource, ShardResource } from '../src/api/resources.ts';
import type { Machine, Shard } from '../src/api/types.ts';
import { seededRandom } from '../src/lib/random.ts';
import { Faults } from './faults/faults.ts';
import { ApiCondition } from './world/api-link.ts';
import { NAMESPACE, SHARD, SimulatedApiServer } from './world/api-server.ts';
import { Ground } from './world/ground.ts';
import { Cluster } from './world/operator.ts';
import { Process } from './world/process.ts';
import { ProviderHost } from './world/provider-host.ts';
import { ShardHost } from './world/shard-host.ts';
import type { Serving } from './world/shard-host.ts';
import { Substrate } from './world/substrate.ts';
import { Timeline } from './world/timeline.ts';
import { Transcript } from './world/transcript.ts';

const MACHINES = Array.from({ length: 16 }, (_, i) => `m-${String(i).padStart(2, '0')}`);
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'outage-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A shard, a provider of our kit and two clusters, in virtual time, in which nothing goes wrong but what the test does. */
function setUp() {
  const timeline = new Timeline();
  const transcript = new Transcript(timeline);
  const faults = new Faults(seededRandom(1), transcript);
  const ground = new Ground(timeline, transcript);
  const substrate = new Substrate(timeline, ground, MACHINES, []);
  const provider = new ProviderHost(timeline, faults, ground, substrate, { name: 'near', zone: 'zone-a', pricePerHour: 0.4, machines: new Set(MACHINES), resumable: true, skewMs: 7_000 });
  const server = new SimulatedApiServer(new Process('hub', timeline).clock, {
    cycleSeconds: 10, rails: { reclaimCapFraction: '1' }, holds: { onDemandSeconds: 20, spotSeconds: 20, occupiedExcessSeconds: 10 },
  });
  server.addProvider(provider, { pollSeconds: 1, fullListSeconds: 20 });
  const api = new ApiCondition();
  const serving: Serving[] = [];
  const parts = { timeline, faults, ground, server, api, providers: [provider], serving, seed: 1, substrate };
  const shard = new ShardHost('shard-a', dir, parts);
  const [east, west] = [new Cluster('east', 1_000, parts), new Cluster('west', 100, parts)];

  /** What the shard wrote about machines: the phase, or what else. */
  const writes: { readonly name: string; readonly phase: string }[] = [];
  const perform = server.perform.bind(server);
  server.perform = (request) => {
    const name = /\/machines(?:\/([^/?]+))?/.exec(request.path)?.[1];
    if (request.method !== 'GET' && /\/machines/.test(request.path)) {
      const body = JSON.parse(request.body ?? '{}') as Partial<Machine>;
      writes.push({ name: name ?? body.metadata?.name ?? '', phase: body.status?.phase ?? '' });
    }
    return perform(request);
  };
  const object = (id: string): Machine | undefined => server.store.get<Machine>(MachineResource, { namespace: NAMESPACE, name: id });
  provider.start();
  shard.start();
  east.start();
  west.start();
  return { timeline, ground, substrate, server, api, shard, east, west, writes, object, status: () => server.store.get<Shard>(ShardResource, { namespace: NAMESPACE, name: SHARD })!.status! };
}

it('ten minutes without an API server: what acquires goes on, nothing is taken away, and the objects catch up, each at once and in order', async () => {
  const t = setUp();
  const { timeline, east, west, api } = t;
  [east.demand, west.demand] = [4, 4];
  await timeline.run(2 * MINUTE);
  expect([east.serves, west.serves]).toEqual([4, 4]);
  const { epoch } = t.status();

  api.isAway = true;
  api.cutStreams();
  await timeline.run(3 * MINUTE);
  t.writes.length = 0;
  east.demand = 9; // served from memory
  await timeline.run(4 * MINUTE);
  expect(east.serves).toBe(9);
  west.demand = 1; // kept: nobody can prove that it is still ours to take
  await timeline.run(8 * MINUTE);
  east.demand = 10;
  await timeline.run(12 * MINUTE);
  expect([east.serves, west.serves]).toEqual([10, 4]);
  expect(t.writes).toEqual([]);
  expect(t.ground.audit.filter((line) => line.kind === 'Reclaim' || line.kind === 'Delete')).toEqual([]);
  const bought = [...t.substrate.hosts].filter(([, host]) => host.cluster === 'east').map(([id]) => id).filter((id) => t.object(id) === undefined);
  expect(bought.length).toBeGreaterThanOrEqual(5);

  api.isAway = false;
  await timeline.run(16 * MINUTE);
  expect([east.serves, west.serves]).toEqual([10, 1]);
  for (const [id, host] of t.substrate.hosts) expect([id, t.object(id)?.status?.phase, t.object(id)?.status?.clusterId]).toEqual([id, host.cluster === '' ? 'Idle' : 'Configured', host.cluster === '' ? undefined : host.cluster]);
  // What came during the outage is told as it is, not as it came to be.
  for (const id of bought) expect([id, t.writes.filter((write) => write.name === id && write.phase !== '').map((write) => write.phase)]).toEqual([id, ['Configured']]);
  // And what was given back afterwards, in the order in which it happened.
  const given = MACHINES.filter((id) => t.writes.some((write) => write.name === id && write.phase === 'Draining'));
  expect(given).toHaveLength(3);
  for (const id of given) {
    const phases = t.writes.filter((write) => write.name === id && write.phase !== '').map((write) => write.phase).filter((phase, i, all) => phase !== all[i - 1]);
    expect(['Configured', 'Draining', 'Idle', 'Deleting'].filter((phase) => phases.includes(phase))).toEqual(phases);
  }
  expect(t.status().epoch).toBe(epoch); // the same process all the while
  expect(t.ground.violations).toEqual([]);
});

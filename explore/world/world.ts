import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ShardResource } from '../../src/api/resources.ts';
import type { Shard } from '../../src/api/types.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { unrest } from '../checks.ts';
import { Faults } from '../faults/faults.ts';
import type { FaultKind } from '../faults/kinds.ts';
import { NAMESPACE, SHARD, SimulatedApiServer } from './api-server.ts';
import { ApiCondition } from './api-link.ts';
import { bulkheads } from './bulkheads.ts';
import { misfortunes } from './misfortunes.ts';
import { Ground } from './ground.ts';
import { Cluster } from './operator.ts';
import { Process } from './process.ts';
import { ProviderHost } from './provider-host.ts';
import { ShardHost } from './shard-host.ts';
import type { Serving } from './shard-host.ts';
import { Substrate } from './substrate.ts';
import { Timeline } from './timeline.ts';
import { Transcript } from './transcript.ts';

export interface RunOutcome {
  readonly seed: number;
  readonly providers: number;
  readonly violations: readonly string[];
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly transcript: string;
  /** Of the world, until it had come to rest. */
  readonly seconds: number;
  readonly events: number;
}

const FAULTS_END_MS = 100_000;
/** Within this time whatever is to become right without faults has to be. */
const REST_MS = 1_500_000;
/** In this share of the worlds the machines are those of two providers. */
const TWO_PROVIDERS = 0.25;
const LOOK_MS = 5_000;

/** Plays one world, which its seed alone determines, until it is at rest, or something is wrong. */
export async function playSeed(seed: number): Promise<RunOutcome> {
  const dir = mkdtempSync(join(tmpdir(), 'bigfleet-explore-'));
  const timeline = new Timeline();
  const transcript = new Transcript(timeline);
  const faults = new Faults(seededRandom(seed), transcript);
  const ground = new Ground(timeline, transcript);
  const everybody: (Process | undefined)[] = [];
  try {
    const pool = 12 + Math.floor(faults.between(0, 8));
    const standing = faults.chance(0.3) ? Math.floor(faults.between(1, 6)) : 0;
    const name = (i: number): string => `m-${String(i).padStart(2, '0')}`;
    const ids = Array.from({ length: pool }, (_, i) => name(i));
    const near = faults.chance(TWO_PROVIDERS) ? Math.floor(faults.between(0.35, 0.65) * pool) : pool;
    const substrate = new Substrate(timeline, ground, ids.slice(standing), ids.slice(0, standing));
    const providers = [['near', 'zone-a', ids.slice(0, near)] as const, ['far', 'zone-b', ids.slice(near)] as const]
      .filter(([, , machines]) => machines.length > 0)
      .map(([one, zone, machines]) => new ProviderHost(timeline, faults, ground, substrate, {
        name: one, zone, machines: new Set(machines), pricePerHour: faults.pick([0.2, 0.4]), resumable: faults.chance(0.5), skewMs: Math.round(faults.between(-120_000, 120_000)),
      }));
    const isExceptional = faults.chance(0.3);
    const server = new SimulatedApiServer(new Process('hub', timeline).clock, {
      cycleSeconds: 10, rails: { reclaimCapFraction: '1' }, holds: { onDemandSeconds: 20, spotSeconds: 20, occupiedExcessSeconds: 10 },
      concurrencyPerProvider: 4, machineObjects: isExceptional ? 'Exceptional' : 'NonSpeculative',
    });
    for (const provider of providers) server.addProvider(provider, { pollSeconds: 1, fullListSeconds: 6, transitionDeadlines: { creatingSeconds: 60, configuringSeconds: 60, drainingSeconds: 90, deletingSeconds: 60 } });
    const serving: Serving[] = [];
    const api = new ApiCondition();
    const parts = { timeline, faults, ground, server, api, providers, serving, seed, substrate };
    const shards = (faults.chance(0.5) ? ['shard-a', 'shard-b'] : ['shard-a']).map((one) => new ShardHost(one, dir, parts));
    const clusters = [['east', 1_000], ['west', 100], ['south', 10]].slice(0, 2 + Math.floor(faults.between(0, 2))).map(([one, priority]) => new Cluster(one as string, priority as number, parts));
    transcript.add('world', `seed ${seed}: ${pool} machines, ${standing} of them standing, ${clusters.length} clusters, ${shards.length} shard hosts, ${providers.length} providers; faults: ${faults.kinds.join(', ')}`);

    for (const cluster of clusters) {
      cluster.demand = Math.floor(faults.between(0, pool / 2 + 2));
      transcript.add('world', `${cluster.name} wants ${cluster.demand}`);
    }
    misfortunes({ ...parts, shards, clusters });
    faults.active = true;
    for (const provider of providers) provider.start();
    for (const shard of shards) timeline.after(faults.between(0, 3_000), () => shard.start());
    for (const cluster of clusters) cluster.start();

    for (let at = LOOK_MS; at <= FAULTS_END_MS && ground.violations.length === 0; at += LOOK_MS) await timeline.run(at);
    faults.active = false;
    api.isAway = false;
    for (const provider of providers) provider.manner = 'well';
    server.store.mutate<Shard>(ShardResource, { namespace: NAMESPACE, name: SHARD }, (draft) => ({ ...draft, spec: { ...draft.spec, mode: 'Active' } }));
    transcript.add('world', 'no more faults');
    const rest = async (): Promise<boolean> => {
      const by = timeline.now + REST_MS;
      let left = ['nobody has looked yet'];
      while (left.length > 0 && timeline.now < by && ground.violations.length === 0) {
        await timeline.run(timeline.now + LOOK_MS);
        left = await unrest({ clusters, providers, substrate, serving, server });
      }
      if (ground.violations.length === 0) for (const one of left) ground.violate(`at rest: ${one}`);
      return ground.violations.length === 0;
    };
    if ((await rest()) && providers.length > 1) await bulkheads({ ...parts, shards, clusters, rest });
    everybody.push(...providers.map((provider) => provider.current), ...shards.map((shard) => shard.current));
    return { seed, providers: providers.length, violations: ground.violations, faults: Object.fromEntries(faults.counts), transcript: transcript.toString(), seconds: timeline.now / 1000, events: timeline.count };
  } finally {
    for (const process of everybody) process?.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}

import type { Faults } from '../faults/faults.ts';
import type { Ground } from './ground.ts';
import { Cluster } from './operator.ts';
import type { Manner, ProviderHost } from './provider-host.ts';
import type { Serving, ShardHost } from './shard-host.ts';
import type { Substrate } from './substrate.ts';
import type { Timeline } from './timeline.ts';

/** A decision, a host, a join and a few looks at them: what it takes when nobody is broken. */
const IN_TIME_MS = 60_000;
/** A new process has to get the Lease first, and waits for Lists for a while. */
const AFTER_RESTART_MS = 150_000;
const LOOK_MS = 1_000;
/** Of each cluster, so that there is something left to be had. */
const FEW = 2;
const BROKEN: readonly Manner[] = ['unreachable', 'silent', 'mute', 'throttles', 'lists nothing'];
/** In these ways it shows nothing of what it has to a process that starts. */
const UNSEEN: readonly Manner[] = ['unreachable', 'silent', 'lists nothing'];

interface Trial {
  readonly timeline: Timeline;
  readonly faults: Faults;
  readonly ground: Ground;
  readonly providers: readonly ProviderHost[];
  readonly shards: readonly ShardHost[];
  readonly clusters: Cluster[];
  readonly substrate: Substrate;
  readonly serving: readonly Serving[];
  /** Lets the world come to rest; false: something is wrong. */
  readonly rest: () => Promise<boolean>;
}

/**
 * Of two providers one breaks, in a world that is at rest otherwise. Whoever needs nothing of it must not notice; and when the shard
 * is started anew meanwhile, nothing is bought in place of what the broken one has.
 */
export async function bulkheads(trial: Trial): Promise<void> {
  const { timeline, faults, providers, clusters, rest } = trial;
  for (const cluster of clusters) cluster.demand = Math.min(cluster.demand, FEW);
  if (!(await rest())) return;
  const broken = faults.pick(providers);
  const sound = providers.find((one) => one !== broken) as ProviderHost;
  const restarts = faults.chance(0.4);
  broken.manner = faults.pick(restarts ? UNSEEN : BROKEN);
  trial.ground.note(`provider ${broken.name}: ${broken.manner}${restarts ? ', and the shard starts anew' : ''}`);
  if (restarts) await startsAnew(trial, broken);
  else await othersAreServed(trial, broken, sound);
  broken.manner = 'well';
  trial.ground.note(`provider ${broken.name} is well again`);
  await timeline.run(timeline.now + LOOK_MS);
  await rest();
}

/** The broken one is asked for much, as the price may have it; another cluster needs what only the sound one has. */
async function othersAreServed(trial: Trial, broken: ProviderHost, sound: ProviderHost): Promise<void> {
  const { timeline, ground, clusters, substrate } = trial;
  const spare = [...sound.machines].filter((id) => !substrate.hosts.get(id)?.cluster).length;
  const [first] = clusters;
  if (first) first.demand += broken.machines.size;
  // The broken one is stuck with calls by now.
  await timeline.run(timeline.now + 15_000);
  const left = [...sound.machines].filter((id) => !substrate.hosts.get(id)?.cluster).length;
  const north = new Cluster('north', 10_000, trial);
  north.zone = sound.zone;
  north.demand = Math.min(FEW, Math.max(spare, left));
  clusters.push(north);
  north.start();
  ground.note(`north wants ${north.demand} of provider ${sound.name}`);
  if (!(await within(timeline, IN_TIME_MS, () => north.serves >= north.demand || ground.violations.length > 0))) {
    ground.violate(`north wants ${north.demand} machines of provider ${sound.name}, which is well, and has ${north.serves} after ${IN_TIME_MS / 1000} s: provider ${broken.name} is ${broken.manner}`);
  }
  north.demand = 0;
  if (!(await within(timeline, IN_TIME_MS, () => north.machines === 0 || ground.violations.length > 0))) {
    ground.violate(`north wants nothing any more and still has ${north.machines} of provider ${sound.name}, which is well, after ${IN_TIME_MS / 1000} s: provider ${broken.name} is ${broken.manner}`);
  }
  if (first) first.demand -= broken.machines.size;
}

/** All that is wanted is there, though the new process does not see all of it. */
async function startsAnew({ timeline, ground, shards, clusters }: Trial, broken: ProviderHost): Promise<void> {
  const before = ground.bound.length;
  for (const shard of shards) shard.kill();
  await timeline.run(timeline.now + AFTER_RESTART_MS);
  const bought = ground.bound.slice(before);
  if (bought.length > 0) ground.violate(`${bought.join(', ')} joined in place of machines of provider ${broken.name}, which serve and are not seen (${broken.manner}); ${clusters.map(({ name, demand, machines }) => `${name} wants ${demand} and has ${machines}`).join(', ')}`);
}

async function within(timeline: Timeline, ms: number, isSo: () => boolean): Promise<boolean> {
  for (const by = timeline.now + ms; !isSo(); ) {
    if (timeline.now >= by) return false;
    await timeline.run(timeline.now + LOOK_MS);
  }
  return true;
}

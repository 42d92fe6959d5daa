import { eventually, expect } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { SkewRelay, withLaterFields, withoutAdditions } from '../rig/skew-relay.ts';

const pool = 'version-skew';

/** There is no earlier release to build: a relay between operator and shard makes each of them look like one to the other. */
export const releasesMayDiffer: RigPromise = {
  id: pool,
  promise: 'an operator and a shard of which one is a release older or newer than the other (modelled by a relay) serve Pods, and give back what is not needed',
  on: ['processes'],
  alone: true,
  machines: machinesOf(pool, 4),
  async run(ground) {
    const { east, west, rig, log } = ground;
    const relays = await Promise.all([SkewRelay.start(rig.shardAddress, withoutAdditions), SkewRelay.start(rig.shardAddress, withLaterFields)]);
    const [older, newer] = relays;
    const sides = [[east, older!], [west, newer!]] as const;
    try {
      for (const [site, relay] of sides) {
        await rig.agents.get(site.id)!.stop();
        rig.agents.get(site.id)!.start(['--shard-addr', relay.address]);
      }
      await rig.connected(60);
      for (const [site] of sides) await ground.submit(site, 'work', 2, { cpu: '8' });
      await Promise.all(ground.all().map((workload) => ground.running(workload, 2)));
      log('both clusters were served');
      const frames = older!.passed;
      expect((frames.get('needStatus') ?? 0) + (frames.get('replayComplete') ?? 0) === 0, `an operator that knows no additions was sent some: ${JSON.stringify([...frames])}`);
      expect((newer!.passed.get('needStatus') ?? 0) > 0, `an operator of a later release was to be sent additions: ${JSON.stringify([...newer!.passed])}`);
      await Promise.all(ground.all().map(async (workload) => workload.dismiss((await workload.pods()).slice(0, 1))));
      await eventually('a machine of each cluster is given back', 90, async () => expect(['east', 'west'].every((id) => ground.changes().some(({ to, clusterId }) => to === 'Draining' && clusterId === id)), await ground.seen()));
      await Promise.all(ground.all().map((workload) => ground.running(workload, 1)));
      await ground.clear();
      return `without the additions: ${text(older!)}; with fields of a later release: ${text(newer!)}`;
    } finally {
      for (const [site, relay] of sides) {
        await rig.agents.get(site.id)!.stop();
        relay.stop();
        rig.agents.get(site.id)!.start();
      }
      await rig.connected(60);
    }
  },
};

function text({ passed }: SkewRelay): string {
  return [...passed].map(([kind, count]) => `${kind} ${count}`).join(', ');
}

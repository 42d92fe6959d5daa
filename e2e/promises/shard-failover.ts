import { eventually, expect } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { isReady } from '../rig/shard-service.ts';

const pool = 'shard-failover';
const LIMIT_S = 20;

export const standbyTakesOver: RigPromise = {
  id: pool,
  promise: `the leading shard killed: the standby leads under a higher epoch within ${LIMIT_S} s, serves new demand, and no Pod notices`,
  on: ['processes'],
  alone: true,
  machines: machinesOf(pool, 4),
  async run(ground) {
    const { east, rig, log } = ground;
    const steady = await ground.submit(east, 'steady', 2, { cpu: '8' });
    const before = await ground.running(steady, 2);
    const epoch = ground.highestEpoch();
    const old = await rig.leader();
    const successor = rig.replicas.find((replica) => replica !== old)!;
    const killedAt = performance.now();
    await old.part.kill();
    await eventually('the standby leads', LIMIT_S, async () => expect(await isReady(successor), successor.part.lastWords()));
    const seconds = ((performance.now() - killedAt) / 1000).toFixed(1);
    log(`${successor.part.name} leads after ${seconds} s`);
    const late = await ground.submit(east, 'late', 1, { cpu: '8' });
    await ground.running(late, 1);
    expect(ground.highestEpoch() > epoch, `the successor acts under epoch ${ground.highestEpoch()}, which is not above ${epoch}`);
    await ground.expectUnmoved(steady, before);
    expect(!ground.changes().some(({ to }) => to === 'Draining'), `a machine was taken: ${await ground.seen()}`);

    const standbys = old.part.said().split('standing by').length;
    old.part.start();
    await eventually('the killed one, started again, stands by', 60, () => {
      expect(old.part.said().split('standing by').length > standbys, old.part.lastWords());
      return Promise.resolve();
    });
    return `${old.part.name} killed, ${successor.part.name} ready after ${seconds} s (Lease of 4 s), epoch ${epoch} → ${ground.highestEpoch()}; a new Pod served, ${before.length} unmoved`;
  },
};

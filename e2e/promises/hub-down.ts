import { eventually, expect, throughout } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';

const pool = 'hub-down';

/** D16: without a proof of its Lease a shard takes nothing away, and goes on giving. */
export const shardGoesOnWithoutTheHub: RigPromise = {
  id: pool,
  promise: 'the API server of the hub stopped: new demand still gets machines, nothing is taken away, and what is left over goes when it is back',
  on: ['processes'],
  alone: true,
  restartsServers: true,
  machines: machinesOf(pool, 6),
  async run(ground) {
    const { east, rig, log } = ground;
    const steady = await ground.submit(east, 'steady', 3, { cpu: '8' });
    const before = await ground.running(steady, 3);
    await rig.sites.stopHubServer();
    log('the API server of the hub is stopped');
    try {
      // Once before and once after the proof has run out: it lasts for two seconds of a Lease of four.
      const soon = await ground.submit(east, 'soon', 1, { cpu: '8' });
      await ground.running(soon, 1);
      const late = await ground.submit(east, 'late', 1, { cpu: '8' });
      await ground.running(late, 1);
      log('two new Pods were given machines meanwhile');
      const [gone, ...rest] = before;
      await steady.dismiss([gone!]);
      await throughout('the machine that is left over is not taken', 8, async () => {
        await ground.expectUnmoved(steady, rest);
        expect(!ground.changes().some(({ to }) => to === 'Draining'), await ground.seen());
      });
    } finally {
      await rig.sites.startHubServer();
    }
    log('it is back');
    await eventually('what is left over is taken', 90, async () => expect(ground.changes().filter(({ to }) => to === 'Draining').length === 1, await ground.seen()));
    await ground.expectUnmoved(steady, before.slice(1));
    return '2 Pods got machines while the hub was away, none was taken; one was once it was back';
  },
};

import { expect, throughout } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';

const pool = 'operator-restart';

export const operatorComesBack: RigPromise = {
  id: pool,
  promise: 'an operator killed: its cluster keeps its machines and Pods, nothing is bought for it, and what came meanwhile is served once it is back',
  on: ['processes'],
  alone: true,
  machines: machinesOf(pool, 4),
  async run(ground) {
    const { east, rig, log } = ground;
    const steady = await ground.submit(east, 'steady', 2, { cpu: '8' });
    const before = await ground.running(steady, 2);
    const agent = rig.agents.get('east')!;
    await agent.kill();
    log('the operator of east was killed');
    const changes = ground.changes().length;
    const late = await ground.submit(east, 'late', 1, { cpu: '8' });
    await throughout('nothing happens to the machines', 6, async () => {
      await ground.expectUnmoved(steady, before);
      expect(ground.changes().length === changes, await ground.seen());
    });
    agent.start();
    await ground.running(late, 1);
    await ground.expectUnmoved(steady, before);
    expect(!ground.changes().some(({ to }) => to === 'Draining'), `a machine was taken: ${await ground.seen()}`);
    const created = ground.changes().filter(({ to }) => to === 'Creating').length;
    expect(created === 3, `3 machines were to be bought, not ${created}`);
    return `${before.length} Pods unmoved over the restart, the one that came meanwhile served after it`;
  },
};

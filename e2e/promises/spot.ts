import { eventually, expect } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';

const pool = 'spot';

export const interruptionIsReplaced: RigPromise = {
  id: pool,
  promise: 'a spot machine that its market takes away without notice is replaced: its Node goes, and its Pods run elsewhere',
  on: ['processes', 'embedded'],
  machines: machinesOf(pool, 3, { capacityType: 'Spot' }),
  async run(ground) {
    const { east, rig, log } = ground;
    const work = await ground.submit(east, 'batch', 2, { cpu: '4' });
    const before = await ground.running(work, 2);
    const [victim = '', ...others] = new Set((await ground.machinesUnder(east, before)).values());
    expect(others.length === 0, 'both Pods were to share a machine');
    const uid = (await ground.nodes(east))[0]?.metadata.uid;
    const response = await fetch(`${rig.panel}/interrupt`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ machineId: victim }) });
    expect(response.ok && (await response.text()).includes(victim), `the market took nothing: ${response.status}`);
    log(`${victim} was interrupted`);
    await eventually(`the Node of ${victim} is gone`, 60, async () => expect(!(await ground.nodes(east)).some(({ metadata }) => metadata.uid === uid), await ground.seen()));
    log('its Node is gone');
    // A controller replaces Pods of a Node that is gone only after the collector of Pods has ended them, which takes up to a minute.
    const after = await eventually('two other Pods run', 150, async () => {
      const pods = (await ground.running(work, 2, 0)).filter(({ metadata }) => !before.some((pod) => pod.metadata.uid === metadata.uid));
      expect(pods.length === 2, await ground.seen());
      return pods;
    });
    const machines = new Set((await ground.machinesUnder(east, after)).values());
    return `${victim} interrupted; 2 Pods run again on ${[...machines].join()}`;
  },
};

import { expect } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';

const pool = 'gang';
const MEMBERS = 3;
const RACK = 'rack';

/** Rack a is cheaper and too small for all of it; only rack b holds it. */
export const gangOnOneRack: RigPromise = {
  id: pool,
  promise: 'a gang (podAffinity on a rack label) runs whole on one rack that has room for all of it, and nothing is bought elsewhere',
  on: ['processes', 'embedded'],
  machines: [
    ...machinesOf(pool, MEMBERS - 1, { pricePerHour: 0.2, labels: { [RACK]: 'a' } }),
    ...machinesOf(pool, MEMBERS, { labels: { [RACK]: 'b' } }, MEMBERS - 1),
    ...machinesOf(pool, 1, { pricePerHour: 0.1, labels: { [RACK]: 'c' } }, 2 * MEMBERS - 1),
  ],
  async run(ground) {
    const { east } = ground;
    const affinity = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: RACK, labelSelector: { matchLabels: { app: 'ring' } } }] } };
    const ring = await ground.submit(east, 'ring', MEMBERS, { cpu: '8', spec: { affinity } });
    const pods = await ground.running(ring, MEMBERS);
    const racks = new Map((await ground.nodes(east)).map(({ metadata }) => [metadata.name, metadata.labels?.[RACK]]));
    const used = pods.map((pod) => racks.get(pod.spec.nodeName ?? ''));
    expect(used.every((rack) => rack === 'b'), `the gang was to run on rack b, and runs on ${used.join()}`);
    const bought = new Set(ground.changes().filter(({ to }) => to === 'Creating').map(({ machineId }) => machineId));
    expect(bought.size === MEMBERS, `${MEMBERS} machines were to be bought, not ${[...bought].join()}`);
    return `${MEMBERS} members on rack b, ${bought.size} machines bought, none on the cheaper racks that are too small`;
  },
};

import { ZONE_LABEL } from '../../src/api/constants.ts';
import { expect } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';

const pool = 'spread';
const ZONES = ['zone-a', 'zone-b', 'zone-c'];
const REPLICAS = 6;

/** One zone is much cheaper and could hold everything. */
export const podsSpreadOverZones: RigPromise = {
  id: pool,
  promise: 'Pods with a spread over zones (topologySpreadConstraints) get machines in every zone, although one zone is cheaper',
  on: ['processes', 'embedded'],
  machines: ZONES.flatMap((zone, i) => machinesOf(pool, REPLICAS, { zone, pricePerHour: i === 0 ? 0.1 : 0.4 }, i * REPLICAS)),
  async run(ground) {
    const { east } = ground;
    const topologySpreadConstraints = [{ topologyKey: ZONE_LABEL, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'wide' } } }];
    const wide = await ground.submit(east, 'wide', REPLICAS, { cpu: '8', spec: { topologySpreadConstraints } });
    const pods = await ground.running(wide, REPLICAS);
    const zones = new Map((await ground.nodes(east)).map(({ metadata }) => [metadata.name, metadata.labels?.[ZONE_LABEL]]));
    const perZone = ZONES.map((zone) => pods.filter((pod) => zones.get(pod.spec.nodeName ?? '') === zone).length);
    expect(perZone.every((count) => count === REPLICAS / ZONES.length), `Pods by zone: ${perZone.join()}`);
    return `${perZone.join(', ')} Pods in ${ZONES.join(', ')}`;
  },
};

import { expect, eventually } from '../promise.ts';
import { CapacityRequestResource, MachineResource, UpcomingNodeResource } from '../../src/api/resources.ts';
import type { CapacityRequest, Machine, UpcomingNode } from '../../src/api/types.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { collect } from '../rig/workload.ts';

const REPLICAS = 20; // of 2 cores: five machines of 8, more than the two that exist
const pool = 'deployment';

/** The thinnest real path through every layer. */
export const deploymentGetsMachines: RigPromise = {
  id: pool,
  promise: 'a Deployment on a cluster without Nodes gets machines and runs; scaled to zero, everything is given back',
  on: ['processes', 'embedded'],
  machines: [...machinesOf(pool, 2, { capacityType: 'BareMetal' }), ...machinesOf(pool, 6, {}, 2)],
  async run(ground) {
    const { east, rig, log } = ground;
    expect((await ground.nodes(east)).length === 0, 'the pool was to have no Nodes at the start');
    const web = await ground.submit(east, 'web', REPLICAS, { cpu: '2' });
    const pods = await ground.running(web, REPLICAS);
    const machines = new Set((await ground.machinesUnder(east, pods)).values());
    expect(machines.size >= 5, `${machines.size} machines cannot hold ${REPLICAS} Pods of 2 cores`);
    log(`${pods.length} Pods run on ${machines.size} machines`);
    await eventually('every request says that it is satisfied', 30, async () => {
      const requests = await collect(east.client.list<CapacityRequest>(CapacityRequestResource, { namespace: pool }));
      const satisfied = requests.filter((cr) => cr.status?.phase === 'Acknowledged' && cr.status.conditions?.some((c) => c.type === 'Satisfied' && c.status === 'True'));
      expect(requests.length === REPLICAS && satisfied.length === REPLICAS, `${satisfied.length} of ${requests.length} requests`);
    });
    await eventually('every machine has its UpcomingNode Ready and its object Configured', 30, async () => {
      const upcoming = (await collect(east.client.list<UpcomingNode>(UpcomingNodeResource))).filter((un) => un.status?.phase === 'Ready' && un.metadata.name.includes(pool));
      const objects = (await collect(rig.sites.hub.client.list<Machine>(MachineResource))).filter((m) => m.status?.phase === 'Configured' && m.status.clusterId === 'east' && machines.has(m.spec.machineId));
      expect(upcoming.length === machines.size && objects.length === machines.size, `${upcoming.length} UpcomingNodes and ${objects.length} Machines for ${machines.size} machines`);
    });
    await web.end();
    log('scaled to zero');
    await ground.clear();
    const created = ground.changes().filter(({ to }) => to === 'Creating').length;
    expect(created >= 3, `${created} machines were created although two existed`);
    return `${REPLICAS} Pods on ${machines.size} machines, of which ${created} were created and deleted again`;
  },
};

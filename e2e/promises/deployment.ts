import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubectl } from '../control-plane/kubectl.ts';
import { startRealFleet } from '../fleet.ts';
import type { Cluster, Fleet } from '../fleet.ts';
import { eventually, expect } from '../promise.ts';
import type { Promised } from '../promise.ts';
import { webDeployment } from '../web-deployment.ts';

const REPLICAS = 20; // of 2 cores: five machines of 8, more than the two that exist

interface Item {
  metadata: { name: string; labels?: Record<string, string>; uid: string };
  spec: { nodeName?: string; machineId?: string; unschedulable?: boolean };
  status?: { phase?: string; clusterId?: string; conditions?: { type: string; status: string; reason: string }[] };
}

async function list(cluster: Cluster, what: string): Promise<Item[]> {
  return (JSON.parse(await kubectl(cluster, ['get', what, '-A', '-o', 'json'])) as { items: Item[] }).items;
}

const workloadPods = async (fleet: Fleet): Promise<Item[]> => (await list(fleet.east, 'pods')).filter((pod) => pod.metadata.labels?.['app'] === 'web');

/** The thinnest real path through every layer, on real API servers. */
export const deploymentGetsMachines: Promised = {
  id: 'deployment',
  promise: 'a Deployment on a cluster without Nodes gets machines and runs; scaled to zero, everything is given back',
  controlPlane: 'processes',
  async run({ dir, log }) {
    const fleet = await startRealFleet(dir, log);
    try {
      expect((await list(fleet.east, 'nodes')).length === 0, 'the cluster was to have no Nodes at the start');
      writeFileSync(join(dir, 'web.yaml'), webDeployment(REPLICAS));
      await kubectl(fleet.east, ['apply', '-f', join(dir, 'web.yaml')]);
      log(`Deployment of ${REPLICAS} Pods submitted`);

      const pods = await eventually('all Pods run', 120, async () => {
        const running = (await workloadPods(fleet)).filter((pod) => pod.status?.phase === 'Running');
        expect(running.length === REPLICAS, `${running.length} of ${REPLICAS} Pods run`);
        return running;
      });
      const nodes = await list(fleet.east, 'nodes');
      const machineOf = new Map(nodes.map((node) => [node.metadata.name, node.metadata.labels?.['bigfleet.lucy.sh/machine-id']]));
      expect(pods.every((pod) => machineOf.get(pod.spec.nodeName ?? '') !== undefined), 'every Pod runs on a Node that names its machine');
      expect(nodes.length >= 5, `${nodes.length} Nodes cannot hold ${REPLICAS} Pods of 2 cores`);
      log(`${pods.length} Pods run on ${nodes.length} Nodes`);

      await eventually('every request says that it is satisfied', 30, async () => {
        const requests = await list(fleet.east, 'capacityrequests.bigfleet.lucy.sh');
        const satisfied = requests.filter((cr) => cr.status?.phase === 'Acknowledged' && cr.status.conditions?.some((c) => c.type === 'Satisfied' && c.status === 'True'));
        expect(requests.length === REPLICAS && satisfied.length === REPLICAS, `${satisfied.length} of ${requests.length} requests`);
      });
      await eventually('every machine has its UpcomingNode Ready and its object Configured', 30, async () => {
        const upcoming = (await list(fleet.east, 'upcomingnodes.bigfleet.lucy.sh')).filter((un) => un.status?.phase === 'Ready');
        const bound = (await list(fleet.hub, 'machines.control.bigfleet.lucy.sh')).filter((m) => m.status?.phase === 'Configured' && m.status.clusterId === 'east');
        expect(upcoming.length === nodes.length && bound.length === nodes.length, `${upcoming.length} UpcomingNodes and ${bound.length} Machines for ${nodes.length} Nodes`);
      });

      await kubectl(fleet.east, ['scale', 'deployment/web', '--replicas=0']);
      log('scaled to zero');
      await eventually('everything is given back', 120, async () => {
        const [requests, upcoming, left, machines] = await Promise.all([
          list(fleet.east, 'capacityrequests.bigfleet.lucy.sh'),
          list(fleet.east, 'upcomingnodes.bigfleet.lucy.sh'),
          list(fleet.east, 'nodes'),
          list(fleet.hub, 'machines.control.bigfleet.lucy.sh'),
        ]);
        expect(requests.length === 0 && upcoming.length === 0 && left.length === 0, `${requests.length} CapacityRequests, ${upcoming.length} UpcomingNodes, ${left.length} Nodes left`);
        const kept = machines.map((m) => `${m.spec.machineId} ${m.status?.phase}`).sort();
        expect(JSON.stringify(kept) === JSON.stringify(['metal-0 Idle', 'metal-1 Idle']), `Machine objects: ${kept.join(', ') || 'none'}`);
      });
      const witness = witnessOf(fleet.operationLog);
      expect(witness.stillOut.length === 0, `the provider's log still has ${witness.stillOut.join(', ')}`);
      expect(witness.created >= 3, `the provider's log shows ${witness.created} machines created, at least 3 were needed`);
      return `Kubernetes ${fleet.kubernetes}: ${REPLICAS} Pods on ${nodes.length} Nodes, ${witness.created} machines created and deleted again`;
    } finally {
      await fleet.stop();
    }
  },
};

/** What the provider itself wrote: machines that were created, and those that it still has out. */
function witnessOf(file: string): { created: number; stillOut: string[] } {
  const state = new Map<string, string>();
  let created = 0;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line === '') continue;
    const entry = JSON.parse(line) as { event: string; machineId: string; from?: string; to?: string };
    if (entry.event !== 'state') continue;
    if (entry.to === 'Creating') created++;
    state.set(entry.machineId, entry.to ?? '');
  }
  const stillOut = [...state].filter(([id, last]) => last !== 'Speculative' && !(id.startsWith('metal-') && last === 'Idle'));
  return { created, stillOut: stillOut.map(([id, last]) => `${id} ${last}`) };
}

import { CustomResourceDefinitionResource, MachineResource } from '../../src/api/resources.ts';
import type { Machine } from '../../src/api/types.ts';
import { kubectl } from '../control-plane/kubectl.ts';
import { eventually, expect, throughout } from '../promise.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { collect } from '../rig/workload.ts';

const pool = 'uninstall';

/** As docs/adopting.md says. */
export const clustersOutliveUs: RigPromise = {
  id: pool,
  promise: 'uninstalled, objects and definitions deleted: Nodes and Pods of the clusters run on, and no machine is drained or deleted',
  on: ['processes'],
  alone: true,
  ends: true,
  machines: machinesOf(pool, 3),
  async run(ground) {
    const { east, rig, log } = ground;
    const { hub } = rig.sites;
    const steady = await ground.submit(east, 'steady', 2, { cpu: '8' });
    const before = await ground.running(steady, 2);
    const nodes = (await ground.nodes(east)).map(({ metadata }) => metadata.uid);
    for (const agent of rig.agents.values()) await agent.stop();
    for (const { part } of rig.replicas) await part.stop();
    log('operators and shard are stopped');
    const definitions = [];
    for (const site of [hub, east]) {
      const ours = (await collect(site.client.list(CustomResourceDefinitionResource))).filter(({ metadata }) => metadata.name.endsWith('bigfleet.lucy.sh'));
      definitions.push(...ours);
      if (site === hub) {
        for (const { metadata } of await collect(hub.client.list<Machine>(MachineResource))) {
          await hub.client.patch(MachineResource, { namespace: metadata.namespace ?? '', name: metadata.name }, { metadata: { finalizers: null } });
        }
      }
      await kubectl(site, ['delete', 'crd', '--timeout=60s', ...ours.map(({ metadata }) => metadata.name)]);
    }
    await eventually('the definitions are gone', 60, async () => {
      for (const site of [hub, east]) {
        const left = (await collect(site.client.list(CustomResourceDefinitionResource))).filter(({ metadata }) => metadata.name.endsWith('bigfleet.lucy.sh'));
        expect(left.length === 0, `${site.id} has ${left.map(({ metadata }) => metadata.name).join()}`);
      }
    });
    log(`${definitions.length} definitions and all their objects are deleted`);
    await throughout('the cluster runs on', 8, async () => {
      await ground.expectUnmoved(steady, before);
      const now = await ground.nodes(east);
      const ready = now.filter(({ metadata, status }) => nodes.includes(metadata.uid) && status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'));
      expect(ready.length === nodes.length, `Nodes: ${now.map(({ metadata }) => metadata.name).join()}`);
      expect(!ground.changes().some(({ to }) => to === 'Draining' || to === 'Deleting'), await ground.seen());
    });
    return `${definitions.length} definitions deleted with all objects; ${before.length} Pods on ${nodes.length} Nodes run on`;
  },
};

import { upcomingNodeName } from '../../api/names.ts';
import type { UpcomingNode } from '../../api/types.ts';
import type { FleetNodes } from '../../operator/fleet-nodes.ts';
import { NodeResource } from '../../api/resources.ts';
import { lifeOf } from '../../operator/machine-life.ts';
import type { MachineNews } from '../../operator/machine-news.ts';
import type { WriteThrough } from '../../operator/write-through.ts';
import { isConflict } from '../../runtime/client/api-error.ts';
import { done, type KubeClient, type Log, type ReconcileContext, type Reconciler, type Result } from '../../runtime/types.ts';

export interface NodeDeps {
  readonly client: KubeClient;
  readonly upcoming: WriteThrough<UpcomingNode>;
  readonly fleet: FleetNodes;
  readonly news: MachineNews;
  readonly log: Log;
}

/** Deletes the Node of a machine that has left the cluster (D20). Key: machine id. */
export class NodeReconciler implements Reconciler {
  readonly name = 'node';
  private readonly deps: NodeDeps;

  constructor(deps: NodeDeps) {
    this.deps = deps;
  }

  async reconcile(machineId: string, ctx: ReconcileContext): Promise<Result> {
    const { client, fleet, news, upcoming, log } = this.deps;
    const node = fleet.nodeOf(machineId);
    const announced = upcoming.get(upcomingNodeName(machineId));
    if (!node || node.metadata.deletionTimestamp) return done;
    const life = lifeOf(news.get(machineId), announced, node);
    if (life.kind === 'living' || !life.nodeGoes) return done;
    const { name, uid } = node.metadata;
    try {
      const deleted = await client.delete(NodeResource, { name }, { signal: ctx.signal, ...(uid ? { preconditions: { uid } } : {}) });
      if (deleted) log.info({ node: name, machine: machineId }, 'node deleted: its machine has left the cluster');
    } catch (error) {
      if (!isConflict(error)) throw error; // a conflict means that the name has a new owner
    }
    return done;
  }
}

import { upcomingNodeName } from '../../api/names.ts';
import type { Node, UpcomingNode } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import { isReady, type FleetNodes } from '../../operator/fleet-nodes.ts';
import { NodeResource } from '../../api/resources.ts';
import { lifeOf } from '../../operator/machine-life.ts';
import type { Burial, MachineNews } from '../../operator/machine-news.ts';
import type { WriteThrough } from '../../operator/write-through.ts';
import { isConflict } from '../../runtime/client/api-error.ts';
import { after, done, type KubeClient, type Log, type ReconcileContext, type Reconciler, type Result } from '../../runtime/types.ts';

export interface NodeDeps {
  readonly client: KubeClient;
  readonly upcoming: WriteThrough<UpcomingNode>;
  readonly fleet: FleetNodes;
  readonly news: MachineNews;
  readonly clock: Clock;
  readonly log: Log;
}

/** A Node of a machine that has left, seen only afterwards, goes once it has been lifeless for this long. */
const STRAGGLER_MS = 10_000;

/** Deletes the Node of a machine that has left the cluster (D20). Key: machine id. */
export class NodeReconciler implements Reconciler {
  readonly name = 'node';
  private readonly deps: NodeDeps;

  constructor(deps: NodeDeps) {
    this.deps = deps;
  }

  async reconcile(machineId: string, ctx: ReconcileContext): Promise<Result> {
    const { client, clock, fleet, news, upcoming, log } = this.deps;
    const node = fleet.nodeOf(machineId);
    const announced = upcoming.get(upcomingNodeName(machineId));
    if (!node || node.metadata.deletionTimestamp) return done;
    const burial = news.get(machineId) ? undefined : news.burialOf(machineId);
    if (burial) {
      const waitMs = straggles(node, burial, clock.now());
      if (waitMs > 0) return waitMs === Infinity ? done : after(waitMs);
    } else {
      const life = lifeOf(news.get(machineId), announced, node);
      if (life.kind === 'living' || !life.nodeGoes) return done;
    }
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

/**
 * How long until the Node of a machine whose life here is over can go: 0 = now, Infinity = never by itself. One that is
 * alive stays, unless its machine is known to have left and the Node was cordoned for it. A lifeless one that is older than
 * the end of that life belongs to it; a younger one may be the first sign of a new life unless it stays dead.
 */
function straggles(node: Node, burial: Burial, now: number): number {
  if (isReady(node) && !(burial.isKnown && node.spec?.unschedulable === true)) return Infinity;
  const createdAt = Date.parse(node.metadata.creationTimestamp ?? '');
  if (createdAt < burial.at - STRAGGLER_MS) return 0;
  return Math.max(0, createdAt + STRAGGLER_MS - now);
}

import { upcomingNodeName } from '../../api/names.ts';
import type { Node, UpcomingNode } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import { isReady, type FleetNodes } from '../../operator/fleet-nodes.ts';
import { NodeResource } from '../../api/resources.ts';
import { lifeOf } from '../../operator/machine-life.ts';
import type { MachineNews } from '../../operator/machine-news.ts';
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
  /** How long the Node of a machine that the shard merely stopped naming must have been lifeless before it goes, in ms. */
  readonly lifelessMs: number;
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
    const { client, clock, fleet, news, upcoming, log, lifelessMs } = this.deps;
    const node = fleet.nodeOf(machineId);
    const announced = upcoming.get(upcomingNodeName(machineId));
    if (!node || node.metadata.deletionTimestamp) return done;
    const burial = news.get(machineId) ? undefined : news.burialOf(machineId);
    if (burial) {
      const waitMs = burial.isKnown ? straggles(node, burial.at, clock.now()) : lifeless(node, clock.now(), lifelessMs);
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
 * How long until the Node of a machine that has left can go: 0 = now, Infinity = never by itself. One that is alive stays
 * unless it was cordoned for leaving. A lifeless one that is older than the end of that life belongs to it; a younger one may
 * be the first sign of a new life unless it stays dead.
 */
function straggles(node: Node, leftAt: number, now: number): number {
  if (isReady(node) && node.spec?.unschedulable !== true) return Infinity;
  const createdAt = Date.parse(node.metadata.creationTimestamp ?? '');
  if (createdAt < leftAt - STRAGGLER_MS) return 0;
  return Math.max(0, createdAt + STRAGGLER_MS - now);
}

/**
 * The same for a machine that the shard merely does not name. A Node can be NotReady for a moment with all its Pods running,
 * so it goes only after as long a time without life as Kubernetes itself leaves Pods on it.
 */
function lifeless(node: Node, now: number, lifelessMs: number): number {
  if (isReady(node)) return Infinity;
  const since = Date.parse(node.status?.conditions?.find((c) => c.type === 'Ready')?.lastTransitionTime ?? node.metadata.creationTimestamp ?? '');
  return Number.isNaN(since) ? Infinity : Math.max(0, since + lifelessMs - now);
}

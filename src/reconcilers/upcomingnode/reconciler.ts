import { upcomingNodeName } from '../../api/names.ts';
import type { UpcomingNode, UpcomingNodeStatus } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import type { FleetNodes } from '../../operator/fleet-nodes.ts';
import { UpcomingNodeResource } from '../../api/resources.ts';
import { isLeaving, isOrdered, lifeOf, type Life, type Phase } from '../../operator/machine-life.ts';
import { DRAIN_DEADLINE_ANNOTATION, DRAIN_INSTRUCTION_ANNOTATION } from '../../operator/labels.ts';
import type { MachineNews, News } from '../../operator/machine-news.ts';
import { newUpcomingNode, specOf, specPatch, statusOf, statusPatch } from '../../operator/upcoming-node.ts';
import type { WriteThrough } from '../../operator/write-through.ts';
import { StatusPace } from './status-pace.ts';
import { after, done, type KubeClient, type ReconcileContext, type Reconciler, type Result } from '../../runtime/types.ts';

export type WriteOp = 'create' | 'spec_update' | 'status_update' | 'delete';

export interface UpcomingNodeDeps {
  readonly client: KubeClient;
  /** Shared with the drain reconciler, so that each sees the other's writes at once. */
  readonly upcoming: WriteThrough<UpcomingNode>;
  readonly fleet: FleetNodes;
  readonly news: MachineNews;
  readonly clock: Clock;
  /** False: Nodes of machines that have gone are left to somebody else (D20). */
  readonly deletesNodes: boolean;
  readonly wrote?: (op: WriteOp, outcome: 'success' | 'error' | 'noop') => void;
}

/** Keeps one UpcomingNode per machine that serves this cluster. Key: machine id. (spec: cluster-operator 4.6) */
export class UpcomingNodeReconciler implements Reconciler {
  readonly name = 'upcomingnode';
  private readonly deps: UpcomingNodeDeps;
  private readonly pace: StatusPace;

  constructor(deps: UpcomingNodeDeps) {
    this.deps = deps;
    this.pace = new StatusPace(deps.clock);
  }

  async reconcile(machineId: string, ctx: ReconcileContext): Promise<Result> {
    const { upcoming, news, fleet } = this.deps;
    const heard = news.get(machineId);
    const name = upcomingNodeName(machineId);
    const stored = upcoming.get(name);
    if (!stored) this.pace.forget(name);
    if (!heard && !stored) return done;
    const current = stored && this.pace.asDecided(stored);
    const node = fleet.nodeOf(machineId);
    const life = lifeOf(heard, current, node);
    if (life.kind === 'over') return this.clearAway(machineId, current, heard, life, ctx);

    const frame = heard?.kind === 'frame' ? heard.frame : undefined;
    const object = current ?? (frame && (await this.create(newUpcomingNode(machineId, frame), ctx)));
    if (!object) return done;
    const written = current && heard?.kind === 'frame' ? await this.update(current, heard, life.phase, ctx) : undefined;
    const { generation } = (written ?? object).metadata;
    const status = statusOf({ current: object.status, generation, phase: life.phase, frame, node, nowMs: this.deps.clock.now() });
    return this.updateStatus(stored ?? object, status, ctx);
  }

  /** The Node goes first: as long as the UpcomingNode stands, a restarted operator knows that it has to. */
  private async clearAway(
    machineId: string, current: UpcomingNode | undefined, heard: News | undefined, life: Extract<Life, { kind: 'over' }>, ctx: ReconcileContext,
  ): Promise<Result> {
    const { deletesNodes, fleet, news } = this.deps;
    if (deletesNodes && life.nodeGoes && fleet.nodeOf(machineId)) return done; // its deletion brings us back
    if (current) await this.delete(current, ctx);
    if (heard && !life.next) news.bury(machineId, heard);
    return life.next ? this.reconcile(machineId, ctx) : done;
  }

  private create(object: UpcomingNode, ctx: ReconcileContext): Promise<UpcomingNode> {
    return this.write('create', object.metadata.name, () => this.deps.client.create(UpcomingNodeResource, object, { signal: ctx.signal }));
  }

  private async update(current: UpcomingNode, { frame, isBeforeOrder }: Extract<News, { kind: 'frame' }>, phase: Phase, ctx: ReconcileContext): Promise<UpcomingNode | undefined> {
    const spec = specPatch(current.spec, specOf(frame));
    // A drain of an earlier life must not be taken up again by a restarted operator.
    const outlived = phase === 'Ready' && isOrdered(current) && (isLeaving(current) || !isBeforeOrder);
    if (!spec && !outlived) return undefined;
    const annotations = { [DRAIN_INSTRUCTION_ANNOTATION]: null, [DRAIN_DEADLINE_ANNOTATION]: null };
    const patch = { ...(spec ? { spec } : {}), ...(outlived ? { metadata: { annotations } } : {}) };
    const { name } = current.metadata;
    return this.write('spec_update', name, () => this.deps.client.patch<UpcomingNode>(UpcomingNodeResource, { name }, patch, { signal: ctx.signal }));
  }

  private async updateStatus(object: UpcomingNode, wanted: UpcomingNodeStatus, ctx: ReconcileContext): Promise<Result> {
    const { name } = object.metadata;
    const patch = statusPatch(object.status, wanted);
    const waitMs = patch ? this.pace.holdBack(object, wanted) : 0;
    if (waitMs > 0) return after(waitMs);
    if (patch) {
      await this.write('status_update', name, () => this.deps.client.patch<UpcomingNode>(UpcomingNodeResource, { name }, patch, { subresource: 'status', signal: ctx.signal }));
      this.pace.wrote(name);
    } else {
      this.deps.wrote?.('status_update', 'noop');
    }
    return done;
  }

  private async delete(current: UpcomingNode, ctx: ReconcileContext): Promise<void> {
    const { name, uid } = current.metadata;
    try {
      const options = { signal: ctx.signal, ...(uid ? { preconditions: { uid } } : {}) };
      await this.deps.upcoming.delete(name, () => this.deps.client.delete(UpcomingNodeResource, { name }, options));
    } catch (error) {
      this.deps.wrote?.('delete', 'error');
      throw error;
    }
    this.pace.forget(name);
    this.deps.wrote?.('delete', 'success');
  }

  private async write(op: WriteOp, name: string, call: () => Promise<UpcomingNode>): Promise<UpcomingNode> {
    let written: UpcomingNode;
    try {
      written = await this.deps.upcoming.write(name, call);
    } catch (error) {
      this.deps.wrote?.(op, 'error');
      throw error;
    }
    this.deps.wrote?.(op, 'success');
    return written;
  }
}

import { upcomingNodeName } from '../../api/names.ts';
import type { Node, Pod, UpcomingNode } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import { orderAnnotations, orderOf, type DrainOrder, type DrainOrders } from '../../operator/drain-orders.ts';
import type { FleetNodes } from '../../operator/fleet-nodes.ts';
import { NodeResource, UpcomingNodeResource } from '../../api/resources.ts';
import { CORDONED_ANNOTATION, DRAIN_DEADLINE_ANNOTATION, DRAIN_INSTRUCTION_ANNOTATION } from '../../operator/labels.ts';
import type { MachineNews } from '../../operator/machine-news.ts';
import { isMovable } from '../../operator/pod-traits.ts';
import { statusOf, statusPatch } from '../../operator/upcoming-node.ts';
import type { WriteThrough } from '../../operator/write-through.ts';
import { isNotFound } from '../../runtime/client/api-error.ts';
import { after, done, type KubeClient, type Log, type ReconcileContext, type Reconciler, type Result, type Store } from '../../runtime/types.ts';
import { Evictions } from './evictions.ts';

/** A blocked eviction is tried again after this long; what is merely slow announces itself by its deletion. */
const RETRY_MS = 2_000;
const FALLBACK_MS = 30_000;

export interface DrainDeps {
  readonly client: KubeClient;
  readonly upcoming: WriteThrough<UpcomingNode>;
  readonly nodes: Store<Node>;
  /** Must declare the index `node` over spec.nodeName. */
  readonly pods: Store<Pod>;
  readonly fleet: FleetNodes;
  readonly orders: DrainOrders;
  readonly news: MachineNews;
  readonly clock: Clock;
  readonly log: Log;
  readonly finished?: (outcome: 'drained' | 'failed') => void;
}

/**
 * Empties the Node of a machine that was told to leave: cordon, acknowledge, evict, report (spec: cluster-operator 4.7).
 * Key: machine id. The order is kept on the UpcomingNode (on the Node if there is none) and survives a restart.
 */
export class DrainReconciler implements Reconciler {
  readonly name = 'drain';
  private readonly deps: DrainDeps;
  private readonly evictions: Evictions;

  constructor(deps: DrainDeps) {
    this.deps = deps;
    this.evictions = new Evictions(deps.client, deps.clock);
  }

  async reconcile(machineId: string, ctx: ReconcileContext): Promise<Result> {
    const { upcoming, orders, news, clock } = this.deps;
    const announced = upcoming.get(upcomingNodeName(machineId));
    const node = this.nodeOf(machineId, announced);
    if (news.stays(machineId)) return this.giveBack(machineId, node, ctx);
    const order = orders.get(machineId) ?? this.kept(announced, node);
    if (!order) return done;
    orders.adopt(machineId, order);

    if (announced) await this.persist(announced, order, ctx);
    if (node) await this.cordon(node, order, announced === undefined, ctx);
    await this.enter(machineId, 'Draining', node, orders.heldBy(machineId) || undefined, ctx);
    orders.started(machineId, node?.metadata.name);

    const remaining = node ? this.deps.pods.byIndex('node', node.metadata.name).filter(isMovable) : [];
    if (remaining.length === 0) return this.finish(machineId, 'Drained', node, undefined, ctx);
    const leftMs = order.deadlineMs - clock.now();
    if (leftMs <= 0) return this.finish(machineId, 'Failed', node, this.evictions.whatHolds(remaining), ctx);

    const blocked = await this.evictions.evict(remaining, ctx.signal);
    const words = this.evictions.whatBlocks(remaining);
    orders.held(machineId, words);
    if (words !== '') await this.enter(machineId, 'Draining', node, words, ctx);
    return after(Math.min(blocked > 0 ? RETRY_MS : FALLBACK_MS, leftMs));
  }

  /** What the UpcomingNode says, the label, the provider id, and at last the id taken as a Node's name. */
  private nodeOf(machineId: string, announced: UpcomingNode | undefined): Node | undefined {
    const { nodes, fleet } = this.deps;
    const referred = announced?.status?.nodeRef?.name;
    return (referred ? nodes.get(referred) : undefined) ?? fleet.nodeOf(machineId) ?? nodes.get(machineId);
  }

  /** An order that a predecessor of this process left unfinished. */
  private kept(announced: UpcomingNode | undefined, node: Node | undefined): DrainOrder | undefined {
    if (!announced) return orderOf(node?.metadata);
    const { phase } = announced.status ?? {};
    const order = orderOf(announced.metadata);
    if (phase === 'Draining') return order;
    // Annotated but not begun; if its time is up it belongs to an earlier life.
    return phase === 'Ready' && order && order.deadlineMs > this.deps.clock.now() ? order : undefined;
  }

  private async persist(announced: UpcomingNode, order: DrainOrder, ctx: ReconcileContext): Promise<void> {
    const known = orderOf(announced.metadata);
    if (known?.instructionId === order.instructionId && known.deadlineMs === order.deadlineMs) return;
    const { name } = announced.metadata;
    const patch = { metadata: { annotations: orderAnnotations(order) } };
    await this.unlessGone(name, () => this.deps.client.patch<UpcomingNode>(UpcomingNodeResource, { name }, patch, { signal: ctx.signal }));
  }

  /** A cordon that is there already is somebody else's, and stays that. */
  private async cordon(node: Node, order: DrainOrder, keepsOrder: boolean, ctx: ReconcileContext): Promise<void> {
    const { name } = node.metadata;
    const isCordoned = node.spec?.unschedulable === true;
    if (isCordoned && (!keepsOrder || orderOf(node.metadata)?.instructionId === order.instructionId)) return;
    const annotations = { ...(keepsOrder && orderAnnotations(order)), ...(!isCordoned && { [CORDONED_ANNOTATION]: order.instructionId }) };
    try {
      await this.deps.client.patch(NodeResource, { name }, { metadata: { annotations }, spec: { unschedulable: true } }, { signal: ctx.signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** The shard keeps the machine: the order is void, and a cordon of ours goes. The UpcomingNode follows the shard by itself. */
  private async giveBack(machineId: string, node: Node | undefined, ctx: ReconcileContext): Promise<Result> {
    const { orders, client, log } = this.deps;
    orders.started(machineId, undefined);
    orders.finished(machineId, node?.metadata.name);
    if (node?.metadata.annotations?.[CORDONED_ANNOTATION] === undefined) return done;
    const annotations = { [CORDONED_ANNOTATION]: null, [DRAIN_INSTRUCTION_ANNOTATION]: null, [DRAIN_DEADLINE_ANNOTATION]: null };
    const { name } = node.metadata;
    try {
      await client.patch(NodeResource, { name }, { metadata: { annotations }, spec: { unschedulable: null } }, { signal: ctx.signal });
      log.info({ machine: machineId, node: name }, 'the machine stays: its Node takes Pods again');
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    return done;
  }

  private async finish(machineId: string, outcome: 'Drained' | 'Failed', node: Node | undefined, error: string | undefined, ctx: ReconcileContext): Promise<Result> {
    await this.enter(machineId, outcome, node, error, ctx);
    if (node && orderOf(node.metadata)) {
      const annotations = { [DRAIN_INSTRUCTION_ANNOTATION]: null, [DRAIN_DEADLINE_ANNOTATION]: null };
      const { name } = node.metadata;
      await this.deps.client.patch(NodeResource, { name }, { metadata: { annotations } }, { signal: ctx.signal });
    }
    this.deps.orders.finished(machineId, node?.metadata.name);
    this.deps.finished?.(outcome === 'Drained' ? 'drained' : 'failed');
    const fields = { machine: machineId, node: node?.metadata.name, ...(error ? { reason: error } : {}) };
    if (outcome === 'Drained') this.deps.log.info(fields, 'node drained');
    else this.deps.log.warn(fields, 'node not drained within its grace; it stays cordoned');
    return done;
  }

  /** The drain's own view of the phase; without an UpcomingNode there is nowhere to say it. */
  private async enter(machineId: string, phase: 'Draining' | 'Drained' | 'Failed', node: Node | undefined, error: string | undefined, ctx: ReconcileContext): Promise<void> {
    const { upcoming, clock, client } = this.deps;
    const name = upcomingNodeName(machineId);
    const current = upcoming.get(name);
    if (!current) return;
    const wanted = statusOf({ current: current.status, generation: current.metadata.generation, phase, frame: undefined, node, nowMs: clock.now(), ...(error ? { error } : {}) });
    const patch = statusPatch(current.status, wanted);
    if (patch) await this.unlessGone(name, () => client.patch<UpcomingNode>(UpcomingNodeResource, { name }, patch, { subresource: 'status', signal: ctx.signal }));
  }

  /** The machine may be gone before its drain is over; then nobody waits for the news. */
  private async unlessGone(name: string, call: () => Promise<UpcomingNode>): Promise<void> {
    try {
      await this.deps.upcoming.write(name, call);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

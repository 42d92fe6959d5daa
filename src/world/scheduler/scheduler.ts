import { NodeResource, PodResource } from '../../api/resources.ts';
import { malformation } from '../../embedded/well-formed.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ResourceType } from '../../runtime/types.ts';
import { isFinished, podKey } from '../objects.ts';
import type { Node, Pod } from '../../api/core.ts';
import { ClusterView } from './cluster-view.ts';
import type { NodeView } from './cluster-view.ts';
import { fullness, refusals } from './node-filter.ts';
import { PendingPods, head } from './pending-pods.ts';
import type { ShapeQueue } from './pending-pods.ts';
import { PodShapes } from './pod-shape.ts';
import type { PodShape } from './pod-shape.ts';
import { Relations } from './relations.ts';
import type { NodeCheck } from './relations.ts';
import { unschedulableMessage } from './unschedulable-message.ts';

export interface SchedulerEffects {
  /** False if the Pod can no longer be bound (gone, being deleted, bound by another). */
  bind(pod: string, node: string): boolean;
  /** PodScheduled=False, reason Unschedulable. */
  markUnschedulable(pod: string, message: string): void;
  /** A Pod or a Node that cannot be read, and is left out. */
  report(problem: string): void;
}

export interface SchedulerOptions {
  readonly clock: Clock;
  readonly effects: SchedulerEffects;
  /** Runs work a little later, after the events at hand: setImmediate outside tests. */
  readonly defer: (work: () => void) => void;
}

const DEFAULT_SCHEDULER = 'default-scheduler';
/** A message that only counts anew is not worth a write more often than this. */
const REWRITE_MS = 5_000;
/** One stretch of work on the main loop. */
const SLICE_MS = 5;

/** One pass over all shapes; what changes meanwhile is for the next one. */
interface Round {
  readonly changed: readonly string[];
  readonly queues: ShapeQueue[];
  readonly version: number;
}

/**
 * A small kube-scheduler: reacts to Pods that arrive and to Nodes that gain room, never polls. Filters by resources, node
 * selector and affinity, taints, DoNotSchedule spread and required Pod (anti-)affinity; takes the most allocated Node that
 * fits, ties by name; knows no preemption (spec: demo).
 */
export class Scheduler {
  private readonly view = new ClusterView();
  private readonly relations = new Relations(this.view);
  private readonly shapes = new PodShapes();
  private readonly pending = new PendingPods();
  private readonly changed = new Set<string>();
  private readonly options: SchedulerOptions;
  private scheduled = false;
  private round: Round | undefined;

  constructor(options: SchedulerOptions) {
    this.options = options;
  }

  get pendingCount(): number {
    return this.pending.size;
  }

  podChanged(pod: Pod): void {
    const key = podKey(pod);
    const nodeName = pod.spec?.nodeName;
    if (nodeName) {
      this.pending.remove(key);
      if (isFinished(pod)) return this.freed(key, nodeName);
      if (this.view.holds(key, nodeName)) return;
      const shape = this.shapeOf(pod);
      if (shape) this.view.place(key, shape, nodeName);
      return;
    }
    if (!this.wants(pod)) return this.pending.remove(key);
    if (this.pending.has(key)) return;
    const shape = this.shapeOf(pod);
    if (!shape) return;
    const condition = pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
    this.pending.add(key, shape, condition?.status === 'False' ? (condition.message ?? '') : '');
    this.wake();
  }

  podGone(pod: Pod): void {
    const key = podKey(pod);
    this.pending.remove(key);
    if (pod.spec?.nodeName) this.freed(key, pod.spec.nodeName);
  }

  /** A Node that cannot be read stays what it was last known to be. */
  nodeChanged(node: Node): void {
    if (!this.read(NodeResource, node, () => this.view.updateNode(node))) return;
    this.changed.add(node.metadata.name);
    this.wake();
  }

  nodeGone(name: string): void {
    this.view.removeNode(name);
  }

  /** Places what can be placed now, or as much of it as fits into one slice of the main loop; the rest follows. */
  run(): void {
    const start = this.options.clock.monotonic();
    const round = (this.round ??= this.newRound());
    for (let queue = round.queues.shift(); queue; queue = round.queues.shift()) {
      if (!this.serve(queue, round.changed, start + SLICE_MS)) round.queues.unshift(queue);
      if (round.queues.length > 0 && this.options.clock.monotonic() - start >= SLICE_MS) return this.wake();
    }
    this.round = undefined;
    // Placements of this round may be what an earlier Pod that wants company was waiting for.
    const placed = this.view.version !== round.version;
    if (this.changed.size > 0 || (placed && this.pending.inOrder().some((queue) => this.relations.concern(queue.shape)))) this.wake();
  }

  private newRound(): Round {
    const changed = [...this.changed].sort();
    this.changed.clear();
    return { changed, queues: this.pending.inOrder(), version: this.view.version };
  }

  private wants(pod: Pod): boolean {
    const scheduler = pod.spec?.schedulerName ?? DEFAULT_SCHEDULER;
    return !pod.metadata.deletionTimestamp && !isFinished(pod) && scheduler === DEFAULT_SCHEDULER && (pod.spec?.schedulingGates ?? []).length === 0;
  }

  /** False if time ran out before every Pod of the queue had its chance. */
  private serve(queue: ShapeQueue, changed: readonly string[], until: number): boolean {
    const relational = this.relations.concern(queue.shape);
    if (!queue.tryAll && !(relational ? queue.failedAt !== this.view.version : changed.length > 0)) {
      this.explain(queue);
      return true;
    }
    const everywhere = queue.tryAll || relational;
    for (let pod = head(queue); pod; pod = head(queue)) {
      const checks = this.relations.checks(queue.shape);
      const node = this.best(queue.shape, everywhere ? this.view.nodes() : this.named(changed), checks);
      if (!node) break;
      this.pending.remove(pod.key);
      this.view.place(pod.key, pod.shape, node.name);
      if (!this.options.effects.bind(pod.key, node.name)) this.freed(pod.key, node.name);
      if (this.options.clock.monotonic() >= until) return queue.pods.size === 0;
    }
    queue.tryAll = false;
    queue.failedAt = this.view.version;
    this.explain(queue);
    return true;
  }

  private best(shape: PodShape, nodes: Iterable<NodeView>, checks: readonly NodeCheck[]): NodeView | undefined {
    let best: NodeView | undefined;
    let bestFullness = -1;
    for (const node of nodes) {
      if (refusals(shape, node).length > 0 || checks.some((check) => check(node) !== undefined)) continue;
      const full = fullness(shape, node);
      if (full > bestFullness || (full === bestFullness && best && node.name < best.name)) {
        best = node;
        bestFullness = full;
      }
    }
    return best;
  }

  private *named(names: readonly string[]): Iterable<NodeView> {
    for (const name of names) {
      const node = this.view.node(name);
      if (node) yield node;
    }
  }

  /** Says why: at once on Pods that have not been told, on the others now and then if it has become something else. */
  private explain(queue: ShapeQueue): void {
    const now = this.options.clock.monotonic();
    const everyone = now - queue.toldAt >= REWRITE_MS;
    const audience = [...(everyone ? queue.pods.values() : queue.untold)];
    if (audience.length === 0) return;
    if (everyone) queue.toldAt = now;
    const message = unschedulableMessage(queue.shape, this.view.nodes(), this.relations.checks(queue.shape));
    for (const pod of audience) {
      queue.untold.delete(pod);
      if (message === pod.message) continue;
      pod.message = message;
      this.options.effects.markUnschedulable(pod.key, message);
    }
  }

  private freed(pod: string, nodeName: string): void {
    if (!this.view.remove(pod, nodeName)) return;
    this.changed.add(nodeName);
    this.wake();
  }

  private shapeOf(pod: Pod): PodShape | undefined {
    return this.read(PodResource, pod, () => this.shapes.of(pod));
  }

  /** The API server lets nothing in that is malformed, but what an older one let in may be stored: a word, and no more of it. */
  private read<T>(type: ResourceType, object: Node | Pod, how: () => T): T | undefined {
    try {
      const wrong = malformation(type, object);
      if (wrong !== undefined) throw new Error(`${type.kind} ${podKey(object).replace(/^\//, '')} is left out: ${wrong}`);
      return how();
    } catch (error) {
      this.options.effects.report(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  private wake(): void {
    if (this.scheduled || this.pending.size === 0) return;
    this.scheduled = true;
    this.options.defer(() => {
      this.scheduled = false;
      this.run();
    });
  }
}

import { isNodeReady } from '../objects.ts';
import type { Node, Taint } from '../../api/core.ts';
import type { Labels } from './label-selector.ts';
import type { PodShape } from './pod-shape.ts';
import { allocatableAmounts } from './pod-requests.ts';

const DEFAULT_MAX_PODS = 110;

/** One Node as the scheduler sees it. Pods may be known before their Node is; then `known` is false and nothing fits. */
export interface NodeView {
  readonly name: string;
  known: boolean;
  ready: boolean;
  unschedulable: boolean;
  labels: Labels;
  taints: readonly Taint[];
  allocatable: ReadonlyMap<string, number>;
  maxPods: number;
  readonly used: Map<string, number>;
  readonly pods: Map<string, PodShape>;
}

export interface PlacementListener {
  placed(shape: PodShape, node: string): void;
  removed(shape: PodShape, node: string): void;
}

/** Nodes and the Pods on them, kept up to date by events and by the scheduler's own decisions. */
export class ClusterView {
  private readonly byName = new Map<string, NodeView>();
  private readonly listeners: PlacementListener[] = [];
  /** Grows with every change that could alter an attempt's outcome. */
  version = 0;

  nodes(): Iterable<NodeView> {
    return this.byName.values();
  }

  node(name: string): NodeView | undefined {
    return this.byName.get(name);
  }

  onPlacement(listener: PlacementListener): void {
    this.listeners.push(listener);
  }

  /** True if the Node may have room now that it had not before. A heartbeat or a cordon gives none. */
  updateNode(node: Node): boolean {
    const view = this.viewOf(node.metadata.name);
    const ready = isNodeReady(node);
    const unschedulable = node.spec?.unschedulable ?? false;
    const labels = node.metadata.labels ?? {};
    const taints = node.spec?.taints ?? [];
    const allocatable = allocatableAmounts(node.status?.allocatable, `Node ${view.name}`);
    const same =
      view.known && view.ready === ready && view.unschedulable === unschedulable &&
      equal(view.labels, labels) && equal(view.taints, taints) && equalMaps(view.allocatable, allocatable);
    if (same) return false;
    const maxPods = (allocatable.get('pods') ?? DEFAULT_MAX_PODS * 1000) / 1000;
    Object.assign(view, { known: true, ready, unschedulable, labels, taints, allocatable, maxPods });
    this.version++;
    return ready && !unschedulable;
  }

  removeNode(name: string): void {
    const view = this.byName.get(name);
    if (!view) return;
    this.version++;
    view.known = false;
    view.ready = false;
    if (view.pods.size === 0) this.byName.delete(name);
  }

  holds(pod: string, nodeName: string): boolean {
    return this.byName.get(nodeName)?.pods.has(pod) ?? false;
  }

  /** Idempotent: a Pod that is on the Node already stays counted once. */
  place(pod: string, shape: PodShape, nodeName: string): void {
    const view = this.viewOf(nodeName);
    if (view.pods.has(pod)) return;
    view.pods.set(pod, shape);
    for (const [name, amount] of shape.requests) view.used.set(name, (view.used.get(name) ?? 0) + amount);
    this.version++;
    for (const listener of this.listeners) listener.placed(shape, nodeName);
  }

  /** True if the Pod was there. */
  remove(pod: string, nodeName: string): boolean {
    const view = this.byName.get(nodeName);
    const shape = view?.pods.get(pod);
    if (!view || !shape) return false;
    view.pods.delete(pod);
    for (const [name, amount] of shape.requests) view.used.set(name, (view.used.get(name) ?? 0) - amount);
    if (!view.known && view.pods.size === 0) this.byName.delete(nodeName);
    this.version++;
    for (const listener of this.listeners) listener.removed(shape, nodeName);
    return true;
  }

  private viewOf(name: string): NodeView {
    const present = this.byName.get(name);
    if (present) return present;
    const view: NodeView = {
      name, known: false, ready: false, unschedulable: false, labels: {}, taints: [],
      allocatable: new Map(), maxPods: 0, used: new Map(), pods: new Map(),
    };
    this.byName.set(name, view);
    return view;
  }
}

function equal(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function equalMaps(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

import type { PodShape } from './pod-shape.ts';

export interface PendingPod {
  readonly key: string;
  readonly shape: PodShape;
  /** Order of arrival. */
  readonly seq: number;
  /** What its PodScheduled condition says. */
  message: string;
}

/** Pods of one shape that wait. `tryAll`: news for every Node; otherwise only Nodes that changed can help. */
export interface ShapeQueue {
  readonly shape: PodShape;
  readonly pods: Map<string, PendingPod>;
  tryAll: boolean;
  /** Version of the view at the last failed attempt. */
  failedAt: number;
  /** Pods whose condition says nothing yet, and when the others were last told (monotonic ms). */
  readonly untold: Set<PendingPod>;
  toldAt: number;
}

/** Waiting Pods by shape, so that one attempt answers for all of a shape: thousands of Pods, a few hundred shapes. */
export class PendingPods {
  private readonly queues = new Map<string, ShapeQueue>();
  private readonly shapeOfPod = new Map<string, string>();
  private nextSeq = 0;

  get size(): number {
    return this.shapeOfPod.size;
  }

  has(pod: string): boolean {
    return this.shapeOfPod.has(pod);
  }

  get(pod: string): PendingPod | undefined {
    return this.queues.get(this.shapeOfPod.get(pod) ?? '')?.pods.get(pod);
  }

  add(key: string, shape: PodShape, message: string): void {
    const queue = this.queues.get(shape.key) ?? newQueue(shape);
    this.queues.set(shape.key, queue);
    const pod = { key, shape, seq: this.nextSeq++, message };
    queue.pods.set(key, pod);
    if (message === '') queue.untold.add(pod);
    this.shapeOfPod.set(key, shape.key);
  }

  remove(pod: string): void {
    const shapeKey = this.shapeOfPod.get(pod);
    const queue = shapeKey === undefined ? undefined : this.queues.get(shapeKey);
    if (shapeKey === undefined || !queue) return;
    this.shapeOfPod.delete(pod);
    const known = queue.pods.get(pod);
    if (known) queue.untold.delete(known);
    queue.pods.delete(pod);
    if (queue.pods.size === 0) this.queues.delete(shapeKey);
  }

  /** Highest priority first, then the longest waiting, as the real scheduler's queue. */
  inOrder(): ShapeQueue[] {
    return [...this.queues.values()].sort((a, b) => b.shape.priority - a.shape.priority || headSeq(a) - headSeq(b));
  }
}

export function head(queue: ShapeQueue): PendingPod | undefined {
  return queue.pods.values().next().value;
}

function newQueue(shape: PodShape): ShapeQueue {
  return { shape, pods: new Map(), tryAll: true, failedAt: -1, untold: new Set(), toldAt: -Infinity };
}

function headSeq(queue: ShapeQueue): number {
  return head(queue)?.seq ?? Infinity;
}

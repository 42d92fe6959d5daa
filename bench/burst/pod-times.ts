/** When each Pod was created, bound, run and gone, as somebody sees it who watches. Unix milliseconds. */
import type { Pod } from '../../src/api/types.ts';
import type { StoreEvent } from '../../src/runtime/types.ts';

interface Times {
  readonly createdAt: number;
  boundAt?: number;
  runningAt?: number;
  goneAt?: number;
  node?: string;
}

export class PodTimes {
  private readonly pods = new Map<string, Times>();
  bound = 0;
  running = 0;
  /** Of those, the ones that are still there. */
  runningNow = 0;
  gone = 0;
  lastCreatedAt = 0;
  lastGoneAt = 0;
  /** Gone before it was to go: moved off its machine. */
  evicted = 0;
  /** Bound to another Node than before. */
  readonly surprises: string[] = [];
  mayGo = false;

  get created(): number {
    return this.pods.size;
  }

  /** The API server has answered that it exists. One that replaces another is not of the burst any more: `lastCreatedAt` is not about it. */
  createdOne(uid: string, at: number, replaces = false): void {
    this.pods.set(uid, { ...this.pods.get(uid), createdAt: at });
    if (!replaces) this.lastCreatedAt = Math.max(this.lastCreatedAt, at);
  }

  seen(event: StoreEvent<Pod>, now: number): void {
    const { metadata } = event.type === 'deleted' ? event.old : event.object;
    const uid = metadata.uid ?? '';
    // The watch may be faster than the answer.
    const times = this.pods.get(uid) ?? { createdAt: now };
    this.pods.set(uid, times);
    if (event.type === 'deleted') {
      times.goneAt = now;
      this.gone++;
      if (times.runningAt !== undefined) this.runningNow--;
      this.lastGoneAt = Math.max(this.lastGoneAt, now);
      if (!this.mayGo) this.evicted++;
      return;
    }
    const { spec, status } = event.object;
    if (spec.nodeName && times.node !== spec.nodeName) {
      if (times.node !== undefined) this.surprises.push(`Pod ${metadata.name} is on ${spec.nodeName} after ${times.node}`);
      else this.bound++;
      times.node = spec.nodeName;
      times.boundAt ??= now;
    }
    if (status?.phase === 'Running' && times.runningAt === undefined) {
      times.runningAt = now;
      this.running++;
      this.runningNow++;
    }
  }

  /** Milliseconds from creation; 0 where the moment came before the answer to the creation did. */
  toBound(): number[] {
    return [...this.pods.values()].flatMap(({ createdAt, boundAt }) => (boundAt === undefined ? [] : [Math.max(0, boundAt - createdAt)]));
  }

  toRunning(): number[] {
    return [...this.pods.values()].flatMap(({ createdAt, runningAt }) => (runningAt === undefined ? [] : [Math.max(0, runningAt - createdAt)]));
  }

  /** Until the machine was requested on which the Pod runs; 0 where that was on order already. */
  toRequested(requestedAt: (node: string) => number | undefined): number[] {
    return [...this.pods.values()].flatMap(({ createdAt, node }) => {
      const at = node === undefined ? undefined : requestedAt(node);
      return at === undefined ? [] : [Math.max(0, at - createdAt)];
    });
  }

  nodesInUse(): Set<string> {
    return new Set([...this.pods.values()].flatMap(({ node }) => node ?? []));
  }
}

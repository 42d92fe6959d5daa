import type { Node, Pod } from '../api/core.ts';
import { NodeResource, PodResource } from '../api/resources.ts';
import type { EmbeddedStore } from '../embedded/api.ts';
import { StatusError } from '../embedded/status-error.ts';
import { malformation } from '../embedded/well-formed.ts';
import type { Clock } from '../lib/clock.ts';
import { stableHash } from '../lib/random.ts';
import type { NodePods } from './node-agent.ts';
import { isDaemonSetPod, isFinished, isNodeReady, podKey } from './objects.ts';

const START_MS = 50;
const STOP_MIN_MS = 100;
const STOP_SPREAD_MS = 200;

/**
 * The kubelets of a simulated cluster: bound Pods run, terminating Pods end. A Node that is not Ready does nothing; its
 * Pods go when the Node object goes, which is the API server's business.
 */
export class Kubelet implements NodePods {
  private readonly store: EmbeddedStore;
  private readonly clock: Clock;
  private readonly report: (problem: string) => void;
  private readonly ready = new Map<string, boolean>();
  private readonly byNode = new Map<string, Map<string, Pod>>();
  private readonly waiting = new Map<string, Set<() => void>>();
  private readonly stops: (() => void)[] = [];
  private closed = false;

  /** `report` hears of what cannot be read: such a Pod is ended when it is deleted, but never runs; such a Node is not Ready. */
  constructor(store: EmbeddedStore, clock: Clock, report: (problem: string) => void) {
    this.store = store;
    this.clock = clock;
    this.report = report;
  }

  start(): void {
    this.stops.push(
      this.store.watch<Node>(NodeResource, (event) => {
        if (event.type === 'deleted') this.ready.delete(event.old.metadata.name);
        else this.nodeChanged(event.object);
      }),
      this.store.watch<Pod>(PodResource, (event) => {
        if (event.type === 'deleted') this.podGone(event.old);
        else this.podChanged(event.object);
      }),
    );
  }

  close(): void {
    this.closed = true;
    for (const stop of this.stops) stop();
  }

  whenEmpty(node: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if ([...(this.byNode.get(node)?.values() ?? [])].some((pod) => !isDaemonSetPod(pod) && !isFinished(pod))) return;
        finish();
        resolve();
      };
      const onAbort = (): void => {
        finish();
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      const finish = (): void => {
        this.waiting.get(node)?.delete(check);
        signal.removeEventListener('abort', onAbort);
      };
      const checks = this.waiting.get(node) ?? new Set<() => void>();
      this.waiting.set(node, checks.add(check));
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else check();
    });
  }

  private nodeChanged(node: Node): void {
    const { name } = node.metadata;
    const wrong = malformation(NodeResource, node);
    if (wrong !== undefined) this.report(`Node ${name} counts as not Ready: ${wrong}`);
    const ready = wrong === undefined && isNodeReady(node);
    const before = this.ready.get(name);
    this.ready.set(name, ready);
    if (ready && !before) for (const pod of this.byNode.get(name)?.values() ?? []) this.advance(pod);
  }

  private podChanged(pod: Pod): void {
    const node = pod.spec.nodeName;
    if (!node) return;
    const onNode = this.byNode.get(node) ?? new Map<string, Pod>();
    this.byNode.set(node, onNode.set(podKey(pod), pod));
    if (isFinished(pod)) this.tell(node);
    this.advance(pod);
  }

  private podGone(pod: Pod): void {
    const node = pod.spec.nodeName;
    if (!node) return;
    const onNode = this.byNode.get(node);
    onNode?.delete(podKey(pod));
    if (onNode?.size === 0) this.byNode.delete(node);
    this.tell(node);
  }

  private tell(node: string): void {
    for (const check of [...(this.waiting.get(node) ?? [])]) check();
    if (this.waiting.get(node)?.size === 0) this.waiting.delete(node);
  }

  /** The next thing that happens to this Pod, if its Node can still be what it is now by then. */
  private advance(pod: Pod): void {
    const node = pod.spec.nodeName ?? '';
    if (!this.ready.get(node)) return;
    if (pod.metadata.deletionTimestamp) {
      const ms = STOP_MIN_MS + (stableHash(pod.metadata.uid ?? '') % STOP_SPREAD_MS);
      this.later(ms, pod, () => this.ready.get(node) && this.remove(pod));
    } else if (pod.status?.phase !== 'Running' && !isFinished(pod)) {
      this.later(START_MS, pod, () => this.ready.get(node) && this.run(pod));
    }
  }

  private later(ms: number, pod: Pod, act: () => unknown): void {
    this.clock.after(ms, () => {
      const present = this.byNode.get(pod.spec.nodeName ?? '')?.get(podKey(pod));
      if (!this.closed && present?.metadata.uid === pod.metadata.uid) act();
    });
  }

  private run(pod: Pod): void {
    const wrong = malformation(PodResource, pod);
    if (wrong !== undefined) return this.report(`Pod ${podKey(pod)} does not run: ${wrong}`);
    const now = this.timestamp();
    this.tolerant(() =>
      this.store.mutate<Pod>(PodResource, ref(pod), (draft) => {
        if (draft.metadata.uid !== pod.metadata.uid || draft.metadata.deletionTimestamp || draft.status?.phase === 'Running') return draft;
        const others = (draft.status?.conditions ?? []).filter((c) => c.type !== 'Ready');
        const containerStatuses = draft.spec.containers.map(({ name, image = '' }) => ({
          name, image, imageID: '', ready: true, started: true, restartCount: 0, state: { running: { startedAt: now } },
        }));
        return { ...draft, status: { ...draft.status, phase: 'Running', startTime: now, conditions: [...others, { type: 'Ready', status: 'True', lastTransitionTime: now }], containerStatuses } };
      }, { subresource: 'status' }),
    );
  }

  private remove(pod: Pod): void {
    const { uid } = pod.metadata;
    this.tolerant(() => this.store.delete(PodResource, ref(pod), { gracePeriodSeconds: 0, ...(uid === undefined ? {} : { preconditions: { uid } }) }));
  }

  /** The Pod may have gone or been replaced in the meantime; then there is nothing left to do. */
  private tolerant(act: () => unknown): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof StatusError) || (error.code !== 404 && error.code !== 409)) throw error;
    }
  }

  private timestamp(): string {
    return new Date(this.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}

function ref(pod: Pod): { namespace: string; name: string } {
  return { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name };
}

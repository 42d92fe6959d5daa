import type { Finding } from '../api/conditions.ts';
import type { CapacityRequest, Pod } from '../api/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Store } from '../runtime/types.ts';
import { capacityRequestFor, sameDemand, type DemandWarning, type PodRequestOptions } from './pod-request.ts';
import type { RequestFates } from './request-fates.ts';

export interface DirectPodsDeps {
  readonly pods: Store<Pod>;
  readonly options: PodRequestOptions;
  readonly fates: Pick<RequestFates, 'next'>;
  readonly clock: Pick<Clock, 'now'>;
  /** The demand of a Pod is new, or has changed. */
  readonly demanded: (key: string, request: CapacityRequest) => void;
  readonly withdrawn: (key: string, request: CapacityRequest) => void;
  /** Something of the Pod's demand is ignored. */
  readonly warn: (pod: Pod, warning: DemandWarning) => void;
  /** A condition that the Pod's request would have has just become False. */
  readonly complain: (pod: Pod, finding: Finding) => void;
}

interface Counted {
  readonly key: string;
  readonly podKey: string;
  request: CapacityRequest;
}

/**
 * Pods that are demand without an object between (D33): each has the request that the pod controller would make for it, and
 * that request the status that it would be given, but both are in memory only. What a status says against a Pod becomes an
 * event. After a restart all of it is made anew from the Pods.
 */
export class DirectPods {
  private readonly deps: DirectPodsDeps;
  private readonly byPod = new Map<string, Counted>();
  private readonly byKey = new Map<string, Counted>();
  /** Pods about which nothing was said yet, as long as it is not ours to speak. */
  private muted: Set<string> | undefined = new Set();

  constructor(deps: DirectPodsDeps) {
    this.deps = deps;
  }

  /** From here on Pods are told what is wrong with them, and those that were not told so far are told now. */
  speak(): void {
    const untold = this.muted ?? [];
    this.muted = undefined;
    for (const podKey of untold) {
      this.gone(podKey);
      this.look(podKey);
    }
  }

  /** Looks at a Pod of the cache again. Throws if its quantities cannot be read; then what was known of it stands. */
  look(podKey: string): void {
    const pod = this.deps.pods.get(podKey);
    if (!pod) return;
    const demand = capacityRequestFor(pod, this.deps.options);
    if (demand.kind === 'unknown') return;
    const known = this.byPod.get(podKey);
    if (demand.kind === 'none') {
      if (known) this.withdraw(known);
      return;
    }
    if (known && sameDemand(known.request.spec, demand.request.spec)) return;
    for (const warning of demand.warnings) this.say(podKey, () => this.deps.warn(pod, warning));
    if (known) known.request = { ...known.request, spec: demand.request.spec };
    const counted = known ?? this.count(podKey, demand.request);
    this.deps.demanded(counted.key, counted.request);
  }

  gone(podKey: string): void {
    const known = this.byPod.get(podKey);
    if (known) this.withdraw(known);
  }

  /** Takes note of the fate of the demand with this key. False: the key is no Pod's. */
  settle(key: string): boolean {
    const counted = this.byKey.get(key);
    if (!counted) return false;
    const { fates, clock, pods, complain } = this.deps;
    const change = fates.next(key, counted.request, clock.now());
    if (!change) return true;
    counted.request = { ...counted.request, status: change.status };
    const pod = pods.get(counted.podKey);
    if (pod) for (const finding of change.complaints) this.say(counted.podKey, () => complain(pod, finding));
    return true;
  }

  private say(podKey: string, what: () => void): void {
    if (this.muted) this.muted.add(podKey);
    else what();
  }

  private count(podKey: string, request: CapacityRequest): Counted {
    // More than one slash: no key of a CapacityRequest looks like it.
    const counted = { key: `Pod/${podKey}`, podKey, request };
    this.byPod.set(podKey, counted);
    this.byKey.set(counted.key, counted);
    return counted;
  }

  private withdraw(counted: Counted): void {
    this.byPod.delete(counted.podKey);
    this.byKey.delete(counted.key);
    this.muted?.delete(counted.podKey);
    this.deps.withdrawn(counted.key, counted.request);
  }
}

/** Made for a Pod: not counted where Pods are counted themselves, whoever made it. */
export function isOwnedByPod(request: CapacityRequest): boolean {
  return request.metadata.ownerReferences?.some((owner) => owner.kind === 'Pod') ?? false;
}

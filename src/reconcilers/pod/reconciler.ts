import { capacityRequestName } from '../../api/names.ts';
import type { CapacityRequest, Pod } from '../../api/types.ts';
import { CapacityRequestResource } from '../../api/resources.ts';
import { capacityRequestFor, sameDemand, type DemandWarning, type PodRequestOptions } from '../../operator/pod-request.ts';
import type { WriteThrough } from '../../operator/write-through.ts';
import { isAlreadyExists, isNotFound } from '../../runtime/client/api-error.ts';
import { done, type KubeClient, type ReconcileContext, type Reconciler, type Result, type Store } from '../../runtime/types.ts';
import type { PendingMarker } from './pending-marker.ts';

export type PodOutcome = 'cr_created' | 'cr_updated' | 'cr_exists' | 'cr_deleted' | 'pod_gone' | 'pod_terminal' | 'pod_skipped' | 'error';

export interface PodDeps {
  readonly client: KubeClient;
  readonly pods: Store<Pod>;
  readonly requests: WriteThrough<CapacityRequest>;
  readonly options: PodRequestOptions;
  readonly pending: PendingMarker;
  readonly warn?: (pod: Pod, warning: DemandWarning) => void;
  readonly reconciled?: (outcome: PodOutcome) => void;
}

/** One CapacityRequest for every Pod that wants room in the fleet, for as long as it does (spec: pod-controller 3.1). Key: namespace/name of the Pod. */
export class PodReconciler implements Reconciler {
  readonly name = 'pod';
  private readonly deps: PodDeps;

  constructor(deps: PodDeps) {
    this.deps = deps;
  }

  async reconcile(key: string, ctx: ReconcileContext): Promise<Result> {
    let outcome: PodOutcome = 'error';
    try {
      outcome = await this.settle(key, ctx);
      return done;
    } finally {
      this.deps.reconciled?.(outcome);
    }
  }

  private async settle(key: string, ctx: ReconcileContext): Promise<PodOutcome> {
    const { pods, requests, options } = this.deps;
    const pod = pods.get(key);
    if (!pod) return 'pod_gone'; // the request goes with its owner
    const requestKey = `${pod.metadata.namespace ?? ''}/${capacityRequestName(pod.metadata.uid ?? '')}`;
    const existing = requests.get(requestKey);
    const demand = capacityRequestFor(pod, options);
    if (demand.kind === 'unknown') return 'pod_skipped';
    if (demand.kind === 'none') {
      if (existing) await this.delete(requestKey, existing, ctx);
      if (demand.because === 'finished') return 'pod_terminal';
      return existing ? 'cr_deleted' : 'pod_skipped';
    }
    if (!existing) return this.create(pod, requestKey, demand.request, demand.warnings, ctx);
    if (sameDemand(existing.spec, demand.request.spec)) return 'cr_exists';
    this.warn(pod, demand.warnings);
    return this.update(requestKey, existing, demand.request, ctx);
  }

  private async create(pod: Pod, key: string, request: CapacityRequest, warnings: readonly DemandWarning[], ctx: ReconcileContext): Promise<PodOutcome> {
    this.warn(pod, warnings);
    try {
      await this.deps.requests.write(key, () => this.deps.client.create(CapacityRequestResource, request, { signal: ctx.signal }));
      this.deps.pending.created(key);
      return 'cr_created';
    } catch (error) {
      // Its name is the Pod's uid: whoever made it, it is this one, and the cache is about to show it.
      if (isAlreadyExists(error)) return 'cr_exists';
      throw error;
    }
  }

  /** Replaces the whole spec: a merge would keep what the Pod no longer asks for (D28). */
  private async update(key: string, existing: CapacityRequest, wanted: CapacityRequest, ctx: ReconcileContext): Promise<PodOutcome> {
    const patch = [{ op: 'replace', path: '/spec', value: wanted.spec }];
    const { name, namespace } = existing.metadata;
    try {
      await this.deps.requests.write(key, () => this.deps.client.patch<CapacityRequest>(CapacityRequestResource, { name, ...(namespace ? { namespace } : {}) }, patch, { kind: 'json', signal: ctx.signal }));
    } catch (error) {
      if (!isNotFound(error)) throw error; // its deletion is on the way and brings us back
    }
    return 'cr_updated';
  }

  private async delete(key: string, existing: CapacityRequest, ctx: ReconcileContext): Promise<void> {
    const { name, namespace, uid } = existing.metadata;
    const options = { signal: ctx.signal, ...(uid ? { preconditions: { uid } } : {}) };
    await this.deps.requests.delete(key, () => this.deps.client.delete(CapacityRequestResource, { name, ...(namespace ? { namespace } : {}) }, options));
  }

  private warn(pod: Pod, warnings: readonly DemandWarning[]): void {
    for (const warning of warnings) this.deps.warn?.(pod, warning);
  }
}

import type { Finding } from '../../api/conditions.ts';
import { CapacityRequestResource } from '../../api/resources.ts';
import type { CapacityRequest, Pod } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import type { RequestFates } from '../../operator/request-fates.ts';
import type { WriteThrough } from '../../operator/write-through.ts';
import { parseKey } from '../../runtime/cache/store.ts';
import { isNotFound } from '../../runtime/client/api-error.ts';
import { done, type KubeClient, type ReconcileContext, type Reconciler, type Result } from '../../runtime/types.ts';

export interface CapacityRequestDeps {
  readonly client: KubeClient;
  readonly requests: WriteThrough<CapacityRequest>;
  readonly fates: RequestFates;
  readonly clock: Clock;
  /** A condition has just become False; `about` is the Pod, or the request where there is none. */
  readonly complain?: (about: { pod: Pod } | { request: CapacityRequest }, finding: Finding) => void;
  readonly acknowledged?: () => void;
}

/** Tells each request its fate in as few writes as possible (spec: cluster-operator 4.2; D31). Key: namespace/name. */
export class CapacityRequestReconciler implements Reconciler {
  readonly name = 'capacityrequest';
  private readonly deps: CapacityRequestDeps;

  constructor(deps: CapacityRequestDeps) {
    this.deps = deps;
  }

  async reconcile(key: string, ctx: ReconcileContext): Promise<Result> {
    const { client, requests, fates, clock } = this.deps;
    const request = requests.get(key);
    if (!request) return done;
    const change = fates.next(key, request, clock.now());
    if (!change) return done;
    try {
      const patch = { status: change.status };
      await requests.write(key, () => client.patch<CapacityRequest>(CapacityRequestResource, parseKey(key), patch, { subresource: 'status', signal: ctx.signal }));
    } catch (error) {
      if (isNotFound(error)) return done; // withdrawn in the meantime (B12)
      throw error;
    }
    if (change.status.phase === 'Acknowledged' && request.status?.phase !== 'Acknowledged') this.deps.acknowledged?.();
    const pod = fates.podOf(request);
    for (const finding of change.complaints) this.deps.complain?.(pod ? { pod } : { request }, finding);
    return done;
  }
}

import { OWNED_BY_POD_LABEL } from '../api/constants.ts';
import { CapacityRequestResource, ShardResource, UpcomingNodeResource } from '../api/resources.ts';
import type { KubeClient, KubeObject, ResourceType } from '../runtime/types.ts';
import { SHARD_ID, SYSTEM_NAMESPACE } from './commands.ts';
import type { SeenPod } from './observer/pod-ledger.ts';

const TIMEOUT_MS = 10_000;

/** How many objects of a kind there are in all clusters; undefined if one cannot be asked. */
async function count(clients: Iterable<KubeClient>, type: ResourceType): Promise<number | undefined> {
  let total = 0;
  try {
    for (const client of clients) for await (const _ of client.list(type, { timeoutMs: TIMEOUT_MS })) total++;
  } catch {
    return undefined;
  }
  return total;
}

export async function countLeft(clients: Iterable<KubeClient>): Promise<{ capacityRequests?: number; upcomingNodes?: number }> {
  const all = [...clients];
  const capacityRequests = await count(all, CapacityRequestResource);
  const upcomingNodes = await count(all, UpcomingNodeResource);
  return { ...(capacityRequests !== undefined && { capacityRequests }), ...(upcomingNodes !== undefined && { upcomingNodes }) };
}

interface RequestWithFate extends KubeObject {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string }[] };
}

/** Why Pods wait, as the conditions of their CapacityRequests say; a Pod without one counts as NoCapacityRequest. */
export async function pendingByReason(clients: ReadonlyMap<string, KubeClient>, waiting: readonly SeenPod[]): Promise<Record<string, number>> {
  const reasons: Record<string, number> = {};
  for (const [cluster, client] of clients) {
    const pods = waiting.filter((pod) => pod.cluster === cluster);
    if (pods.length === 0) continue;
    const byUid = new Map<string, string>();
    try {
      for await (const request of client.list<RequestWithFate>(CapacityRequestResource, { timeoutMs: TIMEOUT_MS })) {
        byUid.set(request.metadata.labels?.[OWNED_BY_POD_LABEL] ?? '', fateOf(request));
      }
    } catch {
      // The Pods still count, without a reason.
    }
    for (const pod of pods) {
      const reason = byUid.get(pod.uid) ?? 'NoCapacityRequest';
      reasons[reason] = (reasons[reason] ?? 0) + 1;
    }
  }
  return reasons;
}

/** The first condition that is False says why; with none, the request is met or was never reported. */
function fateOf({ status }: RequestWithFate): string {
  const conditions = status?.conditions ?? [];
  const bad = conditions.find((c) => c.status === 'False');
  return bad?.reason ?? (conditions.length > 0 ? 'Satisfied' : 'NotReported');
}

/** How many clusters the shard is connected to; 0 while it or the hub cannot tell. */
export async function connectedClusters(hub: KubeClient): Promise<number> {
  try {
    const shard = await hub.get<KubeObject & { status?: { sessions?: number } }>(ShardResource, { namespace: SYSTEM_NAMESPACE, name: SHARD_ID }, { timeoutMs: 2_000 });
    return shard?.status?.sessions ?? 0;
  } catch {
    return 0;
  }
}

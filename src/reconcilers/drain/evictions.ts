import type { Pod } from '../../api/types.ts';
import type { Clock } from '../../lib/clock.ts';
import { PodResource } from '../../api/resources.ts';
import { isApiError, isNotFound } from '../../runtime/client/api-error.ts';
import type { KubeClient } from '../../runtime/types.ts';

/** A Pod whose eviction was granted shows its deletion within this time; after it the eviction is asked for again. */
const GRANTED_MS = 10_000;
const CONCURRENCY = 8;
const NAMED_PODS = 5;

/** Asks the API server to evict Pods and remembers what it answered. Every refusal is transient (spec: cluster-operator 4.7). */
export class Evictions {
  private readonly client: KubeClient;
  private readonly clock: Clock;
  private readonly grantedAt = new Map<string, number>();
  private readonly refusals = new Map<string, string>();

  constructor(client: KubeClient, clock: Clock) {
    this.client = client;
    this.clock = clock;
  }

  /** Returns how many of the Pods could not be evicted now. */
  async evict(pods: readonly Pod[], signal: AbortSignal): Promise<number> {
    this.expire();
    const due = pods.filter((pod) => !pod.metadata.deletionTimestamp && !this.grantedAt.has(uid(pod)));
    let blocked = 0;
    for (let i = 0; i < due.length; i += CONCURRENCY) {
      const granted = await Promise.all(due.slice(i, i + CONCURRENCY).map((pod) => this.evictOne(pod, signal)));
      blocked += granted.filter((ok) => !ok).length;
    }
    return blocked;
  }

  /** One sentence on what keeps the Node from being empty. */
  whatHolds(pods: readonly Pod[]): string {
    return `the drain's grace has passed and ${this.remaining(pods)}`;
  }

  /** The same while it goes on: what the API server refuses at present, '' if nothing. */
  whatBlocks(pods: readonly Pod[]): string {
    const refused = pods.filter((pod) => this.refusals.has(uid(pod)));
    return refused.length === 0 ? '' : this.remaining(refused);
  }

  private remaining(pods: readonly Pod[]): string {
    const named = pods.slice(0, NAMED_PODS).map((pod) => `${pod.metadata.namespace ?? ''}/${pod.metadata.name}`).join(', ');
    const rest = pods.length > NAMED_PODS ? ` and ${pods.length - NAMED_PODS} more` : '';
    const answer = pods.map((pod) => this.refusals.get(uid(pod))).find((text) => text !== undefined);
    return `${pods.length} Pod(s) remain: ${named}${rest}${answer ? `; last answer: ${answer}` : ''}`;
  }

  private async evictOne(pod: Pod, signal: AbortSignal): Promise<boolean> {
    const { name, namespace = 'default' } = pod.metadata;
    const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace }, deleteOptions: { preconditions: { uid: uid(pod) } } };
    try {
      // Our own pace: the deadline decides how long a disruption budget is asked again.
      await this.client.post(PodResource, { name, namespace }, 'eviction', body, { signal, maxAttempts: 1 });
    } catch (error) {
      if (isNotFound(error)) return true;
      this.refusals.set(uid(pod), answerOf(error));
      return false;
    }
    this.grantedAt.set(uid(pod), this.clock.monotonic());
    this.refusals.delete(uid(pod));
    return true;
  }

  private expire(): void {
    const before = this.clock.monotonic() - GRANTED_MS;
    for (const [key, at] of this.grantedAt) {
      if (at > before) break; // in order of insertion
      this.grantedAt.delete(key);
    }
  }
}

/** Causes name the disruption budget. */
function answerOf(error: unknown): string {
  const causes = isApiError(error) ? error.causes.flatMap(({ message }) => (message === undefined ? [] : [message])) : [];
  return [error instanceof Error ? error.message : String(error), ...causes].join(' ');
}

function uid(pod: Pod): string {
  return pod.metadata.uid ?? pod.metadata.name;
}

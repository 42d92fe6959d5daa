import { CapacityProviderResource, ShardResource } from '../api/resources.ts';
import type { CapacityProvider, Shard } from '../api/types.ts';
import type { Plan } from '../engine/types.ts';
import { sleep } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { ProviderStatus } from '../reconcilers/provider/poller.ts';
import type { CycleFacts } from '../reconcilers/shard/cycle.ts';
import { isConflict, isNotFound } from '../runtime/client/api-error.ts';
import type { KubeClient, Log, Runnable } from '../runtime/types.ts';
import { providerStatus, shardStatus } from './status.ts';
import type { ProviderFacts, ShardFacts, Supply } from './status.ts';
import { isSucceeded } from './succession.ts';

/** What is told of one provider. */
export interface ProviderSight {
  readonly name: string;
  readonly object: CapacityProvider | undefined;
  readonly supply: Supply;
  readonly list: ProviderStatus;
  readonly facts: ProviderFacts;
}

export interface ShardStatusPublisherOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly shardId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly shardObject: () => Shard | undefined;
  readonly providers: () => Iterable<ProviderSight>;
  /** Least time between two statuses; 2 s if absent. */
  readonly intervalMs?: number;
  readonly facts: () => Pick<ShardFacts, 'epoch' | 'holder' | 'sessions' | 'leaseProven' | 'supplyTrusted' | 'setAside' | 'unseen' | 'isSomeTrusted' | 'fenced' | 'objectsMode' | 'unmetSince' | 'troubles'>;
}

const INTERVAL_MS = 2_000;

/**
 * Writes Shard.status and CapacityProvider.status after cycles, at most every two seconds; feeds nothing back. What there is
 * to say of the provider's conditions does not wait for a cycle: without a List there is none.
 */
export class ShardStatusPublisher implements Runnable {
  readonly name = 'status';
  private readonly options: ShardStatusPublisherOptions;
  private latest: { plan: Plan; facts: CycleFacts } | undefined;
  private failing = false;

  constructor(options: ShardStatusPublisherOptions) {
    this.options = options;
  }

  planned(plan: Plan, facts: CycleFacts): void {
    this.latest = { plan, facts };
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const latest = this.latest;
      this.latest = undefined;
      if (latest || [...this.options.providers()].some((provider) => this.isNews(provider))) await this.publish(latest, signal);
      await sleep(this.options.clock, this.options.intervalMs ?? INTERVAL_MS, signal).catch(() => undefined);
    }
  }

  /** Whether the provider's conditions are others than its object says. */
  private isNews({ object, supply, list, facts }: ProviderSight): boolean {
    const isUnasked = list.lastListAt === 0 && list.lastError === '';
    if (!object || isUnasked) return false;
    const said = object.status?.conditions ?? [];
    const { conditions = [], observedGeneration } = providerStatus(supply, list, object, this.options.clock.now(), facts);
    return observedGeneration !== object.status?.observedGeneration || conditions.some((now) => !said.some((c) => c.type === now.type && c.status === now.status && c.reason === now.reason && c.message === now.message));
  }

  private async publish(latest: { plan: Plan; facts: CycleFacts } | undefined, signal: AbortSignal): Promise<void> {
    const { client, namespace, clock, log } = this.options;
    const at = clock.now();
    const shard = this.options.shardObject();
    try {
      const facts = this.options.facts();
      // Whoever was succeeded, and does not know it yet, says nothing: under its name the successor would take itself for succeeded.
      if (shard && latest && !isSucceeded(shard, facts)) {
        const status = shardStatus(latest.plan, {
          ...facts,
          cycle: latest.facts.cycle,
          withheld: latest.facts.withheld,
          at,
          generation: shard.metadata.generation ?? 0,
          previous: shard.status?.conditions ?? [],
        });
        // Not over what it has not seen: this process may stand still between the look and the write.
        const { resourceVersion } = shard.metadata;
        await client.patch(ShardResource, { namespace, name: this.options.shardId }, { ...(resourceVersion !== undefined && { metadata: { resourceVersion } }), status }, { subresource: 'status', signal }).catch((error: unknown) => {
          if (!isConflict(error)) throw error;
          this.latest ??= latest; // once the object has been seen as it is
        });
      }
      for (const { name, object, supply, list, facts } of this.options.providers()) {
        if (!object) continue;
        const status = providerStatus(supply, list, object, at, facts);
        await client.patch(CapacityProviderResource, { namespace, name }, { status }, { subresource: 'status', signal });
      }
      this.failing = false;
    } catch (error) {
      if (signal.aborted || isNotFound(error)) return;
      if (!this.failing) log.warn({ error: String(error) }, 'cannot write status: decisions go on');
      this.failing = true;
    }
  }
}

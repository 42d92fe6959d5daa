import type { Finding } from '../api/conditions.ts';
import type { CapacityRequest, Pod } from '../api/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../runtime/types.ts';
import type { Caches } from './caches.ts';
import { DirectPods, isOwnedByPod } from './direct-pods.ts';
import type { FateLedger } from './fate-ledger.ts';
import type { OperatorMetrics } from './metrics.ts';
import { podRequestOptions, recheckPodsOfNodes, type PodDemandOptions } from './pod-demand.ts';
import type { DemandWarning } from './pod-request.ts';
import type { RequestFates } from './request-fates.ts';
import type { DemandBook } from './rollup.ts';
import type { RollupSource } from './rollup-source.ts';

export interface DemandIntakeDeps {
  readonly caches: Pick<Caches, 'pods' | 'nodes' | 'requests' | 'upcoming' | 'fleet'>;
  readonly book: DemandBook;
  readonly ledger: FateLedger;
  readonly rollups: RollupSource;
  readonly fates: RequestFates;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<OperatorMetrics, 'requestsSkipped'>;
  /** The CapacityRequest with this key has to be told something. */
  readonly tell: (key: string) => void;
  readonly warn: (pod: Pod, warning: DemandWarning) => void;
  readonly complain: (pod: Pod, finding: Finding) => void;
}

/**
 * Where demand comes from: CapacityRequests, and with `directPods` Pods themselves, whose requests then do not count (D33).
 * It follows the caches from its construction on.
 */
export class DemandIntake {
  private readonly deps: DemandIntakeDeps;
  private readonly direct: DirectPods | undefined;

  constructor(deps: DemandIntakeDeps, directPods?: PodDemandOptions) {
    const { caches, fates, clock, warn, complain } = deps;
    this.deps = deps;
    const direct = directPods && new DirectPods({
      pods: caches.pods.store, options: podRequestOptions(directPods, caches.fleet), fates, clock, warn, complain,
      demanded: (key, request) => this.demanded(key, request),
      withdrawn: (key, request) => this.withdrawn(key, request),
    });
    this.direct = direct;
    caches.requests.subscribe((event) => {
      if (event.type === 'deleted') this.withdrawn(event.key, event.old);
      else if (direct && isOwnedByPod(event.object)) this.withdrawn(event.key, event.object);
      else this.demanded(event.key, event.object);
    });
    if (!direct || !directPods) {
      caches.pods.subscribe((event) => (event.type === 'deleted' ? deps.rollups.podGone(event.old) : undefined));
      return;
    }
    caches.pods.subscribe((event) => (event.type === 'deleted' ? direct.gone(event.key) : direct.look(event.key)));
    recheckPodsOfNodes(caches, directPods.foreignNodes, (key) => direct.look(key));
  }

  /** From here on Pods may be told what is wrong with them. */
  speak(): void {
    this.direct?.speak();
  }

  /** Takes note of what became of this demand, if it is a Pod's own. False: it is a CapacityRequest's. */
  settle(key: string): boolean {
    return this.direct?.settle(key) ?? false;
  }

  private demanded(key: string, request: CapacityRequest): void {
    const { book, ledger, rollups, metrics, log, tell } = this.deps;
    const rejectedBefore = book.rejectionOf(key) !== undefined;
    if (rollups.requested(key, request)) {
      const rejection = book.rejectionOf(key);
      if (rejection) {
        metrics.requestsSkipped.inc({ reason: rejection.field.split(/[.[]/)[1] ?? 'spec' });
        log.warn({ request: key, ...rejection }, 'request left out of roll-ups');
        ledger.forget(key);
      }
      if ((rejection || rejectedBefore) && !this.settle(key)) tell(key);
    }
    if (!book.rejectionOf(key)) ledger.track(key, request.status?.phase === 'Acknowledged');
  }

  private withdrawn(key: string, request: CapacityRequest): void {
    this.deps.rollups.withdrawn(key, request);
    this.deps.ledger.forget(key);
  }
}

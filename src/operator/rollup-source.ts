import type { Node, Pod, CapacityRequest } from '../api/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Store } from '../runtime/types.ts';
import type { BuiltRollup } from '../session/client/types.ts';
import type { FateLedger } from './fate-ledger.ts';
import type { FleetNodes } from './fleet-nodes.ts';
import { OWNED_BY_POD_LABEL } from './labels.ts';
import type { OperatorMetrics } from './metrics.ts';
import type { NodeLoad } from './node-load.ts';
import type { DemandBook } from './rollup.ts';

export interface RollupSourceDeps {
  readonly clusterId: string;
  readonly book: DemandBook;
  readonly ledger: FateLedger;
  readonly load: NodeLoad;
  readonly nodes: Store<Node>;
  readonly fleet: FleetNodes;
  readonly clock: Clock;
  readonly metrics: Pick<OperatorMetrics, 'rollupSeconds' | 'rollupRows'>;
  /** What holds up the drain of a machine; '' = nothing. */
  readonly heldBy?: (machineId: string) => string;
  /** Sets the allowances of the rows for the roll-up with this timestamp. */
  readonly applyAllowances?: (timestamp: bigint) => void;
}

interface Context {
  readonly timestamp: bigint;
  readonly newcomers: readonly string[];
}

/**
 * Builds the messages that report demand. A request whose Pod has gone counts no more, although garbage collection may
 * take its time to remove it: machines for Pods that are gone would be bought meanwhile.
 */
export class RollupSource {
  private readonly deps: RollupSourceDeps;
  private readonly orphaned = new Set<string>();
  private readonly byPod = new Map<string, string>();
  private lastTimestamp = 0n;

  constructor(deps: RollupSourceDeps) {
    this.deps = deps;
  }

  /** Returns whether the demand changed. */
  requested(key: string, request: CapacityRequest): boolean {
    if (this.orphaned.has(key)) return false;
    const pod = request.metadata.labels?.[OWNED_BY_POD_LABEL];
    if (pod) this.byPod.set(pod, key);
    return this.deps.book.set(key, request);
  }

  withdrawn(key: string, request: CapacityRequest): void {
    this.orphaned.delete(key);
    this.deps.book.remove(key);
    const pod = request.metadata.labels?.[OWNED_BY_POD_LABEL];
    if (pod && this.byPod.get(pod) === key) this.byPod.delete(pod);
  }

  requestOf(pod: Pod): string | undefined {
    return this.byPod.get(pod.metadata.uid ?? '');
  }

  podGone(pod: Pod): void {
    const key = this.requestOf(pod);
    if (key === undefined) return;
    this.orphaned.add(key);
    this.deps.book.remove(key);
    this.deps.ledger.forget(key);
  }

  build(): BuiltRollup {
    const { book, ledger, load, nodes, fleet, clock, metrics, clusterId, heldBy } = this.deps;
    const startedAt = clock.monotonic();
    const now = BigInt(Math.round(clock.now())) * 1_000_000n;
    // It names the roll-up in NeedStatus: two must never share one, even if the clock was set back.
    const timestamp = now > this.lastTimestamp ? now : this.lastTimestamp + 1n;
    this.lastTimestamp = timestamp;
    ledger.retainRows((key) => !isEmpty(book.rowsByStatusKey(key)));
    this.deps.applyAllowances?.(timestamp);
    const needs = book.needs();
    const message = { clusterId, timestampUnixNanos: timestamp, needs, nodeHints: { items: load.hints(nodes, fleet, heldBy) } };
    metrics.rollupRows.set(needs.length);
    metrics.rollupSeconds.observe((clock.monotonic() - startedAt) / 1000);
    return { message, context: { timestamp, newcomers: ledger.newcomers() } satisfies Context };
  }

  sent(rollup: BuiltRollup): void {
    const { timestamp, newcomers } = rollup.context as Context;
    this.deps.ledger.rollupSent(timestamp, newcomers);
  }
}

function isEmpty(items: Iterable<unknown>): boolean {
  return items[Symbol.iterator]().next().done === true;
}

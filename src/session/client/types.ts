import type { ClusterCapacityNeeds } from '../../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { DialRefusal } from '../../api/dial-refusal.ts';
import type {
  AvailableCapacityUpdate, BootstrapBlobResponse, BootstrapRequest, NeedStatuses, NodeStateUpdate, ReclaimInstruction,
} from '../../api/gen/bigfleet/v1alpha1/shard.ts';

export type SessionState = 'Disconnected' | 'Dialing' | 'HelloSent' | 'Streaming' | 'Backoff';

/** A roll-up ready to be sent. `context` is the builder's own and comes back in `rollupSent`. */
export interface BuiltRollup {
  readonly message: ClusterCapacityNeeds;
  readonly context?: unknown;
}

/**
 * Where the session's frames go. Handlers run on the stream's own turn: they record and enqueue, they never write to
 * the API server and never throw.
 */
export interface SessionHandlers {
  /** Called for the roll-up due now; undefined = nothing to say yet (caches not in sync). */
  buildRollup(): BuiltRollup | undefined;
  /** The roll-up has been handed to the stream; only such a one can be acknowledged. */
  rollupSent(rollup: BuiltRollup): void;
  rollupAcked(): void;
  nodeState(update: NodeStateUpdate): void;
  /** The replay is over: the machines named are all that serve this cluster. */
  replayComplete(machineIds: readonly string[]): void;
  needStatuses(statuses: NeedStatuses): void;
  availableCapacity(update: AvailableCapacityUpdate): void;
  /** Answers soon: the shard does not wait for long. Failures are answers with `error` set; what is promised must not be rejected. */
  bootstrap(request: BootstrapRequest): BootstrapBlobResponse | Promise<BootstrapBlobResponse>;
  reclaim(instruction: ReclaimInstruction): void;
  /** `additions`: the shard knows them (D18). */
  connected?(additions: boolean): void;
  disconnected?(): void;
}

export interface SessionMetrics {
  reconnected(): void;
  state(state: SessionState): void;
  outboxDropped(kind: 'bootstrapResponse' | 'reclaimAck'): void;
  /** An order from a shard process that has been succeeded (D17). */
  staleRefused(kind: 'bootstrap' | 'reclaim'): void;
  rejected(code: string): void;
  /** The shard was not spoken to, for what it presented. */
  refused(reason: DialRefusal): void;
  /** An Ack came; for so long the oldest roll-up without one had waited since it was handed to the stream. */
  ackLag(ms: number): void;
}

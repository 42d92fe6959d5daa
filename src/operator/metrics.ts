import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { SessionState } from '../session/client/types.ts';

const STATES: readonly SessionState[] = ['Disconnected', 'Dialing', 'HelloSent', 'Streaming', 'Backoff'];

export type OperatorMetrics = ReturnType<typeof createOperatorMetrics>;

/** The operator's instruments; names and labels are API (spec: metrics 9). One per registry. */
export function createOperatorMetrics(registry: Registry) {
  const registers = [registry];
  const state = new Gauge({ name: 'bigfleet_operator_session_state', help: '1 for the state that the session is in.', labelNames: ['state'] as const, registers });
  return {
    rollupSeconds: new Histogram({
      name: 'bigfleet_operator_rollup_duration_seconds', help: 'Time to build a roll-up.', buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5], registers,
    }),
    rollupRows: new Gauge({ name: 'bigfleet_operator_rollup_rows', help: 'Rows in the latest roll-up.', registers }),
    ackLagSeconds: new Histogram({
      name: 'bigfleet_operator_rollup_ack_lag_seconds', help: 'How long the oldest unanswered roll-up had waited when an Ack came.', buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 12, 30, 60], registers,
    }),
    acknowledged: new Counter({ name: 'bigfleet_operator_acknowledged_total', help: 'CapacityRequests that became Acknowledged.', registers }),
    ackFallbacks: new Counter({ name: 'bigfleet_operator_ack_fallbacks_total', help: 'CapacityRequests acknowledged without an Ack for three intervals.', registers }),
    requestsSkipped: new Counter({
      name: 'bigfleet_operator_crs_skipped_total', help: 'CapacityRequests left out of roll-ups because they cannot be expressed.', labelNames: ['reason'] as const, registers,
    }),
    reconnects: new Counter({ name: 'bigfleet_operator_session_reconnects_total', help: 'Dials after the first.', registers }),
    sessionRejected: new Counter({ name: 'bigfleet_operator_session_rejected_total', help: 'Sessions that the shard refused, by status.', labelNames: ['code'] as const, registers }),
    shardRefused: new Counter({ name: 'bigfleet_operator_shard_refused_total', help: 'Dials at which the shard was not spoken to, for what it presented.', labelNames: ['reason'] as const, registers }),
    outboxDropped: new Counter({ name: 'bigfleet_operator_outbox_dropped_total', help: 'Answers dropped because the outbox was full.', labelNames: ['kind'] as const, registers }),
    staleRefused: new Counter({ name: 'bigfleet_operator_stale_orders_refused_total', help: 'Orders of superseded shard processes.', labelNames: ['kind'] as const, registers }),
    upcomingNodeWrites: new Counter({
      name: 'bigfleet_operator_upcoming_node_writes_total', help: 'Writes to UpcomingNodes.', labelNames: ['op', 'outcome'] as const, registers,
    }),
    drains: new Counter({ name: 'bigfleet_operator_drains_total', help: 'Ended drains.', labelNames: ['outcome'] as const, registers }),
    podReconciles: new Counter({
      name: 'bigfleet_unschedulable_pod_controller_reconciles_total', help: 'Reconciled Pods by outcome.', labelNames: ['outcome'] as const, registers,
    }),
    sessionState(current: SessionState): void {
      for (const each of STATES) state.set({ state: each }, each === current ? 1 : 0);
    },
  };
}

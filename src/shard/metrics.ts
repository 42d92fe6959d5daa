import { Counter, Gauge, Histogram, exponentialBuckets } from 'prom-client';
import type { Registry } from 'prom-client';

/** The shard's instruments; names and labels are API (spec: metrics 9). */
export function createShardMetrics(registry: Registry) {
  const registers = [registry];
  const gauge = (name: string, help: string): Gauge => new Gauge({ name: `bigfleet_shard_${name}`, help, registers });
  const short = exponentialBuckets(0.001, 2, 15);
  const long = exponentialBuckets(0.01, 2, 16);
  return {
    cycleSeconds: new Histogram({ name: 'bigfleet_shard_cycle_duration_seconds', help: 'One planning cycle, feeding the engine included.', buckets: short, registers }),
    planDifferences: new Counter({ name: 'bigfleet_shard_plan_differences_total', help: 'Plans of what had changed that were not the plan of everything, and audits that found figures of the engine which do not follow from its machines, rows and memory: each is a defect, and is put right.', registers }),
    provisioningSeconds: new Histogram({ name: 'bigfleet_shard_provisioning_latency_seconds', help: 'From the decision for a cluster to Configured.', buckets: long, registers }),
    configureSeconds: new Histogram({ name: 'bigfleet_shard_configure_phase_seconds', help: 'From the Configure that led there to Configured.', buckets: long, registers }),
    drainSeconds: new Histogram({ name: 'bigfleet_shard_drain_phase_seconds', help: 'From the Drain that led there to Idle.', buckets: long, registers }),
    reclaimsCapped: new Counter({ name: 'bigfleet_shard_reclaims_capped_total', help: 'Reclaims that a rail held back; each once, until it is decided or not wanted any more.', registers }),
    bootstrapSeconds: new Histogram({ name: 'bigfleet_shard_request_bootstrap_seconds', help: 'Answered bootstrap requests.', buckets: long, registers }),
    actions: new Counter({ name: 'bigfleet_shard_actions_total', help: 'Actions begun.', labelNames: ['kind'] as const, registers }),
    actionsSuppressed: new Counter({ name: 'bigfleet_shard_actions_suppressed_total', help: 'Actions withheld: the shard is paused, machines that serve are not seen yet, or the audit log cannot be written.', labelNames: ['kind'] as const, registers }),
    actionsDryRun: new Counter({ name: 'bigfleet_shard_actions_dryrun_total', help: 'Actions of a dry run.', labelNames: ['kind'] as const, registers }),
    outcomes: new Counter({ name: 'bigfleet_shard_action_execute_outcomes_total', help: 'Provider calls by outcome.', labelNames: ['kind', 'outcome'] as const, registers }),
    providerFailures: new Counter({ name: 'bigfleet_shard_provider_failures_total', help: "Definite refusals of provider calls, by what they are about: OutOfStock, Quota, Throttled, Invalid, Unknown.", labelNames: ['provider', 'kind', 'class'] as const, registers }),
    offersResting: gauge('offers_resting', 'Offers that are not to be had for a while.'),
    callsWaiting: gauge('action_queue_depth', 'Calls that wait for their turn at the provider.'),
    callsInFlight: gauge('execute_inflight', 'Calls to the provider under way.'),
    inventory: new Gauge({ name: 'bigfleet_shard_inventory_machines', help: 'Machines by state.', labelNames: ['state', 'capacity_type', 'interruption_penalty_bucket'] as const, registers }),
    demandRows: gauge('demand_machines', 'Rows of demand.'),
    shortfalls: gauge('shortfalls', 'Rows of demand that are not satisfied.'),
    paused: gauge('actuation_paused', '1 while the mode is Paused.'),
    sessions: gauge('active_sessions', 'Connected clusters.'),
    microUsdPerHour: gauge('micro_usd_per_hour', 'Price of all machines held.'),
    rollupsRejected: new Counter({ name: 'bigfleet_shard_rollups_rejected_total', help: 'Roll-ups refused whole.', labelNames: ['cluster'] as const, registers }),
    rollupQuarantined: new Gauge({ name: 'bigfleet_shard_rollup_quarantined', help: 'Suspicious roll-ups held in a row.', labelNames: ['cluster'] as const, registers }),
    machinesRejected: new Counter({ name: 'bigfleet_shard_machines_rejected_total', help: "Provider's records refused.", labelNames: ['reason'] as const, registers }),
    sessionLifecycle: new Counter({ name: 'bigfleet_shard_session_lifecycle_total', help: 'Sessions installed, removed, replaced.', labelNames: ['event'] as const, registers }),
    identityRejected: new Counter({ name: 'bigfleet_shard_session_identity_rejected_total', help: 'Sessions whose certificate is not that of the cluster they name.', registers }),
    peersRefused: new Counter({ name: 'bigfleet_shard_peers_refused_total', help: 'Connections and calls refused for what the peer presented, or did not.', labelNames: ['reason'] as const, registers }),
    providersRefused: new Counter({ name: 'bigfleet_shard_providers_refused_total', help: 'Calls for which a provider was not spoken to, for what it presented.', labelNames: ['reason'] as const, registers }),
    foreignMachines: gauge('foreign_machines', 'Listed machines that belong to another shard.'),
    machineWrites: gauge('machine_write_backlog', 'Machine objects waiting to be written.'),
    drainsGivenUp: new Counter({ name: 'bigfleet_shard_drains_given_up_total', help: "Drains that the provider refused for good or too often, by its status: the machines serve on.", labelNames: ['code'] as const, registers }),
    idleReleases: new Counter({ name: 'bigfleet_shard_idle_releases_total', help: 'Idle machines given back.', registers }),
  };
}

export type ShardMetrics = ReturnType<typeof createShardMetrics>;

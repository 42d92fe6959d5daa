import { bucketLabel } from '../api/profile.ts';
import type { NeedVerdict, Plan } from '../engine/types.ts';
import type { CycleFacts } from '../reconcilers/shard/cycle.ts';
import type { NeedViews } from '../server/shard-read.ts';
import type { Demand } from './demand.ts';
import type { Inventory } from './inventory.ts';
import type { ShardMetrics } from './metrics.ts';
import type { Mode } from './settings.ts';

export interface PlanReportDeps {
  readonly metrics: ShardMetrics;
  readonly inventory: Inventory;
  readonly demand: Demand;
  readonly mode: () => Mode;
  readonly writeBacklog: () => number;
}

/** What people and dashboards see of the last plan; feeds nothing back. */
export class PlanReport {
  private readonly deps: PlanReportDeps;
  /** Cycles that a Need has been unmet, by need. */
  private readonly unmetCycles = new Map<string, number>();
  private latest: { plan: Plan; facts: CycleFacts } | undefined;

  constructor(deps: PlanReportDeps) {
    this.deps = deps;
  }

  planned(plan: Plan, facts: CycleFacts): void {
    this.latest = { plan, facts };
    this.countUnmet(plan);
    this.measure(plan, facts);
  }

  /** For InspectNeeds; cycle 0 and no rows mean that no plan was made yet. */
  needViews(): NeedViews {
    if (!this.latest) return { cycle: 0, computedAt: 0, verdicts: [], ageOf: () => 0 };
    const { plan, facts } = this.latest;
    return { cycle: facts.cycle, computedAt: plan.at, verdicts: plan.verdicts, ageOf: (verdict) => this.unmetCycles.get(needKey(verdict)) ?? 0 };
  }

  private countUnmet(plan: Plan): void {
    const unmet = new Set<string>();
    for (const verdict of plan.verdicts) {
      if (verdict.satisfied) continue;
      const key = needKey(verdict);
      unmet.add(key);
      this.unmetCycles.set(key, (this.unmetCycles.get(key) ?? 0) + 1);
    }
    for (const key of this.unmetCycles.keys()) if (!unmet.has(key)) this.unmetCycles.delete(key);
  }

  private measure(plan: Plan, facts: CycleFacts): void {
    const { metrics, demand } = this.deps;
    metrics.cycleSeconds.observe(facts.seconds);
    const mode = this.deps.mode();
    const counter = mode === 'Active' ? metrics.actions : mode === 'DryRun' ? metrics.actionsDryRun : metrics.actionsSuppressed;
    for (const [kind, count] of Object.entries(plan.stats.actions)) counter.inc({ kind }, count);
    this.measureInventory();
    metrics.demandRows.set(plan.verdicts.length);
    metrics.shortfalls.set(plan.stats.unmet);
    metrics.microUsdPerHour.set(plan.stats.microUsdPerHour);
    metrics.machineWrites.set(this.deps.writeBacklog());
    metrics.rollupQuarantined.reset();
    for (const [cluster, held] of demand.heldByCluster()) metrics.rollupQuarantined.set({ cluster }, held);
  }

  /** Combinations without a machine are left out, so that the series stay few (D27). */
  private measureInventory(): void {
    const { metrics, inventory } = this.deps;
    metrics.inventory.reset();
    for (const { seen, assigned } of inventory.all()) {
      metrics.inventory.inc({ state: seen.state, capacity_type: seen.capacityType, interruption_penalty_bucket: bucketLabel(assigned?.interruptionBucket ?? 0) });
    }
  }
}

function needKey(verdict: NeedVerdict): string {
  const { cluster, fingerprint, group, unitClass } = verdict.need;
  return JSON.stringify([cluster, fingerprint, group, unitClass]);
}

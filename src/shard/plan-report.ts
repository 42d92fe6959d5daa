import { bucketLabel } from '../api/profile.ts';
import type { ActionKind, Millis, NeedVerdict, Plan } from '../engine/types.ts';
import type { CycleFacts } from '../reconcilers/shard/cycle.ts';
import type { NeedViews } from '../server/shard-read.ts';
import type { AuditOutcome } from './audit-log.ts';
import type { Demand } from './demand.ts';
import { HinderedLedger } from './hindered-ledger.ts';
import type { Inventory } from './inventory.ts';
import type { ShardMetrics } from './metrics.ts';
import { countUnmet } from './need-telling.ts';
import type { Troubles } from './row-troubles.ts';
import type { UnmetSpell } from './spells.ts';
import { UnmetLedger } from './unmet-ledger.ts';

export interface PlanReportDeps {
  readonly metrics: ShardMetrics;
  readonly inventory: Inventory;
  readonly demand: Demand;
  readonly writeBacklog: () => number;
  readonly troubles: () => Troubles;
  readonly actuation?: () => { readonly waiting: number; readonly inFlight: number; readonly offersResting: number };
}

/** What people and dashboards see of the last plan; feeds nothing back. */
export class PlanReport {
  private readonly deps: PlanReportDeps;
  private readonly unmet = new UnmetLedger();
  private readonly hindered = new HinderedLedger();
  private latest: { plan: Plan; facts: CycleFacts } | undefined;

  constructor(deps: PlanReportDeps) {
    this.deps = deps;
  }

  planned(plan: Plan, facts: CycleFacts): void {
    this.latest = { plan, facts };
    const troubles = this.deps.troubles();
    this.unmet.planned(plan, facts.cycle);
    this.hindered.planned(plan, troubles, facts.cycle);
    const kinds = [this.unmet.spells, ...this.hindered.spells];
    for (const kind of kinds) kind.continue(kinds);
    this.measure(plan, facts, troubles);
  }

  /** What has become of actions of the plan. */
  acted(kinds: ReadonlyMap<ActionKind, number>, outcome: AuditOutcome): void {
    const { actions, actionsDryRun, actionsSuppressed } = this.deps.metrics;
    const counter = outcome === 'decided' ? actions : outcome === 'dryrun' ? actionsDryRun : actionsSuppressed;
    for (const [kind, count] of kinds) counter.inc({ kind }, count);
  }

  /** Since when the Need has been unmet, if it is: by the plan, or by what keeps its machines away. */
  unmetSince(verdict: NeedVerdict, troubles: Troubles): Millis | undefined {
    return this.spellOf(verdict, troubles)?.since;
  }

  /** For InspectNeeds; cycle 0 and no rows mean that no plan was made yet. */
  needViews(): NeedViews {
    if (!this.latest) return { cycle: 0, computedAt: 0, verdicts: [], ageOf: () => 0 };
    const { plan, facts: { cycle } } = this.latest;
    const troubles = this.deps.troubles();
    const ageOf = (verdict: NeedVerdict): number => {
      const spell = this.spellOf(verdict, troubles);
      return spell === undefined ? 0 : cycle - spell.sinceCycle + 1;
    };
    return { cycle, computedAt: plan.at, verdicts: plan.verdicts, ageOf, troubles };
  }

  private spellOf(verdict: NeedVerdict, troubles: Troubles): UnmetSpell | undefined {
    const [unmet, hindered] = [this.unmet.of(verdict), this.hindered.of(verdict, troubles)];
    // While what keeps machines away lasts, a plan may meet the row with others for a moment, and fail again.
    return unmet && hindered && hindered.since < unmet.since ? hindered : (unmet ?? hindered);
  }

  private measure(plan: Plan, facts: CycleFacts, troubles: Troubles): void {
    const { metrics, demand } = this.deps;
    metrics.cycleSeconds.observe(facts.seconds);
    this.measureInventory();
    metrics.demandRows.set(plan.verdicts.length);
    metrics.shortfalls.set(countUnmet(plan, troubles));
    metrics.microUsdPerHour.set(plan.stats.microUsdPerHour);
    metrics.machineWrites.set(this.deps.writeBacklog());
    const actuation = this.deps.actuation?.();
    if (actuation) {
      metrics.callsWaiting.set(actuation.waiting);
      metrics.callsInFlight.set(actuation.inFlight);
      metrics.offersResting.set(actuation.offersResting);
    }
    metrics.rollupQuarantined.reset();
    for (const [cluster, held] of demand.heldByCluster()) metrics.rollupQuarantined.set({ cluster }, held);
  }

  /** Combinations without a machine are left out, so that the series stay few (D27). */
  private measureInventory(): void {
    const { metrics, inventory } = this.deps;
    metrics.inventory.reset();
    for (const { state, capacityType, interruptionBucket, machines } of inventory.tally.groups()) {
      metrics.inventory.inc({ state, capacity_type: capacityType, interruption_penalty_bucket: bucketLabel(interruptionBucket) }, machines);
    }
  }
}

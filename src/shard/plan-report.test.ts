import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { amounts, need } from '../engine/testing/builders.ts';
import type { Need, NeedVerdict } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { silentLog } from '../runtime/types.ts';
import { Demand } from './demand.ts';
import { Inventory } from './inventory.ts';
import { createShardMetrics } from './metrics.ts';
import { PlanReport } from './plan-report.ts';
import type { RowTrouble } from './row-troubles.ts';
import { rowKey } from './source-rows.ts';
import { shardStatus } from './status.ts';
import { seen, toEast } from './testing/machines.ts';
import { rollup, verdict, wireRow } from './testing/needs.ts';
import { plan } from './testing/plans.ts';

const facts = (cycle: number) => ({ cycle, seconds: 0.02, withheld: 0 });

function setUp() {
  const registry = new Registry();
  const inventory = new Inventory(new VirtualClock());
  const demand = new Demand({ clock: new VirtualClock(), log: silentLog, guardEnabled: () => true, onRejected: () => undefined });
  const troubles = new Map<string, RowTrouble>();
  const report = new PlanReport({ metrics: createShardMetrics(registry), inventory, demand, writeBacklog: () => 4, troubles: () => troubles });
  /** The samples of one metric, as text without its name. */
  const samples = async (name: string): Promise<string[]> =>
    (await registry.getSingleMetricAsString(`bigfleet_shard_${name}`)).split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.replace(`bigfleet_shard_${name}`, '')).sort();
  return { registry, inventory, demand, troubles, report, samples };
}

describe('the shortfalls that dashboards see', () => {
  it('are those of the status of the Shard: also rows that the plan takes for met and whose machines do not come', async () => {
    const t = setUp();
    const [hindered, fine, lacking] = ['a', 'b', 'c'].map((group) => need({ group })) as [Need, Need, Need];
    const trouble = { words: 'disk broken', isPresent: true, wasRefused: false, onTheWay: 0 };
    t.troubles.set(rowKey(hindered), trouble).set(rowKey(lacking), trouble);
    const verdicts = [verdict(hindered), verdict(fine), verdict(lacking, { satisfied: false, reason: 'NO_SESSION' })];
    t.report.planned(plan(verdicts), facts(1));
    const { needs } = shardStatus(plan(verdicts), {
      generation: 1, epoch: 1n, holder: '', cycle: 1, at: 0, sessions: 1, withheld: 0, leaseProven: true, supplyTrusted: true, fenced: '', objectsMode: 'NonSpeculative', previous: [], troubles: t.troubles,
    });
    expect([await t.samples('shortfalls'), needs?.unmet]).toEqual([[' 2'], 2]);
    t.troubles.clear();
    t.report.planned(plan(verdicts), facts(2));
    expect(await t.samples('shortfalls')).toEqual([' 1']);
  });
});

describe('the views of needs', () => {
  const unmet = (of = need()): NeedVerdict => verdict(of, { satisfied: false, reason: 'NO_SESSION', deficit: amounts({ cpu: 1 }) });

  it('say since when a row is kept from its machines that the plan takes for met, and how long a mode keeps it from them', () => {
    const t = setUp();
    const [hindered, fine] = ['a', 'b'].map((group) => verdict(need({ group }), { arrival: 1, inFlight: 1 })) as [NeedVerdict, NeedVerdict];
    const told = () => [hindered, fine].map((one) => [t.report.unmetSince(one, t.troubles), t.report.needViews().ageOf(one)]);
    t.report.planned(plan([hindered, fine], { at: 10 }), facts(1));
    expect(told()).toEqual([[undefined, 0], [undefined, 0]]);
    t.troubles.set(rowKey(hindered.need), { words: 'disk broken', isPresent: true, wasRefused: false, onTheWay: 0 });
    for (const cycle of [2, 3]) t.report.planned(plan([hindered, fine], { at: cycle * 10 }), facts(cycle));
    expect(told()).toEqual([[20, 2], [undefined, 0]]);
    // The machines that are tried next do not come either.
    const lacking = { ...hindered, satisfied: false, reason: 'SUPPLY_EXHAUSTED' as const };
    t.troubles.set(rowKey(hindered.need), { words: 'disk broken', isPresent: false, wasRefused: true, onTheWay: 0 });
    t.report.planned(plan([lacking, fine], { at: 35 }), facts(4));
    expect(t.report.unmetSince(lacking, t.troubles)).toBe(20);
    t.troubles.clear();
    t.report.planned(plan([hindered, fine], { at: 40 }), facts(4));
    expect(told()).toEqual([[undefined, 0], [undefined, 0]]);
    // What begins anew is no older than that.
    t.troubles.set(rowKey(hindered.need), { words: 'disk broken', isPresent: true, wasRefused: false, onTheWay: 0 });
    t.report.planned(plan([hindered, fine], { at: 45 }), facts(4));
    expect(t.report.unmetSince(hindered, t.troubles)).toBe(45);
    t.troubles.clear();
    const planned = [verdict(need({ group: 'old' }), { arrival: 1, bootstraps: 1 }), verdict(need({ group: 'new' }), { arrival: 55, bootstraps: 1 })];
    Object.assign(t.troubles, { withheld: 'the shard is in mode DryRun' });
    for (const cycle of [5, 6]) t.report.planned(plan(planned, { at: cycle * 10 }), facts(cycle));
    expect(planned.map((one) => [t.report.unmetSince(one, t.troubles), t.report.needViews().ageOf(one)])).toEqual([[50, 2], [55, 2]]);
    // A row that had all it needs when the mode began, and one that it keeps from its machines no longer.
    const later = [verdict(need({ group: 'old' }), { arrival: 1 }), verdict(need({ group: 'later' }), { arrival: 1, provisions: 1 })];
    t.report.planned(plan(later, { at: 70 }), facts(7));
    expect(later.map((one) => t.report.unmetSince(one, t.troubles))).toEqual([undefined, 70]);
    t.report.planned(plan(planned, { at: 80 }), facts(8));
    expect(planned.map((one) => t.report.unmetSince(one, t.troubles))).toEqual([80, 80]);
    // Of a mode that has ended nothing is left in the next one.
    delete (t.troubles as { withheld?: string }).withheld;
    t.report.planned(plan(planned, { at: 90 }), facts(9));
    Object.assign(t.troubles, { withheld: 'the shard is in mode Paused' });
    t.report.planned(plan(planned, { at: 100 }), facts(10));
    expect(planned.map((one) => t.report.unmetSince(one, t.troubles))).toEqual([100, 100]);
  });

  it('say since when a row was not served, whatever kept it from its machines one after the other', () => {
    const t = setUp();
    const row = need();
    const kinds = {
      unmet: () => unmet(row),
      withheld: () => verdict(row, { arrival: 1, bootstraps: 1 }),
      refused: () => verdict(row, { arrival: 1, inFlight: 1 }),
      both: () => unmet(row),
      served: () => verdict(row, { arrival: 1 }),
    };
    let cycle = 0;
    const since = (kind: keyof typeof kinds): number | undefined => {
      t.troubles.clear();
      Object.assign(t.troubles, { withheld: kind === 'withheld' ? 'the shard is in mode Paused' : undefined });
      if (kind === 'refused' || kind === 'both') t.troubles.set(rowKey(row), { words: 'no blob', isPresent: true, wasRefused: false, onTheWay: 0 });
      const now = kinds[kind]();
      t.report.planned(plan([now], { at: ++cycle * 10 }), facts(cycle));
      const age = t.report.needViews().ageOf(now);
      const at = t.report.unmetSince(now, t.troubles);
      expect(age).toBe(at === undefined ? 0 : cycle - at / 10 + 1);
      return at;
    };
    const order = ['unmet', 'withheld', 'refused', 'unmet', 'refused', 'withheld', 'unmet', 'served', 'withheld', 'unmet', 'served', 'refused', 'withheld', 'refused', 'served', 'unmet', 'both', 'refused'] as const;
    expect(order.map(since)).toEqual([10, 10, 10, 10, 10, 10, 10, undefined, 90, 90, undefined, 120, 120, 120, undefined, 160, 160, 160]);
  });

  it('do not count what is remembered of a row while it is served, or not asked for', () => {
    const t = setUp();
    const row = need();
    const remembered = { words: 'out of stock', isPresent: false, wasRefused: true, onTheWay: 0 };
    t.troubles.set(rowKey(row), remembered);
    const lacking = verdict(row, { satisfied: false, reason: 'SUPPLY_EXHAUSTED', deficit: amounts({ cpu: 1 }) });
    const plans = [[lacking], [verdict(row, { bootstraps: 1 })], [verdict(row, { inFlight: 1 })], [verdict(row)], [lacking], [], [lacking]];
    const since = plans.map((verdicts, i) => {
      t.report.planned(plan(verdicts, { at: (i + 1) * 10 }), facts(i + 1));
      return verdicts[0] && t.report.unmetSince(verdicts[0], t.troubles);
    });
    // Another one that is tried meanwhile has not come yet.
    expect(since).toEqual([10, undefined, 10, undefined, 50, undefined, 70]);
  });

  it('are empty before the first plan, then those of the last', () => {
    const { report } = setUp();
    expect(report.needViews()).toMatchObject({ cycle: 0, verdicts: [] });
    report.planned(plan([verdict()], { at: 5 }), facts(1));
    report.planned(plan([], { at: 6 }), facts(2));
    expect(report.needViews()).toMatchObject({ cycle: 2, computedAt: 6, verdicts: [] });
  });

  it('count the cycles that a need has been unmet without a break, each need for itself', () => {
    const { report } = setUp();
    const [a, b] = [need({ group: 'a' }), need({ group: 'a', minUnit: amounts({ cpu: 100 }) })];
    const ages = (): number[] => [a, b].map((n) => report.needViews().ageOf(unmet(n)));
    report.planned(plan([unmet(a), verdict(b)]), facts(1));
    report.planned(plan([unmet(a), unmet(b)]), facts(2));
    expect(ages()).toEqual([2, 1]);
    report.planned(plan([verdict(a), unmet(b)]), facts(3));
    expect(ages()).toEqual([0, 2]);
    report.planned(plan([unmet(a)]), facts(4)); // b is not asked for any more
    report.planned(plan([unmet(a), unmet(b)]), facts(5));
    expect(ages()).toEqual([2, 1]);
  });
});

describe('the measures', () => {
  it('count actions by what became of them', async () => {
    const t = setUp();
    t.report.planned(plan([], { stats: { actions: { Bootstrap: 9 } } }), facts(1)); // planned only
    for (const outcome of ['decided', 'dryrun', 'suppressed', 'decided'] as const) t.report.acted(new Map([['Bootstrap', 2], ['Reclaim', 1]]), outcome);
    expect(await t.samples('actions_total')).toEqual(['{kind="Bootstrap"} 4', '{kind="Reclaim"} 2']);
    expect(await t.samples('actions_dryrun_total')).toEqual(['{kind="Bootstrap"} 2', '{kind="Reclaim"} 1']);
    expect(await t.samples('actions_suppressed_total')).toEqual(['{kind="Bootstrap"} 2', '{kind="Reclaim"} 1']);
  });

  it('count machines by state, type and penalty, without empty combinations (D27)', async () => {
    const t = setUp();
    t.inventory.observe(seen('a', 'Idle'), 0);
    t.inventory.observe(seen('b', 'Idle', { capacityType: 'Spot' }), 0);
    t.inventory.observe(seen('c', 'Idle'), 0);
    t.inventory.setIntent('c', { kind: 'bind', to: { ...toEast, interruptionBucket: 27 }, requirements: [], reason: '', decidedAt: 0, configureSent: false });
    t.inventory.observe(seen('c', 'Configured'), 0);
    t.report.planned(plan(), facts(1));
    expect(await t.samples('inventory_machines')).toEqual([
      '{state="Configured",capacity_type="OnDemand",interruption_penalty_bucket="pinned"} 1',
      '{state="Idle",capacity_type="OnDemand",interruption_penalty_bucket="unspecified"} 1',
      '{state="Idle",capacity_type="Spot",interruption_penalty_bucket="unspecified"} 1',
    ]);
    t.inventory.remove('b');
    t.report.planned(plan(), facts(2));
    expect((await t.samples('inventory_machines')).some((line) => line.includes('Spot'))).toBe(false);
  });

  it('tell of held roll-ups while they are held', async () => {
    const t = setUp();
    t.demand.offer('east', rollup(Array.from({ length: 20 }, (_, i) => wireRow({ group: `g${i}` }))));
    t.demand.offer('east', rollup([]));
    t.report.planned(plan(), facts(1));
    expect(await t.samples('rollup_quarantined')).toEqual(['{cluster="east"} 1']);
    t.demand.offer('east', rollup([]));
    t.demand.offer('east', rollup([]));
    t.report.planned(plan(), facts(2));
    expect(await t.samples('rollup_quarantined')).toEqual([]);
  });

  it('tell rows, shortfalls, money, backlog and the time of the cycle', async () => {
    const t = setUp();
    t.report.planned(plan([verdict(), verdict(need(), { satisfied: false })], { stats: { microUsdPerHour: 7 } }), facts(1));
    expect([await t.samples('demand_machines'), await t.samples('shortfalls'), await t.samples('micro_usd_per_hour'), await t.samples('machine_write_backlog')]).toEqual([[' 2'], [' 1'], [' 7'], [' 4']]);
    expect(await t.samples('cycle_duration_seconds')).toContain('_sum 0.02');
  });
});

it('the instruments keep the names and labels that dashboards know', async () => {
  const { registry } = setUp();
  const public_ = [
    'cycle_duration_seconds', 'provisioning_latency_seconds', 'request_bootstrap_seconds', 'configure_phase_seconds', 'drain_phase_seconds', 'reclaims_capped_total', 'inventory_machines', 'demand_machines', 'shortfalls', 'rollup_quarantined',
    'actuation_paused', 'active_sessions', 'actions_total', 'action_execute_outcomes_total', 'actions_suppressed_total', 'actions_dryrun_total', 'idle_releases_total',
    'machines_rejected_total', 'rollups_rejected_total', 'session_lifecycle_total', 'session_identity_rejected_total',
  ];
  const known = (await registry.getMetricsAsJSON()).map((m) => m.name);
  expect(known).toEqual(expect.arrayContaining(public_.map((name) => `bigfleet_shard_${name}`)));
});

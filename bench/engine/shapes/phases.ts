/** Preemption and reclaim on full fleets (spec: performance B.1 and scale 4): `phase2-…` and `phase3-…`. */
import type { Change, Need } from '../../../src/engine/types.ts';
import type { Expected } from '../checks.ts';
import { Ask, GIB, profile, typeIn, vector, ZONES } from '../demand.ts';
import { Fleet } from '../fleet.ts';
import type { Shape } from '../shape.ts';
import { Workbench } from '../workbench.ts';

export const TYPES = ['m6i.xlarge', 'm6i.2xlarge', 'c6i.4xlarge', 'r6i.xlarge', 'r6i.2xlarge'] as const;
export const UNIT = vector({ cpu: 8_000, memory: 32 * GIB });

interface Serving {
  readonly clusters: number;
  readonly perCluster: number;
  readonly types: readonly string[];
  /** Whom machine `i` of a cluster serves. */
  readonly ask: (i: number) => Ask;
  /** The group of it; absent = none has one. */
  readonly group?: (i: number) => string;
}

/** Clusters whose machines are all Configured; types take turns. */
export function fullFleet({ clusters, perCluster, types, ask, group }: Serving): Fleet {
  const fleet = new Fleet(clusters * perCluster);
  const kinds = types.flatMap((instanceType) => ZONES.map((zone) => fleet.addKind(kindOf(instanceType, zone))));
  for (let c = 0; c < clusters; c++) {
    for (let i = 0; i < perCluster; i++) {
      const kind = kinds[(i % types.length) * ZONES.length + (Math.floor(i / types.length) % ZONES.length)] as number;
      fleet.add(`conf-s0-c${c}-i`, 'Configured', kind, ask(i).assignment(`kwok-cluster-${c}`, group?.(i)));
    }
  }
  return fleet;
}

function kindOf(instanceType: string, zone: string): Parameters<Fleet['addKind']>[0] {
  return { instanceType, zone, capacityType: 'BareMetal', labels: {}, allocatable: UNIT, priceMicroUsdPerHour: 0, interruptionProbability: 0 };
}

interface Inversion {
  readonly name: string;
  readonly about: string;
  readonly perCluster: number;
  readonly servingPriority: number;
  readonly askingPriority: number;
  /** Types that the newcomers ask for, in turn. */
  readonly asked: readonly string[];
  readonly expected: Expected;
}

const CLUSTERS = 10;
const NEWCOMERS_PER_CLUSTER = 10;
const LACKING = 5;

/**
 * Ten clusters' machines all serve a row per type. Ten other clusters, which have none, then ask for ten times five
 * machines each: nothing is free, so the only way is to take. Measured is the newcomers' arrival and the plan after it.
 */
function inversion({ name, about, perCluster, servingPriority, askingPriority, asked, expected }: Inversion): Shape {
  const serving = TYPES.map((type) => new Ask(profile([typeIn(type)], { priority: servingPriority }), UNIT));
  const asking = asked.map((type) => new Ask(profile([typeIn(type)], { priority: askingPriority }), UNIT));
  const machines = CLUSTERS * perCluster;
  return {
    name,
    about,
    heapMb: 6_000,
    measure: (run) => {
      const fleet = fullFleet({ clusters: CLUSTERS, perCluster, types: TYPES, ask: (i) => serving[i % TYPES.length] as Ask });
      const needs = new Map<string, Need[]>();
      for (let c = 0; c < CLUSTERS; c++) needs.set(`kwok-cluster-${c}`, serving.map((ask) => ask.need(`kwok-cluster-${c}`, perCluster / TYPES.length)));
      const newcomers = new Map<string, Need[]>();
      for (let c = CLUSTERS; c < 2 * CLUSTERS; c++) {
        const cluster = `kwok-cluster-${c}`;
        const rows = Array.from({ length: NEWCOMERS_PER_CLUSTER }, (_, i) => (asking[i % asking.length] as Ask).need(cluster, LACKING, `urgent-${i}`));
        newcomers.set(cluster, rows);
        needs.set(cluster, rows);
      }
      const bench = new Workbench(run, fleet, needs);
      bench.assertInputs('machines by state', fleet.countByState(), { Configured: machines });
      bench.assertInputs('rows', [bench.needCount, [...newcomers.values()].flat().length], [150, 100]);
      bench.load();
      bench.full(expected);

      const arrive = [...newcomers].map(([cluster, rows]): Change => ({ kind: 'needs', cluster, needs: rows }));
      const leave = [...newcomers].map(([cluster]): Change => ({ kind: 'needs', cluster, needs: [] }));
      const withoutThem = (): void => {
        for (const change of leave) bench.engine.apply(change);
        bench.rest();
      };
      withoutThem();
      bench.changed('engine/phase2', () => ({
        changes: arrive,
        touched: Array.from({ length: fleet.size }, (_, i) => i), // every machine might be a victim
        rows: bench.rowsOfDemand,
        expected: () => expected,
        after: withoutThem,
      }));
    },
  };
}

export const PHASE2: readonly Shape[] = [
  inversion({
    name: 'phase2-500k',
    about: '500,000 serve at priority 100; 100 rows at 1,000,000 lack five machines each: 500 Preempts',
    perCluster: 50_000,
    servingPriority: 100,
    askingPriority: 1_000_000,
    asked: TYPES,
    // 100 that wait for what is taken, and the five rows of the one cluster whose machines come first by id.
    expected: { actions: { Preempt: 500 }, satisfied: 45, unmet: 105 },
  }),
  inversion({
    name: 'phase2-no-victims',
    about: '450,000 serve at priority 1,000,000; 100 rows at 1,000 of one type find nobody below them',
    perCluster: 45_000,
    servingPriority: 1_000_000,
    askingPriority: 1_000,
    asked: [TYPES[0]],
    expected: { actions: {}, satisfied: 50, unmet: 100 },
  }),
];

const PHASE3_CLUSTERS = 50;

export const PHASE3: readonly Shape[] = [
  {
    name: 'phase3-high-demand',
    about: '500,000 serve 50 clusters × 3 rows of 5 types; four in a hundred are wanted no longer: 20,000 Reclaims',
    heapMb: 6_000,
    measure: (run) => {
      const asks = [1_000, 500, 100].map((priority) => new Ask(profile([typeIn(...TYPES)], { priority }), UNIT));
      const fleet = fullFleet({ clusters: PHASE3_CLUSTERS, perCluster: 10_000, types: TYPES, ask: (i) => asks[i % asks.length] as Ask });
      const bench = new Workbench(run, fleet, needsOf((cluster) => asks.map((ask) => ask.need(cluster, 3_200))));
      bench.assertInputs('machines by state', fleet.countByState(), { Configured: 500_000 });
      bench.assertInputs('rows', bench.needCount, 150);
      bench.load();
      bench.full({ actions: { Reclaim: 20_000 }, satisfied: 150, unmet: 0 });
      bench.unchanged({ satisfied: 150, unmet: 0 });
    },
  },
  {
    name: 'phase3-m29',
    about: '50 clusters × 9,000 of one type and one row of 10,000 each: everything is claimed, nothing is free',
    heapMb: 6_000,
    measure: (run) => {
      const ask = new Ask(profile([typeIn(TYPES[0])]), UNIT);
      const fleet = fullFleet({ clusters: PHASE3_CLUSTERS, perCluster: 9_000, types: [TYPES[0]], ask: () => ask });
      const bench = new Workbench(run, fleet, needsOf((cluster) => [ask.need(cluster, 10_000)]));
      bench.assertInputs('machines by state', fleet.countByState(), { Configured: 450_000 });
      bench.assertInputs('rows', bench.needCount, 50);
      bench.load();
      bench.full({ actions: {}, satisfied: 0, unmet: 50 });
      bench.unchanged({ satisfied: 0, unmet: 50 });
    },
  },
];

function needsOf(rows: (cluster: string) => Need[]): Map<string, Need[]> {
  return new Map(Array.from({ length: PHASE3_CLUSTERS }, (_, c) => [`kwok-cluster-${c}`, rows(`kwok-cluster-${c}`)]));
}

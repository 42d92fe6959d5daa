/**
 * `aggregated-500k` (spec: scale 3.3): 500,000 machines, 50 clusters of three rows. Nine in ten machines serve; each row
 * asks for a tenth more than it has, so that 45,000 machines are acquired: every Idle one, the rest Speculative.
 */
import type { Need } from '../../../src/engine/types.ts';
import { Ask, DOLLAR, GIB, profile, RACK_KEY, typeIn, vector, ZONES } from '../demand.ts';
import type { Expected } from '../checks.ts';
import { Fleet } from '../fleet.ts';
import type { Shape } from '../shape.ts';
import { Workbench } from '../workbench.ts';
import type { ShapeRun } from '../workbench.ts';
import { stepOf } from './aggregated-changes.ts';
import { measureSnapshot } from './live-snapshot.ts';
import { measureStall } from './stall.ts';

const CLUSTERS = 50;
const SERVING_PER_ROW = 3_000;
const PENDING_PER_ROW = 300;
const IDLE = [8_400, 8_300, 8_300] as const;
const SPECULATIVE = [8_300, 8_300, 8_400] as const;
const RACKS_PER_ZONE = 10;

const ROWS = [
  { types: ['m6i.xlarge', 'm6a.xlarge'], unit: vector({ cpu: 4_000, memory: 16 * GIB }), priority: 1000, dollars: 0.2 },
  { types: ['c6i.4xlarge'], unit: vector({ cpu: 16_000, memory: 32 * GIB }), priority: 500, dollars: 0.7 },
  { types: ['r6i.2xlarge', 'r6a.2xlarge'], unit: vector({ cpu: 8_000, memory: 64 * GIB }), priority: 100, dollars: 0.5 },
] as const;

const ASKS = ROWS.map(({ types, unit, priority }) => new Ask(profile([typeIn(...types)], { priority, interruptionBucket: 4, reclamationBucket: 5 }), unit));

export const AGGREGATED: Shape = {
  name: 'aggregated-500k',
  heapMb: 8_000,
  about: '500,000 machines, 50 clusters × 3 rows, 90 % serving, 45,000 acquisitions; full, 1 % changed, unchanged, snapshot, stall',
  measure: async (run) => {
    measurePlans(run);
    await measureStall(run, buildFleet(), buildNeeds(), EXPECTED);
  },
};

const EXPECTED: Expected = { actions: { Bootstrap: 25_000, Provision: 20_000 }, satisfied: 150, unmet: 0 };

/** A function of its own, so that its engine is gone before the stall is measured. */
function measurePlans(run: ShapeRun): void {
  const bench = new Workbench(run, buildFleet(), buildNeeds());
  assertShape(bench);
  bench.load();
  bench.full(EXPECTED);
  bench.unchanged(EXPECTED);
  bench.changed('engine/changed1pct', (index) => stepOf(bench, index));
  measureSnapshot(bench);
}

function assertShape(bench: Workbench): void {
  bench.assertInputs('machines by state', bench.fleet.countByState(), { Configured: 450_000, Idle: 25_000, Speculative: 25_000 });
  bench.assertInputs('rows', bench.needCount, 150);
  const units = bench.rowsOfDemand.reduce((sum, row) => sum + (row.aggregate[0]?.[1] ?? 0) / (row.minUnit[0]?.[1] ?? 1), 0);
  bench.assertInputs('machines asked for', units, 495_000);
}

function buildNeeds(): Map<string, Need[]> {
  const needs = new Map<string, Need[]>();
  for (let c = 0; c < CLUSTERS; c++) {
    const cluster = `kwok-cluster-${c}`;
    needs.set(cluster, ASKS.map((ask) => ask.need(cluster, SERVING_PER_ROW + PENDING_PER_ROW)));
  }
  return needs;
}

function buildFleet(): Fleet {
  const fleet = new Fleet(500_000);
  const owned = ROWS.map((row) => kindsOf(fleet, row, false));
  const bought = ROWS.map((row) => kindsOf(fleet, row, true));
  for (let c = 0; c < CLUSTERS; c++) {
    const cluster = `kwok-cluster-${c}`;
    for (let i = 0; i < SERVING_PER_ROW * ROWS.length; i++) {
      const row = i % ROWS.length;
      const kinds = owned[row] as readonly number[];
      const to = (ASKS[row] as Ask).assignment(cluster);
      fleet.add(`conf-s0-c${c}-i`, 'Configured', kinds[Math.floor(i / ROWS.length) % kinds.length] as number, to);
    }
  }
  IDLE.forEach((count, row) => addFree(fleet, 'idle-', 'Idle', owned[row] as readonly number[], count));
  SPECULATIVE.forEach((count, row) => addFree(fleet, 'spec-', 'Speculative', bought[row] as readonly number[], count));
  return fleet;
}

function addFree(fleet: Fleet, prefix: string, state: 'Idle' | 'Speculative', kinds: readonly number[], count: number): void {
  for (let i = 0; i < count; i++) fleet.add(prefix, state, kinds[i % kinds.length] as number);
}

function kindsOf(fleet: Fleet, { types, unit, dollars }: (typeof ROWS)[number], elastic: boolean): number[] {
  return types.flatMap((instanceType) =>
    ZONES.flatMap((zone) =>
      Array.from({ length: RACKS_PER_ZONE }, (_, rack) =>
        fleet.addKind({
          instanceType,
          zone,
          capacityType: elastic ? 'OnDemand' : 'BareMetal',
          labels: { [RACK_KEY]: `${zone}-rack-${rack}` },
          allocatable: unit,
          priceMicroUsdPerHour: elastic ? dollars * DOLLAR : 0,
          interruptionProbability: elastic ? 0.05 : 0,
        }),
      ),
    ),
  );
}

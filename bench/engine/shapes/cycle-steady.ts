/** `cycle-steady-N` (spec: performance B.1): N Idle machines of 5 types in 3 zones; 50 clusters × 1,000 rows of one machine each. */
import type { Need } from '../../../src/engine/types.ts';
import { Ask, GIB, profile, typeIn, vector, ZONES } from '../demand.ts';
import { Fleet } from '../fleet.ts';
import type { Shape } from '../shape.ts';
import { Workbench } from '../workbench.ts';

const TYPES = ['m6i.xlarge', 'm6i.2xlarge', 'c6i.4xlarge', 'r6i.xlarge', 'r6i.2xlarge'] as const;
const CLUSTERS = 50;
const PRIORITIES = 200;
const UNIT = vector({ cpu: 4_000, memory: 16 * GIB });

/** 1,000 rows: five types at 200 priorities from 1,000 to 9,955. */
const ASKS = TYPES.flatMap((type) =>
  Array.from({ length: PRIORITIES }, (_, i) => new Ask(profile([typeIn(type)], { priority: 1_000 + 45 * i }), UNIT)),
);

export const CYCLE_STEADY: readonly Shape[] = [1_000, 10_000, 50_000, 100_000, 500_000].map((machines) => ({
  name: `cycle-steady-${machines / 1000}k`,
  heapMb: 6_000,
  about: `${machines.toLocaleString('en-US')} Idle machines of 5 types in 3 zones, 50,000 rows of one machine each`,
  measure: (run) => {
    const fleet = new Fleet(machines);
    const kinds = TYPES.flatMap((instanceType) => ZONES.map((zone) => fleet.addKind(kindOf(instanceType, zone))));
    // Types alternate fastest, so that every number of machines has as many of each.
    for (let i = 0; i < machines; i++) fleet.add('idle-', 'Idle', kinds[(i % TYPES.length) * ZONES.length + (Math.floor(i / TYPES.length) % ZONES.length)] as number);
    const needs = new Map<string, Need[]>();
    for (let c = 0; c < CLUSTERS; c++) needs.set(`kwok-cluster-${c}`, ASKS.map((ask) => ask.need(`kwok-cluster-${c}`, 1)));
    const bench = new Workbench(run, fleet, needs);
    bench.assertInputs('machines by state', fleet.countByState(), { Idle: machines });
    bench.assertInputs('rows', bench.needCount, 50_000);
    bench.load();
    const served = Math.min(machines, 50_000);
    bench.full({ actions: { Bootstrap: served }, satisfied: served, unmet: 50_000 - served });
    bench.unchanged({ satisfied: served, unmet: 50_000 - served });
  },
}));

function kindOf(instanceType: string, zone: string): Parameters<Fleet['addKind']>[0] {
  return { instanceType, zone, capacityType: 'BareMetal', labels: {}, allocatable: UNIT, priceMicroUsdPerHour: 0, interruptionProbability: 0 };
}

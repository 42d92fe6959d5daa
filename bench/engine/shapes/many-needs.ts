/** Where rows and gangs are what there is much of (spec: performance B.1): `needs-50k` and `same-2500`. */
import type { Need } from '../../../src/engine/types.ts';
import { Ask, GIB, profile, RACK_KEY, SAME_RACK, times, typeIn, vector, ZONES } from '../demand.ts';
import { Fleet } from '../fleet.ts';
import type { Kind } from '../fleet.ts';
import type { Shape } from '../shape.ts';
import { Workbench } from '../workbench.ts';

const TYPE = 'r6i.2xlarge';
const UNIT = vector({ cpu: 4_000, memory: 32 * GIB });

const CLUSTERS = 50;
const ROWS_PER_CLUSTER = 1_000;
const FEW = 1_000;

/** A thousand profiles, each asked for by every cluster: the order of all rows is the work, for there is little to decide. */
const NEEDS_50K: Shape = {
  name: 'needs-50k',
  heapMb: 2_000,
  about: `50,000 rows of 1,000 profiles in 50 clusters, and ${FEW.toLocaleString('en-US')} Idle machines for them`,
  measure: (run) => {
    const fleet = new Fleet(FEW);
    const kind = fleet.addKind(kindOf({}));
    for (let i = 0; i < FEW; i++) fleet.add('idle-', 'Idle', kind);
    const asks = Array.from({ length: ROWS_PER_CLUSTER }, (_, i) => new Ask(profile([typeIn(TYPE)], { priority: 1_000 + i }), UNIT));
    const bench = new Workbench(run, fleet, demand(CLUSTERS, (cluster) => asks.map((ask) => ask.need(cluster, 1))));
    bench.assertInputs('machines by state', fleet.countByState(), { Idle: FEW });
    bench.assertInputs('rows', [bench.needCount, new Set(bench.rowsOfDemand.map((need) => need.fingerprint)).size], [50_000, ROWS_PER_CLUSTER]);
    bench.load();
    bench.full({ actions: { Bootstrap: FEW }, satisfied: FEW, unmet: 50_000 - FEW });
    bench.unchanged({ satisfied: FEW, unmet: 50_000 - FEW });
  },
};

const GANGS = 2_500;
const MEMBERS = 4;
const RACKS = 8;
const PER_RACK = 12_500;

/** Gangs that no machine holds by itself: each weighs what it could acquire in every rack. */
const SAME_2500: Shape = {
  name: 'same-2500',
  heapMb: 4_000,
  about: '100,000 Idle machines of one type in 8 racks; 2,500 clusters with one gang of four machines each',
  measure: (run) => {
    const fleet = new Fleet(RACKS * PER_RACK);
    const kinds = Array.from({ length: RACKS }, (_, rack) => fleet.addKind(kindOf({ [RACK_KEY]: `rack-${rack}` }, rack)));
    for (const kind of kinds) for (let i = 0; i < PER_RACK; i++) fleet.add('idle-', 'Idle', kind);
    const ask = new Ask(profile([typeIn(TYPE), SAME_RACK]), UNIT);
    const bench = new Workbench(run, fleet, demand(GANGS, (cluster) => [ask.need(cluster, MEMBERS, 'ring')]));
    bench.assertInputs('machines by state', fleet.countByState(), { Idle: RACKS * PER_RACK });
    bench.assertInputs('gangs that one machine holds', bench.rowsOfDemand.filter(({ aggregate }) => !exceeds(aggregate, UNIT)).length, 0);
    bench.assertInputs('rows', bench.needCount, GANGS);
    bench.load();
    bench.full({ actions: { Bootstrap: GANGS * MEMBERS }, satisfied: GANGS, unmet: 0 });
    bench.unchanged({ satisfied: GANGS, unmet: 0 });
  },
};

export const MANY_NEEDS: readonly Shape[] = [NEEDS_50K, SAME_2500];

function exceeds(aggregate: Need['aggregate'], unit: Need['aggregate']): boolean {
  const capacity = new Map(times(unit, 1));
  return aggregate.some(([name, amount]) => amount > (capacity.get(name) ?? 0));
}

function demand(clusters: number, rowsOf: (cluster: string) => Need[]): Map<string, Need[]> {
  return new Map(Array.from({ length: clusters }, (_, c) => [`kwok-cluster-${c}`, rowsOf(`kwok-cluster-${c}`)]));
}

function kindOf(labels: Kind['labels'], rack = 0): Kind {
  return { instanceType: TYPE, zone: ZONES[rack % ZONES.length] as string, capacityType: 'BareMetal', labels, allocatable: UNIT, priceMicroUsdPerHour: 0, interruptionProbability: 0 };
}

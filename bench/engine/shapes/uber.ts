/**
 * The geometry of 20 clusters × 25,000 Pods on 5,000 machines (spec: performance B.1), late in its ramp, and its two heavy
 * relatives: every Pod's row by itself, and 20,000 small gangs that compete for one type of machine.
 */
import type { Need } from '../../../src/engine/types.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import type { Random } from '../../../src/lib/random.ts';
import { Ask, DOLLAR, GIB, MIB, profile, RACK_KEY, SAME_RACK, times, typeIn, vector, zoneIn, ZONES } from '../demand.ts';
import type { Expected } from '../checks.ts';
import { Fleet } from '../fleet.ts';
import type { Kind } from '../fleet.ts';
import type { Shape } from '../shape.ts';
import { POLICY, Workbench } from '../workbench.ts';

const CLUSTERS = 20;
const CLUSTER_NAMES = Array.from({ length: CLUSTERS }, (_, c) => `kwok-cluster-${c}`);
const SERVING_PER_CLUSTER = 250;
const IDLE = 1_000;
const SPECULATIVE = 12_000;
const UNITS_PER_ROW = 3_125;
const PODS_PER_MACHINE = 100;
const RACKS = 8;
/** $8,192: what every row of this shape says that an interruption and a reclamation cost. */
const BUCKET = 16;

interface Archetype {
  readonly name: string;
  readonly types: readonly string[];
  readonly unit: ReturnType<typeof vector>;
  readonly gang: boolean;
}

/**
 * Eight fingerprints per cluster, of the archetypes whose machines hold 100 Pods: 8 × 3,125 Pods are 250 machines' worth.
 * One priority for all, so that nobody preempts anybody: phase2 shapes measure that.
 */
const ARCHETYPES: readonly Archetype[] = [
  archetype('tiny-stateless', ['m6i.large', 'm6i.xlarge'], 400, 500 * MIB),
  archetype('tiny-sidecar', ['m6a.large', 'm6a.xlarge'], 300, 384 * MIB),
  archetype('cpu-service', ['m6i.2xlarge'], 2_200, 8_500 * MIB),
  archetype('cpu-service-large', ['m6i.4xlarge'], 4_200, 16_500 * MIB),
  archetype('cpu-batch', ['c6i.8xlarge', 'n2-standard-32'], 4_000, 8 * GIB),
  archetype('critical-realtime', ['c6i.4xlarge'], 4_000, 8 * GIB),
  archetype('memory-cache', ['r6i.xlarge'], 2_000, 16 * GIB, true),
  archetype('stateful-db', ['r6i.2xlarge', 'r6i.4xlarge'], 8_000, 32 * GIB, true),
];

const ASKS = ARCHETYPES.map(({ types, unit, gang }) => {
  const requirements = [typeIn(...types), zoneIn(...ZONES), ...(gang ? [SAME_RACK] : [])];
  return new Ask(profile(requirements, { interruptionBucket: BUCKET, reclamationBucket: BUCKET }), unit);
});

export const UBER_5K: Shape = {
  name: 'uber-5k',
  heapMb: 2_000,
  about: '20 clusters × 250 serving, 13,000 free, 160 rows of 3,125 Pods, two in eight of them gangs',
  measure: (run) => {
    const bench = new Workbench(run, buildFleet(), demand((cluster) => ASKS.map((ask) => ask.need(cluster, UNITS_PER_ROW, groupOf(ask)))));
    assertFleet(bench);
    bench.assertInputs('rows', bench.needCount, 160);
    bench.load();
    bench.full(expectedLate(bench.fleet));
    bench.unchanged({ satisfied: 160, unmet: 0 });
  },
};

const ROWS_PER_CLUSTER = 12_500;

export const UBER_5K_UNAGGREGATED: Shape = {
  name: 'uber-5k-unaggregated',
  heapMb: 6_000,
  about: 'the same fleet, and 250,000 rows of two Pods each that nobody summed up',
  measure: (run) => {
    const rows = (cluster: string): Need[] =>
      Array.from({ length: ROWS_PER_CLUSTER }, (_, i) => (ASKS[i % ASKS.length] as Ask).need(cluster, 2, `${cluster}-row-${i}`));
    const bench = new Workbench(run, buildFleet(), demand(rows));
    assertFleet(bench);
    bench.assertInputs('rows', bench.needCount, 250_000);
    bench.load();
    const expected = expectedUnaggregated(bench.fleet);
    bench.full(expected);
    bench.unchanged(expected);
  },
};

export const UBER_50K: Shape = {
  name: 'uber-50k',
  heapMb: 4_000,
  about: '100,000 Idle machines of one type in 8 racks; 20,000 clusters with one gang of one unit each',
  measure: (run) => {
    const unit = vector({ cpu: 4_000, memory: 32 * GIB });
    const fleet = new Fleet(100_000);
    const kinds = Array.from({ length: RACKS }, (_, rack) => fleet.addKind(kindOf('r6i.2xlarge', rack, unit, false)));
    for (let i = 0; i < 100_000; i++) fleet.add('idle-', 'Idle', kinds[Math.floor(i / 12_500)] as number);
    const ask = new Ask(profile([typeIn('r6i.2xlarge'), SAME_RACK]), unit);
    const needs = new Map(Array.from({ length: 20_000 }, (_, c) => [`kwok-cluster-${c}`, [ask.need(`kwok-cluster-${c}`, 1, `grp-${c}`)]]));
    const bench = new Workbench(run, fleet, needs);
    bench.assertInputs('machines by state', fleet.countByState(), { Idle: 100_000 });
    bench.assertInputs('machines per rack', kinds.map((kind) => fleet.kind.filter((k) => k === kind).length), kinds.map(() => 12_500));
    bench.assertInputs('rows', bench.needCount, 20_000);
    bench.load();
    bench.full({ actions: { Bootstrap: 20_000 }, satisfied: 20_000, unmet: 0 });
    bench.unchanged({ satisfied: 20_000, unmet: 0 });
  },
};

function groupOf(ask: Ask): string {
  return ask.profile.requirements.includes(SAME_RACK) ? 'ring' : '';
}

function demand(rowsOf: (cluster: string) => Need[]): Map<string, Need[]> {
  return new Map(CLUSTER_NAMES.map((cluster) => [cluster, rowsOf(cluster)]));
}

function assertFleet(bench: Workbench): void {
  bench.assertInputs('machines by state', bench.fleet.countByState(), { Configured: 5_000, Idle: IDLE, Speculative: SPECULATIVE });
}

interface Count {
  readonly serving: ReadonlyMap<string, number>;
  readonly idle: number;
  readonly speculative: number;
}

/** Machines that an archetype's rows may use: by cluster that they serve, and free; `rack`: only there. */
function count(fleet: Fleet, { types }: Archetype, rack?: number): Count {
  const serving = new Map<string, number>();
  let idle = 0;
  let speculative = 0;
  for (let i = 0; i < fleet.size; i++) {
    const { instanceType, labels } = fleet.kindOf(i);
    if (!types.includes(instanceType) || (rack !== undefined && labels[RACK_KEY] !== rackName(rack))) continue;
    const cluster = fleet.assignmentOf(i)?.cluster;
    if (cluster !== undefined) serving.set(cluster, (serving.get(cluster) ?? 0) + 1);
    else if (fleet.stateOf(i) === 'Idle') idle++;
    else speculative++;
  }
  return { serving, idle, speculative };
}

const MACHINES_PER_ROW = Math.ceil(UNITS_PER_ROW / PODS_PER_MACHINE);

/**
 * Worked out from counts alone, as no two archetypes share a type: each row gets what it lacks to 32 machines, Idle ones
 * first, a gang in the rack that it has; and each cluster gives back what its rows have beyond that, up to its rail.
 */
function expectedLate(fleet: Fleet): Expected {
  let idle = 0;
  let bought = 0;
  for (const [index, archetype] of ARCHETYPES.entries()) {
    const racks = groupOf(ASKS[index] as Ask) === '' ? [undefined] : Array.from({ length: RACKS }, (_, rack) => rack);
    for (const rack of racks) {
      const free = count(fleet, archetype, rack);
      const clusters = CLUSTER_NAMES.filter((_, c) => rack === undefined || c % RACKS === rack);
      const lacking = sum(clusters, (name) => Math.max(0, MACHINES_PER_ROW - (free.serving.get(name) ?? 0)));
      if (lacking > free.idle + free.speculative) throw new Error(`${archetype.name} has too little free for this shape`);
      idle += Math.min(lacking, free.idle);
      bought += Math.max(0, lacking - free.idle);
    }
  }
  const actions = { Bootstrap: idle, Provision: bought, Reclaim: excess(fleet, ARCHETYPES) };
  return { actions, satisfied: ASKS.length * CLUSTERS, unmet: 0 };
}

/** Rows of two Pods: a plain one takes a machine of its own, and there are far too few; small gangs are planned together. */
function expectedUnaggregated(fleet: Fleet): Expected {
  const actions = { Bootstrap: 0, Provision: 0, Reclaim: excess(fleet, ARCHETYPES.filter(({ gang }) => gang)) };
  let satisfied = 0;
  for (const [index, archetype] of ARCHETYPES.entries()) {
    const { serving, idle, speculative } = count(fleet, archetype);
    const gangs = Math.floor((ROWS_PER_CLUSTER + ASKS.length - 1 - index) / ASKS.length);
    const perCluster = Math.ceil((2 * gangs) / PODS_PER_MACHINE);
    const lacking = archetype.gang ? sum(CLUSTER_NAMES, (name) => Math.max(0, perCluster - (serving.get(name) ?? 0))) : Infinity;
    actions.Bootstrap += Math.min(lacking, idle);
    actions.Provision += Math.min(Math.max(0, lacking - idle), speculative);
    satisfied += archetype.gang ? gangs * CLUSTERS : sum([...serving.values()], (n) => n) + idle + speculative;
  }
  return { actions, satisfied, unmet: 250_000 - satisfied };
}

function excess(fleet: Fleet, archetypes: readonly Archetype[]): number {
  const counts = archetypes.map((archetype) => count(fleet, archetype));
  const rail = Math.floor(POLICY.reclaimCapFraction * SERVING_PER_CLUSTER);
  return sum(CLUSTER_NAMES, (name) => Math.min(rail, sum(counts, ({ serving }) => Math.max(0, (serving.get(name) ?? 0) - MACHINES_PER_ROW))));
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

/** Archetypes are drawn, so that some rows have more than they need and others less; a cluster's gangs sit in one rack. */
function buildFleet(): Fleet {
  const fleet = new Fleet(CLUSTERS * SERVING_PER_CLUSTER + IDLE + SPECULATIVE);
  const owned = ARCHETYPES.map((archetype) => kindsOf(fleet, archetype, false));
  const bought = ARCHETYPES.map((archetype) => kindsOf(fleet, archetype, true));
  const random = seededRandom(5_000);
  for (let c = 0; c < CLUSTERS; c++) {
    for (let i = 0; i < SERVING_PER_CLUSTER; i++) {
      const drawn = below(random, ARCHETYPES.length);
      const ask = ASKS[drawn] as Ask;
      const kinds = owned[drawn] as readonly (readonly number[])[];
      const rack = kinds[groupOf(ask) === '' ? below(random, RACKS) : c % RACKS] as readonly number[];
      fleet.add(`conf-s0-c${c}-i`, 'Configured', rack[below(random, rack.length)] as number, ask.assignment(`kwok-cluster-${c}`, groupOf(ask)));
    }
  }
  const addFree = (prefix: string, state: 'Idle' | 'Speculative', kinds: readonly (readonly (readonly number[])[])[], count: number): void => {
    for (let i = 0; i < count; i++) {
      const rack = kinds[below(random, kinds.length)]?.[below(random, RACKS)] as readonly number[];
      fleet.add(prefix, state, rack[below(random, rack.length)] as number);
    }
  };
  addFree('idle-', 'Idle', owned, IDLE);
  addFree('spec-', 'Speculative', bought, SPECULATIVE);
  return fleet;
}

/** Kinds of an archetype, by rack. */
function kindsOf(fleet: Fleet, { types, unit }: Archetype, elastic: boolean): number[][] {
  return Array.from({ length: RACKS }, (_, rack) =>
    types.map((type) => fleet.addKind(kindOf(type, rack, times(unit, PODS_PER_MACHINE), elastic))),
  );
}

function kindOf(instanceType: string, rack: number, allocatable: Kind['allocatable'], elastic: boolean): Kind {
  return {
    instanceType,
    zone: zoneOf(rack),
    capacityType: elastic ? 'OnDemand' : 'BareMetal',
    labels: { [RACK_KEY]: rackName(rack) },
    allocatable,
    priceMicroUsdPerHour: elastic ? DOLLAR : 0,
    interruptionProbability: elastic ? 0.05 : 0,
  };
}

function zoneOf(rack: number): string {
  return ZONES[rack % ZONES.length] as string;
}

function rackName(rack: number): string {
  return `${zoneOf(rack)}-rack-${rack}`;
}

function archetype(name: string, types: readonly string[], cpu: number, memory: number, gang = false): Archetype {
  return { name, types, unit: vector({ cpu, memory }), gang };
}

function below(random: Random, n: number): number {
  return Math.floor(random() * n);
}

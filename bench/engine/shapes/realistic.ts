/**
 * `500k-realistic` (spec: scale 1 and 8): 2,000 clusters × 25,000 Pods of the workload catalog, about 456,000 rows as the
 * operators send them, most of them gangs that fit on one machine; 2.4 million machines, three in four of them offers.
 */
import { bucketForDollars } from '../../../src/api/profile.ts';
import type { Profile } from '../../../src/api/profile.ts';
import { seededRandom } from '../../../src/lib/random.ts';
import type { Change, Need } from '../../../src/engine/types.ts';
import { CATALOG, draw, machinesByArchetype, machinesForPods, workloads } from '../catalog.ts';
import type { Archetype, Workload } from '../catalog.ts';
import { Ask, DOLLAR, plus, profile, RACK_KEY, SAME_RACK, times, typeIn, ZONE_KEY, zoneIn, ZONES } from '../demand.ts';
import type { Expected } from '../checks.ts';
import { Fleet } from '../fleet.ts';
import type { Shape } from '../shape.ts';
import { Workbench } from '../workbench.ts';
import type { ChangeStep, ShapeRun } from '../workbench.ts';

interface Size {
  readonly name: string;
  readonly about: string;
  readonly clusters: number;
  /** About so many rows. */
  readonly rows: number;
  /**
   * The draws are seeded, so these are exact. They were found by folding small gangs by hand, before an engine that cannot
   * fold; what the shape says on its face is that all demand is met.
   */
  readonly actions: Required<Expected>['actions'];
  /** The same of the first plans that follow changes; those after them come or not with the time there is. */
  readonly changed: readonly Required<Expected>['actions'][];
}

const PODS_PER_CLUSTER = 25_000;

const RACKS_PER_ZONE = 10;

export const REALISTIC: readonly Shape[] = [
  {
    name: '5k-realistic',
    about: '20 clusters × 25,000 Pods of the catalog: 24,000 machines, 4,600 rows',
    clusters: 20,
    rows: 4_600,
    actions: { Bootstrap: 1_083, Provision: 177, Reclaim: 202 },
    changed: [{ Provision: 3, Withdraw: 3 }, {}, {}, {}],
  },
  {
    name: '50k-realistic',
    about: '200 clusters × 25,000 Pods of the catalog: 240,000 machines, 46,000 rows',
    clusters: 200,
    rows: 46_000,
    actions: { Bootstrap: 10_306, Provision: 3_582, Reclaim: 1_901 },
    changed: [
      { Provision: 13, Withdraw: 14 },
      { Provision: 17, Bootstrap: 1, Withdraw: 18, Reclaim: 1 },
      { Bootstrap: 4, Provision: 3, Withdraw: 7 },
      { Provision: 5, Withdraw: 6 },
    ],
  },
  {
    name: '500k-realistic',
    about: '2,000 clusters × 25,000 Pods of the catalog: 2.4 million machines, 456,000 rows; full, and 2 % of the rows changed',
    clusters: 2_000,
    rows: 456_000,
    actions: { Bootstrap: 103_073, Provision: 41_312, Reclaim: 18_919 },
    changed: [
      { Provision: 199, Bootstrap: 11, Withdraw: 228 },
      { Provision: 185, Bootstrap: 35, Withdraw: 225, Reclaim: 6 },
      { Provision: 137, Bootstrap: 56, Withdraw: 169 },
      { Provision: 117, Bootstrap: 98, Withdraw: 206, Reclaim: 5 },
    ],
  },
].map((size: Size) => ({ name: size.name, about: size.about, heapMb: 14_000, measure: (run) => measure(run, size) }));

function measure(run: ShapeRun, { clusters, rows, actions, changed }: Size): void {
  const demand = new Demand(clusters, PODS_PER_CLUSTER);
  const machines = machinesForPods(clusters * PODS_PER_CLUSTER);
  const serving = Math.round(machines / clusters);
  const idle = Math.round(0.2 * machines);
  const bench = new Workbench(run, buildFleet(clusters, serving, idle, 3 * machines), demand.needs);
  bench.assertInputs('machines by state', bench.fleet.countByState(), { Configured: serving * clusters, Idle: idle, Speculative: 3 * machines });
  bench.assertInputs('rows, to 3 %', Math.abs(bench.needCount / rows - 1) < 0.03, true);
  bench.load();
  bench.full({ actions, satisfied: bench.needCount, unmet: 0 });
  bench.rest();
  bench.changed('engine/changed2pct', (index) => stepOf(bench, demand, index, changed[index]), 3);
}

/** Roll-ups come every ten seconds, plans every second: one cluster in ten has sent one, and a fifth of its rows differ. */
const CLUSTERS_PER_STEP = 10;
const CHANGED_PER_ROLLUP = 5;

function stepOf(bench: Workbench, demand: Demand, index: number, actions: Expected['actions']): ChangeStep {
  const changes: Change[] = [];
  const rows: Need[] = [];
  let differing = 0;
  const clusters = [...demand.needs.keys()].filter((_, c) => c % CLUSTERS_PER_STEP === index % CLUSTERS_PER_STEP);
  for (const cluster of clusters) {
    const before = new Set((demand.needs.get(cluster) ?? []).map(sayingOf));
    const needs = demand.next(cluster, index);
    for (const row of needs) if (!before.has(sayingOf(row))) differing++;
    changes.push({ kind: 'needs', cluster, needs });
    rows.push(...needs);
  }
  const share = differing / bench.needCount;
  bench.assertInputs('a fiftieth of the rows changed, to 15 %', Math.abs(share / 0.02 - 1) < 0.15, true);
  return {
    changes,
    touched: [],
    rows,
    expected: () => ({ ...(actions && { actions }), satisfied: bench.needCount, unmet: 0 }),
    after: (plan) => bench.commit(plan),
  };
}

/** The rows of every cluster, and how they go on. */
class Demand {
  readonly needs = new Map<string, Need[]>();
  readonly #asks = new Map<string, Ask>();

  constructor(clusters: number, podsPerCluster: number) {
    for (let c = 0; c < clusters; c++) {
      const cluster = `kwok-cluster-${c}`;
      this.needs.set(cluster, this.#rows(cluster, [...workloads(seededRandom(1_000_003 * (c + 1)), podsPerCluster)]));
    }
  }

  /** The cluster's next roll-up, all rows made anew as by a parser; a fifth of them differ: gangs that ended and began, rows that grew or shrank. */
  next(cluster: string, step: number): Need[] {
    const random = seededRandom(step * 7_919 + cluster.length);
    const rows = (this.needs.get(cluster) ?? []).map((row, i): Need => {
      const aggregate = row.aggregate.map(([name, amount]) => [name, amount] as const);
      if (i % CHANGED_PER_ROLLUP !== step % CHANGED_PER_ROLLUP) return { ...row, aggregate };
      if (row.group !== '') return { ...row, aggregate, group: `${cluster}-step-${step}-grp-${i}` };
      const by = random() < 0.5 ? -1 : 1;
      return { ...row, aggregate: aggregate.map(([name, amount]) => [name, Math.max(minOf(row, name), amount + by * minOf(row, name))] as const) };
    });
    this.needs.set(cluster, rows);
    return rows;
  }

  #rows(cluster: string, all: readonly Workload[]): Need[] {
    const plainRows = new Map<string, Need>();
    const gangs: Need[] = [];
    all.forEach((workload, sequence) => {
      const ask = this.#ask(workload);
      if (workload.archetype.gang !== undefined) {
        gangs.push(ask.need(cluster, workload.pods, `${cluster}-${workload.archetype.name}-grp-${sequence}`));
        return;
      }
      const key = `${ask.fingerprint}\n${ask.unitClass}`;
      const row = ask.need(cluster, workload.pods);
      const known = plainRows.get(key);
      plainRows.set(key, known === undefined ? row : merged(known, row));
    });
    return [...plainRows.values(), ...gangs];
  }

  #ask({ archetype, request, spread }: Workload): Ask {
    const key = JSON.stringify([archetype.name, request, spread]);
    let ask = this.#asks.get(key);
    if (ask === undefined) this.#asks.set(key, (ask = new Ask(profileOf(archetype, spread), request)));
    return ask;
  }
}

/** A row, and all that it asks for. */
function sayingOf({ fingerprint, group, unitClass, aggregate }: Need): string {
  return JSON.stringify([fingerprint, group, unitClass, aggregate]);
}

function minOf(row: Need, name: string): number {
  return row.minUnit.find(([n]) => n === name)?.[1] ?? 0;
}

/** Pods of one profile whose sizes are of one class are one row; it asks for machines that its largest Pod fits on. */
function merged(a: Need, b: Need): Need {
  const larger = (a.minUnit[0]?.[1] ?? 0) >= (b.minUnit[0]?.[1] ?? 0) ? a.minUnit : b.minUnit;
  return { ...a, aggregate: plus(a.aggregate, b.aggregate), minUnit: larger };
}

function profileOf({ types, gang, priority, interruptionDollars, reclamationDollars }: Archetype, spread: boolean): Profile {
  return profile([typeIn(...types), zoneIn(...ZONES), ...(gang === undefined ? [] : [SAME_RACK])], {
    priority,
    interruptionBucket: bucketForDollars(interruptionDollars),
    reclamationBucket: bucketForDollars(reclamationDollars),
    spread: spread ? [{ topologyKey: ZONE_KEY, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' }] : [],
  });
}

function buildFleet(clusters: number, serving: number, idle: number, speculative: number): Fleet {
  const fleet = new Fleet(clusters * serving + idle + speculative);
  const random = seededRandom(17);
  const owned = new Kinds(fleet, false);
  const bought = new Kinds(fleet, true);
  const asks = new Map(CATALOG.map((a) => [a, new Ask(profileOf(a, a.strictSpread > 0.5), a.sizes[0]?.[1] ?? [])]));
  for (let c = 0; c < clusters; c++) {
    for (const [archetype, count] of machinesByArchetype(serving)) {
      const to = asks.get(archetype)?.assignment(`kwok-cluster-${c}`);
      for (let i = 0; i < count; i++) fleet.add(`conf-s0-c${c}-i`, 'Configured', owned.at(archetype, i, draw(random, sizesOf(archetype))), to);
    }
  }
  const addFree = (prefix: string, state: 'Idle' | 'Speculative', kinds: Kinds, total: number): void => {
    for (const [archetype, count] of machinesByArchetype(total)) {
      for (let i = 0; i < count; i++) fleet.add(prefix, state, kinds.at(archetype, i, draw(random, sizesOf(archetype))));
    }
  };
  addFree('idle-', 'Idle', owned, idle);
  addFree('spec-', 'Speculative', bought, speculative);
  return fleet;
}

function sizesOf({ sizes }: Archetype): (readonly [number, number])[] {
  return sizes.map(([weight], index) => [weight, index] as const);
}

/** Kinds of machine by archetype, size, type and rack: made when they are first met. */
class Kinds {
  readonly #fleet: Fleet;
  readonly #elastic: boolean;
  readonly #known = new Map<string, number>();

  constructor(fleet: Fleet, elastic: boolean) {
    this.#fleet = fleet;
    this.#elastic = elastic;
  }

  /** Machine `i` of its archetype: types take turns, and the machines of one gang's size sit in one rack. */
  at(archetype: Archetype, i: number, size: number): number {
    const type = archetype.types[i % archetype.types.length] as string;
    const slot = archetype.gang === undefined ? i : Math.floor(i / archetype.gang[1]);
    const zone = ZONES[slot % ZONES.length] as string;
    const rack = `${zone}-rack-${slot % RACKS_PER_ZONE}`;
    const key = `${archetype.name} ${size} ${type} ${rack}`;
    let kind = this.#known.get(key);
    if (kind === undefined) {
      kind = this.#fleet.addKind({
        instanceType: type,
        zone,
        capacityType: this.#elastic ? 'OnDemand' : 'BareMetal',
        labels: { [RACK_KEY]: rack, 'bigfleet.io/archetype': archetype.name },
        allocatable: times(archetype.sizes[size]?.[1] ?? [], archetype.podsPerMachine),
        priceMicroUsdPerHour: this.#elastic ? DOLLAR : 0,
        interruptionProbability: this.#elastic ? 0.05 : 0,
      });
      this.#known.set(key, kind);
    }
    return kind;
  }
}

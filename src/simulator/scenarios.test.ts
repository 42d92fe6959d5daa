import { describe, expect, it } from 'vitest';
import { INSTANCE_TYPE_LABEL } from '../api/constants.ts';
import { pools, requests, simulate, submitWorkload } from './scenario.ts';
import type { Scenario, Workload } from './scenario.ts';
import { boundShare, cyclesOf, lastOf, membersBound, restOf, total, totals } from './testing/counting.ts';
import { scenario } from './testing/scenario-test.ts';

const tiny = (replicas: number): Workload => ({ name: 'tiny', request: requests.tiny, objects: 1, replicas });
const service = (replicas: number): Workload => ({ name: 'service', request: requests.service, objects: 1, replicas });
const gangs = (objects: number, replicas: number, priority = 5_000): Workload =>
  ({ name: `gang-of-${replicas}`, request: { ...requests.gang, priority }, objects, replicas });

const BASE: Omit<Scenario, 'pools'> = { clusters: 2, workloads: [tiny(200), service(50), gangs(3, 4)] };
const PLAIN: Omit<Scenario, 'pools'> = { clusters: 2, workloads: [tiny(200), service(50)] };
const typeIn = (type: string) => [{ key: INSTANCE_TYPE_LABEL, operator: 'In', values: [type] }];
const AT_REST = { actions: {}, probe: 0 };

describe('A-54 populations', () => {
  scenario('A-54(a) SteadyStateConverges: surplus and deficit are settled once', () => {
    const ticks = simulate({ ...BASE, pools: [pools.tiny(22, 3, 2), pools.service(4, 2, 2), pools.gang(12, 4, 4)] }).run(300);
    expect(restOf(ticks, 100)).toEqual({ ...AT_REST, shortfalls: [0] });
    expect(lastOf(ticks).configured).toBe(74);
    expect(boundShare(lastOf(ticks))).toBeGreaterThanOrEqual(0.99);
  });

  scenario('A-54(b) GangScatterNoOscillation: racks that hold no whole gang', () => {
    const ticks = simulate({ ...BASE, pools: [pools.tiny(20, 3, 2), pools.service(5, 2, 2), pools.gang(12, 4, 4, { rackBlock: 0 })] }).run(300);
    expect(restOf(ticks, 100)).toEqual({ ...AT_REST, shortfalls: [6] });
    expect(total(ticks, 'Bootstrap', 'Provision')).toBe(0); // D7: a gang that cannot be whole acquires nothing
  });

  scenario('A-54(c) UnsatisfiableGang: two gangs of 4 bind, one of 8 has no rack', () => {
    const sim = simulate({ ...BASE, workloads: [tiny(200), service(50), gangs(2, 4), gangs(1, 8)], pools: [pools.tiny(20, 3, 2), pools.service(5, 2, 2), pools.gang(16, 4, 4)] });
    const ticks = sim.run(300);
    expect(restOf(ticks, 100)).toEqual({ ...AT_REST, shortfalls: [2] });
    expect(total(ticks, 'Bootstrap', 'Provision')).toBe(0);
    for (const cluster of sim.clusters.keys()) {
      expect(membersBound(sim, cluster, (key) => key.includes('gang-of-4'))).toEqual({ bound: 8, waiting: 0 });
      expect(membersBound(sim, cluster, (key) => key.includes('gang-of-8'))).toEqual({ bound: 4, waiting: 4 });
    }
  });

  scenario('A-54(d) OversizedGangsScattered: gangs of 12 in racks of at most 8', () => {
    const ticks = simulate({ clusters: 2, workloads: [gangs(3, 12, 1_000)], pools: [pools.gang(0, 40, 40, { rackBlock: 4, racksPerZone: 12 })] }).run(120);
    expect(restOf(ticks, 40)).toEqual({ ...AT_REST, shortfalls: [6] });
    expect(totals(ticks)).toEqual({});
  });

  scenario('A-54(e) UnmetOnlyCRs canary: demand of waiting Pods only makes a fleet churn', () => {
    const seeds = [pools.tiny(20, 3, 2), pools.service(5, 2, 2)];
    const demand = { unitClasses: true, allowances: false, hints: true };
    const ticks = simulate({ ...PLAIN, pools: seeds, options: { demand: { ...demand, of: 'pending' } } }).run(120).slice(-60);
    expect(total(ticks, 'Reclaim')).toBeGreaterThanOrEqual(100);
    expect(total(ticks, 'Bootstrap', 'Provision')).toBeGreaterThanOrEqual(100);

    const quiet = simulate({ ...PLAIN, pools: seeds, options: { demand: { ...demand, of: 'all' } } }).run(120);
    expect(restOf(quiet, 60)).toEqual({ ...AT_REST, shortfalls: [0] });
    expect(lastOf(quiet).bound).toBe(500);
  });

  scenario('A-54(f) BarePods canary: Pods that nobody recreates take the fleet down with them', () => {
    const seeds = [pools.tiny(23, 3, 2), pools.service(5, 2, 2)];
    const ticks = simulate({ ...PLAIN, pools: seeds, options: { controllers: false } }).run(80);
    expect(500 - lastOf(ticks).live).toBeGreaterThanOrEqual(120);
    expect(total(ticks, 'Reclaim')).toBeGreaterThan(12);
    expect(cyclesOf(ticks, 'Reclaim').length).toBeGreaterThanOrEqual(5);

    const managed = simulate({ ...PLAIN, pools: seeds }).run(80);
    expect(restOf(managed, 40)).toEqual({ ...AT_REST, shortfalls: [0] });
    expect(lastOf(managed)).toMatchObject({ live: 500, bound: 500 });
    expect(totals(managed)).toEqual({ Reclaim: 6 });
  });

  scenario('A-54(g) GangDwellFixedPoint: stamped gangs with Configures of two cycles', () => {
    const ticks = simulate({
      clusters: 2, workloads: [gangs(4, 3)], pools: [pools.gang(12, 18, 36, { rackBlock: 3, racksPerZone: 12 })], stamped: true, configureCycles: 2,
    }).run(120);
    expect(restOf(ticks, 60)).toEqual({ ...AT_REST, shortfalls: [0] });
    expect(boundShare(lastOf(ticks))).toBe(1);
  });
});

describe('A-52 releases', () => {
  const whole = { name: 'whole', unit: { cpu: '1', memory: '1Gi' }, density: 1, instanceType: 'm6i.large' };
  const pods = (replicas: number): Workload => ({ name: 'whole', request: { ...requests.tiny, resources: { ...whole.unit } }, objects: 1, replicas });
  const released = { policy: { holds: { onDemandMs: 1, spotMs: 1, occupiedExcessMs: 0 } } };

  scenario('A-52 IdleRelease arc: bought, given back by the cluster, given back to the provider', () => {
    const sim = simulate({ clusters: 1, workloads: [pods(20)], pools: [{ ...whole, configuredPerCluster: 12, idle: 3, speculative: 9 }], ...released });
    const [first, ...before] = sim.run(9);
    expect(first?.actions).toMatchObject({ Bootstrap: 3, Provision: 5 });
    expect(totals(before)).toEqual({});
    sim.scaleDown('cluster-000', 8);
    const after = sim.run(31);
    expect(totals(after)).toEqual({ Reclaim: 8, Delete: 5 });
    expect(cyclesOf(after, 'Reclaim')).toEqual([10]);
    expect(cyclesOf(after, 'Delete')).toEqual([12]); // first seen Idle in 11
    expect(restOf(after, 15)).toEqual({ ...AT_REST, shortfalls: [0] });
    expect(lastOf(after)).toMatchObject({ configured: 12, bound: 12 });
    expect(sim.fleet.count('Idle')).toBe(3);
  });

  scenario('A-52 SurplusReleasedOnce: what is idle and can be bought again goes back, once', () => {
    const sim = simulate({ clusters: 1, workloads: [pods(12)], pools: [{ ...whole, configuredPerCluster: 12, idle: 6, idleCapacity: 'OnDemand', speculative: 4 }], ...released });
    const ticks = sim.run(40);
    expect(totals(ticks)).toEqual({ Delete: 6 });
    expect(restOf(ticks, 20)).toEqual({ ...AT_REST, shortfalls: [0] });
  });
});

describe('A-53 transitions that take their time', () => {
  scenario('A-53 a Configure of two cycles: everything is decided in the first', () => {
    const sim = simulate({ clusters: 1, workloads: [tiny(40)], pools: [pools.tiny(0, 4, 0)], configureCycles: 2 });
    const ticks = sim.run(20);
    expect(totals(ticks)).toEqual({ Bootstrap: 4 });
    expect(cyclesOf(ticks, 'Bootstrap')).toEqual([1]);
    expect(ticks.find((tick) => tick.bound === 40)?.cycle).toBe(3);
  });

  it.each([0, 1, 2, 3, 5, 8])('A-53 a Create of %i cycles: one purchase per missing machine', (createCycles) => {
    const ticks = simulate({ clusters: 1, workloads: [tiny(40)], pools: [pools.tiny(0, 0, 30)], createCycles }).run(30);
    expect(totals(ticks)).toEqual({ Provision: 4 });
    expect(lastOf(ticks).bound).toBe(40);
  });
});

describe('spec: scale 5.4', () => {
  const gpus = (configured: number, idle: number, speculative: number, rackBlock: number, racksPerZone = 12) => [pools.gang(configured, idle, speculative, { rackBlock, racksPerZone })];

  const cacheUnit = { cpu: '2', memory: '16Gi' };
  const subMachineGangs = () => simulate({
    clusters: 2,
    workloads: [tiny(200), service(50), { name: 'cache', request: { ...requests.gang, resources: cacheUnit, priority: 1_000 }, objects: 12, replicas: 4 }],
    pools: [pools.tiny(20, 3, 2), pools.service(5, 2, 2), { ...pools.gang(6, 2, 2, { rackBlock: 2 }), unit: cacheUnit, density: 10 }],
  });

  scenario('SubMachineGangs: gangs that fit on one machine share machines', () => {
    const ticks = subMachineGangs().run(300);
    expect(restOf(ticks, 100)).toEqual({ ...AT_REST, shortfalls: [0] });
    expect(boundShare(lastOf(ticks))).toBeGreaterThanOrEqual(0.99);
  });

  scenario('SupplyExhaustion canary: too few machines are a constant shortfall, not churn', () => {
    const ticks = simulate({ ...PLAIN, pools: [pools.tiny(10, 3, 2), pools.service(3, 1, 1)] }).run(120);
    expect(restOf(ticks, 60)).toEqual({ ...AT_REST, shortfalls: [3] }); // of four rows, one service row is met with what there is
    expect(lastOf(ticks).pending).toBe(400 - 250 + 100 - 80);
  });

  scenario('MultiClusterContention: six clusters, no rack for anybody', () => {
    const ticks = simulate({ clusters: 6, workloads: [gangs(3, 12, 1_000)], pools: gpus(0, 48, 48, 4, 40) }).run(120);
    expect(restOf(ticks, 40)).toEqual({ ...AT_REST, shortfalls: [18] });
    expect(totals(ticks)).toEqual({});
  });

  const box = { name: 'box', instanceType: 'm6i.large', unit: { cpu: '10', memory: '10Gi' }, density: 1, configuredPerCluster: 20, idle: 12 };
  const filler: Workload = { name: 'filler', request: { ...requests.tiny, resources: { cpu: '1', memory: '1Gi' } }, objects: 1, replicas: 180 };
  const big: Workload = { name: 'big', request: { ...requests.tiny, resources: { cpu: '4', memory: '2Gi' } }, objects: 1, replicas: 5 };

  scenario('BoundCountsContract: what is bound counts in full, even where it does not pack', () => {
    const ticks = simulate({ clusters: 2, workloads: [filler, big], pools: [box] }).run(60);
    expect(totals(ticks)).toEqual({});
    expect(ticks.every((tick) => tick.pending === 10 && tick.bound === 360 && tick.shortfalls === 0 && tick.evicted === 0)).toBe(true);
  });

  scenario('BoundCountsContract ShrinkageReclaimsExcess: half the Pods go, the excess goes at once', () => {
    const sim = simulate({ clusters: 2, workloads: [filler, big], pools: [box] });
    sim.run(30);
    for (const cluster of sim.clusters.keys()) sim.scaleDown(cluster, 90, (pod) => pod.template.spec.request.resources['cpu'] === '1');
    const ticks = sim.run(30);
    expect(totals(ticks)).toEqual({ Reclaim: 18 });
    expect(cyclesOf(ticks, 'Reclaim')).toEqual([31]);
    // The specification has 180 bound and the 10 big ones waiting for ever. Here they get the room that the others leave (ADR 9999 B82).
    expect(lastOf(ticks)).toMatchObject({ configured: 22, live: 190, bound: 190, pending: 0 });
  });

  scenario('GangDwell_ModelEngages: a dwell is felt', () => {
    const world = { clusters: 2, workloads: [gangs(4, 3)], pools: gpus(0, 24, 24, 3) };
    expect(simulate(world).run(12)[0]?.configured).toBe(24);
    const slow = simulate({ ...world, configureCycles: 2 }).run(12).map((tick) => tick.configured);
    expect(slow.slice(0, 3)).toEqual([0, 0, 24]);
  });

  it.each([
    ['clean racks', 2, { rackBlock: 3, racksPerZone: 12 }],
    ['shared racks', 2, { rackBlock: 0, racksPerZone: 2 }],
    ['shared racks', 3, { rackBlock: 0, racksPerZone: 2 }],
  ])('IncumbencyConverged: %s, Configures of %i cycles', (_, configureCycles, racks) => {
    const ticks = simulate({ clusters: 2, workloads: [gangs(6, 3)], pools: [pools.gang(24, 24, 48, racks)], configureCycles }).run(120);
    expect(restOf(ticks, 60).actions).toEqual({});
    expect(lastOf(ticks).shortfalls).toBe(0);
  });

  const runway = (createCycles: number, speculative: number, rackBlock: number) =>
    simulate({ clusters: 1, workloads: [gangs(1, 7)], pools: gpus(7, 0, speculative, rackBlock, 64), createCycles });
  const loseFirst = (sim: ReturnType<typeof runway>, count: number): void => {
    for (const { id } of sim.fleet.configuredOf('cluster-000').slice(0, count)) sim.lose(id);
  };

  it.each([0, 1, 2, 3, 5])('Runway over-acquire: one loss, Creates of %i cycles, one purchase', (createCycles) => {
    const sim = runway(createCycles, 200, 47);
    sim.run(29);
    loseFirst(sim, 1);
    const ticks = sim.run(91);
    expect(totals(ticks)).toEqual({ Provision: 1 });
    expect(lastOf(ticks)).toMatchObject({ shortfalls: 0, bound: 7 });
  });

  it.each([[0, 1], [2, 1], [4, 1], [4, 2], [4, 3]])('Runway repeated churn: Creates of %i cycles, a loss every %i', (createCycles, period) => {
    const sim = runway(createCycles, 400, 407);
    let losses = 0;
    const ticks = Array.from({ length: 220 }, (_, i) => {
      const cycle = i + 1;
      if (cycle >= 30 && cycle <= 190 && cycle % period === 0 && sim.fleet.count('Configured') > 0) {
        loseFirst(sim, 1);
        losses++;
      }
      return sim.step();
    });
    expect(losses).toBeGreaterThan(30);
    expect(total(ticks, 'Reclaim') / losses).toBeLessThanOrEqual(0.25);
    expect(total(ticks, 'Provision')).toBe(losses);
  });

  it.each([0, 2, 4, 6])('Runway burst: four losses at once, Creates of %i cycles, nothing is taken back', (createCycles) => {
    const sim = runway(createCycles, 400, 407);
    sim.run(29);
    loseFirst(sim, 4);
    const ticks = sim.run(91);
    expect(totals(ticks)).toEqual({ Provision: 4 });
    expect(lastOf(ticks).bound).toBe(7);
  });

  const SWEEP = ([{ rackBlock: 12, racksPerZone: 12 }, { rackBlock: 0, racksPerZone: 10 }] as const).flatMap((racks) =>
    [0, 2, 3].flatMap((configureCycles) => (['kept', 'rotating'] as const).map((arrivals) => ({ ...racks, configureCycles, arrivals }))));

  it.each(SWEEP)('GangFixedPointSweep: blocks of $rackBlock, Configures of $configureCycles cycles, arrivals $arrivals', ({ configureCycles, arrivals, ...racks }) => {
    const medium = { ...pools.gang(53, 144, 601, racks), name: 'medium' };
    const ticks = simulate({
      clusters: 2, workloads: [gangs(9, 4), gangs(4, 12), gangs(1, 5)], pools: [pools.gang(36, 96, 401, racks), medium], configureCycles, options: { arrivals },
    }).run(120);
    // Not all Pods are bound: a scheduler that knows nothing of gangs lets several begin where only one has room.
    expect(restOf(ticks, 60)).toEqual({ ...AT_REST, shortfalls: [0] });
  });

  scenario('Uber5KCardinality: 2,580 Needs come to rest', () => {
    const cache: Workload = { name: 'cache', request: { ...requests.gang, resources: { cpu: '2', memory: '16Gi' }, priority: 1_000, requirements: typeIn('r6i.xlarge') }, objects: 95, replicas: 3 };
    const sim = simulate({
      clusters: 20, workloads: [tiny(200), service(50), cache, gangs(32, 3)],
      pools: [
        pools.tiny(20, 20, 60), pools.service(5, 10, 15), pools.gang(96, 60, 200, { rackBlock: 3, racksPerZone: 40 }),
        { name: 'cache', instanceType: 'r6i.xlarge', unit: { cpu: '2', memory: '16Gi' }, density: 10, configuredPerCluster: 30, idle: 200, speculative: 2_000, rackBlock: 10, racksPerZone: 40 },
      ],
    });
    const ticks = sim.run(60);
    expect(sim.plan?.stats.needs).toBe(2_580);
    expect(restOf(ticks, 50)).toEqual({ ...AT_REST, shortfalls: [0] });
  });

  scenario('CostRouting: who minds interruptions pays for machines that stay', () => {
    const pod = (interruptionPenalty: string): Workload =>
      ({ name: `penalty-${interruptionPenalty}`, request: { ...requests.tiny, resources: { cpu: '1' }, interruptionPenalty }, objects: 1, replicas: 4 });
    const sim = simulate({ clusters: 2, workloads: [], pools: [{ name: 'box', instanceType: 'm6i.large', unit: { cpu: '1' }, density: 1, speculative: 6, interruptible: 6 }] });
    submitWorkload(sim, 'cluster-000', pod('0'));
    submitWorkload(sim, 'cluster-001', pod('8'));
    const ticks = sim.run(20);
    expect(lastOf(ticks)).toMatchObject({ shortfalls: 0, bound: 8 });
    const risks = (cluster: string): number[] => sim.fleet.configuredOf(cluster).map((m) => m.interruptionProbability);
    expect(risks('cluster-000')).toEqual([0.3, 0.3, 0.3, 0.3]);
    expect(risks('cluster-001')).toEqual([0.05, 0.05, 0.05, 0.05]);
  });
});

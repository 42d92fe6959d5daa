/** The feedback of D3 in the closed loop: it ends, it does not swing, and it finds a place for every Pod. */
import { describe, expect, it } from 'vitest';
import { parseResources } from '../api/resource-vector.ts';
import type { EngineMachine } from '../engine/types.ts';
import { seededRandom } from '../lib/random.ts';
import { BARE_POLICY, requests, simulate } from './scenario.ts';
import type { Workload } from './scenario.ts';
import { templateOf } from './pod.ts';
import type { SeedPool } from './seed.ts';
import { Simulator } from './simulator.ts';
import type { Tick } from './simulator.ts';
import { cyclesOf, lastOf, total, totals } from './testing/counting.ts';

const box: SeedPool = { name: 'box', instanceType: 'm6i.large', unit: { cpu: '10', memory: '10Gi' }, density: 1, configuredPerCluster: 20, speculative: 60 };
const pods = (name: string, cpu: string, memory: string, replicas: number): Workload =>
  ({ name, request: { ...requests.tiny, resources: { cpu, memory } }, objects: 1, replicas });

/** Twenty machines per cluster hold 180 small Pods so evenly that none of the five large ones fits. */
function fragmented(createCycles: number, allowances: boolean): Simulator {
  return simulate({
    clusters: 2, workloads: [pods('small', '1', '1Gi', 180), pods('large', '4', '2Gi', 5)], pools: [box], createCycles, configureCycles: 1,
    options: { nodeReadyMs: () => 1_000, demand: { unitClasses: true, of: 'all', allowances, hints: true } },
  });
}

describe('Pods that do not fit although the capacity would do', () => {
  it('wait for ever without allowances', () => {
    const ticks = fragmented(1, false).run(200);
    expect(totals(ticks)).toEqual({});
    expect(lastOf(ticks).pending).toBe(10);
  });

  it.each([1, 30])('get machines with Creates of %i s; then nothing moves any more', (createCycles) => {
    const sim = fragmented(createCycles, true);
    const ticks = sim.run(400);
    expect(lastOf(ticks)).toMatchObject({ pending: 0, configured: 46, evicted: 0 }); // two large Pods to a machine: three each
    expect(sim.evictedTotal).toBe(0);
    expect(cyclesOf(ticks, 'Provision').length).toBeLessThanOrEqual(4); // it doubles at most so often
    expect(total(ticks, 'Provision')).toBeLessThanOrEqual(8);
    const quiet = ticks.slice(4 * (createCycles + 5));
    expect(totals(quiet)).toEqual({});
    expect(new Set(quiet.map((tick) => tick.configured)).size).toBe(1);
  });

  it.each([1, 30])('leave nothing behind when they go, with Creates of %i s', (createCycles) => {
    const sim = fragmented(createCycles, true);
    sim.run(200);
    for (const cluster of sim.clusters.keys()) sim.scaleDown(cluster, 5, (pod) => pod.template.spec.request.resources['cpu'] === '4');
    const ticks = sim.run(200);
    expect(lastOf(ticks)).toMatchObject({ pending: 0, configured: 36, shortfalls: 0 });
    for (const cluster of sim.clusters.keys()) expect(sim.reporterOf(cluster).allowances.size).toBe(0);
    expect(totals(ticks.slice(20))).toEqual({});
  });
});

describe('Pods of many sizes that come and go', { timeout: 60_000 }, () => {
  const templates = [1, 2, 3, 4, 6].map((cpu) => templateOf({ request: { ...requests.tiny, resources: { cpu: String(cpu), memory: '1Gi' } }, gang: '' }));

  function rush(seed: number, createCycles: number, allowances: boolean): { readonly sim: Simulator; readonly ticks: readonly Tick[] } {
    const random = seededRandom(seed);
    const sim = simulate({
      clusters: 2, workloads: [], pools: [{ ...box, configuredPerCluster: 0, speculative: 400 }], createCycles, configureCycles: 1,
      policy: { holds: { onDemandMs: 20_000, spotMs: 20_000, occupiedExcessMs: 10_000 } },
      options: { nodeReadyMs: () => 1_000, placement: 'most-allocated', demand: { unitClasses: true, of: 'all', allowances, hints: true } },
    });
    const ticks = Array.from({ length: 1_000 }, (_, second) => {
      for (let i = 0; second < 300 && i < 3; i++) {
        const template = templates[Math.floor(random() * templates.length)];
        if (template) sim.submit(`cluster-00${Math.floor(random() * 2)}`, template, 20_000 + Math.floor(random() * 100_000));
      }
      return sim.step();
    });
    return { sim, ticks };
  }

  // One rush is luck: a Pod more or less on the last machine.
  it.each([1, 30])('get a place sooner than without, taken together, and all machines go back, with Creates of %i s', (createCycles) => {
    const rushes = [1, 2, 3, 4, 5, 6].map((seed) => [rush(seed, createCycles, false), rush(seed, createCycles, true)] as const);
    const waited = ({ sim }: ReturnType<typeof rush>): number => sim.waitsMs.reduce((sum, ms) => sum + ms, 0);
    const sum = (of: readonly number[]): number => of.reduce((total, each) => total + each, 0);
    expect(sum(rushes.map(([, withThem]) => waited(withThem)))).toBeLessThan(0.99 * sum(rushes.map(([without]) => waited(without))));
    const peak = (ticks: readonly Tick[]): number => Math.max(...ticks.map((tick) => tick.configured));
    for (const [without, withThem] of rushes) {
      expect(Math.max(...withThem.sim.waitsMs)).toBeLessThanOrEqual(Math.max(...without.sim.waitsMs));
      expect(peak(withThem.ticks)).toBeLessThanOrEqual(peak(without.ticks) * 1.3);
      expect(lastOf(withThem.ticks)).toMatchObject({ live: 0, configured: 0 });
      expect(withThem.sim.fleet.count('Speculative')).toBe(400);
      for (const cluster of withThem.sim.clusters.keys()) expect(withThem.sim.reporterOf(cluster).allowances.size).toBe(0);
    }
  });
});

describe('a rush of Pods that stay', () => {
  /** Cores and GiB; of the large ones there are few, and they fit on no machine of the smallest size. */
  const shapes = [[2, 12], [3, 6], [8, 30], [12, 24], [12, 48], [14, 110], [24, 62], [32, 96], [48, 182], [88, 320]] as const;
  const templates = shapes.map(([cores, gib]) => templateOf({ request: { resources: { cpu: String(cores), memory: `${gib}Gi` }, priority: 0 }, gang: '' }));
  const offers = [[64, 256], [128, 512], [192, 768]].flatMap(([cores = 0, gib = 0]) => Array.from({ length: 200 }, (_, i): EngineMachine => ({
    id: `c${cores}-${String(i).padStart(3, '0')}`, state: 'Speculative', instanceType: `c${cores}`, zone: `zone-${i % 3}`, capacityType: 'OnDemand', labels: {},
    interruptionProbability: 0, cluster: '', hold: false, stuck: false, allocatable: parseResources([['cpu', String(cores)], ['memory', `${gib}Gi`]], 'down'),
    priceMicroUsdPerHour: cores * 50_000,
  })));

  function rush(seed: number, triesPerTick: number): Simulator {
    const random = seededRandom(seed);
    const sim = new Simulator({
      clusters: ['a'], machines: offers,
      policy: { ...BARE_POLICY, reclaimCapFraction: 0.25, maxConcurrentDrainsPerCluster: 50, holds: { onDemandMs: 8_000, spotMs: 2_000, occupiedExcessMs: 10_000 } },
      demand: { unitClasses: true, of: 'all', allowances: true, hints: true, turnMs: 15_000 },
      placement: 'emptiest', triesPerTick, dwell: (_, transition) => ({ create: 1_000, configure: 700, drain: 3_000, delete: 500 })[transition], nodeReadyMs: () => 3_000,
      controllers: true, tickMs: 100, rollupMs: 1_000, arrivals: 'kept',
    });
    for (let tick = 0; tick < 2_000; tick++) {
      for (let i = 0; i < 6 && tick < 100; i++) sim.submit('a', templates[Math.floor(random() ** 2 * templates.length)] ?? fail());
      sim.step();
    }
    return sim;
  }

  function fail(): never {
    throw new Error('there is no such shape');
  }

  // The slower the scheduler, the later it tries Pods again for which there has long been room.
  it.each([2, 4, 8, 20])('moves none of them once all have a place, with a scheduler that tries %i at a time', (triesPerTick) => {
    let evicted = 0;
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const sim = rush(seed, triesPerTick);
      evicted += sim.evictedTotal;
      expect([seed, sim.clusterOf('a').pending.size]).toEqual([seed, 0]);
    }
    // Of 4,800 Pods: two machines may go for one larger one, and one of the two may have had a Pod.
    expect(evicted).toBeLessThanOrEqual(5);
  });
});

import { describe, expect, it } from 'vitest';
import { ZONE_LABEL } from '../api/constants.ts';
import { machine } from '../engine/testing/builders.ts';
import { Cluster } from './cluster.ts';
import { Fleet } from './fleet.ts';
import { templateOf } from './pod.ts';
import type { SimulatedPod, Template } from './pod.ts';
import { pools, requests, simulate } from './scenario.ts';
import type { Workload } from './scenario.ts';
import { lastOf, totals } from './testing/counting.ts';

const tiny = (replicas: number): Workload => ({ name: 'tiny', request: requests.tiny, objects: 1, replicas });
const cpus = (cpu: string, over: Partial<Workload['request']> = {}, gang = ''): Template => templateOf({ request: { resources: { cpu }, priority: 0, requirements: [], ...over }, gang });

let sequence = 0;
const pod = (template: Template): SimulatedPod =>
  ({ id: `p${sequence}`, cluster: 'c1', template, createdAt: 0, lifeMs: Infinity, sequence: sequence++, machine: undefined, boundAt: undefined });

function clusterOf(placement: 'emptiest' | 'most-allocated', nodes: number, cpu = 4): Cluster {
  const cluster = new Cluster('c1', placement);
  for (let i = 0; i < nodes; i++) cluster.join(machine(`n${i}`, 'Configured', { zone: i % 2 === 0 ? 'za' : 'zb', allocatable: [['cpu', cpu * 1_000]] }), true);
  return cluster;
}

describe('a scheduler', () => {
  const placed = (cluster: Cluster, ...templates: Template[]): (string | undefined)[] => {
    const pods = templates.map(pod);
    for (const p of pods) cluster.submit(p);
    cluster.schedule(0);
    return pods.map((p) => p.machine);
  };

  it('takes the emptiest Node, or the fullest that has room', () => {
    const one = cpus('1');
    expect(placed(clusterOf('emptiest', 2), one, one, one)).toEqual(['n0', 'n1', 'n0']);
    expect(placed(clusterOf('most-allocated', 2), one, one, one)).toEqual(['n0', 'n0', 'n0']);
    expect(placed(clusterOf('most-allocated', 2), one, one, cpus('3'), cpus('2'))).toEqual(['n0', 'n0', 'n1', 'n0']);
  });

  it('serves the important first and leaves what does not fit', () => {
    expect(placed(clusterOf('emptiest', 1), cpus('3'), cpus('3', { priority: 5 }))).toEqual([undefined, 'n0']);
  });

  it('keeps a gang in the domain of its first member, and forgets the domain with the last', () => {
    const cluster = clusterOf('emptiest', 4, 1);
    const member = cpus('1', { coLocation: { topologyKey: ZONE_LABEL } }, 'g');
    expect(placed(cluster, member, member, member)).toEqual(['n0', 'n2', undefined]);
    for (const p of [...cluster.pods.values()]) cluster.remove(p);
    cluster.leave('n0');
    cluster.leave('n2');
    expect(placed(cluster, member)).toEqual(['n1']);
  });

  it('heeds affinity, readiness and cordons', () => {
    const cluster = clusterOf('emptiest', 1);
    cluster.join(machine('late', 'Configured', { allocatable: [['cpu', 4_000]] }), false);
    const elsewhere = cpus('1', { requirements: [{ key: ZONE_LABEL, operator: 'In', values: ['zz'] }] });
    cluster.cordon('n0');
    expect(placed(cluster, elsewhere, cpus('1'))).toEqual([undefined, undefined]);
    cluster.becomesReady('late');
    cluster.schedule(0);
    expect([...cluster.pods.values()].map((p) => p.machine)).toEqual([undefined, 'late']);
  });
});

describe('what is checked in every tick', () => {
  it('sees a Node whose machine is somebody else\'s', () => {
    const cluster = clusterOf('emptiest', 1);
    expect(() => cluster.check(() => 'c1')).not.toThrow();
    expect(() => cluster.check(() => 'c2')).toThrow('belongs to "c2"');
  });

  it('sees a Pod that is bound twice, and one that is bound to nothing', () => {
    const cluster = clusterOf('emptiest', 2);
    const p = pod(cpus('1'));
    cluster.submit(p);
    cluster.schedule(0);
    cluster.nodes.get('n1')?.pods.add(p);
    expect(() => cluster.check(() => 'c1')).toThrow('is bound to "n0"');
    cluster.nodes.get('n1')?.pods.delete(p);
    cluster.nodes.get('n0')?.pods.delete(p);
    expect(() => cluster.check(() => 'c1')).toThrow('1 Pods are bound, Nodes hold 0');
  });

  it('sees a machine that belongs to a cluster although it is free', () => {
    const quiet = { changed: () => {}, draining: () => {}, configured: () => {} };
    expect(() => new Fleet([machine('m', 'Idle')], () => 0, quiet).check()).not.toThrow();
    expect(() => new Fleet([machine('m', 'Idle', { cluster: 'c1' })], () => 0, quiet).check()).toThrow('is Idle and belongs to "c1"');
    expect(() => new Fleet([machine('m', 'Idle'), machine('m', 'Idle')], () => 0, quiet)).toThrow('two machines');
  });
});

describe('the loop', () => {
  it('gives equal runs for equal inputs', () => {
    const run = (): unknown => simulate({ clusters: 3, workloads: [tiny(120)], pools: [pools.tiny(10, 2, 30)], createCycles: 2, configureCycles: 1 }).run(20);
    expect(run()).toEqual(run());
  });

  it('ends a life, counted from binding, and evicted Pods live the rest of theirs', () => {
    const sim = simulate({ clusters: 1, workloads: [], pools: [pools.tiny(2, 0, 0)] });
    sim.submit('cluster-000', templateOf({ request: requests.tiny, gang: '' }), 10_000);
    expect(sim.run(4).map((tick) => tick.live)).toEqual([1, 1, 1, 1]);
    sim.lose(sim.fleet.configuredOf('cluster-000').find((m) => sim.clusterOf('cluster-000').nodes.get(m.id)?.pods.size === 1)?.id ?? '');
    expect(sim.run(8).map((tick) => tick.live)).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
  });

  it('reports one row per profile where unit classes are off, and asks every machine for the largest Pod', () => {
    const pods = (cpu: string): Workload => ({ name: cpu, request: { ...requests.tiny, resources: { cpu, memory: '1Gi' } }, objects: 1, replicas: 3 });
    const needs = (unitClasses: boolean): unknown => {
      const sim = simulate({ clusters: 1, workloads: [pods('1'), pods('16')], pools: [], options: { demand: { unitClasses, of: 'all', allowances: false, hints: true } } });
      sim.step();
      return sim.plan?.verdicts.map(({ need }) => [new Map(need.aggregate).get('cpu'), new Map(need.minUnit).get('cpu')]);
    };
    expect(needs(true)).toEqual([[48_000, 16_000], [3_000, 1_000]]);
    expect(needs(false)).toEqual([[51_000, 16_000]]);
  });

  it('counts money while machines stand, the fleet\'s own idle ones apart', () => {
    const sim = simulate({
      clusters: 1, workloads: [tiny(10)], pools: [pools.tiny(0, 0, 1)],
      options: { machines: [machine('own', 'Idle', { instanceType: 'x', priceMicroUsdPerHour: 3_600_000 }), machine('rented', 'Speculative', { instanceType: 'm6i.large', capacityType: 'OnDemand', allocatable: [['cpu', 2_000], ['memory', 10 * 2 ** 30]], priceMicroUsdPerHour: 7_200_000 })] },
    });
    sim.run(10);
    expect(sim.spentInUseMicroUsd).toBe(10 * 2_000);
    expect(sim.spentMicroUsd).toBe(10 * 3_000);
  });

  it('spreads reports over the interval and decides only when there is news', () => {
    const sim = simulate({ clusters: 2, workloads: [tiny(10)], pools: [pools.tiny(1, 0, 0)], options: { tickMs: 100, rollupMs: 1_000 } });
    const planned: number[] = [];
    let last: unknown;
    for (let i = 0; i < 30; i++) {
      sim.step();
      if (sim.plan !== last) planned.push(sim.cycle % 5);
      last = sim.plan;
    }
    expect(planned.slice(1)).toEqual(planned.slice(1).map(() => 0));
    expect(planned.length).toBeGreaterThanOrEqual(6);
  });

  it('loses nothing that it was told to lose but what was on it', () => {
    const sim = simulate({ clusters: 1, workloads: [tiny(20)], pools: [pools.tiny(2, 1, 0)] });
    sim.lose('tiny-cfg-cluster-000-0000');
    const ticks = sim.run(5);
    expect(totals(ticks)).toEqual({ Bootstrap: 1 });
    expect(lastOf(ticks)).toMatchObject({ configured: 2, bound: 20, live: 20 });
    expect(() => sim.lose('tiny-cfg-cluster-000-0000')).toThrow('there is no machine');
  });
});

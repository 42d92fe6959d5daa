/** Random demand for thousands of cycles: whatever is asked for, nothing is lost and nothing gets stuck (spec: scale 5.5). */
import { expect, it } from 'vitest';
import { textOf } from '../engine/testing/summary.ts';
import { seededRandom } from '../lib/random.ts';
import { templateOf } from './pod.ts';
import type { SimulatedPod } from './pod.ts';
import { simulate } from './scenario.ts';
import { lastOf, total } from './testing/counting.ts';

const CYCLES = Number(process.env['CYCLES'] ?? 2_000);
const CLUSTERS = 30;

it(`Soak: ${CYCLES} cycles of random demand`, () => {
  const random = seededRandom(0xcafebabe);
  const gpu = { 'nvidia.com/gpu': '1' };
  const sim = simulate({
    clusters: CLUSTERS, workloads: [],
    pools: [{ name: 'gpu', instanceType: 'gpu', unit: gpu, density: 1, idle: 1_000, speculative: 2_000 }],
    policy: { holds: { onDemandMs: 30_000, spotMs: 30_000, occupiedExcessMs: 0 } },
  });
  const names = [...sim.clusters.keys()];
  const pods = new Map<string, SimulatedPod[]>();
  const ask = (cluster: string, count: number): void => {
    for (const pod of sim.clusterOf(cluster).pods.values()) sim.remove(pod);
    const template = templateOf({ request: { resources: gpu, priority: Math.floor(random() * 1_000_000), requirements: [] }, gang: '' });
    pods.set(cluster, Array.from({ length: count }, () => sim.submit(cluster, template)));
  };
  const someone = (): string => names[Math.floor(random() * CLUSTERS)] ?? '';
  const transitional = (): number => sim.fleet.count('Creating', 'Configuring', 'Draining', 'Deleting', 'Failed');

  const ticks = Array.from({ length: CYCLES }, (_, i) => {
    if (i % 5 === 0) ask(someone(), 1 + Math.floor(random() * 50));
    if (i % 35 === 0) ask(someone(), 0);
    const tick = sim.step();
    expect(transitional()).toBe(0); // transitions take no time here
    if (i % 100 === 0) expect(textOf(sim.engine.plan(sim.now))).toBe(textOf(sim.engine.planInFull(sim.now)));
    return tick;
  });
  expect([...sim.fleet.all()]).toHaveLength(3_000);
  expect(total(ticks, 'Reclaim')).toBeGreaterThan(CYCLES);
  expect(total(ticks, 'Bootstrap')).toBeGreaterThan(CYCLES);

  const rest = sim.run(60);
  expect(lastOf(rest)).toMatchObject({ pending: 0, shortfalls: 0 });
  expect(lastOf(rest).configured).toBe(lastOf(rest).live);
  expect(total(rest.slice(-20), 'Bootstrap', 'Provision', 'Reclaim', 'Preempt', 'Delete', 'Withdraw')).toBe(0);
}, 600_000);

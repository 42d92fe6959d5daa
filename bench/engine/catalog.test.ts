import { expect, test } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import { CATALOG, machinesByArchetype, machinesForPods, workloads } from './catalog.ts';

// Published figures of the catalog (spec: scale 1.1, 1.4).
test.each([[500_000, 5_784], [5_000_000, 56_892], [50_000_000, 567_973]])('%i Pods take %i machines', (pods, machines) => {
  expect(machinesForPods(pods)).toBe(machines);
});

test('machines are split as the catalog says and none is lost', () => {
  const split = machinesByArchetype(10_000);
  expect([...split.values()].reduce((a, b) => a + b, 0)).toBe(10_000);
  const published = [66.44, 11.39, 5.7, 1.55, 1.55, 5.17, 3.09, 4.18, 0.95];
  [...split.values()].forEach((n, i) => expect(Math.abs(n / 100 - (published[i] as number))).toBeLessThan(0.02));
});

test('drawn workloads have the published mix and mean size', () => {
  const drawn = [...workloads(seededRandom(1), 2_000_000)];
  const share = (name: string): number => drawn.filter((w) => w.archetype.name === name).length / drawn.length;
  const pods = drawn.reduce((sum, w) => sum + w.pods, 0);
  expect(pods / drawn.length).toBeCloseTo(18.52, 0);
  expect(share('tiny-stateless')).toBeCloseTo(0.654, 2);
  expect(share('stateful-db')).toBeCloseTo(0.081, 2);
  expect(pods - 2_000_000).toBeLessThan(16);
  const spread = drawn.filter((w) => w.spread);
  expect(new Set(spread.map((w) => w.archetype.name))).toEqual(new Set(['cpu-service', 'critical-realtime']));
});

test('gangs have the sizes that their archetype says', () => {
  const medium = [...workloads(seededRandom(2), 3_000_000)].filter((w) => w.archetype.name === 'gpu-training-medium').map((w) => w.pods);
  expect([Math.min(...medium), Math.max(...medium)]).toEqual([8, 16]);
  expect(CATALOG.reduce((sum, a) => sum + a.weight, 0)).toBe(24_586);
});

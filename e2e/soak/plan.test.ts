import { expect, it } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import { faultKinds, planFaults, SPARED_CLUSTER } from './plan.ts';

const plan = planFaults(seededRandom(1), 120_000);

it('a fault every few seconds, of every kind also in two minutes, the same for the same seed', () => {
  expect(new Set(plan.map(({ kind }) => kind))).toEqual(new Set(faultKinds));
  for (const [i, { atMs }] of plan.slice(1).entries()) expect(atMs - plan[i]!.atMs).toBeLessThanOrEqual(7_000);
  expect(planFaults(seededRandom(1), 120_000)).toEqual(plan);
  expect(planFaults(seededRandom(2), 120_000)).not.toEqual(plan);
});

it.each([1, 2, 3, 4, 5])('the provider lives through the first half, the leader and an operator through the second (seed %d)', (seed) => {
  const faults = planFaults(seededRandom(seed), 600_000);
  const [first, second] = [faults.filter(({ atMs }) => atMs < 300_000), faults.filter(({ atMs }) => atMs >= 300_000)];
  expect(first.some(({ kind }) => kind === 'provider killed')).toBe(false);
  expect(second.some(({ kind, cluster }) => kind === 'shard killed' || (kind === 'operator killed' && cluster === SPARED_CLUSTER))).toBe(false);
  // Three seconds without a renewal end the life of whoever holds a Lease.
  for (const { kind, cluster, lastsMs } of second) if (kind === 'hub server paused' || (kind === 'cluster server paused' && cluster === SPARED_CLUSTER)) expect(lastsMs).toBeLessThan(3_000);
  expect(new Set(first.filter(({ kind }) => kind === 'operator killed').map(({ cluster }) => cluster)).size).toBe(2);
});

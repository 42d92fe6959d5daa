import { credentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { builtInSeeds } from '../sim/built-in-seeds.ts';
import { runSimProvider, type RunningSim } from '../sim/run-sim-provider.ts';
import { fixed, noFailures } from '../testing/sim-harness.ts';
import { explanation, tally } from './report.ts';
import { runSuite } from './run-suite.ts';
import { select } from './select.ts';

/** The suite and the provider on both ends of a socket; what they wait for is each other. */
describe('the simulated provider', () => {
  let sim: RunningSim;
  beforeAll(async () => {
    sim = await runSimProvider({
      listen: '127.0.0.1:0', seeds: () => builtInSeeds(100), create: fixed(2), configure: fixed(2), drain: fixed(2), delete: fixed(2), recover: fixed(2),
      failureRates: noFailures, interruptionsPerHour: 0, seed: 1, onWarning: () => {},
    });
  });
  afterAll(() => sim.close());

  it('keeps the contract: the baseline, core, cloud and spot', { timeout: 120_000 }, async () => {
    const result = await runSuite({
      ...select('core,cloud,spot'), target: `127.0.0.1:${sim.provider.port}`, credentials: credentials.createInsecure(), seed: 1, runId: 'test',
      pace: { reachMs: 30_000, stillMs: 50, quietMs: 100, faultTimeoutMs: 2_000, soakMs: 100 }, scaleMachines: 90, clock: systemClock,
    });
    expect(result.outcomes.map(explanation).join('')).toBe('');
    expect([result.verdict, tally(result.outcomes), result.applicable]).toEqual(['CERTIFIED', { passed: 94, failed: 0, skipped: 0 }, 25 + 69]);
    expect(result.leftBehind).toEqual([]);
    expect([...sim.provider.machines()].filter((m) => m.state !== 'Speculative' && m.capacityType !== 'BareMetal')).toEqual([]);
  });
});

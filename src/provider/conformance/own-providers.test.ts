import { credentials } from '@grpc/grpc-js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { faultSeeds } from '../fault/fault-seeds.ts';
import { runFaultProvider } from '../fault/run-fault-provider.ts';
import { memoryStore } from '../kit/state-store.ts';
import { builtInSeeds } from '../sim/built-in-seeds.ts';
import { runSimProvider, type RunningSim } from '../sim/run-sim-provider.ts';
import { fixed, noFailures } from '../testing/sim-harness.ts';
import type { SuiteResult } from './outcome.ts';
import { providerCommand } from './provider-command.ts';
import { explanation, tally } from './report.ts';
import { runSuite, type SuiteOptions } from './run-suite.ts';
import { select } from './select.ts';

const BASELINE = 25;
const FAULT_TIMEOUT_MS = 1_000;

/** How fast this computer is at the moment is not what these tests are about. */
const unhurried = { getMs: 60_000, createMs: 60_000, listMs: 60_000, oneListMs: 60_000 };
const options: Omit<SuiteOptions, 'target' | 'claims' | 'behaviours'> = {
  credentials: credentials.createInsecure(), seed: 1, runId: 'test', clock: systemClock, scaleMachines: 90,
  pace: { reachMs: 60_000, stillMs: 50, markMs: 50, quietMs: 100, faultTimeoutMs: FAULT_TIMEOUT_MS, soakMs: 100, latency: unhurried },
};

const file = (path: string): string => `'${fileURLToPath(new URL(`../../../${path}`, import.meta.url))}'`;
const ours = file('hack/bigfleet-provider');
const sim = `${ours} sim --i-know-this-is-simulated --seed-count {seeds} --create-ms 2`;
const template = `'${process.execPath}' ${file('examples/provider-template/main.ts')}`;
/** Each on itself: those that take up what a restart has cut off with a Configure that does not end. */
const durable: readonly { name: string; start: string; stuck?: string }[] = [
  { name: 'sim', start: `${sim} --configure-ms 2 --drain-ms 2`, stuck: `${sim} --configure-ms 600000 --configure-timeout-ms 5000 --recover-ms 600000` },
  { name: 'fault', start: `${ours} fault --seed-count {seeds} --timeout-ms 600000 --latency-ms 2` },
  { name: 'static', start: `${ours} static --inventory ${file('examples/static-provider/conformance.yaml')}` },
  { name: 'template', start: template, stuck: `${template} --stuck` },
];

function expectCertified(result: SuiteResult, passed: number): void {
  expect(result.outcomes.map(explanation).join('')).toBe('');
  expect([result.verdict, tally(result.outcomes), result.applicable]).toEqual(['CERTIFIED', { passed, failed: 0, skipped: 0 }, passed]);
  expect(result.leftBehind).toEqual([]);
}

/** The suite and the provider on both ends of a socket: what they wait for is each other, so time is real. */
describe('our providers keep the contract', { timeout: 180_000 }, () => {
  it('sim: the baseline, core, cloud and spot, and it is given back as it was', async () => {
    const sim = await startSim(100);
    try {
      const result = await runSuite({ ...options, ...select('core,cloud,spot'), target: `127.0.0.1:${sim.provider.port}` });
      expectCertified(result, BASELINE + 69);
      expect([...sim.provider.machines()].filter((m) => m.state !== 'Speculative' && m.capacityType !== 'BareMetal')).toEqual([]);
    } finally {
      await sim.close();
    }
  });

  it('sim: scale', async () => {
    const sim = await startSim(1_200);
    try {
      const result = await runSuite({ ...options, ...select('scale'), target: `127.0.0.1:${sim.provider.port}`, scaleMachines: 1_200 });
      expectCertified(result, BASELINE + 9);
    } finally {
      await sim.close();
    }
  });

  it('fault: what becomes of failures', async () => {
    const fault = await runFaultProvider({
      serving: { address: '127.0.0.1:0', store: memoryStore() }, seeds: () => faultSeeds(64, 2),
      timeoutMs: FAULT_TIMEOUT_MS, latencyMs: 2, slowMs: FAULT_TIMEOUT_MS, interruptAfterMs: 60_000, onWarning: () => {},
    });
    try {
      const { behaviours } = select('fault', 'B701,B702,B703,B704,B705,B706,B707,B708');
      const result = await runSuite({ ...options, claims: new Set(['fault']), behaviours, target: `127.0.0.1:${fault.provider.port}` });
      expect(result.outcomes.map(explanation).join('')).toBe('');
      expect(tally(result.outcomes)).toEqual({ passed: 8, failed: 0, skipped: 0 });
    } finally {
      await fault.close();
    }
  });

  it.concurrent.each(durable)('$name: what was acknowledged survives SIGKILL, and what was cut off is FAILED in the end', async ({ start, stuck }) => {
    const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
    const command = (line: string) => providerCommand('--start', { command: `exec ${line} --addr {addr} --state {state}`, folder, credentials: options.credentials, clock: systemClock, readyMs: 60_000 });
    const provider = command(start);
    const target = await provider.start('target', 64);
    try {
      const { behaviours } = select('durable', 'B1001,B1002,B1003,B1004,B1005,B1006,B1007');
      const result = await runSuite({
        ...options, claims: new Set(['durable']), behaviours, target: target.address, durable: { provider, ...(stuck !== undefined && { stuck: command(stuck) }) },
      });
      expect(result.outcomes.map(explanation).join('')).toBe('');
      expect(tally(result.outcomes)).toEqual({ passed: 7, failed: 0, skipped: 0 });
    } finally {
      await target.kill();
      rmSync(folder, { recursive: true });
    }
  });
});

function startSim(machines: number): Promise<RunningSim> {
  return runSimProvider({
    listen: '127.0.0.1:0', seeds: () => builtInSeeds(machines), create: fixed(2), configure: fixed(2), drain: fixed(2), delete: fixed(2), recover: fixed(2),
    failureRates: noFailures, interruptionsPerHour: 0, seed: 1, onWarning: () => {},
  });
}

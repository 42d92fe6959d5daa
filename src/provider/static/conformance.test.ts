import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../lib/clock.ts';
import { explanation, tally } from '../conformance/report.ts';
import { runSuite } from '../conformance/run-suite.ts';
import { select } from '../conformance/select.ts';
import { StaticHarness } from '../testing/static-harness.ts';

let h: StaticHarness;
beforeEach(() => void (h = new StaticHarness()));
afterEach(() => h.close());

/** The suite, the provider and its hooks: three kinds of processes that wait for each other, so time is real. */
it('with hooks that do nothing it keeps the contract: the baseline and core', { timeout: 180_000 }, async () => {
  const nothing = '{run: ["true"]}';
  h.inventory(`version: 1
concurrency: 32
defaults:
  zone: rack-1
  instanceType: nuc
  pricePerHour: 0.05
  resources: {cpu: 8, memory: 32Gi}
  hooks: {configure: ${nothing}, drain: ${nothing}, powerOn: ${nothing}, powerOff: ${nothing}}
machines:
  - {ids: "m[001-100]"}
`);
  await h.start({ clock: systemClock });
  const result = await runSuite({
    ...select('core'), target: `127.0.0.1:${h.static.provider.port}`, credentials: credentials.createInsecure(), seed: 1, runId: 'test',
    pace: { reachMs: 60_000, stillMs: 50, markMs: 50, quietMs: 100, faultTimeoutMs: 2_000, soakMs: 100 }, scaleMachines: 90, clock: systemClock,
  });
  expect(result.outcomes.map(explanation).join('')).toBe('');
  expect([result.verdict, tally(result.outcomes).skipped, tally(result.outcomes).failed]).toEqual(['CERTIFIED', 0, 0]);
  expect(result.leftBehind).toEqual([]);
});

import { describe, expect, it } from 'vitest';
import { readSettings } from './settings.ts';
import type { UpFlags } from './settings.ts';

const defaults: UpFlags = {
  duration: '60s', clusters: '3', output: 'text', kill: [], timeLimit: '300s', podDemand: 'requests', rollupInterval: '1s', cycle: '1s', poll: '250ms',
  reclaimGrace: '5s', preemptionGrace: '1s,2s,3s,5s', nodeReadyMs: '300', drainMs: '200', reclaimCap: '0.25', maxDrains: '50', holdOnDemand: '8s', holdSpot: '2s', occupiedExcess: '10s', lifelessGrace: '10s',
  createMs: '400-1500', configureMs: '300-1000', deleteMs: '500', recoverMs: '3000', leaseDuration: '3s', leaseRenew: '2s', leaseRetry: '500ms',
  qps: '1000', burst: '2000',
};

describe('flags of up', () => {
  it('reads the defaults into the compressed settings of the demonstration', () => {
    expect(readSettings(defaults)).toMatchObject({
      durationMs: 60_000, clusters: 3, keep: false, kills: [],
      compressed: { rollupIntervalMs: 1_000, cycleSeconds: 1, reclaimGraceMs: 5_000, preemptionGraceSeconds: [1, 2, 3, 5], nodeReadyMs: 300, drainMs: '200', reclaimCapFraction: '0.25', holdOnDemandSeconds: 8, holdSpotSeconds: 2, occupiedExcessSeconds: 10, lifelessGraceMs: 10_000, lease: { durationMs: 3_000, renewMs: 2_000, retryMs: 500 } },
    });
  });

  it('sorts kills by time', () => {
    expect(readSettings({ ...defaults, kill: ['world@25', 'agent-3@1.5'] }).kills).toEqual([{ name: 'agent-3', atMs: 1_500 }, { name: 'world', atMs: 25_000 }]);
  });

  it.each([
    [{ output: 'yaml' }, '-o: "yaml"'],
    [{ clusters: '0' }, '--clusters'],
    [{ clusters: 'three' }, '--clusters'],
    [{ pods: '0' }, '--pods'],
    [{ duration: '0s' }, '--duration'],
    [{ duration: 'soon' }, '--duration'],
    [{ duration: '400s' }, '--time-limit: 300s leaves no time after --duration 400s'],
    [{ kill: ['coordinator@5'] }, '--kill: "coordinator@5"'],
    [{ kill: ['agent-4@5'] }, '--kill: "agent-4@5"'],
    [{ kill: ['shard'] }, '--kill: "shard"'],
    [{ portBase: '80' }, '--port-base'],
    [{ reclaimCap: '1.5' }, '--reclaim-cap'],
    [{ reclaimCap: '-1' }, '--reclaim-cap'],
    [{ cycle: '1500ms' }, '--cycle'],
    [{ cycle: '0s' }, '--cycle'],
    [{ holdSpot: '0.5s' }, '--hold-spot'],
    [{ createMs: '900-100' }, '--create-ms'],
    [{ leaseRenew: '4s' }, '--lease-retry, --lease-renew, --lease-duration: 500ms, 4s, 3s must grow'],
    [{ preemptionGrace: '1s,2s' }, '--preemption-grace: "1s,2s" must be four durations'],
    [{ nodeReadyMs: '0.3s' }, '--node-ready-ms'],
    [{ drainMs: 'soon' }, '--drain-ms'],
    [{ burst: '10' }, '--burst: 10 is less than --qps 1000'],
  ] satisfies [Partial<UpFlags>, string][])('refuses %j', (flags, message) => {
    const read = (): unknown => readSettings({ ...defaults, ...flags });
    expect(read).toThrow(message);
    expect(read).toThrow(expect.objectContaining({ name: 'UsageError' }));
  });
});

import { describe, expect, it } from 'vitest';
import { afterwards, reportText, shortcomings } from './report.ts';
import type { UpReport } from './report.ts';
import { ResourceUsage } from './resource-usage.ts';
import { good } from './testing/good-report.ts';

describe('verdict', () => {
  it('is success when nothing is pending, left or broken', () => {
    expect(shortcomings(good)).toEqual([]);
    expect(reportText(good)).toContain('\nOK: every Pod was served');
  });

  it.each([
    [{ pods: { ...good.pods, finished: 8150, pending: 2, pendingByReason: { SupplyExhausted: 2 } } }, '2 Pods pending (SupplyExhausted 2)'],
    [{ pods: { ...good.pods, finished: 8151 } }, '1 Pods not finished'],
    [{ pods: { ...good.pods, submitted: 8000, finished: 8000 } }, '152 of 8152 Pods were never submitted'],
    [{ pods: { ...good.pods, bound: 8151 } }, '1 Pods never bound'],
    [{ leaks: { ...good.leaks, machinesBound: 1 } }, 'leak: 1 machinesBound'],
    [{ leaks: { ...good.leaks, capacityRequests: 3 } }, 'leak: 3 capacityRequests'],
    [{ leaks: { ...good.leaks, upcomingNodes: 1 } }, 'leak: 1 upcomingNodes'],
    [{ leaks: { ...good.leaks, nodes: 1 } }, 'leak: 1 nodes'],
    [{ leaks: { machinesBound: 0, nodes: 0 } }, 'could not be asked'],
    [{ violations: { ...good.violations, doubleBound: 1 } }, 'violation: 1 doubleBound'],
    [{ violations: { ...good.violations, podsEvictedWithoutDecision: 1 } }, 'violation: 1 podsEvictedWithoutDecision'],
    [{ violations: { ...good.violations, notInProviderList: 1 } }, 'violation: 1 notInProviderList'],
    [{ stoppedBy: 'timeLimit' as const }, 'the time limit was reached'],
  ] satisfies [Partial<UpReport>, string][])('is failure with %j', (change, why) => {
    const report = { ...good, ...change };
    expect(shortcomings(report)).toEqual([expect.stringContaining(why)]);
    expect(reportText(report)).toContain(`NOT OK: ${shortcomings(report).join('')}`);
  });

  it('prints the figures of the document', () => {
    const text = reportText(good);
    for (const figure of ['8152 submitted', '151 recreated', '2581 alive at the peak', '647 bound at the peak', 'G2-8g 204', 'Bootstrap 586', 'OK 263, FAILED_PRECONDITION 2', 'p99 1700 ms', '$60.13 spent', '$2133.78/h', '1100 MiB', '104.5 s', '12902960 s of trace', '1 restarts']) {
      expect(text).toContain(figure);
    }
    expect(text).toContain('machine configured: not measured');
  });
});

describe('resource usage', () => {
  it('takes the peak of sums of one moment, and adds up processor time over restarts', () => {
    let samples = new Map<number, { rssBytes: number; cpuSeconds: number }>();
    const usage = new ResourceUsage(() => samples);
    const take = (shardPid: number, ...values: [number, number, number][]): void => {
      samples = new Map(values.map(([pid, rssBytes, cpuSeconds]) => [pid, { rssBytes, cpuSeconds }]));
      usage.sample([{ name: 'world', pid: 1 }, { name: 'shard', pid: shardPid }, { name: 'unstarted', pid: undefined }]);
    };
    take(2, [1, 100, 1], [2, 50, 0.5]);
    take(2, [1, 20, 2], [2, 90, 0.75]);
    take(3, [1, 20, 3]); // killed; the new one is not there yet
    take(3, [1, 20, 3], [3, 10, 0.25]);
    expect(usage.peakRssBytes).toBe(150);
    expect(usage.processes()).toEqual([{ name: 'world', peakRssBytes: 100, cpuSeconds: 3 }, { name: 'shard', peakRssBytes: 90, cpuSeconds: 1 }]);
  });

  it('can read this very process', () => {
    const usage = new ResourceUsage();
    usage.sample([{ name: 'self', pid: process.pid }]);
    expect(usage.peakRssBytes).toBeGreaterThan(10_000_000);
    expect(usage.processes()[0]?.cpuSeconds).toBeGreaterThan(0);
  });
});

it.each([[0, 'no process ended'], [1, 'a process ended and was started again: 1 restart more'], [4, 'processes ended and were started again: 4 restarts more than the report says']])('tells of %i restarts after the report', (restarts, text) => {
  expect(afterwards(restarts)).toContain(text);
});

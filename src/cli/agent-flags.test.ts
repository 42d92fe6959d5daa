import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  addCommonFlags, addOperatorFlags, addPodControllerFlags, commonOptions, operatorOptions, podControllerOptions,
  type CommonFlags, type OperatorFlags, type PodControllerFlags,
} from './agent-flags.ts';

type Flags = CommonFlags & OperatorFlags & PodControllerFlags;

function parse(...args: string[]): Flags {
  const command = addCommonFlags(addPodControllerFlags(addOperatorFlags(new Command())), ':8770').exitOverride().configureOutput({ writeErr: () => {} });
  return command.parse(args, { from: 'user' }).opts();
}

const needed = ['--cluster-id', 'demo', '--shard-addr', 'shard:7780'];

describe('the flags of operator, pod controller and agent', () => {
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'agent-flags-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  function file(name: string, text: string): string {
    const path = join(dir, name);
    writeFileSync(path, text);
    return path;
  }

  it('have the defaults that the charts rely on', async () => {
    const flags = parse(...needed);
    expect(commonOptions(flags)).toMatchObject({
      metricsAddress: ':8770', namespace: 'bigfleet-system', qps: 50, burst: 100, lease: { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 },
    });
    expect(await operatorOptions(flags)).toMatchObject({
      clusterId: 'demo', shardAddress: 'shard:7780', rollupIntervalMs: 10_000, ackConcurrency: 16, deletesNodes: true, lifelessMs: 300_000, demandModel: 'allowance', reconnectMaxMs: 30_000,
    });
    expect(await podControllerOptions(flags)).toEqual({ includeDaemonSetPods: false, foreignNodes: 'ignore', pendingAfterMs: 10_000 });
  });

  it('are understood', async () => {
    const flags = parse(...needed, '--metrics-addr', '0', '--rollup-interval', '0', '--delete-drained-nodes=false', '--lifeless-grace', '1m30s', '--demand-model=requests', '--foreign-nodes', 'count',
      '--include-daemonset-pods', '--bootstrap-template-file', file('t', 'id={{ .ClusterID }}'), '--bootstrap-ttl', '30m', '--bootstrap-api-server', 'api.example:6443',
      '--priority-class-defaults', file('p.yaml', 'high: {interruptionPenalty: "8000"}\n'));
    expect(commonOptions(flags).metricsAddress).toBe('0');
    expect(await operatorOptions(flags)).toMatchObject({
      rollupIntervalMs: 10_000, deletesNodes: false, lifelessMs: 90_000, demandModel: 'requests', bootstrapTemplate: 'id={{ .ClusterID }}', bootstrapTtlSeconds: 1_800, bootstrapApiServer: 'api.example:6443',
    });
    expect(await podControllerOptions(flags)).toMatchObject({
      includeDaemonSetPods: true, foreignNodes: 'count', priorityClassDefaults: new Map([['high', { interruptionPenalty: '8k' }]]),
    });
  });

  it('make the operator read Pods, by the rules of the pod controller, only where that is asked for (D33)', async () => {
    const rules = ['--foreign-nodes', 'count', '--priority-class-defaults', file('p.yaml', 'high: {interruptionPenalty: "8000"}\n')];
    expect(await operatorOptions(parse(...needed, ...rules))).not.toHaveProperty('directPods');
    const { directPods } = await operatorOptions(parse(...needed, ...rules, '--pod-demand', 'direct'));
    const { pendingAfterMs: _, ...ofPodController } = await podControllerOptions(parse(...needed, ...rules));
    expect(directPods).toEqual(ofPodController);
    expect(directPods).toEqual({ includeDaemonSetPods: false, foreignNodes: 'count', priorityClassDefaults: new Map([['high', { interruptionPenalty: '8k' }]]) });
  });

  it.each<[string[], RegExp]>([
    [['--shard-addr', 'x:1'], /--cluster-id is required/],
    [['--cluster-id', 'a'], /--shard-addr is required/],
    [['--cluster-id', 'a/b', '--shard-addr', 'x:1'], /--cluster-id: "a\/b"/],
    [['--cluster-id', 'a', '--shard-addr', 'x'], /--shard-addr: "x"/],
    [[...needed, '--tls-cert', 'c'], /--tls-cert, --tls-key and --tls-ca go together/],
    [[...needed, '--rollup-interval', 'soon'], /--rollup-interval: "soon"/],
    [[...needed, '--ack-concurrency', '0'], /--ack-concurrency/],
    [[...needed, '--delete-drained-nodes', 'maybe'], /--delete-drained-nodes/],
    [[...needed, '--lifeless-grace', 'long'], /--lifeless-grace: "long"/],
    [[...needed, '--reconnect-max', '0'], /--reconnect-max must be more than 0/],
    [[...needed, '--bootstrap-api-server', 'https://api:6443'], /--bootstrap-api-server: "https:\/\/api:6443" is not an address/],
    [[...needed, '--bootstrap-ttl', '5m'], /--bootstrap-ttl needs --bootstrap-template-file/],
    [[...needed, '--bootstrap-template-file', '/does/not/exist'], /--bootstrap-template-file: ENOENT/],
  ])('refuse %j', async (args, message) => {
    await expect(operatorOptions(parse(...args))).rejects.toThrow(message);
    await expect(operatorOptions(parse(...args))).rejects.toHaveProperty('name', 'UsageError');
  });

  it('refuse a template that could not be used later (D3 of the scenarios)', async () => {
    await expect(operatorOptions(parse(...needed, '--bootstrap-template-file', file('t', '{{ .Nope }}')))).rejects.toThrow(/--bootstrap-template-file: line 1.*no field Nope/);
  });

  it.each<[string, RegExp]>([
    ['high: {interruptionPenalty: lots}', /high\.interruptionPenalty: "lots"/],
    ['high: {interruptionPenalty: -1}', /high\.interruptionPenalty: -1/],
    ['high: {interuptionPenalty: "1"}', /unknown field interuptionPenalty/],
    ['high: 5', /high: expected a map/],
    ['- a', /expected a map of PriorityClass names/],
  ])('refuse the penalty defaults %j', async (text, message) => {
    await expect(podControllerOptions(parse(...needed, '--priority-class-defaults', file('p.yaml', text)))).rejects.toThrow(message);
  });

  it('refuse Lease times that cannot work together', () => {
    expect(() => commonOptions(parse(...needed, '--lease-renew', '15s'))).toThrow(/--lease-renew: "15s" must be shorter than --lease-duration \(15s\)/);
    expect(() => commonOptions(parse(...needed, '--lease-retry', '10s'))).toThrow(/--lease-retry: "10s" must be shorter than --lease-renew \(10s\)/);
  });

  it('refuse values and flags that do not exist', () => {
    expect(() => parse('--foreign-nodes', 'no')).toThrow(/Allowed choices are ignore, count/);
    expect(() => parse('--bogus')).toThrow(/unknown option/);
  });
});

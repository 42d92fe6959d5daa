import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CapacityRequestResource, NodeResource, PodResource, UpcomingNodeResource } from '../api/resources.ts';
import type { CapacityRequest, Pod, UpcomingNode } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { createRuntimeMetrics } from '../runtime/index.ts';
import { silentLog } from '../runtime/types.ts';
import { createOperatorMetrics } from './metrics.ts';
import { wirePodController } from './pod-wiring.ts';
import { cachesOf } from './testing/caches-of.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { node, podOn } from './testing/machines.ts';

describe('the pod controller’s sources', () => {
  let cluster: FakeCluster;
  let clock: VirtualClock;
  let stop: AbortController;
  let running: Promise<unknown>;

  beforeEach(() => {
    cluster = new FakeCluster();
    clock = new VirtualClock();
    stop = new AbortController();
  });

  afterEach(async () => {
    stop.abort();
    await clock.advance(60_000);
    await running;
  });

  function start(foreignNodes: 'ignore' | 'count' = 'ignore'): void {
    const registry = new Registry();
    const runnables = wirePodController({ includeDaemonSetPods: false, foreignNodes, pendingAfterMs: 10_000 }, {
      client: cluster, caches: cachesOf(cluster, clock), events: { name: 'events', publish: () => {}, run: () => Promise.resolve() }, metrics: createOperatorMetrics(registry),
      runtimeMetrics: createRuntimeMetrics(registry), clock, log: silentLog,
    });
    running = Promise.all(runnables.map((runnable) => runnable.run(stop.signal)));
  }

  /** The names of the Pods that have a request, once everything known has been dealt with. */
  async function wanted(): Promise<string[]> {
    await clock.advance(0);
    await clock.advance(0);
    return cluster.all<CapacityRequest>(CapacityRequestResource).map((r) => r.metadata.ownerReferences?.[0]?.name ?? '').sort();
  }

  const announce = (status: UpcomingNode['status']): void => {
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: 'un-m-1' }, spec: { resources: {} }, ...(status ? { status } : {}) });
  };

  it('judge a Pod as soon as its Node is known, and only then', async () => {
    start();
    cluster.put(PodResource, podOn('ours', 'a'));
    cluster.put(PodResource, podOn('theirs', 'b'));
    expect(await wanted()).toEqual([]);
    cluster.put(NodeResource, node('theirs'));
    cluster.put(NodeResource, node('ours', { machine: 'm-1' }));
    expect(await wanted()).toEqual(['a']);
  });

  it('take back the request of a Pod whose Node turns out to be somebody else’s', async () => {
    start();
    cluster.put<Pod>(PodResource, { ...podOn('', 'a'), spec: { containers: [{ name: 'c' }] } });
    expect(await wanted()).toEqual(['a']);
    cluster.put(PodResource, podOn('theirs', 'a'));
    expect(await wanted()).toEqual(['a']); // nothing is known of the Node yet
    cluster.put(NodeResource, node('theirs'));
    expect(await wanted()).toEqual([]);
  });

  it.each<[string, () => void]>([
    ['label', () => cluster.put(NodeResource, node('node-a', { machine: 'm-1' }))],
    ['provider id', () => cluster.put(NodeResource, node('node-a', { spec: { providerID: 'sim://m-1' } }))],
  ])('judge anew when a Node gets its %s only later', async (_, identify) => {
    start();
    announce({ phase: 'Ready', providerID: 'sim://m-1' });
    cluster.put(NodeResource, node('node-a'));
    cluster.put(PodResource, podOn('node-a', 'a'));
    expect(await wanted()).toEqual([]);
    identify();
    expect(await wanted()).toEqual(['a']);
  });

  it.each<[string, () => void]>([
    ['is announced', () => announce({ phase: 'Ready', providerID: 'sim://m-1' })],
    ['is announced first without, then with its provider id', () => {
      announce({ phase: 'Provisioning' });
      announce({ phase: 'Ready', providerID: 'sim://m-1' });
    }],
  ])('judge anew when the machine behind a Node %s', async (_, tell) => {
    start();
    cluster.put(NodeResource, node('node-a', { spec: { providerID: 'sim://m-1' } }));
    cluster.put(NodeResource, node('node-b', { spec: { providerID: 'sim://m-2' } }));
    cluster.put(PodResource, podOn('node-a', 'a'));
    cluster.put(PodResource, podOn('node-b', 'b'));
    expect(await wanted()).toEqual([]);
    tell();
    expect(await wanted()).toEqual(['a']);
  });

  it('count Pods on any Node where that is asked for', async () => {
    start('count');
    cluster.put(PodResource, podOn('theirs', 'a'));
    expect(await wanted()).toEqual(['a']);
  });
});

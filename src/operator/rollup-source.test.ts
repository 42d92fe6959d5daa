import { Registry } from 'prom-client';
import { beforeEach, describe, expect, it } from 'vitest';
import { NodeResource, UpcomingNodeResource } from '../api/resources.ts';
import type { CapacityRequest, Node, Pod, UpcomingNode } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { FateLedger } from './fate-ledger.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from './fleet-nodes.ts';
import { createOperatorMetrics } from './metrics.ts';
import { NodeLoad } from './node-load.ts';
import { DemandBook } from './rollup.ts';
import { RollupSource } from './rollup-source.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { podOn } from './testing/machines.ts';

function request(uid: string, more: Partial<CapacityRequest['metadata']> = {}): CapacityRequest {
  return { metadata: { name: `cr-pod-${uid}`, namespace: 'ns', uid: `of-${uid}`, generation: 1, labels: { 'bigfleet.lucy.sh/owned-by-pod': uid }, ...more }, spec: { resources: { cpu: '1' }, priority: 0 } };
}

describe('roll-up messages', () => {
  let clock: VirtualClock;
  let ledger: FateLedger;
  let source: RollupSource;

  beforeEach(() => {
    clock = new VirtualClock();
    ledger = new FateLedger({ clock, intervalMs: 1_000, requestsChanged: () => {}, rowChanged: () => {} });
    const cluster = new FakeCluster();
    const nodes = cluster.store<Node>(NodeResource, nodeIndexes);
    source = new RollupSource({
      clusterId: 'demo', book: new DemandBook(), ledger, load: new NodeLoad(), nodes, clock,
      fleet: new FleetNodes(nodes, cluster.store<UpcomingNode>(UpcomingNodeResource, upcomingNodeIndexes)), metrics: createOperatorMetrics(new Registry()),
    });
  });

  const cpu = (): string | undefined => source.build().message.needs[0]?.aggregateResources.get('cpu');

  it('say when they were built and never share a timestamp, even if the clock stands still', () => {
    const first = source.build().message;
    expect(first).toMatchObject({ clusterId: 'demo', timestampUnixNanos: BigInt(clock.now()) * 1_000_000n, needs: [], nodeHints: { items: [] } });
    expect(source.build().message.timestampUnixNanos).toBe(first.timestampUnixNanos + 1n);
  });

  it('leave out a request whose Pod has gone, before garbage collection gets to it', () => {
    source.requested('ns/cr-pod-a', request('a'));
    source.requested('ns/cr-pod-b', request('b'));
    expect(cpu()).toBe('2');
    source.podGone(podOn('n', 'pod-a', { uid: 'a' }));
    expect(cpu()).toBe('1');
    source.requested('ns/cr-pod-a', request('a', { generation: 2 })); // a late change of the orphan
    expect(cpu()).toBe('1');
    source.withdrawn('ns/cr-pod-a', request('a'));
    expect(cpu()).toBe('1');
    source.podGone(podOn('n', 'stranger', { uid: 'z' }) as Pod);
    expect(cpu()).toBe('1');
  });

  it('bring to the shard only what they were built with', () => {
    source.requested('ns/cr-pod-a', request('a'));
    ledger.track('ns/cr-pod-a', false);
    const built = source.build();
    ledger.track('ns/cr-pod-b', false);
    source.sent(built);
    ledger.rollupAcked();
    expect(ledger.acknowledgedAtMs('ns/cr-pod-a')).toBeDefined();
    expect(ledger.acknowledgedAtMs('ns/cr-pod-b')).toBeUndefined();
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { NodeResource, PodResource, UpcomingNodeResource } from '../api/resources.ts';
import type { Node, Pod, UpcomingNode } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { AllowancePlanner } from './allowance-planner.ts';
import { FateLedger } from './fate-ledger.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from './fleet-nodes.ts';
import { NodeLoad } from './node-load.ts';
import { DemandBook } from './rollup.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { node, podOn } from './testing/machines.ts';

describe('the feed of the allowances (D3)', () => {
  let cluster: FakeCluster;
  let book: DemandBook;
  let ledger: FateLedger;
  let planner: AllowancePlanner;
  let load: NodeLoad;
  let timestamp: bigint;

  beforeEach(() => {
    const clock = new VirtualClock();
    cluster = new FakeCluster();
    load = new NodeLoad();
    book = new DemandBook();
    ledger = new FateLedger({ clock, intervalMs: 1_000, requestsChanged: () => {}, rowChanged: () => {} });
    ledger.sessionChanged(true);
    const nodes = cluster.store<Node>(NodeResource, nodeIndexes);
    const upcoming = cluster.store<UpcomingNode>(UpcomingNodeResource, upcomingNodeIndexes);
    planner = new AllowancePlanner({
      book, ledger, load, nodes, upcoming, fleet: new FleetNodes(nodes, upcoming), requestOf: (pod) => pod.metadata.name, podsOn: (name) => cluster.all<Pod>(PodResource).filter((pod) => pod.spec.nodeName === name), misfitsChanged: () => {},
    });
    cluster.store<Pod>(PodResource);
    cluster.subscribe<Pod>(PodResource, (event) => planner.observe(event));
    timestamp = 0n;
    book.set('p', { metadata: { name: 'p', namespace: 'ns' }, spec: { resources: { cpu: '3' }, priority: 0 } });
    cluster.put<Pod>(PodResource, {
      metadata: { name: 'p', namespace: 'ns' }, spec: { containers: [{ name: 'c' }] },
      status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no room' }] },
    });
  });

  /** One roll-up; returns what it asks for. */
  function rollup(): string | undefined {
    planner.apply(++timestamp);
    return book.needs()[0]?.aggregateResources.get('cpu');
  }

  /** The shard calls the only row satisfied, as of the roll-up so numbered. */
  function satisfied(upTo: bigint): void {
    const [need] = book.needs();
    ledger.needStatuses({ rollupTimestampUnixNanos: upTo, items: [{
      fingerprint: book.sortedRows()[0]?.identity.fingerprint ?? '', group: need?.group ?? '', minUnit: need?.minUnit ?? new Map(),
      satisfied: true, reason: 0, reasonText: '', machines: 1, inFlight: 0,
    }] });
  }

  it('asks for more only on the word of the shard about what was asked for last', () => {
    expect([rollup(), rollup(), rollup()]).toEqual(['3', '3', '3']); // no word yet
    satisfied(timestamp);
    expect(rollup()).toBe('6');
    // That word was about 3 cores: it says nothing about 6.
    expect([rollup(), rollup(), rollup()]).toEqual(['6', '6', '6']);
    satisfied(4n); // the roll-up that asked for 6
    expect(rollup()).toBe('9');
  });

  it('takes an empty machine as proof only when kube-scheduler must have tried, and not if the machine is used in the end', () => {
    const SECOND = 1_000_000_000n;
    satisfied(100n * SECOND);
    cluster.put<Node>(NodeResource, node('n', { machine: 'm', status: { conditions: [{ type: 'Ready', status: 'True' }], allocatable: { cpu: '8' } } }));
    const misfit = (): string | undefined => planner.allowances.misfitOf('p');
    for (let i = 0; i < 5; i++) rollup();
    timestamp = 15n * SECOND - 1n;
    rollup();
    expect(misfit()).toBeUndefined();
    rollup();
    expect(misfit()).toBe('no room');
    load.observe({ type: 'added', key: 'ns/q', object: podOn('n', 'q') });
    expect(rollup()).toBe('6');
    expect(misfit()).toBeUndefined();
  });

  it('asks for less only as far as machines that stay stand empty for want of Pods, by the count of the shard', () => {
    const announced = (name: string, phase: 'Ready' | 'Draining'): void => {
      cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: `un-${name}` }, spec: { resources: {} }, status: { phase } });
    };
    const empty = (name: string): void => {
      cluster.put<Node>(NodeResource, node(name, { machine: `m-${name}`, status: { conditions: [{ type: 'Ready', status: 'True' }], allocatable: { cpu: '3' } } }));
      announced(name, 'Ready');
    };
    satisfied(100n); // one machine in all
    expect([rollup(), rollup()]).toEqual(['3', '6']);
    cluster.put<Pod>(PodResource, { metadata: { name: 'p', namespace: 'ns' }, spec: { nodeName: 'elsewhere', containers: [{ name: 'c' }] }, status: { phase: 'Running' } });
    empty('a');
    empty('b');
    announced('c', 'Ready');
    expect([rollup(), rollup(), rollup()]).toEqual(['6', '6', '6']); // of three that stay two are none of the row’s
    announced('c', 'Draining');
    expect(rollup()).toBe('3');
  });

  it('forgets a Pod that has found its place', () => {
    satisfied(10n);
    expect([rollup(), rollup()]).toEqual(['3', '6']);
    cluster.put<Pod>(PodResource, { metadata: { name: 'p', namespace: 'ns' }, spec: { nodeName: 'n', containers: [{ name: 'c' }] }, status: { phase: 'Running' } });
    satisfied(20n);
    expect([rollup(), rollup(), rollup()]).toEqual(['6', '6', '6']);
  });
});

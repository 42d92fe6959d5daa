import { beforeEach, describe, expect, it } from 'vitest';
import { NodeResource, UpcomingNodeResource } from '../../api/resources.ts';
import type { Node, UpcomingNode } from '../../api/types.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from '../../operator/fleet-nodes.ts';
import type { Phase } from '../../operator/machine-life.ts';
import { MachineNews } from '../../operator/machine-news.ts';
import { failure, FakeCluster } from '../../operator/testing/fake-cluster.ts';
import { frame, node, type StateName } from '../../operator/testing/machines.ts';
import { WriteThrough } from '../../operator/write-through.ts';
import { silentLog } from '../../runtime/types.ts';
import { NodeReconciler } from './reconciler.ts';

const ctx = { signal: new AbortController().signal, reconcileId: 'r' };

describe('the Node of a machine that has left (D20)', () => {
  let cluster: FakeCluster;
  let news: MachineNews;
  let reconciler: NodeReconciler;
  let clock: VirtualClock;

  beforeEach(() => {
    clock = new VirtualClock();
    cluster = new FakeCluster();
    news = new MachineNews(clock);
    const upcoming = cluster.store<UpcomingNode>(UpcomingNodeResource, upcomingNodeIndexes);
    const nodes = cluster.store<Node>(NodeResource, nodeIndexes);
    reconciler = new NodeReconciler({ client: cluster, upcoming: new WriteThrough(upcoming, clock), fleet: new FleetNodes(nodes, upcoming), news, clock, log: silentLog });
  });

  async function deleted(phase: Phase, heard: StateName | 'unnamed' | 'nothing', joined: Partial<Node> & { ready?: boolean } = {}): Promise<boolean> {
    cluster.put(NodeResource, node('node-a', { machine: 'm-1', ...joined }));
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: 'un-m-1' }, spec: { resources: {} }, status: { phase, nodeRef: { kind: 'Node', name: 'node-a', uid: 'uid-node-a' } } });
    if (heard === 'unnamed') news.replayed([], ['m-1']);
    else if (heard !== 'nothing') news.record(frame('m-1', heard));
    await reconciler.reconcile('m-1', ctx);
    return cluster.now(NodeResource, 'node-a') === undefined;
  }

  it.each<[Phase, StateName]>([['Draining', 'IDLE'], ['Drained', 'IDLE'], ['Draining', 'DELETING'], ['Ready', 'SPECULATIVE']])(
    'is deleted when the machine was %s and is %s', async (phase, state) => {
      expect(await deleted(phase, state)).toBe(true);
    });

  it.each<[Phase, StateName | 'nothing']>([['Ready', 'CONFIGURED'], ['Draining', 'DRAINING'], ['Draining', 'CONFIGURED'], ['Launched', 'IDLE'], ['Draining', 'nothing']])(
    'stays when the machine was %s and is %s', async (phase, state) => {
      expect(await deleted(phase, state)).toBe(false);
    });

  it('goes with a failed machine only once it is NotReady', async () => {
    expect(await deleted('Ready', 'FAILED')).toBe(false);
    expect(await deleted('Ready', 'FAILED', { ready: false })).toBe(true);
  });

  it('stays if the shard does not name its machine but it is alive and nobody cordoned it', async () => {
    expect(await deleted('Ready', 'unnamed')).toBe(false);
    expect(await deleted('Ready', 'unnamed', { spec: { unschedulable: true } })).toBe(true);
  });

  it('goes when the machine is being bound again, but a Node that joined since then stays', async () => {
    expect(await deleted('Drained', 'CONFIGURING', { metadata: { name: 'node-a', uid: 'another', labels: { 'bigfleet.lucy.sh/machine-id': 'm-1' } } })).toBe(false);
    expect(await deleted('Drained', 'CONFIGURING', { metadata: { name: 'node-a', uid: 'uid-node-a', labels: { 'bigfleet.lucy.sh/machine-id': 'm-1' } } })).toBe(true);
  });

  it('is not deleted in place of a namesake', async () => {
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: 'un-m-1' }, spec: { resources: {} }, status: { phase: 'Drained' } });
    cluster.put(NodeResource, node('node-a', { machine: 'm-1' }));
    cluster.lag(); // the cache still shows the first
    cluster.remove(NodeResource, { name: 'node-a' });
    cluster.put(NodeResource, node('node-a', { metadata: { name: 'node-a', uid: 'another' } }));
    news.record(frame('m-1', 'IDLE'));
    expect(await reconciler.reconcile('m-1', ctx)).toEqual({});
    expect(cluster.count('delete', 'Node')).toBe(1);
    expect(cluster.now<Node>(NodeResource, 'node-a')?.metadata.uid).toBe('another');
  });

  it('is tried again if the API server does not delete it for another reason', async () => {
    cluster.intercept = () => {
      throw failure(500, 'InternalError', 'not now');
    };
    await expect(deleted('Draining', 'IDLE')).rejects.toThrow('not now');
  });

  describe('seen only after the life of its machine was cleared away', () => {
    const at = (ms: number): string => new Date(ms).toISOString();

    function appears(createdAt: number, ready: boolean): void {
      news.record(frame('m-1', 'DELETING'));
      news.bury('m-1', news.get('m-1')!);
      cluster.put(NodeResource, node('node-a', { machine: 'm-1', ready, metadata: { name: 'node-a', uid: 'u', creationTimestamp: at(createdAt), labels: { 'bigfleet.lucy.sh/machine-id': 'm-1' } } }));
    }
    const gone = (): boolean => cluster.now(NodeResource, 'node-a') === undefined;

    it('goes at once if it is older than the end of that life', async () => {
      appears(clock.now() - 60_000, true);
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({});
      expect(gone()).toBe(true);
    });

    it('goes once it has stayed lifeless, for it may be the first sign of a new life', async () => {
      appears(clock.now(), false);
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({ requeueAfterMs: 10_000 });
      expect(gone()).toBe(false);
      await clock.advance(10_000);
      await reconciler.reconcile('m-1', ctx);
      expect(gone()).toBe(true);
    });

    it('stays while it lives', async () => {
      appears(clock.now(), true);
      await clock.advance(60_000);
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({});
      expect(gone()).toBe(false);
    });

    it('stays when the shard has said that the machine comes again', async () => {
      appears(clock.now() - 60_000, false);
      news.record(frame('m-1', 'CONFIGURED'));
      await reconciler.reconcile('m-1', ctx);
      expect(gone()).toBe(false);
    });
  });
});

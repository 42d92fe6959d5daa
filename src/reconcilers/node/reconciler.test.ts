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

  it.each<[string, Phase, Partial<Node> & { ready?: boolean }, boolean]>([
    ['it is alive', 'Ready', {}, false],
    ['it is alive and somebody cordoned it', 'Ready', { spec: { unschedulable: true } }, false],
    ['it is alive and still being emptied', 'Draining', { spec: { unschedulable: true } }, false],
    ['it was emptied for its machine to leave', 'Drained', { spec: { unschedulable: true } }, true],
    ['it is lifeless', 'Ready', { ready: false }, true],
  ])('of a machine that the replay does not name, when %s', async (_, phase, joined, goes) => {
    expect(await deleted(phase, 'unnamed', joined)).toBe(goes);
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

    function appears(createdAt: number, ready: boolean, heard: 'DELETING' | 'unnamed' = 'DELETING', spec: Node['spec'] = {}): void {
      if (heard === 'unnamed') news.replayed([], ['m-1']);
      else news.record(frame('m-1', heard));
      news.bury('m-1', news.get('m-1')!);
      cluster.put(NodeResource, node('node-a', { machine: 'm-1', ready, spec, metadata: { name: 'node-a', uid: 'u', creationTimestamp: at(createdAt), labels: { 'bigfleet.lucy.sh/machine-id': 'm-1' } } }));
    }
    const gone = (): boolean => cluster.now(NodeResource, 'node-a') === undefined;

    it.each(['DELETING', 'unnamed'] as const)('goes at once if it is lifeless and older than the end of that life (%s)', async (heard) => {
      appears(clock.now() - 60_000, false, heard);
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({});
      expect(gone()).toBe(true);
    });

    it.each(['DELETING', 'unnamed'] as const)('stays while it lives, however old it is (%s)', async (heard) => {
      appears(clock.now() - 60_000, true, heard);
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({});
      expect(gone()).toBe(false);
    });

    it('goes alive if it is cordoned and its machine is known to have left, not if that one merely went unnamed', async () => {
      appears(clock.now() - 60_000, true, 'unnamed', { unschedulable: true });
      await reconciler.reconcile('m-1', ctx);
      expect(gone()).toBe(false);
      news.record(frame('m-1', 'DELETING')); // no late word: it tells more than the silence did
      news.bury('m-1', news.get('m-1')!);
      await reconciler.reconcile('m-1', ctx);
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

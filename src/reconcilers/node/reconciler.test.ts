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
    reconciler = new NodeReconciler({ client: cluster, upcoming: new WriteThrough(upcoming, clock), fleet: new FleetNodes(nodes, upcoming), news, clock, log: silentLog, lifelessMs: 300_000 });
  });

  async function deleted(phase: Phase, heard: StateName | 'unnamed' | 'nothing', joined: Partial<Node> & { ready?: boolean } = {}): Promise<boolean> {
    cluster.put(NodeResource, node('node-a', { machine: 'm-1', ...joined }));
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: 'un-m-1' }, spec: { resources: {} }, status: { phase, nodeRef: { kind: 'Node', name: 'node-a', uid: 'uid-node-a' } } });
    if (heard === 'unnamed') news.replayed([], ['m-1']);
    else if (heard !== 'nothing') news.record(frame('m-1', heard));
    await reconciler.reconcile('m-1', ctx);
    return cluster.now(NodeResource, 'node-a') === undefined;
  }

  it.each<[Phase, StateName]>([['Draining', 'IDLE'], ['Drained', 'IDLE'], ['Draining', 'DELETING']])(
    'is deleted when the machine was %s and is %s', async (phase, state) => {
      expect(await deleted(phase, state)).toBe(true);
    });

  it.each<[Phase, StateName | 'nothing']>([['Ready', 'CONFIGURED'], ['Draining', 'DRAINING'], ['Draining', 'CONFIGURED'], ['Launched', 'IDLE'], ['Draining', 'nothing']])(
    'stays when the machine was %s and is %s', async (phase, state) => {
      expect(await deleted(phase, state)).toBe(false);
    });

  it.each<StateName>(['IDLE', 'DELETING', 'SPECULATIVE'])('stays while it lives when the machine that is %s was never drained, and goes when it is lifeless', async (state) => {
    expect(await deleted('Ready', state)).toBe(false);
    expect(await deleted('Ready', state, { ready: false })).toBe(true);
  });

  it.each<StateName>(['IDLE', 'DELETING', 'SPECULATIVE'])('goes when the machine that is %s was drained faster than anybody looked', async (state) => {
    for (const earlier of ['DRAINING', 'IDLE'] as const) news.record(frame('m-1', earlier));
    expect(await deleted('Ready', state)).toBe(true);
  });

  it('stays when the machine was called draining in an earlier life', async () => {
    for (const earlier of ['DRAINING', 'CONFIGURED'] as const) news.record(frame('m-1', earlier));
    expect(await deleted('Ready', 'DELETING')).toBe(false);
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
    ['it was being emptied and is lifeless', 'Draining', { ready: false }, true],
    ['it is lifeless at the moment', 'Ready', { ready: false }, false],
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

    function departs(heard: 'DELETING' | 'unnamed'): void {
      if (heard === 'unnamed') news.replayed([], ['m-1']);
      else news.record(frame('m-1', heard));
      news.bury('m-1', news.get('m-1')!);
    }

    function appears(createdAt: number, ready: boolean, heard: 'DELETING' | 'unnamed' = 'DELETING', spec: Node['spec'] = {}): void {
      departs(heard);
      cluster.put(NodeResource, node('node-a', { machine: 'm-1', ready, spec, metadata: { name: 'node-a', uid: 'u', creationTimestamp: at(createdAt), labels: { 'bigfleet.lucy.sh/machine-id': 'm-1' } } }));
    }
    const gone = (): boolean => cluster.now(NodeResource, 'node-a') === undefined;

    it('goes at once if it is lifeless and older than the end of that life', async () => {
      appears(clock.now() - 60_000, false);
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({});
      expect(gone()).toBe(true);
    });

    it.each<[string, NonNullable<Node['status']>, number]>([
      ['since it turned NotReady', { conditions: [{ type: 'Ready', status: 'Unknown', lastTransitionTime: '2026-01-01T00:00:00Z' }] }, 300_000],
      ['since it was made, if it never was Ready', {}, 240_000],
    ])('of a machine that merely went unnamed goes only after minutes without life: %s', async (_, status, waitMs) => {
      departs('unnamed');
      cluster.put(NodeResource, node('node-a', { status, metadata: { name: 'node-a', uid: 'u', creationTimestamp: at(clock.now() - 60_000), labels: { 'bigfleet.lucy.sh/machine-id': 'm-1' } } }));
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({ requeueAfterMs: waitMs });
      await clock.advance(waitMs - 1);
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({ requeueAfterMs: 1 });
      expect(gone()).toBe(false);
      await clock.advance(1);
      await reconciler.reconcile('m-1', ctx);
      expect(gone()).toBe(true);
    });

    it('of a machine that merely went unnamed stays if nobody knows how long it has been lifeless', async () => {
      departs('unnamed');
      cluster.put(NodeResource, node('node-a', { machine: 'm-1', ready: false }));
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({});
      expect(gone()).toBe(false);
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

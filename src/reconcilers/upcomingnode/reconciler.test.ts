import { beforeEach, describe, expect, it } from 'vitest';
import type { Node, UpcomingNode } from '../../api/types.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from '../../operator/fleet-nodes.ts';
import { NodeResource, UpcomingNodeResource } from '../../api/resources.ts';
import { MachineNews } from '../../operator/machine-news.ts';
import { FakeCluster } from '../../operator/testing/fake-cluster.ts';
import { frame, node, type StateName } from '../../operator/testing/machines.ts';
import { WriteThrough } from '../../operator/write-through.ts';
import { UpcomingNodeReconciler } from './reconciler.ts';
import { STEP_MS } from './status-pace.ts';

const ctx = { signal: new AbortController().signal, reconcileId: 'r' };

describe('UpcomingNodes', () => {
  let cluster: FakeCluster;
  let news: MachineNews;
  let clock: VirtualClock;
  let reconciler: UpcomingNodeReconciler;

  function build(deletesNodes = true): void {
    cluster = new FakeCluster();
    news = new MachineNews(new VirtualClock());
    clock = new VirtualClock();
    const upcoming = cluster.store<UpcomingNode>(UpcomingNodeResource, upcomingNodeIndexes);
    const nodes = cluster.store<Node>(NodeResource, nodeIndexes);
    reconciler = new UpcomingNodeReconciler({
      client: cluster, upcoming: new WriteThrough(upcoming, clock), fleet: new FleetNodes(nodes, upcoming), news, clock, deletesNodes,
    });
  }

  beforeEach(() => build());

  async function hear(state: StateName, more = {}): Promise<void> {
    news.record(frame('m-1', state, more));
    await reconciler.reconcile('m-1', ctx);
  }

  const un = (): UpcomingNode | undefined => cluster.now<UpcomingNode>(UpcomingNodeResource, 'un-m-1');

  it.each<[StateName, string]>([
    ['SPECULATIVE', 'Provisioning'], ['CREATING', 'Provisioning'], ['UNSPECIFIED', 'Provisioning'], ['IDLE', 'Launched'], ['CONFIGURING', 'Registered'],
    ['CONFIGURED', 'Ready'], ['DRAINING', 'Draining'], ['FAILED', 'Failed'],
  ])('shows a machine that is %s as %s', async (state, phase) => {
    await hear(state);
    expect(un()?.status?.phase).toBe(phase);
    expect(cluster.count('create', 'UpcomingNode')).toBe(1);
    expect(cluster.count('patch', 'UpcomingNode', 'status')).toBe(1);
  });

  it('announces labels, resources and taints, and corrects them', async () => {
    await hear('CREATING', { resources: { resources: new Map([['cpu', '4000m'], ['bad', '12QQ']]) }, taints: [{ key: 'k', value: '', effect: 'NoSchedule' }] });
    expect(un()?.spec).toEqual({ labels: { zone: 'a' }, resources: { cpu: '4' }, taints: [{ key: 'k', effect: 'NoSchedule' }] });
    await hear('CREATING', { labels: new Map([['rack', 'r']]) });
    expect(un()?.spec).toEqual({ labels: { rack: 'r' }, resources: { cpu: '4' } });
    expect(un()?.status?.provisioningStartTime).toBe('2026-01-01T00:00:00Z');
  });

  it('writes nothing for what it knows already (C8)', async () => {
    await hear('CONFIGURED', { nodeName: 'n-1', providerId: 'p-1' });
    const before = cluster.writes.length;
    clock.advance(60_000).catch(() => {});
    await hear('CONFIGURED', { nodeName: 'n-1', providerId: 'p-1' });
    await hear('CONFIGURED'); // nothing is unlearnt
    expect(cluster.writes).toHaveLength(before);
    expect(un()?.status).toMatchObject({ nodeRef: { kind: 'Node', name: 'n-1' }, providerID: 'p-1' });
  });

  it('ends a burst of frames at the last one with at most two status writes (C7)', async () => {
    news.record(frame('m-1', 'IDLE'));
    cluster.intercept = ({ verb }) => {
      if (verb !== 'create') return;
      news.record(frame('m-1', 'CONFIGURING'));
      news.record(frame('m-1', 'CONFIGURED'));
    };
    cluster.lag(); // its own writes come back late as well
    await reconciler.reconcile('m-1', ctx);
    await reconciler.reconcile('m-1', ctx);
    await reconciler.reconcile('m-1', ctx);
    cluster.catchUp();
    await clock.advance(STEP_MS);
    await reconciler.reconcile('m-1', ctx);
    expect(un()?.status?.phase).toBe('Ready');
    expect(cluster.count('patch', 'UpcomingNode', 'status')).toBe(2);
    expect(cluster.count('create', 'UpcomingNode')).toBe(1);
  });

  describe('a machine\'s way through the cluster', () => {
    const isReady = (ready: boolean) => node('node-a', { machine: 'm-1', spec: { providerID: 'sim://m-1' }, ready });
    const way: readonly (readonly [string, () => void])[] = [
      ['Provisioning', () => news.record(frame('m-1', 'CREATING'))],
      ['Launched', () => news.record(frame('m-1', 'IDLE', { providerId: 'sim://m-1' }))],
      ['Registered', () => news.record(frame('m-1', 'CONFIGURING'))],
      ['Registered', () => cluster.put(NodeResource, isReady(false))],
      ['Ready', () => news.record(frame('m-1', 'CONFIGURED'))],
      ['Ready', () => cluster.put(NodeResource, isReady(true))],
    ];
    const ready = (): string | undefined => un()?.status?.conditions?.find((c) => c.type === 'Ready')?.status;
    const writes = (): number => cluster.count('patch', 'UpcomingNode', 'status');
    /** Each step, `lastMs` apart; what the reconciler asks to be called for later is done when it is due. */
    async function go(lastMs: number): Promise<(string | undefined)[]> {
      const seen: (string | undefined)[] = [];
      for (const [, step] of way) {
        step();
        const { requeueAfterMs } = await reconciler.reconcile('m-1', ctx);
        await clock.advance(lastMs);
        if (requeueAfterMs !== undefined && requeueAfterMs <= lastMs) await reconciler.reconcile('m-1', ctx);
        seen.push(un()?.status?.phase);
      }
      return seen;
    }

    it('costs a write when it sets out and one when its Node is ready, if it takes moments', async () => {
      await go(100);
      expect(un()?.status).toMatchObject({ phase: 'Ready', providerID: 'sim://m-1', nodeRef: { name: 'node-a' } });
      expect(ready()).toBe('True');
      expect(writes()).toBe(2);
      await hear('DRAINING');
      expect(un()?.status?.phase).toBe('Draining');
      expect(writes()).toBe(3);
      await hear('IDLE');
      cluster.remove(NodeResource, { name: 'node-a' });
      await reconciler.reconcile('m-1', ctx);
      expect(un()).toBeUndefined();
    });

    it('comes back for what it held back', async () => {
      await hear('CREATING');
      await clock.advance(500);
      news.record(frame('m-1', 'IDLE'));
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({ requeueAfterMs: STEP_MS - 500 });
      await clock.advance(STEP_MS - 500);
      await reconciler.reconcile('m-1', ctx);
      expect(un()?.status?.phase).toBe('Launched');
    });

    it('shows every step that lasts', async () => {
      expect(await go(STEP_MS)).toEqual(way.map(([phase]) => phase));
      expect(writes()).toBe(6);
    });

    it('takes what it held back for said: a machine that was given and taken back in a moment leaves nothing', async () => {
      await hear('CREATING');
      await hear('CONFIGURED');
      expect(un()?.status?.phase).toBe('Provisioning');
      await hear('IDLE');
      expect(un()).toBeUndefined();
    });

    it('tells of a failure at once, and of the first moment with a Node that is ready', async () => {
      await hear('CREATING');
      await hear('CONFIGURING');
      await hear('FAILED', { lastError: 'x' });
      expect(un()?.status).toMatchObject({ phase: 'Failed', lastError: 'x' });
    });

    it('forgets what it held back when somebody else has written meanwhile', async () => {
      await hear('CREATING');
      await hear('CONFIGURED');
      const { uid } = un()!.metadata;
      cluster.put(UpcomingNodeResource, { ...un()!, status: { ...un()!.status, phase: 'Draining' } } as UpcomingNode);
      await hear('CONFIGURING'); // of a machine that leaves: another life
      expect(un()?.metadata.uid).not.toBe(uid);
    });

    it('a Node that comes and goes is written now and then', async () => {
      await go(100);
      for (let i = 0; i < 40; i++) {
        cluster.put(NodeResource, isReady(i % 2 === 0));
        await reconciler.reconcile('m-1', ctx);
        await clock.advance(100);
      }
      expect(writes()).toBeLessThanOrEqual(2 + 4);
    });
  });

  it.each<[StateName, StateName]>([['DRAINING', 'IDLE'], ['CONFIGURED', 'IDLE'], ['CONFIGURED', 'SPECULATIVE'], ['DRAINING', 'DELETING'], ['FAILED', 'SPECULATIVE']])(
    'removes a machine that was %s and is %s (C9)', async (before, after) => {
      await hear(before);
      await hear(after);
      expect(un()).toBeUndefined();
      await hear(after); // reported once more by another path of the shard
      expect(un()).toBeUndefined();
      await hear('CONFIGURING');
      expect(un()?.status?.phase).toBe('Registered');
    });

  it('does not remove a namesake of the object that it saw', async () => {
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: 'un-m-1', uid: 'first' }, spec: { resources: {} }, status: { phase: 'Ready' } });
    cluster.lag();
    cluster.remove(UpcomingNodeResource, { name: 'un-m-1' });
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: 'un-m-1', uid: 'second' }, spec: { resources: {} } });
    await expect(hear('IDLE')).rejects.toThrow(); // and is tried again with what the cache shows then
    expect(un()?.metadata.uid).toBe('second');
  });

  it('removes a machine whose local drain had ended before it turned idle (C9b)', async () => {
    await hear('DRAINING');
    cluster.put(UpcomingNodeResource, { ...un()!, status: { ...un()!.status, phase: 'Drained' } } as UpcomingNode);
    await hear('IDLE');
    expect(un()).toBeUndefined();
  });

  it('tells the error of a failed machine and forgets it with the failure (C10)', async () => {
    await hear('FAILED', { lastError: 'x' });
    expect(un()?.status).toMatchObject({ phase: 'Failed', lastError: 'x' });
    expect(un()?.status?.conditions?.find((c) => c.type === 'Failed')).toMatchObject({ status: 'True', message: 'x' });
    await hear('CONFIGURING');
    expect(un()?.status?.phase).toBe('Registered');
    expect(un()?.status).not.toHaveProperty('lastError');
  });

  it('takes name, provider id and readiness from the Node that joined', async () => {
    await hear('CONFIGURED');
    expect(un()?.status?.conditions?.find((c) => c.type === 'Ready')).toMatchObject({ status: 'False', reason: 'NodeNotSeen' });
    await clock.advance(1000);
    cluster.put(NodeResource, node('node-a', { machine: 'm-1', spec: { providerID: 'sim://m-1' } }));
    await reconciler.reconcile('m-1', ctx);
    expect(un()?.status).toMatchObject({ phase: 'Ready', nodeRef: { name: 'node-a', uid: 'uid-node-a' }, providerID: 'sim://m-1' });
    expect(un()?.status?.conditions?.find((c) => c.type === 'Ready')).toEqual(
      { type: 'Ready', status: 'True', reason: 'NodeReady', message: '', observedGeneration: 1, lastTransitionTime: '2026-01-01T00:00:01Z' });
  });

  it('lets the Node go first, so that a restarted operator still knows of it', async () => {
    await hear('CONFIGURED');
    cluster.put(NodeResource, node('node-a', { machine: 'm-1' }));
    await hear('DRAINING');
    await hear('IDLE');
    expect(un()).toBeDefined();
    cluster.remove(NodeResource, { name: 'node-a' });
    await reconciler.reconcile('m-1', ctx);
    expect(un()).toBeUndefined();
  });

  it('does not wait for a Node that is left to others', async () => {
    build(false);
    cluster.put(NodeResource, node('node-a', { machine: 'm-1' }));
    await hear('DRAINING');
    await hear('IDLE');
    expect(un()).toBeUndefined();
  });

  it('removes what the replay did not name, and nothing else (D18)', async () => {
    await hear('CONFIGURED');
    expect(news.replayed(['m-1'], ['m-1', 'm-2'])).toEqual(['m-2']);
    await reconciler.reconcile('m-1', ctx);
    expect(un()).toBeDefined();
    expect(news.replayed(['m-2'], ['m-1'])).toEqual(['m-1']);
    await reconciler.reconcile('m-1', ctx);
    expect(un()).toBeUndefined();
  });

  it('starts a new life when a machine comes back before the old one was cleared away', async () => {
    await hear('CONFIGURED');
    cluster.put(NodeResource, node('node-a', { machine: 'm-1' }));
    await reconciler.reconcile('m-1', ctx);
    const old = un()?.metadata.uid;
    await hear('DRAINING');
    await hear('CONFIGURING');
    expect(un()?.metadata.uid).toBe(old); // its Node still stands
    cluster.remove(NodeResource, { name: 'node-a' });
    await reconciler.reconcile('m-1', ctx);
    expect(un()?.metadata.uid).not.toBe(old);
    expect(un()?.status).toMatchObject({ phase: 'Registered' });
    expect(un()?.status).not.toHaveProperty('nodeRef');
  });

  it('shows a machine as leaving from our order on, until the shard says anew that it is configured', async () => {
    await hear('CONFIGURED');
    cluster.put(NodeResource, node('node-a', { machine: 'm-1', spec: { unschedulable: true } }));
    news.ordered('m-1');
    const annotations = { ...un()!.metadata.annotations, 'bigfleet.lucy.sh/drain-instruction-id': 'i', 'bigfleet.lucy.sh/drain-deadline': '2026-01-01T00:00:30Z' };
    cluster.put(UpcomingNodeResource, { ...un()!, metadata: { ...un()!.metadata, annotations }, status: { ...un()!.status, phase: 'Drained' } } as UpcomingNode);
    await reconciler.reconcile('m-1', ctx);
    expect(un()?.status?.phase).toBe('Drained');
    await hear('CONFIGURED');
    expect(un()?.status?.phase).toBe('Ready');
    expect(un()?.metadata.annotations).not.toHaveProperty('bigfleet.lucy.sh/drain-instruction-id');
  });

  it('ignores frames that name no machine', () => {
    expect(news.record(frame('', 'IDLE'))).toBe(false);
    expect(news.size).toBe(0);
  });

  it('keeps ids that no name can hold', async () => {
    news.record(frame('Rack 1/Node', 'CONFIGURED'));
    await reconciler.reconcile('Rack 1/Node', ctx);
    const [created] = cluster.all<UpcomingNode>(UpcomingNodeResource);
    expect(created?.metadata.name).toMatch(/^un-rack-1-node-[0-9a-f]{8}$/);
    expect(created?.metadata.annotations?.['bigfleet.lucy.sh/machine-id']).toBe('Rack 1/Node');
  });
});

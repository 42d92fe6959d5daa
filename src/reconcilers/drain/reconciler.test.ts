import { beforeEach, describe, expect, it } from 'vitest';
import type { ReclaimAck } from '../../api/gen/bigfleet/v1alpha1/shard.ts';
import { NodeResource, PodResource, UpcomingNodeResource } from '../../api/resources.ts';
import type { Node, Pod, UpcomingNode } from '../../api/types.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { DrainOrders } from '../../operator/drain-orders.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from '../../operator/fleet-nodes.ts';
import { MachineNews } from '../../operator/machine-news.ts';
import { failure, FakeCluster } from '../../operator/testing/fake-cluster.ts';
import { frame, node, podOn } from '../../operator/testing/machines.ts';
import { WriteThrough } from '../../operator/write-through.ts';
import { ApiError } from '../../runtime/client/api-error.ts';
import { silentLog, type Result, type Store } from '../../runtime/types.ts';
import { DrainReconciler } from './reconciler.ts';

const ctx = { signal: new AbortController().signal, reconcileId: 'r' };

describe('draining', () => {
  let cluster: FakeCluster;
  let clock: VirtualClock;
  let acks: (ReclaimAck & { podsThen: number })[];
  let orders: DrainOrders;
  let reconciler: DrainReconciler;
  let stores: { upcoming: Store<UpcomingNode>; nodes: Store<Node>; pods: Store<Pod> };
  let outcomes: string[];
  let news: MachineNews;

  beforeEach(() => {
    cluster = new FakeCluster();
    clock = new VirtualClock();
    stores = {
      upcoming: cluster.store<UpcomingNode>(UpcomingNodeResource, upcomingNodeIndexes),
      nodes: cluster.store<Node>(NodeResource, nodeIndexes),
      pods: cluster.store<Pod>(PodResource, { node: (p) => (p.spec.nodeName ? [p.spec.nodeName] : []) }),
    };
    start();
    cluster.put(NodeResource, node('node-a', { machine: 'm-1' }));
    announce('m-1', { phase: 'Ready', nodeRef: { kind: 'Node', name: 'node-a' } });
  });

  /** A new process: nothing in memory. */
  function start(): void {
    acks = [];
    outcomes = [];
    news = new MachineNews(clock);
    orders = new DrainOrders((ack) => acks.push({ ...ack, podsThen: cluster.all(PodResource).length }));
    reconciler = new DrainReconciler({
      client: cluster, upcoming: new WriteThrough(stores.upcoming, clock), nodes: stores.nodes, pods: stores.pods,
      fleet: new FleetNodes(stores.nodes, stores.upcoming), orders, news, clock, log: silentLog, finished: (o) => outcomes.push(o),
    });
  }

  function announce(machineId: string, status: UpcomingNode['status'], annotations: Record<string, string> = {}): void {
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: `un-${machineId}`, annotations }, spec: { resources: {} }, ...(status ? { status } : {}) });
  }

  async function order(machineIds: string[], graceSeconds: number, instructionId = 'i-1'): Promise<Result> {
    machineIds.forEach((id) => news.ordered(id));
    orders.accept({ instructionId, nodes: [], machineIds, gracePeriodSeconds: BigInt(graceSeconds), preemptorPriority: 0 }, machineIds, clock.now());
    let last: Result = {};
    for (const id of machineIds) last = await reconciler.reconcile(id, ctx);
    return last;
  }

  const un = (id = 'm-1'): UpcomingNode | undefined => cluster.now<UpcomingNode>(UpcomingNodeResource, `un-${id}`);
  const cordoned = (name = 'node-a'): boolean | undefined => cluster.now<Node>(NodeResource, name)?.spec?.unschedulable;
  const evicted = (): string[] => cluster.writes.filter((w) => w.subresource === 'eviction').map((w) => w.name);

  it('cordons, says so, and acknowledges before any Pod is gone (E1)', async () => {
    cluster.put(PodResource, podOn('node-a', 'p-1'));
    await order(['m-1'], 30);
    expect(cordoned()).toBe(true);
    expect(acks).toEqual([{ instructionId: 'i-1', nodesStarted: 1, podsThen: 1 }]);
    expect(evicted()).toEqual(['p-1']);
    expect(un()?.status?.phase).toBe('Draining');
    await reconciler.reconcile('m-1', ctx); // as the Pod's deletion would have it
    expect(un()?.status?.phase).toBe('Drained');
    expect(outcomes).toEqual(['drained']);
  });

  it('has no trouble with a Node that does not exist (E2)', async () => {
    await order(['m-404'], 30);
    expect(acks).toMatchObject([{ nodesStarted: 0 }]);
    expect(cluster.count('patch', 'Node')).toBe(0);
  });

  it('evicts only what has to move (E3)', async () => {
    cluster.put(PodResource, podOn('node-a', 'daemon', { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'u' }] }));
    cluster.put(PodResource, podOn('node-a', 'mirror', { annotations: { 'kubernetes.io/config.mirror': 'x' } }));
    cluster.put(PodResource, podOn('node-a', 'finished', {}, 'Succeeded'));
    cluster.put(PodResource, podOn('node-a', 'one'));
    cluster.put(PodResource, podOn('node-a', 'two'));
    cluster.put(PodResource, podOn('node-b', 'elsewhere'));
    await order(['m-1'], 30);
    expect(evicted().sort()).toEqual(['one', 'two']);
    await reconciler.reconcile('m-1', ctx);
    expect(un()?.status?.phase).toBe('Drained');
  });

  it('does not evict a namesake that took the place of a Pod it has seen', async () => {
    cluster.put(PodResource, podOn('node-a', 'p-1', { uid: 'first' }));
    cluster.lag();
    cluster.remove(PodResource, { namespace: 'ns', name: 'p-1' });
    cluster.put(PodResource, podOn('node-b', 'p-1', { uid: 'second' }));
    await order(['m-1'], 30);
    expect(evicted()).toEqual(['p-1']);
    expect(cluster.all<Pod>(PodResource).map((p) => p.metadata.uid)).toEqual(['second']);
    cluster.catchUp();
    await reconciler.reconcile('m-1', ctx);
    expect(un()?.status?.phase).toBe('Drained');
    expect(evicted()).toEqual(['p-1']);
  });

  it('asks a blocking disruption budget again until it gives way (E4)', async () => {
    cluster.put(PodResource, podOn('node-a', 'p-1'));
    const end = clock.now() + 5_000;
    cluster.intercept = (w) => {
      if (w.subresource === 'eviction' && clock.now() < end) throw failure(429, 'TooManyRequests', 'budget');
    };
    let next = await order(['m-1'], 30);
    expect(acks).toHaveLength(1);
    while (cluster.all(PodResource).length > 0) {
      expect(next.requeueAfterMs).toBe(2_000);
      await clock.advance(2_000);
      next = await reconciler.reconcile('m-1', ctx);
    }
    expect(clock.now()).toBe(end + 1_000);
    await reconciler.reconcile('m-1', ctx); // as the Pod's deletion would have it
    expect(un()?.status?.phase).toBe('Drained');
  });

  it('names what blocks it while it goes on, and no longer once that is granted', async () => {
    cluster.put(PodResource, podOn('node-a', 'stubborn'));
    cluster.put(PodResource, podOn('node-a', 'willing'));
    let blocks = true;
    cluster.intercept = (w) => {
      if (!blocks || w.subresource !== 'eviction' || w.name !== 'stubborn') return;
      throw new ApiError('evict', 429, { reason: 'TooManyRequests', message: 'not now.', details: { causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget both needs 2' }] } });
    };
    await order(['m-1'], 30);
    const message = (): string | undefined => un()?.status?.conditions?.find(({ type }) => type === 'Draining')?.message;
    expect(orders.heldBy('m-1')).toMatch(/^1 Pod\(s\) remain: ns\/stubborn; last answer: .*not now\. The disruption budget both needs 2$/);
    expect(message()).toBe(orders.heldBy('m-1'));
    expect(un()?.status?.lastError).toBeUndefined();
    blocks = false;
    await clock.advance(2_000);
    await reconciler.reconcile('m-1', ctx);
    expect(orders.heldBy('m-1')).toBe('');
    await reconciler.reconcile('m-1', ctx);
    expect(un()?.status?.phase).toBe('Drained');
    expect(message()).toBe('');
  });

  it('gives up at the deadline, says what held it up, and leaves the Node cordoned (E5)', async () => {
    cluster.put(PodResource, podOn('node-a', 'stubborn'));
    cluster.intercept = (w) => {
      if (w.subresource === 'eviction') throw failure(429, 'TooManyRequests', 'the budget allows none');
    };
    const begun = clock.now();
    let next = await order(['m-1'], 4);
    while (next.requeueAfterMs !== undefined) {
      await clock.advance(next.requeueAfterMs);
      next = await reconciler.reconcile('m-1', ctx);
    }
    expect(clock.now() - begun).toBe(4_000);
    expect(un()?.status).toMatchObject({ phase: 'Failed', lastError: expect.stringMatching(/ns\/stubborn.*the budget allows none/) as string });
    expect(cordoned()).toBe(true);
    expect(outcomes).toEqual(['failed']);
  });

  it('goes on to the same deadline after a restart (E6)', async () => {
    cluster.put(PodResource, podOn('node-a', 'stubborn'));
    cluster.intercept = (w) => {
      if (w.subresource === 'eviction') throw failure(429, 'TooManyRequests', 'no');
    };
    await order(['m-1'], 10);
    await clock.advance(6_000);
    start();
    expect((await reconciler.reconcile('m-1', ctx)).requeueAfterMs).toBe(2_000);
    await clock.advance(4_000);
    await reconciler.reconcile('m-1', ctx);
    expect(un()?.status?.phase).toBe('Failed');
    start();
    expect(await reconciler.reconcile('m-1', ctx)).toEqual({});
    expect(evicted()).toEqual([]);
  });

  it('does not take up the drain of an earlier life again', async () => {
    announce('m-1', { phase: 'Ready', nodeRef: { kind: 'Node', name: 'node-a' } }, {
      'bigfleet.lucy.sh/drain-instruction-id': 'old', 'bigfleet.lucy.sh/drain-deadline': '2025-12-31T00:00:00Z',
    });
    expect(await reconciler.reconcile('m-1', ctx)).toEqual({});
    expect(cordoned()).toBeUndefined();
  });

  it('keeps the later of two deadlines', async () => {
    cluster.put(PodResource, podOn('node-a', 'p', { deletionTimestamp: '2026-01-01T00:00:00Z' }));
    await order(['m-1'], 20, 'i-1');
    await order(['m-1'], 5, 'i-2');
    expect(un()?.metadata.annotations).toMatchObject({
      'bigfleet.lucy.sh/drain-instruction-id': 'i-2', 'bigfleet.lucy.sh/drain-deadline': '2026-01-01T00:00:20Z',
    });
    expect(acks.map((a) => a.instructionId)).toEqual(['i-1', 'i-2']);
    expect(evicted()).toEqual([]); // it is leaving already
  });

  it('acknowledges an instruction for several machines once, when all are cordoned', async () => {
    cluster.put(NodeResource, node('node-b', { machine: 'm-2' }));
    await order(['m-1', 'm-2', 'm-404'], 30);
    expect(acks).toEqual([{ instructionId: 'i-1', nodesStarted: 2, podsThen: 0 }]);
    expect(cordoned('node-b')).toBe(true);
  });

  it.each([
    ['the label', () => node('by-label', { machine: 'm-7' })],
    ['the provider id', () => node('by-provider', { spec: { providerID: 'sim://m-7' } })],
    ['its own name', () => node('m-7')],
  ])('finds the Node by %s', async (_, make) => {
    announce('m-7', { phase: 'Ready', providerID: 'sim://m-7' });
    const made = cluster.put(NodeResource, make());
    await order(['m-7'], 30);
    expect(cordoned(made.metadata.name)).toBe(true);
    expect(un('m-7')?.status?.phase).toBe('Drained');
  });

  it('keeps the order on the Node where there is no UpcomingNode', async () => {
    cluster.put(NodeResource, node('lonely', { machine: 'm-8' }));
    cluster.put(PodResource, podOn('lonely', 'p', { deletionTimestamp: '2026-01-01T00:00:00Z' }));
    await order(['m-8'], 10);
    start();
    expect((await reconciler.reconcile('m-8', ctx)).requeueAfterMs).toBe(10_000);
    await clock.advance(10_000);
    await reconciler.reconcile('m-8', ctx);
    expect(outcomes).toEqual(['failed']);
    expect(cluster.now<Node>(NodeResource, 'lonely')?.metadata.annotations).toEqual({ 'bigfleet.lucy.sh/cordoned-for': 'i-1' });
  });

  it('uses 30 s where no grace is given', async () => {
    cluster.put(PodResource, podOn('node-a', 'p', { deletionTimestamp: '2026-01-01T00:00:00Z' }));
    expect((await order(['m-1'], 0)).requeueAfterMs).toBe(30_000);
  });

  describe('of a machine that stays after all', () => {
    const spec = (): Node['spec'] => cluster.now<Node>(NodeResource, 'node-a')?.spec;
    const stays = async (): Promise<void> => {
      news.record(frame('m-1', 'CONFIGURED'));
      await reconciler.reconcile('m-1', ctx);
    };

    it('is ended: no more Pods are evicted, and the Node takes Pods again', async () => {
      news.record(frame('m-1', 'CONFIGURED')); // said before the instruction
      cluster.put(PodResource, podOn('node-a', 'p-1', { deletionTimestamp: '2026-01-01T00:00:00Z' }));
      await order(['m-1'], 30);
      expect(cordoned()).toBe(true);
      news.record(frame('m-1', 'DRAINING'));
      await reconciler.reconcile('m-1', ctx);
      expect(cordoned()).toBe(true);
      await stays();
      expect(spec()).toEqual({});
      expect(cluster.now<Node>(NodeResource, 'node-a')?.metadata.annotations).toEqual({});
      cluster.put(PodResource, podOn('node-a', 'p-2'));
      expect(await reconciler.reconcile('m-1', ctx)).toEqual({});
      expect([evicted(), orders.get('m-1'), outcomes]).toEqual([[], undefined, []]);
    });

    it('also by a process that knows nothing of the drain, or when the drain has ended', async () => {
      await order(['m-1'], 30);
      expect(outcomes).toEqual(['drained']);
      start();
      await stays();
      expect(cordoned()).toBeUndefined();
    });

    it('leaves a cordon that a person made', async () => {
      cluster.put(NodeResource, node('node-a', { machine: 'm-1', spec: { unschedulable: true } }));
      await order(['m-1'], 30);
      await stays();
      expect(cordoned()).toBe(true);
    });

    it('is begun again by another instruction', async () => {
      await order(['m-1'], 30);
      await stays();
      await order(['m-1'], 30, 'i-2');
      expect(cordoned()).toBe(true);
      expect(acks.map((a) => a.instructionId)).toEqual(['i-1', 'i-2']);
    });

    it('acknowledges an instruction that it has not come to', async () => {
      orders.accept({ instructionId: 'i-1', nodes: [], machineIds: ['m-1'], gracePeriodSeconds: 30n, preemptorPriority: 0 }, ['m-1'], clock.now());
      await stays();
      expect([acks.length, cluster.count('patch', 'Node')]).toEqual([1, 0]);
    });
  });
});

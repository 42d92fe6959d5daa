import { beforeEach, describe, expect, it } from 'vitest';
import { CapacityRequestResource, PodResource } from '../../api/resources.ts';
import type { CapacityRequest, Pod } from '../../api/types.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import type { PodRequestOptions } from '../../operator/pod-request.ts';
import { failure, FakeCluster } from '../../operator/testing/fake-cluster.ts';
import { WriteThrough } from '../../operator/write-through.ts';
import { silentLog, type Store } from '../../runtime/types.ts';
import { PendingMarker } from './pending-marker.ts';
import { PodReconciler, type PodOutcome } from './reconciler.ts';

const ctx = { signal: new AbortController().signal, reconcileId: 'r' };

function pod(more: Partial<Pod['spec']> = {}, status: Pod['status'] = {}, meta: Partial<Pod['metadata']> = {}): Pod {
  return { metadata: { name: 'p', namespace: 'ns', uid: 'u-1', ...meta }, spec: { containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }], ...more }, status };
}

describe('the pod controller', () => {
  let cluster: FakeCluster;
  let clock: VirtualClock;
  let outcomes: PodOutcome[];
  let warnings: string[];
  let requests: Store<CapacityRequest>;
  let pods: Store<Pod>;
  let marker: PendingMarker;

  beforeEach(() => {
    cluster = new FakeCluster();
    clock = new VirtualClock();
    outcomes = [];
    warnings = [];
    requests = cluster.store<CapacityRequest>(CapacityRequestResource);
    pods = cluster.store<Pod>(PodResource);
  });

  function build(options: PodRequestOptions = {}, pendingAfterMs = 10_000): PodReconciler {
    marker = new PendingMarker({ client: cluster, requests, clock, log: silentLog, afterMs: pendingAfterMs });
    return new PodReconciler({
      client: cluster, pods, requests: new WriteThrough(requests, clock), options, pending: marker,
      warn: (_, w) => warnings.push(w.reason), reconciled: (o) => outcomes.push(o),
    });
  }

  const request = (): CapacityRequest | undefined => cluster.now<CapacityRequest>(CapacityRequestResource, 'ns/cr-pod-u-1');

  it('creates one request however often it looks, also before its cache has caught up (A2)', async () => {
    const reconciler = build();
    cluster.put(PodResource, pod());
    cluster.lag();
    for (let i = 0; i < 3; i++) await reconciler.reconcile('ns/p', ctx);
    cluster.catchUp();
    await reconciler.reconcile('ns/p', ctx);
    expect(cluster.writes).toHaveLength(1);
    expect(outcomes).toEqual(['cr_created', 'cr_exists', 'cr_exists', 'cr_exists']);
    expect(request()?.spec.resources).toEqual({ cpu: '1' });
  });

  it('meets the request of a predecessor without complaint', async () => {
    await build().reconcile('ns/p', ctx);
    cluster.put(PodResource, pod());
    cluster.lag();
    cluster.put(CapacityRequestResource, { metadata: { name: 'cr-pod-u-1', namespace: 'ns' }, spec: { resources: { cpu: '1' }, priority: 0 } } as CapacityRequest);
    await build().reconcile('ns/p', ctx);
    expect(outcomes).toEqual(['pod_gone', 'cr_exists']);
  });

  it.each(['Succeeded', 'Failed'])('removes the request of a Pod that has %s and makes no other (A14)', async (phase) => {
    const reconciler = build();
    cluster.put(PodResource, pod());
    await reconciler.reconcile('ns/p', ctx);
    cluster.put(PodResource, pod({}, { phase }));
    await reconciler.reconcile('ns/p', ctx);
    await reconciler.reconcile('ns/p', ctx);
    expect(request()).toBeUndefined();
    expect(cluster.writes.map((w) => w.verb)).toEqual(['create', 'delete']);
    expect(outcomes.slice(1)).toEqual(['pod_terminal', 'pod_terminal']);
  });

  it('replaces the demand when the Pod’s changes, and drops what it no longer asks for (D28)', async () => {
    const reconciler = build();
    cluster.put(PodResource, pod({ nodeSelector: { zone: 'a' }, containers: [{ name: 'c', resources: { requests: { cpu: '1', memory: '1Gi' } } }] }));
    await reconciler.reconcile('ns/p', ctx);
    cluster.put(PodResource, pod({ containers: [{ name: 'c', resources: { requests: { cpu: '3' } } }] }));
    await reconciler.reconcile('ns/p', ctx);
    expect(request()?.spec).toEqual({ requirements: [{ key: 'node.kubernetes.io/instance-type', operator: 'Exists' }], resources: { cpu: '3' }, priority: 0 });
    await reconciler.reconcile('ns/p', ctx);
    expect(cluster.writes.map((w) => w.verb)).toEqual(['create', 'patch']);
    expect(outcomes).toEqual(['cr_created', 'cr_updated', 'cr_exists']);
  });

  it('removes the request once the Pod lands on a foreign Node, and leaves things while the Node is unknown (D1)', async () => {
    const known = new Map<string, boolean>();
    const reconciler = build({ isFleetNode: (name) => known.get(name) });
    cluster.put(PodResource, pod());
    await reconciler.reconcile('ns/p', ctx);
    cluster.put(PodResource, pod({ nodeName: 'theirs' }));
    await reconciler.reconcile('ns/p', ctx);
    expect(request()).toBeDefined();
    known.set('theirs', false);
    await reconciler.reconcile('ns/p', ctx);
    expect(request()).toBeUndefined();
    expect(outcomes).toEqual(['cr_created', 'pod_skipped', 'cr_deleted']);
  });

  it('warns once, when it makes the request', async () => {
    const reconciler = build();
    cluster.put(PodResource, pod({}, {}, { annotations: { 'bigfleet.lucy.sh/interruption-penalty': 'abc' } }));
    await reconciler.reconcile('ns/p', ctx);
    await reconciler.reconcile('ns/p', ctx);
    expect(warnings).toEqual(['InvalidPenalty']);
  });

  it('reports and repeats what failed', async () => {
    const reconciler = build();
    cluster.put(PodResource, pod());
    cluster.intercept = () => {
      throw failure(500, 'InternalError', 'x');
    };
    await expect(reconciler.reconcile('ns/p', ctx)).rejects.toThrow('InternalError');
    expect(outcomes).toEqual(['error']);
  });

  describe('phase Pending', () => {
    let stop: AbortController;
    let running: Promise<void>;

    async function create(pendingAfterMs: number): Promise<void> {
      const reconciler = build({}, pendingAfterMs);
      stop = new AbortController();
      running = marker.run(stop.signal);
      cluster.put(PodResource, pod());
      await reconciler.reconcile('ns/p', ctx);
    }

    async function finish(): Promise<void> {
      stop.abort();
      await running;
    }

    it('is written at once where that is wanted (A13)', async () => {
      await create(0);
      await clock.advance(0);
      expect(request()?.status?.phase).toBe('Pending');
      await finish();
    });

    it('is written late, and only onto what nobody acknowledged', async () => {
      await create(10_000);
      await clock.advance(9_999);
      expect(request()?.status).toBeUndefined();
      await clock.advance(1);
      expect(request()?.status?.phase).toBe('Pending');
      await finish();
    });

    it('never undoes an acknowledgement, even one that its cache has not seen', async () => {
      await create(10_000);
      cluster.lag();
      cluster.put(CapacityRequestResource, { ...request(), status: { phase: 'Acknowledged' } } as CapacityRequest);
      await clock.advance(10_000);
      expect(request()?.status?.phase).toBe('Acknowledged');
      await finish();
    });

    it('costs nothing where the operator was quick', async () => {
      await create(10_000);
      cluster.put(CapacityRequestResource, { ...request(), status: { phase: 'Acknowledged' } } as CapacityRequest);
      await clock.advance(20_000);
      expect(cluster.writes.map((w) => w.verb)).toEqual(['create']);
      expect(clock.pending).toBe(0);
      await finish();
    });
  });
});

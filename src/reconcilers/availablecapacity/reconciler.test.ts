import { beforeEach, describe, expect, it } from 'vitest';
import type { AvailableCapacityUpdate } from '../../api/gen/bigfleet/v1alpha1/shard.ts';
import { AvailableCapacityResource } from '../../api/resources.ts';
import type { AvailableCapacity } from '../../api/types.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { FakeCluster } from '../../operator/testing/fake-cluster.ts';
import { AvailableCapacityReconciler } from './reconciler.ts';

const ctx = { signal: new AbortController().signal, reconcileId: 'r' };
const IN = 1;
const SAME = 5;
const MEDIUM = 3;

function update(more: Partial<AvailableCapacityUpdate> = {}): AvailableCapacityUpdate {
  return {
    supersedesKey: 'available:fp', availableCount: 7, confidence: MEDIUM, costPerHour: 1.25,
    requirements: [{ key: 'zone', operator: IN, values: ['a'] }, { key: 'rack', operator: SAME, values: [] }],
    resources: { resources: new Map([['cpu', '8000m'], ['bad', '12QQ']]) }, ...more,
  };
}

describe('AvailableCapacity', () => {
  let cluster: FakeCluster;
  let clock: VirtualClock;
  let reconciler: AvailableCapacityReconciler;

  beforeEach(() => {
    cluster = new FakeCluster();
    clock = new VirtualClock();
    cluster.store(AvailableCapacityResource);
    reconciler = new AvailableCapacityReconciler({ client: cluster, clock });
  });

  async function hear(more: Partial<AvailableCapacityUpdate> = {}): Promise<void> {
    const name = reconciler.offered(update(more));
    if (name !== undefined) await reconciler.reconcile(name, ctx);
  }

  const all = (): AvailableCapacity[] => cluster.all<AvailableCapacity>(AvailableCapacityResource);

  it('shows the newest offer of a profile, without what exists on the wire only', async () => {
    await hear();
    expect(all()).toMatchObject([{ metadata: { name: expect.stringMatching(/^ac-[0-9a-f]{32}$/) as string }, spec: {
      requirements: [{ key: 'zone', operator: 'In', values: ['a'] }], resources: { cpu: '8' }, availability: 'Medium', availableCount: 7, cost: '1250m',
    } }]);
    await hear({ availableCount: 3, confidence: 0 });
    expect(all()).toMatchObject([{ spec: { availableCount: 3, availability: 'None' } }]);
  });

  it('writes only what changed', async () => {
    await hear();
    const before = cluster.writes.length;
    await hear();
    expect(cluster.writes).toHaveLength(before);
  });

  it('ignores an offer that names no profile', async () => {
    await hear({ supersedesKey: '' });
    expect(all()).toEqual([]);
  });

  it('removes what was not repeated for ten minutes, also of an earlier process', async () => {
    await hear();
    const [{ metadata: { name } } = { metadata: { name: '' } }] = all();
    reconciler = new AvailableCapacityReconciler({ client: cluster, clock });
    reconciler.adopt(name);
    expect((await reconciler.reconcile(name, ctx)).requeueAfterMs).toBe(600_000);
    await clock.advance(599_999);
    await reconciler.reconcile(name, ctx);
    expect(all()).toHaveLength(1);
    await clock.advance(1);
    await reconciler.reconcile(name, ctx);
    expect(all()).toEqual([]);
  });
});

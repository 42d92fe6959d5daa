import { afterEach, describe, expect, it } from 'vitest';
import type { CapacityProvider, Condition, Shard } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { ApiError } from '../runtime/client/api-error.ts';
import type { KubeClient } from '../runtime/types.ts';
import { silentLog } from '../runtime/types.ts';
import { ShardStatusPublisher } from './status-publisher.ts';
import { SupplyTally } from './supply-tally.ts';
import { plan } from './testing/plans.ts';

const shard: Shard = { metadata: { name: 'shard-0', generation: 4 }, spec: {} };
const provider: CapacityProvider = { metadata: { name: 'metal' }, spec: { address: 'metal:1', shardRef: 'shard-0' } };

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function setUp(objects: { shard?: Shard; provider?: CapacityProvider } = { shard, provider }) {
  const clock = new VirtualClock();
  const patches: { at: number; kind: string; ref: unknown; status: Record<string, unknown>; metadata?: unknown; subresource: unknown }[] = [];
  const warnings: string[] = [];
  let failure: Error | undefined;
  let address = 'metal:1';
  const list = { trusted: true, lastListAt: 0, lastFullListAt: 0, rejected: 0, lastError: '', quarantine: undefined };
  const client = {
    patch: (type: { kind: string }, ref: unknown, { status, metadata }: { status: Record<string, unknown>; metadata?: unknown }, { subresource }: { subresource: unknown }) => {
      patches.push({ at: clock.monotonic(), kind: type.kind, ref, status, ...(metadata !== undefined && { metadata }), subresource });
      return failure ? Promise.reject(failure) : Promise.resolve({});
    },
  } as unknown as KubeClient;
  const publisher = new ShardStatusPublisher({
    client, namespace: 'fleet', shardId: 'shard-0', clock, log: { ...silentLog, warn: (_f, message) => warnings.push(message) },
    shardObject: () => objects.shard, providers: () => [{ name: 'metal', object: objects.provider, supply: new SupplyTally(), list, facts: { address } }],
    facts: () => ({ epoch: 5n, holder: 'me', sessions: 2, leaseProven: true, supplyTrusted: true, fenced: '', objectsMode: 'NonSpeculative' }),
  });
  const stop = new AbortController();
  const running = publisher.run(stop.signal);
  stops.push(async () => {
    stop.abort();
    await running;
    expect(clock.pending).toBe(0);
  });
  const planned = (cycle: number): void => publisher.planned(plan(), { cycle, seconds: 0, withheld: 0 });
  return { clock, list, patches, warnings, planned, fail: (error?: Error) => (failure = error), moved: (to: string) => (address = to) };
}

describe('statuses', () => {
  it('are written after a plan, both, as a patch of the status alone', async () => {
    const t = setUp();
    await t.clock.advance(10_000);
    expect(t.patches).toEqual([]);
    t.planned(7);
    await t.clock.advance(10_000); // once, although time goes on
    expect(t.patches.map((p) => [p.kind, p.ref, p.subresource])).toEqual([
      ['Shard', { namespace: 'fleet', name: 'shard-0' }, 'status'],
      ['CapacityProvider', { namespace: 'fleet', name: 'metal' }, 'status'],
    ]);
    expect(t.patches[0]?.status).toMatchObject({ cycle: 7, epoch: 5, holder: 'me', conditions: expect.arrayContaining([expect.objectContaining({ type: 'Ready', observedGeneration: 4 })]) as unknown });
  });

  it('are not written over what was not seen: then once it is', async () => {
    const objects = { shard: { ...shard, metadata: { ...shard.metadata, resourceVersion: '7' }, status: { epoch: 4 } } as Shard };
    const t = setUp(objects);
    t.fail(new ApiError('patch', 409, { reason: 'Conflict', message: 'changed' }));
    t.planned(1);
    await t.clock.advance(2_500);
    objects.shard = { ...objects.shard, metadata: { ...objects.shard.metadata, resourceVersion: '8' } };
    t.fail();
    await t.clock.advance(2_000);
    const written = t.patches.filter((p) => p.kind === 'Shard');
    expect(written.map((p) => p.metadata)).toEqual([...written.slice(1).map(() => ({ resourceVersion: '7' })), { resourceVersion: '8' }]);
    expect(written.length).toBeGreaterThan(1);
    expect(written.map((p) => p.status['epoch'])).toEqual(written.map(() => 5));
    expect(t.warnings).toEqual([]);
  });

  it.each<[string, Shard['status'], boolean]>([
    ['a higher epoch', { epoch: 6, holder: 'other' }, false],
    ['our epoch of another process', { epoch: 5, holder: 'other' }, false],
    ['our epoch of ours', { epoch: 5, holder: 'me' }, true],
    ['a lower epoch of another process', { epoch: 4, holder: 'other' }, true],
  ])('over %s: nothing is said of a shard that another process has led since', async (_what, status, isSaid) => {
    const t = setUp({ shard: { ...shard, status: status! } });
    t.planned(1);
    await t.clock.advance(2_500);
    expect(t.patches.some((p) => p.kind === 'Shard')).toBe(isSaid);
  });

  it('of a provider do not wait for a plan, when there is news of it', async () => {
    const objects: { shard: Shard; provider: CapacityProvider } = { shard, provider };
    const t = setUp(objects);
    // As the informer would bring it back.
    const news = async (): Promise<unknown[]> => {
      t.patches.length = 0;
      await t.clock.advance(6_000);
      for (const { status } of t.patches.slice(-1)) objects.provider = { ...provider, status };
      await t.clock.advance(6_000);
      return t.patches.map((p) => [p.kind, (p.status['conditions'] as Condition[]).find((c) => c.type === 'Reachable')?.message]);
    };
    expect(await news()).toEqual([]); // nobody has been asked yet
    t.list.lastError = 'refused';
    t.fail(new Error('later'));
    expect(await news()).toEqual(Array.from({ length: 3 }, () => ['CapacityProvider', 'metal:1: refused']));
    t.fail();
    t.list.lastError = 'refused again';
    expect((await news()).at(-1)).toEqual(['CapacityProvider', 'metal:1: refused again']);
    expect(await news()).toEqual([]);
    Object.assign(t.list, { lastError: '', lastListAt: 1 });
    expect((await news()).at(-1)).toEqual(['CapacityProvider', 'It answers at metal:1.']);
    t.moved('metal:2');
    expect((await news()).at(-1)).toEqual(['CapacityProvider', 'It answers at metal:2.']);
  });

  it('come at most every two seconds, with the newest plan', async () => {
    const t = setUp();
    for (let i = 1; i <= 100; i++) {
      t.planned(i);
      await t.clock.advance(100);
    }
    const cycles = t.patches.filter((p) => p.kind === 'Shard').map((p) => [p.at, p.status['cycle']]);
    expect(cycles).toEqual([[2_000, 20], [4_000, 40], [6_000, 60], [8_000, 80], [10_000, 100]]);
  });

  it('of what is not there are left out', async () => {
    const t = setUp({ provider });
    t.planned(1);
    await t.clock.advance(2_000);
    expect(t.patches.map((p) => p.kind)).toEqual(['CapacityProvider']);
  });

  it('that cannot be written are complained of once, and written when the server is back', async () => {
    const t = setUp();
    t.fail(new Error('refused'));
    for (let i = 0; i < 5; i++) {
      t.planned(i);
      await t.clock.advance(2_000);
    }
    expect(t.warnings).toHaveLength(1);
    t.fail();
    t.planned(9);
    await t.clock.advance(2_000);
    t.fail(new Error('refused'));
    t.planned(10);
    await t.clock.advance(2_000);
    expect(t.warnings).toHaveLength(2);
  });

  it('of an object that was deleted meanwhile are no news', async () => {
    const t = setUp();
    t.fail(new ApiError('patch', 404, { reason: 'NotFound' }));
    t.planned(1);
    await t.clock.advance(2_000);
    expect(t.warnings).toEqual([]);
  });
});

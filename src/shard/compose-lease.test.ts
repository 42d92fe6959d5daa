import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { GrpcCode, GrpcError } from '../api/grpc.ts';
import { wireRow } from './testing/needs.ts';
import { ShardWorld, eventually } from './testing/shard-world.ts';
import { UNPROVEN_LIMIT_MS } from './lease-guard.ts';
import { SucceededError } from './succession.ts';

const { MACHINE_STATE_IDLE: IDLE, MACHINE_STATE_CONFIGURED: CONFIGURED } = MachineState;
const EIGHT_CPUS = [wireRow()];
/** Leases of the world last 2 s, of which they prove half. */
const PROOF_MS = 1_000;

let world: ShardWorld;

beforeEach(() => {
  world = new ShardWorld();
});
afterEach(() => world.close());

const isConfigured = (id: string) => (): boolean => world.provider.state(id) === CONFIGURED;

describe('what a shard asks its provider for (D16)', () => {
  it('says of every mutation until when it may be obeyed: while the Lease is proven', async () => {
    await world.open({ spec: { holds: { onDemandSeconds: 1, spotSeconds: 0, occupiedExcessSeconds: 0 } } });
    world.provider.put('m-1');
    const shard = world.startShard();
    const east = await world.operator(shard);
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('it serves', isConfigured('m-1'));
    east.rollup({ needs: [], timestampUnixNanos: 2n });
    await eventually('it is given back', () => world.provider.count('Delete') > 0);
    expect(world.provider.calls.map((c) => c.kind)).toEqual(['Create', 'Configure', 'Drain', 'Delete']);
    for (const { goodForMs } of world.provider.calls) {
      expect(goodForMs).toBeGreaterThan(0);
      expect(goodForMs).toBeLessThanOrEqual(PROOF_MS);
    }
  });

  it('while no API server answers: what acquires goes on, for ten seconds each', async () => {
    await world.open();
    world.provider.put('m-1');
    const shard = world.startShard();
    const east = await world.operator(shard);
    world.hub.faults.fail({ plural: 'leases', times: Infinity, code: 503, reason: 'ServiceUnavailable' });
    await eventually('the proof has run out', () => world.leaseHasExpired());
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('it serves', isConfigured('m-1'));
    for (const { goodForMs } of world.provider.calls) {
      expect(goodForMs).toBeGreaterThan(PROOF_MS);
      expect(goodForMs).toBeLessThanOrEqual(UNPROVEN_LIMIT_MS);
    }
  });

  it('is nothing once its Lease is another’s, though no renewal told it so: the process ends', async () => {
    await world.open();
    world.provider.put('m-1', { state: IDLE });
    const shard = world.startShard();
    const east = await world.operator(shard);
    // Renewals fail before anybody looks at what is stored, as in a process that stood still.
    world.hub.faults.fail({ plural: 'leases', verb: 'update', times: Infinity, code: 503, reason: 'ServiceUnavailable' });
    await eventually('the proof has run out', () => world.leaseHasExpired());
    world.giveLeaseTo('the successor');
    east.rollup({ needs: EIGHT_CPUS });
    await expect(shard.finished).rejects.toThrow('the successor');
    expect(world.provider.calls).toEqual([]);
  });
});

describe('a shard that is stopped', () => {
  const holder = (): string | undefined => world.lease()?.spec?.holderIdentity;

  it('gives its Lease back', async () => {
    await world.open();
    world.provider.put('m-1');
    const shard = world.startShard();
    const east = await world.operator(shard);
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('it serves', isConfigured('m-1'));
    await shard.stop();
    expect(holder()).toBe('');
  });

  it('leaves it to expire while a call may still take effect of which nobody knows what became of it', async () => {
    await world.open();
    world.provider.put('m-1');
    world.provider.onCall = () => Promise.reject(new GrpcError(GrpcCode.UNAVAILABLE, 'connection reset'));
    const shard = world.startShard({ lease: { leaseMs: 30_000, renewDeadlineMs: 10_000, retryMs: 1_000 } });
    const east = await world.operator(shard);
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('it has called', () => world.provider.calls.length > 0);
    await shard.stop();
    expect(holder()).not.toBe('');
  });
});

describe('a fenced shard', () => {
  it('stops acting, says so in its conditions, and is not ready', async () => {
    await world.open();
    for (const id of ['m-1', 'm-2']) world.provider.put(id, { state: IDLE });
    const shard = world.startShard({ metricsAddress: '127.0.0.1:0' });
    const ready = async (): Promise<number> => (await fetch(`${world.probes}/readyz`)).status;
    const east = await world.operator(shard);
    await eventually('it is ready', async () => (await ready()) === 200);
    world.provider.isFencing = true;
    east.rollup({ needs: EIGHT_CPUS });
    const condition = (type: string): string | undefined => world.shardObject().status?.conditions?.find((c) => c.type === type)?.status;
    await eventually('the status says so', () => condition('Fenced') === 'True');
    expect([condition('Ready'), condition('Stalled'), await ready()]).toEqual(['False', 'True', 503]);
    expect(await (await fetch(`${world.probes}/readyz`)).text()).toContain('fenced');
    const calls = world.provider.calls.length;
    expect(calls).toBe(1);
    world.provider.isFencing = false;
    east.rollup({ needs: [wireRow({ aggregateResources: new Map([['cpu', '16']]) })], timestampUnixNanos: 2n });
    await east.ack('rollup');
    await world.plans(shard);
    expect(world.provider.calls).toHaveLength(calls);
    expect((await world.explainCluster(shard, 'east')).conditions.map((c) => c.code)).toContain('Fenced');
    // Chosen before it was fenced or after: neither comes.
    for (const id of ['m-1', 'm-2']) {
      const { machine, creditedTo } = await world.explain(shard, id);
      expect([machine?.why?.code, machine?.why?.text, creditedTo[0]?.satisfied, creditedTo[0]?.reasonText]).toEqual([
        'Withheld', expect.stringContaining('newer epoch'), false, expect.stringContaining('newer epoch'),
      ]);
    }
  });
});

describe('the epoch (spec: coordinator 5.8 i)', () => {
  /** Starts a shard that has one machine to create, and tells under which epoch it did, and what the object said by then. */
  async function epochOf(dataDir: string, machineId: string): Promise<{ called: bigint; published: number | undefined }> {
    world.provider.put(machineId);
    let published: number | undefined;
    world.provider.onCall = () => (published ??= world.shardObject().status?.epoch);
    const shard = world.startShard({ dataDir: join(world.dir, dataDir) });
    const east = await world.operator(shard);
    east.rollup({ needs: [wireRow({ aggregateResources: new Map([['cpu', '80']]) })] });
    await eventually('it acts', () => world.provider.count('Create', machineId) > 0);
    await shard.stop();
    return { called: world.provider.calls.find((c) => c.machineId === machineId)!.epoch, published };
  }

  it('is in the object before the first call is made under it', async () => {
    await world.open();
    world.hub.faults.delay(400, { plural: 'shards', verb: 'patch' });
    const { called, published } = await epochOf('a', 'm-1');
    expect(published).toBe(Number(called));
  });

  it('rises when the file is lost, and when the hub is restored to what it was long ago', async () => {
    await world.open();
    world.restoreShardStatus({ epoch: 41 });
    const first = await epochOf('a', 'm-1');
    expect(first.called).toBe(42n);
    const withoutFile = await epochOf('b', 'm-2');
    expect(withoutFile.called).toBe(43n);
    world.restoreShardStatus({ epoch: 3 });
    world.deleteLease();
    const restored = await epochOf('b', 'm-3');
    expect(restored).toEqual({ called: 44n, published: 44 });
  });

  it('is published before the first call, though the API server answers the first tries with errors', async () => {
    await world.open();
    world.hub.faults.fail({ plural: 'shards', verb: 'patch', times: 2, code: 500, reason: 'InternalError' });
    const { called, published } = await epochOf('a', 'm-1');
    expect(published).toBe(Number(called));
  });

  it('of a successor in the object ends a process that holds the Lease all the same: it gives the Lease back, and the next one is above both', async () => {
    await world.open();
    world.provider.put('m-1', { state: IDLE });
    const shard = world.startShard();
    await world.operator(shard);
    world.restoreShardStatus({ epoch: 41, holder: 'the successor' });
    await expect(shard.finished).rejects.toThrow(SucceededError);
    expect(world.lease()?.spec?.holderIdentity).toBe('');
    expect((await epochOf('data', 'm-2')).called).toBe(42n);
  });

  it('of a successor in the object ends all calls at once: those that wait for their turn at the provider are not made any more', async () => {
    await world.open({ spec: { concurrencyPerProvider: 1 } });
    for (let i = 0; i < 10; i++) world.provider.put(`m-${i}`);
    const shard = world.startShard();
    const east = await world.operator(shard);
    world.provider.onCall = async () => {
      if (world.provider.calls.length !== 2) return;
      world.restoreShardStatus({ epoch: 41, holder: 'the successor' });
      await eventually('the shard has seen it', () => world.errors.includes('another process has led this shard since: stopping at once'));
    };
    east.rollup({ needs: [wireRow({ aggregateResources: new Map([['cpu', '80']]) })] });
    await expect(shard.finished).rejects.toThrow(SucceededError);
    expect(world.provider.calls).toHaveLength(2);
  });

  it('rises also where the object can be neither read nor written: from the file', async () => {
    await world.open();
    const { called } = await epochOf('a', 'm-1');
    world.hub.faults.fail({ plural: 'shards', verb: 'get', times: Infinity, code: 503, reason: 'ServiceUnavailable' });
    world.hub.faults.fail({ plural: 'shards', verb: 'patch', times: Infinity, code: 503, reason: 'ServiceUnavailable' });
    world.restoreShardStatus({});
    expect((await epochOf('a', 'm-2')).called).toBe(called + 1n);
  });
});

import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLog } from '../runtime/types.ts';
import { SessionClient } from '../session/client/session-client.ts';
import { wireRow } from './testing/needs.ts';
import { eventually, ShardWorld } from './testing/shard-world.ts';

/** The session of a cluster as its operator holds it: dialled again whenever it ends. */
class Cluster {
  sessions = 0;
  acked = 0;
  replayed: readonly string[] = [];
  reclaims = 0;
  private readonly stopping = new AbortController();
  private readonly running: Promise<void>;

  constructor(name: string, address: string) {
    const nothing = (): void => undefined;
    const client = new SessionClient({
      address, clusterId: name, credentials: () => credentials.createInsecure(), clock: systemClock, random: Math.random, log: silentLog,
      metrics: { reconnected: nothing, state: nothing, outboxDropped: nothing, staleRefused: nothing, refused: () => undefined, rejected: nothing, ackLag: nothing },
      handlers: {
        buildRollup: () => ({ message: { clusterId: name, timestampUnixNanos: BigInt(systemClock.now()) * 1_000_000n, needs: [wireRow()], nodeHints: undefined } }),
        rollupSent: nothing, nodeState: nothing, needStatuses: nothing, availableCapacity: nothing,
        rollupAcked: () => this.acked++,
        replayComplete: (ids) => (this.replayed = ids),
        bootstrap: ({ requestId }) => ({ requestId, userData: new Uint8Array([1]), ttlSeconds: 0n, error: '' }),
        reclaim: () => this.reclaims++,
        connected: () => this.sessions++,
      },
    });
    this.running = client.run(this.stopping.signal);
  }

  stop(): Promise<void> {
    this.stopping.abort();
    return this.running;
  }
}

/** Far more than it takes: dials begin again after half a second. */
const BACK_MS = 45_000;
/** What is promised of a hundred sessions; it takes a fifth of it on a machine that is busy with six times what it can do. */
const HUNDRED_BACK_MS = 15_000;

describe('an operator that comes back', () => {
  it('has nothing bought for what it said before it went away, until it has spoken again', async () => {
    const world = await new ShardWorld().open();
    try {
      const shard = world.startShard();
      const before = await world.operator(shard);
      before.rollup({ needs: [wireRow()] });
      await eventually('its demand is known', async () => (await world.needs(shard)).satisfied.length === 1);
      before.close();
      world.provider.put('m-1');
      await world.provider.asked(2);
      const again = await world.operator(shard);
      await world.plans(shard);
      expect([world.provider.count('Create'), (await world.needs(shard)).satisfied]).toEqual([0, [false]]);
      again.rollup({ needs: [wireRow()], timestampUnixNanos: 2n });
      await eventually('its demand is met', () => world.provider.state('m-1') === MachineState.MACHINE_STATE_CONFIGURED);
    } finally {
      await world.close();
    }
  });

  it('nor while what it says first is held until it is confirmed', async () => {
    const world = await new ShardWorld().open({ spec: { rails: { emptyRollupGuard: true } } });
    try {
      const shard = world.startShard();
      const before = await world.operator(shard);
      before.rollup({ needs: Array.from({ length: 20 }, (_, i) => wireRow({ group: `g${i}` })) });
      await eventually('its demand is known', async () => (await world.needs(shard)).satisfied.length === 20);
      before.close();
      for (let i = 0; i < 5; i++) world.provider.put(`m-${i}`);
      await world.provider.asked(2);
      const again = await world.operator(shard);
      again.rollup({ needs: [], timestampUnixNanos: 2n });
      await again.ack('rollup');
      for (let i = 0; i < 3; i++) await world.plans(shard);
      expect([world.provider.count('Create'), (await world.needs(shard)).satisfied]).toEqual([0, Array(20).fill(false)]);
      for (const stamp of [3n, 4n]) again.rollup({ needs: [], timestampUnixNanos: stamp });
      await eventually('it is believed', async () => (await world.needs(shard)).satisfied.length === 0);
      expect(world.provider.count('Create')).toBe(0);
    } finally {
      await world.close();
    }
  });

  it('nor for what it said before that', async () => {
    const world = await new ShardWorld().open({ spec: { rails: { emptyRollupGuard: true }, limits: { machines: 0 } } });
    try {
      world.provider.put('m-1');
      const shard = world.startShard();
      const operator = await world.operator(shard);
      operator.rollup({ needs: [wireRow()] });
      await eventually('its demand is known', async () => (await world.needs(shard)).satisfied.length === 1);
      operator.rollup({ needs: [], timestampUnixNanos: 2n });
      await operator.ack('rollup');
      world.editShard({ limits: { machines: 10 } });
      for (let i = 0; i < 3; i++) await world.plans(shard);
      expect([world.provider.count('Create'), (await world.needs(shard)).satisfied]).toEqual([0, [false]]);
      operator.rollup({ needs: [wireRow()], timestampUnixNanos: 3n });
      await eventually('its demand is met', () => world.provider.state('m-1') === MachineState.MACHINE_STATE_CONFIGURED);
    } finally {
      await world.close();
    }
  });
});

describe('many sessions', { timeout: 120_000 }, () => {
  let world: ShardWorld;
  let clusters: Cluster[];

  beforeEach(async () => {
    world = await new ShardWorld().open();
    clusters = [];
  });
  afterEach(async () => {
    await Promise.all(clusters.map((cluster) => cluster.stop()));
    await world.close();
  });

  /** Adds those that lack. */
  const connect = (count: number, address: string): void => {
    for (let i = clusters.length; i < count; i++) clusters.push(new Cluster(`c-${i}`, address));
  };

  it('that a restarted shard drops are back within seconds, a hundred of them, and nothing is taken from anybody for it', async () => {
    for (let i = 0; i < 100; i++) world.provider.put(`m-${i}`);
    const first = world.startShard();
    const address = await first.address;
    connect(100, address);
    const bound = (): Map<string, string> => new Map([...world.provider.all()].flatMap((m) => (m.state === MachineState.MACHINE_STATE_CONFIGURED ? [[m.id, m.cluster] as const] : [])));
    await eventually('every cluster has its machine', () => bound().size === 100, BACK_MS);
    const before = bound();
    expect(new Set(before.values()).size).toBe(100);

    await first.stop();
    const second = world.startShard({ listen: address });
    const began = systemClock.monotonic();
    await eventually('every cluster has a session again', () => clusters.every((c) => c.sessions === 2), HUNDRED_BACK_MS);
    console.log(`100 sessions are back after ${((systemClock.monotonic() - began) / 1000).toFixed(1)} s`);
    await eventually('every roll-up is acknowledged again', () => clusters.every((c) => c.acked >= 2), BACK_MS);
    await world.plans(second);
    expect(bound()).toEqual(before);
    expect(world.provider.count('Drain')).toBe(0);
    expect(clusters.map((c) => c.reclaims)).toEqual(Array(100).fill(0));
    await eventually('every operator was told which machine is its own', () => clusters.every((c) => c.replayed.length === 1), BACK_MS);
    expect(clusters.map((c, i) => before.get(c.replayed[0] as string) === `c-${i}`)).toEqual(Array(100).fill(true));
  });

  it('are held at a time, a thousand of them, and all are heard', async () => {
    const shard = world.startShard();
    const address = await shard.address;
    // All at once, their dials and the shard's answers would share one thread: that is what the test above is about.
    for (let held = 100; held <= 1_000; held += 100) {
      connect(held, address);
      await eventually('every roll-up is acknowledged', () => clusters.every((c) => c.acked > 0), BACK_MS);
    }
    await world.plans(shard);
    expect((await world.needs(shard)).satisfied.length).toBe(1_000);
    expect(clusters.filter((c) => c.sessions !== 1)).toEqual([]);
  });
});

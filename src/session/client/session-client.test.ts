import { credentials, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterCapacityNeeds } from '../../api/gen/bigfleet/v1alpha1/capacity.ts';
import { testAuthority } from '../../lib/testing/certificates.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { silentLog } from '../../runtime/types.ts';
import { EpochGuard } from './epoch-guard.ts';
import { SessionClient, type SessionClientOptions } from './session-client.ts';
import { FakeShard } from './testing/fake-shard.ts';
import type { BuiltRollup, SessionHandlers, SessionMetrics, SessionState } from './types.ts';

function rollup(n: number, padding = 0): BuiltRollup {
  const message: ClusterCapacityNeeds = { clusterId: 'demo', timestampUnixNanos: BigInt(n), needs: [], nodeHints: undefined };
  if (padding > 0) {
    message.needs.push({
      requirements: [{ key: 'k', operator: 1, values: ['x'.repeat(padding)] }], aggregateResources: new Map(), priority: 0, spread: [],
      interruptionPenaltyBucket: 0, reclamationPenaltyBucket: 0, minUnit: new Map(), group: '',
    });
  }
  return { message, context: n };
}

class Recorder {
  built = 0;
  padding = 0;
  readonly sent: unknown[] = [];
  readonly log: string[] = [];
  readonly states: SessionState[] = [];
  readonly dropped: string[] = [];
  readonly stale: string[] = [];
  readonly rejected: string[] = [];
  readonly refused: string[] = [];
  readonly lags: number[] = [];
  reconnects = 0;
  private waiters: { at: SessionState; resolve: () => void }[] = [];

  readonly handlers: SessionHandlers = {
    buildRollup: () => rollup(++this.built, this.padding),
    rollupSent: (r) => this.sent.push(r.context),
    rollupAcked: () => this.log.push('acked'),
    nodeState: (u) => this.log.push(`node ${u.machineId}`),
    replayComplete: (ids) => this.log.push(`replay ${ids.join(',')}`),
    needStatuses: (s) => this.log.push(`needs ${s.rollupTimestampUnixNanos}`),
    availableCapacity: (u) => this.log.push(`available ${u.supersedesKey}`),
    bootstrap: (r) => ({ requestId: r.requestId, userData: new Uint8Array([1]), ttlSeconds: 0n, error: '' }),
    reclaim: (i) => this.log.push(`reclaim ${i.instructionId}`),
  };

  readonly metrics: SessionMetrics = {
    reconnected: () => this.reconnects++,
    state: (s) => {
      this.states.push(s);
      this.waiters = this.waiters.filter((w) => (w.at === s ? (w.resolve(), false) : true));
    },
    outboxDropped: (k) => this.dropped.push(k),
    staleRefused: (k) => this.stale.push(k),
    rejected: (c) => this.rejected.push(c),
    refused: (reason) => this.refused.push(reason),
    ackLag: (ms) => this.lags.push(ms),
  };

  enters(state: SessionState): Promise<void> {
    return new Promise((resolve) => this.waiters.push({ at: state, resolve }));
  }
}

describe('session client', () => {
  let shard: FakeShard;
  let clock: VirtualClock;
  let recorder: Recorder;
  let stop: AbortController;
  let running: Promise<void>;
  let client: SessionClient;

  function start(options: Partial<SessionClientOptions> = {}): void {
    client = new SessionClient({
      address: shard.address, credentials: () => credentials.createInsecure(), clusterId: 'demo', handlers: recorder.handlers,
      metrics: recorder.metrics, clock, random: () => 0.999_999, log: silentLog, ...options,
    });
    running = client.run(stop.signal);
  }

  beforeEach(async () => {
    shard = new FakeShard();
    await shard.start();
    clock = new VirtualClock();
    recorder = new Recorder();
    stop = new AbortController();
    running = Promise.resolve();
  });

  afterEach(async () => {
    stop.abort();
    await running;
    shard.stop();
  });

  it('says Hello first, and reports as soon as it is acknowledged, then once per interval', async () => {
    start({ intervalMs: 1000 });
    const session = await shard.nextSession();
    const hello = await session.wait('hello');
    expect(hello).toEqual({ clusterId: 'demo', protocolVersion: 'v1alpha1', additions: true });
    expect(recorder.built).toBe(0);
    session.ack('hello');
    expect((await session.wait('rollup')).timestampUnixNanos).toBe(1n);
    await clock.advance(999);
    expect(recorder.built).toBe(1);
    await clock.advance(1);
    expect((await session.wait('rollup')).timestampUnixNanos).toBe(2n);
    expect(recorder.states).toEqual(['Dialing', 'HelloSent', 'Streaming']);
  });

  it('hands every kind of frame on, in order', async () => {
    start();
    const session = await shard.nextSession();
    session.ack('hello');
    await session.wait('rollup');
    session.send({ $case: 'nodeStateUpdate', value: { supersedesKey: '', machineId: 'm-1', clusterId: 'demo', state: 5, nodeName: '', providerId: '', lastError: '', labels: new Map(), resources: undefined, taints: [] } });
    session.send({ $case: 'replayComplete', value: { machineIds: ['m-1', 'm-2'] } });
    session.send({ $case: 'needStatus', value: { rollupTimestampUnixNanos: 7n, items: [] } });
    session.send({ $case: 'availableCapacity', value: { supersedesKey: 'available:x', requirements: [], resources: undefined, availableCount: 0, confidence: 0, costPerHour: 0 } });
    session.send({ $case: 'reclaimInstruction', value: { instructionId: 'i-1', nodes: ['n'], gracePeriodSeconds: 1n, preemptorPriority: 0, machineIds: ['m-1'] } });
    session.ack('rollup');
    session.send({ $case: 'bootstrapRequest', value: { requestId: 'r-1', requirements: [], clusterId: 'demo', machineId: '' } });
    expect((await session.wait('bootstrapResponse')).requestId).toBe('r-1');
    expect(recorder.log).toEqual(['node m-1', 'replay m-1,m-2', 'needs 7', 'available available:x', 'reclaim i-1', 'acked']);
  });

  it('takes frames far beyond the 4 MiB that gRPC allows by default (W3)', async () => {
    const told: number[] = [];
    recorder.handlers.replayComplete = (ids) => void told.push(ids.length);
    start();
    const session = await shard.nextSession();
    session.ack('hello');
    session.send({ $case: 'replayComplete', value: { machineIds: Array.from({ length: 100_000 }, (_, i) => `machine-${i}-${'x'.repeat(60)}`) } });
    session.send({ $case: 'bootstrapRequest', value: { requestId: 'r-1', requirements: [], clusterId: 'demo', machineId: '' } });
    expect((await session.wait('bootstrapResponse')).requestId).toBe('r-1');
    expect(told).toEqual([100_000]);
  });

  it('answers a bootstrap request whenever the answer is there, not holding up what comes behind it', async () => {
    const answer = Promise.withResolvers<Awaited<ReturnType<SessionHandlers['bootstrap']>>>();
    recorder.handlers.bootstrap = (r) => (r.requestId === 'slow' ? answer.promise : { requestId: r.requestId, userData: new Uint8Array(), ttlSeconds: 0n, error: '' });
    start();
    const session = await shard.nextSession();
    session.ack('hello');
    for (const requestId of ['slow', 'quick']) session.send({ $case: 'bootstrapRequest', value: { requestId, requirements: [], clusterId: 'demo', machineId: '' } });
    expect((await session.wait('bootstrapResponse')).requestId).toBe('quick');
    answer.resolve({ requestId: 'slow', userData: new Uint8Array([7]), ttlSeconds: 60n, error: '' });
    expect(await session.wait('bootstrapResponse')).toMatchObject({ requestId: 'slow', ttlSeconds: 60n });
  });

  it('survives a frame that its handler chokes on', async () => {
    recorder.handlers.replayComplete = () => {
      throw new Error('cannot');
    };
    start();
    const session = await shard.nextSession();
    session.ack('hello');
    session.send({ $case: 'replayComplete', value: { machineIds: ['m-1'] } });
    session.send({ $case: 'bootstrapRequest', value: { requestId: 'r-1', requirements: [], clusterId: 'demo', machineId: '' } });
    expect((await session.wait('bootstrapResponse')).requestId).toBe('r-1');
  });

  it('delivers only the newest of the roll-ups that a shard did not read in time (C5)', async () => {
    recorder.padding = 2_000_000; // far beyond the flow-control window
    start({ intervalMs: 1000 });
    const session = await shard.nextSession();
    await session.wait('hello');
    session.pause();
    session.ack('hello');
    while (recorder.sent.length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 3; i++) await clock.advance(1000);
    expect(recorder.built).toBe(4);
    expect(recorder.sent).toEqual([1]); // in the stream's hands when reading stopped
    session.resume();
    await session.wait('rollup');
    expect((await session.wait('rollup')).timestampUnixNanos).toBe(4n);
    expect(recorder.sent).toEqual([1, 4]);
  });

  it('measures how long roll-ups wait for an Ack, also after some that no Ack came for', async () => {
    start({ intervalMs: 1000 });
    const session = await shard.nextSession();
    session.ack('hello');
    const acked = async (): Promise<void> => {
      session.ack('rollup');
      session.send({ $case: 'bootstrapRequest', value: { requestId: 'sync', requirements: [], clusterId: 'demo', machineId: '' } });
      await session.wait('bootstrapResponse');
    };
    await session.wait('rollup');
    await clock.advance(30);
    await acked();
    for (let i = 0; i < 3; i++) { // the first two are rejected
      await clock.advance(i === 0 ? 970 : 1000);
      await session.wait('rollup');
    }
    await clock.advance(40);
    await acked();
    await acked(); // answers nothing
    await clock.advance(960);
    await session.wait('rollup');
    await clock.advance(50);
    await acked();
    expect(recorder.lags).toEqual([30, 2040, 50]);
  });

  it('keeps 256 answers while the uplink is blocked, and counts every one it drops (C6)', async () => {
    recorder.padding = 4_000_000;
    start();
    const session = await shard.nextSession();
    await session.wait('hello');
    session.pause();
    session.ack('hello');
    for (let i = 0; i < 600; i++) session.send({ $case: 'bootstrapRequest', value: { requestId: `r-${i}`, requirements: [], clusterId: 'demo', machineId: '' } });
    while (recorder.dropped.length < 344) await new Promise((resolve) => setImmediate(resolve));
    session.resume();
    await session.wait('rollup');
    for (let i = 0; i < 256; i++) expect((await session.wait('bootstrapResponse')).requestId).toBe(`r-${i}`);
    session.send({ $case: 'bootstrapRequest', value: { requestId: 'later', requirements: [], clusterId: 'demo', machineId: '' } });
    expect((await session.wait('bootstrapResponse')).requestId).toBe('later');
    expect(recorder.dropped).toHaveLength(344);
  });

  it('dials again with growing pauses, and forgets them after a roll-up was acknowledged (C11)', async () => {
    start();
    for (const pause of [500, 1000, 2000]) {
      const inBackoff = recorder.enters('Backoff');
      (await shard.nextSession()).fail(status.UNAVAILABLE, 'going away');
      await inBackoff;
      const before = recorder.reconnects;
      await clock.advance(pause - 2);
      expect(recorder.reconnects).toBe(before);
      await clock.advance(2);
      expect(recorder.reconnects).toBe(before + 1);
    }
    const good = await shard.nextSession();
    good.ack('hello');
    await good.wait('rollup');
    good.ack('rollup');
    good.send({ $case: 'bootstrapRequest', value: { requestId: 'sync', requirements: [], clusterId: 'demo', machineId: '' } });
    await good.wait('bootstrapResponse');
    const inBackoff = recorder.enters('Backoff');
    good.fail(status.UNAVAILABLE, 'going away');
    await inBackoff;
    await clock.advance(500);
    expect(recorder.reconnects).toBe(4);
    expect(recorder.built).toBe(1);
    (await shard.nextSession()).ack('hello');
  });

  it('caps the pause and keeps trying while nobody listens', async () => {
    shard.stop();
    start({ reconnectMaxMs: 2000 });
    for (let i = 0; i < 5; i++) {
      await recorder.enters('Backoff');
      await clock.advance(2000);
    }
    expect(recorder.reconnects).toBe(5);
    expect(recorder.states.filter((s) => s === 'Streaming')).toEqual([]);
  });

  it('gives up a shard that never acknowledges Hello', async () => {
    start({ helloTimeoutMs: 3000 });
    const session = await shard.nextSession();
    await session.wait('hello');
    const inBackoff = recorder.enters('Backoff');
    await clock.advance(3000);
    await inBackoff;
    await session.closed;
  });

  it('counts a refusal of its identity', async () => {
    start();
    const inBackoff = recorder.enters('Backoff');
    (await shard.nextSession()).fail(status.PERMISSION_DENIED, 'cluster/other');
    await inBackoff;
    expect(recorder.rejected).toEqual(['PERMISSION_DENIED']);
  });

  it('counts shards that it does not speak to, and says so as an error once a minute', async () => {
    const { key, cert } = testAuthority();
    const logged: unknown[] = [];
    const log = { ...silentLog, error: (fields: unknown) => logged.push(fields) };
    start({ credentials: () => credentials.createSsl(Buffer.from(cert), Buffer.from(key), Buffer.from(cert)), log });
    for (let i = 0; i < 3; i++) {
      const inBackoff = recorder.enters('Backoff');
      if (i > 0) await clock.advance(1000 * 2 ** i);
      await inBackoff;
    }
    expect(recorder.refused).toEqual(['not_tls', 'not_tls', 'not_tls']);
    expect(logged).toEqual([expect.objectContaining({ code: 'UNAVAILABLE', refusal: 'not_tls' })]);
    expect(recorder.rejected).toEqual([]);
  });

  it('refuses the orders of a shard process that has been succeeded, but not its news (D17)', async () => {
    start({ epochs: new EpochGuard(new Map([['shard-0', 9n]])) });
    const session = await shard.nextSession();
    session.ack('hello', 8n);
    await session.wait('rollup');
    session.send({ $case: 'reclaimInstruction', value: { instructionId: 'i-1', nodes: ['n'], gracePeriodSeconds: 1n, preemptorPriority: 0, machineIds: [] } });
    session.send({ $case: 'replayComplete', value: { machineIds: ['m-1'] } });
    session.send({ $case: 'bootstrapRequest', value: { requestId: 'r-1', requirements: [], clusterId: 'demo', machineId: '' } });
    expect((await session.wait('bootstrapResponse')).error).toMatch(/superseded/);
    expect(recorder.stale).toEqual(['reclaim', 'bootstrap']);
    expect(recorder.log).toEqual(['replay m-1']);
  });

  it('stops at once when asked, also during a pause', async () => {
    start();
    const inBackoff = recorder.enters('Backoff');
    (await shard.nextSession()).end();
    await inBackoff;
    stop.abort();
    await running;
    expect(client.state).toBe('Disconnected');
    expect(client.respond({ $case: 'reclaimAck', value: { instructionId: 'x', nodesStarted: 0 } })).toBe(false);
  });
});

import { credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { ShardReadService, type InspectNeedsResponse, type NeedView } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import { GrpcCode, Peer } from '../api/grpc.ts';
import { amounts, need, sameZone } from '../engine/testing/builders.ts';
import { systemClock } from '../lib/clock.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { silentLog } from '../runtime/types.ts';
import type { NeedViews } from '../server/shard-read.ts';
import { SessionHub } from '../session/server/session-hub.ts';
import { FakeOperator } from '../session/server/testing/fake-operator.ts';
import { ShardView } from '../server/shard-view.ts';
import { Demand } from './demand.ts';
import { createShardServer } from './grpc-server.ts';
import { verdict, wireRow } from './testing/needs.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const nothing: NeedViews = { cycle: 0, computedAt: 0, verdicts: [], ageOf: () => 0 };
const blind = new ShardView({
  needViews: () => nothing, machine: () => undefined, machines: () => [], machinesOf: () => [], hintOf: () => undefined, nodeNameOf: () => undefined,
  clusterFacts: () => ({ connected: false, lastRollupUnixNanos: 0n, held: false }), withheld: () => [], plannedState: () => expect.unreachable(),
});

/** A shard's server with its hub and its demand; no plan, no provider. */
async function serve(views: () => NeedViews = () => nothing, view: ShardView = blind) {
  const rejected: string[] = [];
  const demand = new Demand({ clock: new VirtualClock(), log: silentLog, guardEnabled: () => true, onRejected: (cluster) => rejected.push(cluster) });
  const hub = new SessionHub({
    shardId: 'shard-0', epoch: () => 1n, clock: new VirtualClock(), log: silentLog, ids: () => 'id',
    onRollup: (cluster, rollup) => demand.offer(cluster, rollup),
    replay: () => ({ updates: [], complete: false }),
    onConnected: () => undefined, onDisconnected: () => undefined,
  });
  const listening = Promise.withResolvers<number>();
  const server = createShardServer({
    listen: '127.0.0.1:0', clock: systemClock, hub, needViews: views, view,
    log: { ...silentLog, info: (fields) => listening.resolve((fields as { port: number }).port) },
  });
  const stop = new AbortController();
  const running = server.run(stop.signal);
  const port = await Promise.race([listening.promise, running.then(() => -1)]);
  const halt = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  stops.push(halt);
  return { address: `127.0.0.1:${port}`, port, demand, hub, rejected, halt };
}

async function inspect(address: string, request: { clusterId?: string; limit?: number } = {}): Promise<{ header: unknown; rows: NeedView[] }> {
  const peer = new Peer(address, { credentials: credentials.createInsecure() });
  try {
    const frames: InspectNeedsResponse['frame'][] = [];
    for await (const { frame } of peer.serverStream(ShardReadService.inspectNeeds, { clusterId: '', limit: 0, ...request })) frames.push(frame);
    const [header, ...rows] = frames;
    return { header: header?.$case === 'header' && header.value, rows: rows.flatMap((r) => (r?.$case === 'need' ? [r.value] : [])) };
  } finally {
    peer.close();
  }
}

describe('sessions', () => {
  it('a malformed roll-up is refused whole, not acked, counted, and the session goes on (C4)', async () => {
    const { address, demand, rejected } = await serve();
    const operator = new FakeOperator(address);
    stops.unshift(async () => operator.close());
    operator.hello();
    await operator.ack('hello');
    operator.rollup({ needs: [wireRow(), wireRow({ priority: 2 })] });
    await operator.ack('rollup');
    for (const bad of [wireRow({ interruptionPenaltyBucket: 28 as never }), wireRow({ aggregateResources: new Map([['cpu', '12QQ']]) })]) {
      operator.rollup({ needs: [wireRow(), bad] });
      operator.hello(); // its ack says that the roll-up before it is done with
      await operator.ack('hello');
    }
    expect([rejected, demand.rows()]).toEqual([['east', 'east'], 2]);
    operator.rollup({ needs: [wireRow()] });
    await operator.ack('rollup');
    expect(operator.kinds().filter((k) => k === 'ack rollup')).toHaveLength(2);
    expect(demand.rows()).toBe(1);
  });

  it('take a roll-up far beyond the 4 MiB that gRPC allows by default (W3)', async () => {
    const { address, demand } = await serve();
    const operator = new FakeOperator(address);
    stops.unshift(async () => operator.close());
    operator.hello();
    await operator.ack('hello');
    const padding = 'x'.repeat(16 * 1024);
    operator.rollup({ needs: Array.from({ length: 1_024 }, (_, i) => wireRow({ group: `${i} ${padding}` })) });
    await operator.ack('rollup');
    expect(demand.rows()).toBe(1_024);
  });

  it('end politely when the shard stops, and the port is free again', async () => {
    const { address, port, hub, halt } = await serve();
    const operator = new FakeOperator(address);
    operator.hello();
    await operator.ack('hello');
    await halt();
    expect(await operator.ended).toEqual({ code: GrpcCode.UNAVAILABLE, details: 'the shard is stopping' });
    operator.close();
    const again = createShardServer({ listen: `127.0.0.1:${port}`, clock: systemClock, hub, needViews: () => nothing, view: blind, log: silentLog });
    await expect(again.run(AbortSignal.abort())).resolves.toBeUndefined();
  });

  it('a port that is taken is an error that names the flag', async () => {
    const { port, hub } = await serve();
    const second = createShardServer({ listen: `127.0.0.1:${port}`, clock: systemClock, hub, needViews: () => nothing, view: blind, log: silentLog });
    await expect(second.run(new AbortController().signal)).rejects.toThrow(`--listen 127.0.0.1:${port}: cannot listen`);
  });
});

describe('InspectNeeds', () => {
  const views = (...verdicts: NeedViews['verdicts']): NeedViews => ({ cycle: 12, computedAt: 1_770_000_000_123, verdicts, ageOf: (v) => (v.satisfied ? 0 : 4) });
  const of = (cluster: string, priority: number, arrival: number) => verdict(need({ cluster, priority }), { arrival });

  it('before the first cycle is cycle 0 and no rows', async () => {
    const { address } = await serve();
    expect(await inspect(address)).toEqual({ header: { cycle: 0n, computedAtUnixNanos: 0n, totalNeeds: 0 }, rows: [] });
  });

  const mixed = views(of('west', 5, 10), of('east', 5, 10), of('east', 9, 99), of('east', 5, 1), of('east', 1, 0));
  const order = (rows: NeedView[]): unknown[] => rows.map((r) => [r.need?.priority, r.arrivalUnixNanos / 1_000_000n, r.clusterId]);

  it('sends a header, then rows by priority, arrival and cluster', async () => {
    const { address } = await serve(() => mixed);
    const { header, rows } = await inspect(address);
    expect(header).toEqual({ cycle: 12n, computedAtUnixNanos: 1_770_000_000_123_000_000n, totalNeeds: 5 });
    expect(order(rows)).toEqual([[9, 99n, 'east'], [5, 1n, 'east'], [5, 10n, 'east'], [5, 10n, 'west'], [1, 0n, 'east']]);
  });

  it('that nobody reads does not keep the shard from stopping', async () => {
    const many = views(...Array.from({ length: 20_000 }, () => of('east', 1, 1)));
    const { address, halt } = await serve(() => many);
    const peer = new Peer(address, { credentials: credentials.createInsecure() });
    const reader = peer.serverStream(ShardReadService.inspectNeeds, { clusterId: '', limit: 0 })[Symbol.asyncIterator]();
    await reader.next();
    await halt();
    await reader.return?.();
    peer.close();
  });

  it('filters by cluster before it counts, and limits after it', async () => {
    const { address } = await serve(() => mixed);
    const { header, rows } = await inspect(address, { clusterId: 'east', limit: 2 });
    expect(header).toMatchObject({ totalNeeds: 4 });
    expect(order(rows)).toEqual([[9, 99n, 'east'], [5, 1n, 'east']]);
    expect((await inspect(address, { clusterId: 'nobody' })).rows).toEqual([]);
    expect((await inspect(address, { limit: 100 })).rows).toHaveLength(5);
  });

  it('refuses a negative limit, naming it', async () => {
    const { address } = await serve(() => mixed);
    await expect(inspect(address, { limit: -1 })).rejects.toMatchObject({ code: GrpcCode.INVALID_ARGUMENT, details: 'limit: -1, must be 0 (all) or positive' });
  });

  it('tells of an unmet row what it lacks and why, of a met one what serves it', async () => {
    const gang = need({ cluster: 'east', group: 'g', units: 4, requirements: [sameZone()], priority: 8 });
    const unmet = verdict(gang, {
      satisfied: false, reason: 'TOPOLOGY_UNSATISFIABLE', deficit: amounts({ cpu: 3 }), machines: 1, bootstraps: 1, provisions: 2, sameDomain: 'za',
      matchingSupply: { idle: 1, speculative: 2, configured: 256, capped: true },
    });
    const met = verdict(gang, { sameDomain: 'za', sameSatisfiable: true, machines: 4, matchingSupply: { idle: 0, speculative: 0, configured: 0, capped: false } });
    const { address } = await serve(() => views(unmet, { ...met, arrival: 1 }));
    const [lacking, served] = (await inspect(address)).rows;
    expect(lacking).toMatchObject({
      clusterId: 'east', profileFingerprint: gang.fingerprint, satisfied: false, claimedMachineCount: 1, bootstrapCount: 1, provisionCount: 2,
      sameDomain: 'za', sameSatisfiable: false, ageCyclesUnmet: 4, unmetReason: 3, matchingSupply: { idle: 1, speculative: 2, configured: 256, capped: true },
    });
    expect(lacking?.residualDeficit?.resources).toEqual(new Map([['cpu', '3']]));
    expect(lacking?.reasonText).toMatch(/^Lacks .*no single domain has room for the whole gang\.$/);
    expect(lacking?.need?.aggregateResources).toEqual(new Map([['cpu', '4']]));
    expect(served).toMatchObject({ satisfied: true, sameSatisfiable: true, unmetReason: 0, reasonText: '', residualDeficit: undefined, ageCyclesUnmet: 0, claimedMachineCount: 4 });
  });
});

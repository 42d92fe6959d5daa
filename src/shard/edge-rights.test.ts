import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions } from 'node:tls';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { dialCredentials } from '../api/dial-credentials.ts';
import { ShardReadService } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import { ExplainClusterRequest, ExplainNeedRequest, ListMachinesRequest, ShardViewService } from '../api/gen/bigfleet/v1alpha1/view.ts';
import { codeName, GrpcError, Peer } from '../api/grpc.ts';
import { withShard } from '../cli/shard-connection.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { testAuthority, type KeyAndCertificate } from '../lib/testing/certificates.ts';
import { silentLog } from '../runtime/types.ts';
import { ShardView } from '../server/shard-view.ts';
import { SessionHub } from '../session/server/session-hub.ts';
import { FakeOperator } from '../session/server/testing/fake-operator.ts';
import { EdgeRights } from './edge-rights.ts';
import { createShardServer } from './grpc-server.ts';

const authority = testAuthority();
const clock = new VirtualClock();
let directory: string;
let stop: AbortController;
let running: Promise<void>;
let address: string;
let connected: string[];
let refused: string[];
let reloads: string[];

const file = (name: string): string => join(directory, name);
const write = (name: string, { cert, key }: KeyAndCertificate): { cert: string; key: string; ca: string } => {
  fs.writeFileSync(file(`${name}.crt`), cert);
  fs.writeFileSync(file(`${name}.key`), key);
  return { cert: file(`${name}.crt`), key: file(`${name}.key`), ca: file('ca.crt') };
};
const as = ({ cert, key }: KeyAndCertificate): ChannelCredentials => credentials.createSsl(Buffer.from(authority.cert), Buffer.from(key), Buffer.from(cert));

beforeEach(async () => {
  directory = fs.mkdtempSync(join(tmpdir(), 'shard-tls-'));
  [connected, refused, reloads] = [[], [], []];
  fs.writeFileSync(file('ca.crt'), authority.cert);
  const files = write('shard', authority.issue('bigfleet://shard/shard-0'));
  const rights = new EdgeRights({ onRefused: ({ reason, of }) => refused.push(`${of} ${reason}`) });
  const hub = new SessionHub({
    shardId: 'shard-0', epoch: () => 1n, clock, log: silentLog, ids: () => 'id', authorize: (stream, cluster) => rights.mayReport(stream, cluster),
    onRollup: () => true, replay: () => ({ updates: [], complete: false }), onConnected: (cluster) => connected.push(cluster), onDisconnected: () => undefined,
  });
  const listening = Promise.withResolvers<number>();
  const view = new ShardView({
    needViews: () => ({ cycle: 0, computedAt: 0, verdicts: [], ageOf: () => 0 }), machine: () => undefined, machines: () => [], machinesOf: () => [],
    hintOf: () => undefined, nodeNameOf: () => undefined, clusterFacts: () => ({ connected: false, lastRollupUnixNanos: 0n, held: false }), withheld: () => [],
    plannedState: () => Promise.reject(new GrpcError(9, 'no plan yet')),
  });
  const log = {
    ...silentLog,
    info: (fields: object, text?: string) => ('port' in fields ? listening.resolve(fields.port as number) : reloads.push(String(text))),
    error: (_: object, text?: string) => reloads.push(String(text)),
  };
  stop = new AbortController();
  const tls = { files, rights, onRefused: (reason: string) => refused.push(`connection ${reason}`) };
  running = createShardServer({ listen: '127.0.0.1:0', clock, log, hub, needViews: () => ({ cycle: 7, computedAt: 0, verdicts: [], ageOf: () => 0 }), view, tls }).run(stop.signal);
  address = `127.0.0.1:${await Promise.race([listening.promise, running.then(() => -1)])}`;
});
afterEach(async () => {
  stop.abort();
  await running;
  fs.rmSync(directory, { recursive: true });
});

/** How a session ends that says it is of the cluster; `open` if it is taken. */
async function session(certificate: KeyAndCertificate, cluster: string): Promise<string> {
  const operator = new FakeOperator(address, as(certificate));
  try {
    operator.hello(cluster);
    return await Promise.race([operator.ack('hello').then(() => 'open'), operator.ended.then(({ code, details }) => `${codeName(code)}: ${details}`)]);
  } finally {
    operator.close();
  }
}

/** The codes of every call that reads. */
async function reads(certificate: KeyAndCertificate): Promise<string[]> {
  const peer = new Peer(address, { credentials: as(certificate) });
  const code = (call: Promise<unknown>): Promise<string> => call.then(() => 'OK', (error: unknown) => (error instanceof GrpcError ? codeName(error.code) : String(error)));
  const all = async (frames: AsyncIterable<unknown>): Promise<void> => {
    for await (const _ of frames);
  };
  try {
    return await Promise.all([
      code(all(peer.serverStream(ShardReadService.inspectNeeds, { clusterId: '', limit: 0 }))),
      code(peer.unary(ShardViewService.explainMachine, { machineId: 'm' })),
      code(peer.unary(ShardViewService.explainNeed, ExplainNeedRequest.create({ clusterId: 'c' }))),
      code(peer.unary(ShardViewService.explainCluster, ExplainClusterRequest.create({ clusterId: 'c' }))),
      code(all(peer.serverStream(ShardViewService.takeSnapshot, {}))),
      code(all(peer.serverStream(ShardViewService.listMachines, ListMachinesRequest.create()))),
    ]);
  } finally {
    peer.close();
  }
}

describe('a shard with certificates', () => {
  it('takes the session of the cluster that the certificate names, whatever other names it has', async () => {
    expect(await session(authority.issue('bigfleet://cluster/east'), 'east')).toBe('open');
    expect(await session(authority.issue('spiffe://mesh/ns/operator', 'bigfleet://cluster/west'), 'west')).toBe('open');
    expect([connected, refused]).toEqual([['east', 'west'], []]);
  });

  it.each([
    [['bigfleet://cluster/west'], 'identity_mismatch'],
    [['bigfleet://cluster/eas'], 'identity_mismatch'],
    [['bigfleet://shard/east'], 'identity_mismatch'],
    [['bigfleet://admin'], 'identity_mismatch'],
    [['spiffe://mesh/cluster/east'], 'identity_missing'],
    [['bigfleet://cluster/east', 'bigfleet://cluster/west'], 'identity_several'],
    [['bigfleet://cluster/east/'], 'identity_malformed'],
  ])('refuses the session of cluster east to %j: %s', async (uris, reason) => {
    expect(await session(authority.issue(...uris), 'east')).toMatch(/^PERMISSION_DENIED: the caller's certificate has .*; this call is for bigfleet:\/\/cluster\/east$/);
    expect([connected, refused]).toEqual([[], [`session ${reason}`]]);
  });

  it('lets readers and administrators read, nobody else', async () => {
    const allowed = ['OK', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'FAILED_PRECONDITION', 'OK'];
    expect(await reads(authority.issue('bigfleet://readonly'))).toEqual(allowed);
    expect(await reads(authority.issue('bigfleet://admin'))).toEqual(allowed);
    expect(refused).toEqual([]);
    expect(await reads(authority.issue('bigfleet://cluster/east'))).toEqual(Array(6).fill('PERMISSION_DENIED'));
    expect(await reads(authority.issue())).toEqual(Array(6).fill('PERMISSION_DENIED'));
    expect(refused).toEqual([...Array<string>(6).fill('read identity_mismatch'), ...Array<string>(6).fill('read identity_missing')]);
  });

  it('counts connections that it refuses', async () => {
    for (const stranger of [authority.issueExpired('bigfleet://readonly'), testAuthority('stranger').issue('bigfleet://readonly')]) {
      const codes = new Set(await reads(stranger));
      expect(codes).toEqual(new Set(['UNAVAILABLE']));
    }
    expect(new Set(refused)).toEqual(new Set(['connection expired', 'connection unknown_authority']));
  });

  it.each<[string, string, ConnectionOptions]>([
    ['nothing to show', 'no_certificate', {}],
    ['TLS 1.2', 'tls_version', { ...authority.issue('bigfleet://readonly'), maxVersion: 'TLSv1.2' }],
  ])('counts a caller with %s: %s', async (_what, reason, options) => {
    const [host, port] = address.split(':');
    const socket = connect({ host, port: Number(port), servername: '', ca: authority.cert, ALPNProtocols: ['h2'], ...options }).on('error', () => undefined);
    await vi.waitFor(() => expect(refused).toEqual([`connection ${reason}`]), { timeout: 15_000 });
    socket.destroy();
  });

  it('is asked by the command line with the files that its flags name, and an operator dials with them', async () => {
    const files = write('reader', authority.issue('bigfleet://readonly'));
    const flags = { shard: address, timeout: '10s', tlsCert: files.cert, tlsKey: files.key, tlsCa: files.ca };
    const ask = (peer: Peer): Promise<unknown> => peer.unary(ShardViewService.explainMachine, { machineId: 'm-1' });
    await expect(withShard(flags, ask)).rejects.toThrow('this shard knows no machine "m-1"');
    await expect(withShard({ ...flags, tlsKey: '' }, ask)).rejects.toThrow(/go together.*--tls-cert is ".*reader\.crt", --tls-key is empty, --tls-ca is ".*ca\.crt"/);
    await expect(withShard({ shard: address, timeout: '10s' }, ask)).rejects.toThrow('no shard answers');

    const dial = dialCredentials(write('east', authority.issue('bigfleet://cluster/west')));
    write('east', authority.issue('bigfleet://cluster/east')); // renewed after the process began
    const operator = new FakeOperator(address, dial());
    operator.hello('east');
    await operator.ack('hello');
    operator.close();
  });

  it('uses renewed files for new connections, and keeps the last good ones', async () => {
    const next = testAuthority('next');
    write('shard', authority.issue());
    fs.writeFileSync(file('ca.crt'), `${authority.cert}${next.cert}`);
    await clock.advance(5_000);
    expect(await session(next.issue('bigfleet://cluster/east'), 'east')).toBe('open');
    fs.writeFileSync(file('shard.key'), authority.issue().key);
    await clock.advance(5_000);
    expect(await session(next.issue('bigfleet://cluster/west'), 'west')).toBe('open');
    expect(reloads.filter((text) => text.includes('TLS files'))).toEqual(['the changed TLS files are used from now on', 'the changed TLS files cannot be used: the last good ones are']);
  });
});

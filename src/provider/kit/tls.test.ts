import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions } from 'node:tls';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { testAuthority, type KeyAndCertificate, type TestAuthority } from '../../lib/testing/certificates.ts';
import { serveScripted, type KitHarness } from '../testing/kit-harness.ts';
import { codeOf, Rpc, unfenced } from '../testing/rpc.ts';
import { ScriptedBackend } from '../testing/scripted-backend.ts';
import type { ProviderOptions } from './serve-provider.ts';

let directory: string;
let authority: TestAuthority;
let h: KitHarness;
const open: Rpc[] = [];
const PATIENCE = { timeout: 15_000 };
const file = (name: string): string => join(directory, name);
const write = ({ cert, key }: KeyAndCertificate, ca: string): void => {
  fs.writeFileSync(file('tls.crt'), cert);
  fs.writeFileSync(file('tls.key'), key);
  fs.writeFileSync(file('ca.crt'), ca);
};
const files = (): Partial<ProviderOptions> => ({ tlsFiles: { cert: file('tls.crt'), key: file('tls.key'), ca: file('ca.crt') } });
const as = ({ cert, key }: KeyAndCertificate, ca = authority.cert): ChannelCredentials => credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert));

function caller(...uris: string[]): Rpc {
  return callerWith(as(authority.issue(...uris)));
}
function callerWith(given: ChannelCredentials): Rpc {
  const rpc = new Rpc(h.provider.port, given);
  open.push(rpc);
  return rpc;
}

beforeEach(async () => {
  directory = fs.mkdtempSync(join(tmpdir(), 'provider-tls-'));
  authority = testAuthority();
  write(authority.issue('bigfleet://readonly'), authority.cert);
  h = await serveScripted(new ScriptedBackend(), files());
});
afterEach(async () => {
  for (const rpc of open.splice(0)) rpc.close();
  await h.close();
  fs.rmSync(directory, { recursive: true });
});

describe('who may do what', () => {
  const DENIED = 'PERMISSION_DENIED';

  it('a shard mutates under its own id and reads', async () => {
    const shard = caller('bigfleet://shard/s-0');
    expect(await codeOf(shard.create('m-1', ['s-0', 1, 1]))).toBe('OK');
    expect(await codeOf(shard.create('m-2', ['s-1', 1, 1]))).toBe(DENIED);
    expect(await codeOf(shard.create('m-2', unfenced))).toBe(DENIED);
    expect(await codeOf(shard.get('m-1'))).toBe('OK');
    expect((await shard.list({ states: [1] })).machines.map((m) => m.id)).toEqual(['m-2']);
    for (const call of [shard.configure('m-2', {}, ['s-1', 1, 1]), shard.drain('m-2', 0, ['s-1', 1, 1]), shard.delete('m-2', ['s-1', 1, 1])]) expect(await codeOf(call)).toBe(DENIED);
    expect(h.calls.filter((c) => c.outcome === DENIED).length).toBe(5);
    expect(await codeOf(caller('bigfleet://shard/s-1').create('m-2', ['s-1', 1, 1]))).toBe('OK'); // no mark was left behind
  });

  it('admin may do everything, readonly reads', async () => {
    expect(await codeOf(caller('bigfleet://admin').create('m-1', unfenced))).toBe('OK');
    expect(await codeOf(caller('bigfleet://admin').create('m-2', ['any', 1, 1]))).toBe('OK');
    const reader = caller('bigfleet://readonly');
    expect([await codeOf(reader.get('m-1')), await codeOf(reader.list()), await codeOf(reader.drain('m-1', 0, ['s-0', 9, 9])), await codeOf(reader.create('m-1', unfenced))]).toEqual(['OK', 'OK', DENIED, DENIED]);
  });

  it.each([
    [[], 'identity_missing'],
    [['bigfleet://cluster/s-0'], 'identity_mismatch'],
    [['bigfleet://shard/s-0', 'bigfleet://admin'], 'identity_several'],
    [['bigfleet://shard/s 0'], 'identity_malformed'],
    [['spiffe://mesh/bigfleet'], 'identity_missing'],
  ])('%j may do nothing: %s', async (uris, reason) => {
    const rpc = caller(...uris);
    expect([await codeOf(rpc.get('m-1')), await codeOf(rpc.list()), await codeOf(rpc.create('m-1', ['s-0', 1, 1]))]).toEqual([DENIED, DENIED, DENIED]);
    expect(h.refused).toEqual(['Get', 'List', 'Create'].map((rpc) => `${rpc} ${reason}`));
  });
});

describe('who may connect', () => {
  it('nobody without a certificate, with one of another authority, or in clear text', async () => {
    const stranger = testAuthority();
    expect(await codeOf(callerWith(credentials.createSsl(Buffer.from(authority.cert))).list())).toBe('UNAVAILABLE');
    expect(await codeOf(callerWith(as(stranger.issue('bigfleet://admin'))).list())).toBe('UNAVAILABLE');
    expect(await codeOf(callerWith(credentials.createInsecure()).list())).toBe('UNAVAILABLE');
  });

  it.each<[string, string, () => ConnectionOptions]>([
    ['another authority', 'unknown_authority', () => testAuthority('stranger').issue('bigfleet://admin')],
    ['a time that is over', 'expired', () => authority.issueExpired('bigfleet://admin')],
    ['nothing to show', 'no_certificate', () => ({ cert: undefined, key: undefined })],
    ['TLS 1.2', 'tls_version', () => ({ maxVersion: 'TLSv1.2' })],
  ])('a caller with %s is counted as %s', async (_what, reason, options) => {
    const me = authority.issue('bigfleet://admin');
    // TLS 1.3 lets a client believe that it is connected before its certificate has been looked at: it stays.
    const socket = connect({ host: '127.0.0.1', servername: '', port: h.provider.port, ca: authority.cert, ALPNProtocols: ['h2'], ...me, ...options() }).on('error', () => undefined);
    await vi.waitFor(() => expect(h.refused).toEqual([reason]), PATIENCE);
    socket.destroy();
  });

  it('nobody with TLS before 1.3, neither before nor after a reload', async () => {
    const tried = (): Promise<string> => handshake({ maxVersion: 'TLSv1.2' });
    expect(await tried()).toMatch(/version/i);
    write(authority.issue(), authority.cert);
    await h.clock.advance(5_000);
    expect(await tried()).toMatch(/version/i);
    expect(await handshake({})).toBe('TLSv1.3');
  });
});

describe('files that change', () => {
  it('are used for new connections, calls under way on old ones go on', async () => {
    const before = await serverCertificate();
    const old = caller('bigfleet://admin');
    await old.list();
    const next = testAuthority('next');
    write(next.issue(), `${authority.cert}${next.cert}`); // both authorities for a while
    await h.clock.advance(5_000);
    expect(await serverCertificate()).not.toBe(before);
    expect(await codeOf(old.list())).toBe('OK');
    expect(await codeOf(callerWith(as(authority.issue('bigfleet://admin'), next.cert)).list())).toBe('OK');
    expect(await codeOf(callerWith(as(next.issue('bigfleet://admin'), next.cert)).list())).toBe('OK');

    fs.writeFileSync(file('ca.crt'), next.cert);
    await h.clock.advance(5_000);
    expect(await codeOf(callerWith(as(authority.issue('bigfleet://admin'), next.cert)).list())).toBe('UNAVAILABLE');
    expect(await codeOf(callerWith(as(next.issue('bigfleet://admin'), next.cert)).list())).toBe('OK');
  });

  it('are looked at where links lead, as mounted Secrets change', async () => {
    await h.close();
    for (const [version, issued] of [['v1', authority.issue()], ['v2', authority.issue()]] as const) {
      fs.mkdirSync(file(version));
      fs.writeFileSync(file(`${version}/tls.crt`), issued.cert);
      fs.writeFileSync(file(`${version}/tls.key`), issued.key);
    }
    fs.symlinkSync('v1', file('now'));
    h = await serveScripted(new ScriptedBackend(), { tlsFiles: { cert: file('now/tls.crt'), key: file('now/tls.key'), ca: file('ca.crt') } });
    const before = await serverCertificate();
    fs.symlinkSync('v2', file('next'));
    fs.renameSync(file('next'), file('now'));
    await h.clock.advance(5_000);
    expect(await serverCertificate()).not.toBe(before);
  });

  it.each([
    ['a certificate without its key', () => fs.writeFileSync(file('tls.crt'), authority.issue().cert)],
    ['no authority', () => fs.writeFileSync(file('ca.crt'), '')],
    ['something else for an authority', () => fs.writeFileSync(file('ca.crt'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')],
    ['a missing key', () => fs.rmSync(file('tls.key'))],
  ])('are not used while they cannot be: %s', async (_what, spoil) => {
    const before = await serverCertificate();
    spoil();
    await h.clock.advance(15_000);
    expect(await serverCertificate()).toBe(before);
    expect(await codeOf(caller('bigfleet://admin').list())).toBe('OK');
    expect(h.warnings.filter((text) => text.includes('TLS files')).length).toBe(1); // said once
    write(authority.issue(), authority.cert);
    await h.clock.advance(5_000);
    expect(await serverCertificate()).not.toBe(before);
  });

  it('are named when they cannot be used at the start', async () => {
    fs.writeFileSync(file('tls.crt'), authority.issue().cert);
    await expect(serveScripted(new ScriptedBackend(), files())).rejects.toThrow(/tls\.crt, .*tls\.key and .*ca\.crt cannot be used together/);
    fs.rmSync(file('ca.crt'));
    await expect(serveScripted(new ScriptedBackend(), files())).rejects.toThrow(/ca\.crt/);
  });
});

/** The protocol agreed on, or the error's words. */
function handshake(options: ConnectionOptions): Promise<string> {
  const me = authority.issue('bigfleet://admin');
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', servername: '', port: h.provider.port, ca: authority.cert, cert: me.cert, key: me.key, rejectUnauthorized: false, ALPNProtocols: ['h2'], ...options }, () => {
      resolve(socket.getProtocol() ?? 'none');
      socket.destroy();
    });
    socket.on('error', (error) => resolve(error.message));
  });
}

function serverCertificate(): Promise<string> {
  const me = authority.issue('bigfleet://admin');
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', servername: '', port: h.provider.port, cert: me.cert, key: me.key, rejectUnauthorized: false, ALPNProtocols: ['h2'] }, () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

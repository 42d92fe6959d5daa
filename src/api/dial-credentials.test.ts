import * as fs from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testAuthority, type KeyAndCertificate } from '../lib/testing/certificates.ts';
import { dialCredentials } from './dial-credentials.ts';
import { CapacityProviderService, Machine } from './gen/bigfleet/v1alpha1/provider.ts';
import { createGrpcServer, GrpcError, Peer, serveUnary, shutdown } from './grpc.ts';
import { listenTls } from './tls-listener.ts';
import { systemClock } from '../lib/clock.ts';

const authority = testAuthority();
let directory: string;
const ends: (() => unknown)[] = [];
const file = (name: string): string => join(directory, name);
const files = { get cert() { return file('tls.crt'); }, get key() { return file('tls.key'); }, get ca() { return file('ca.crt'); } };
function write({ cert, key }: KeyAndCertificate, ca = authority.cert): void {
  fs.writeFileSync(files.cert, cert);
  fs.writeFileSync(files.key, key);
  fs.writeFileSync(files.ca, ca);
}

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'dial-'));
  write(authority.issue('bigfleet://admin'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  fs.rmSync(directory, { recursive: true });
});

/** A gRPC server that takes callers of our authority. */
async function serving(own: KeyAndCertificate, ca = authority.cert): Promise<number> {
  const server = createGrpcServer();
  server.addService({ get: CapacityProviderService.get }, { get: serveUnary(async ({ id }: { id: string }) => Machine.create({ id })) });
  const listener = await listenTls(server, '127.0.0.1:0', { cert: Buffer.from(own.cert), key: Buffer.from(own.key), ca: Buffer.from(ca) }, { clock: systemClock });
  ends.push(() => shutdown(server, AbortSignal.abort()), () => listener.stop());
  return listener.port;
}

/** A server that says what TLS it wants, and nothing after that. */
async function speaking(options: TlsOptions): Promise<number> {
  const server: Server = createServer({ ...options, ALPNProtocols: ['h2'] });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** What a call says: `ok`, or why there is no connection. */
async function dial(port: number, host = '127.0.0.1', credentials = dialCredentials(files)): Promise<string> {
  const peer = new Peer(`${host}:${port}`, { credentials: credentials() });
  try {
    return (await peer.unary(CapacityProviderService.get, { id: 'ok' })).id;
  } catch (error) {
    return error instanceof GrpcError ? error.message : String(error);
  } finally {
    peer.close();
  }
}

describe('who dials', () => {
  it('is served where both know each other', async () => {
    expect(await dial(await serving(authority.issue()))).toBe('ok');
  });

  it.each<[string, () => Promise<number>, RegExp, string?]>([
    ['that another authority has signed', () => serving(testAuthority('stranger').issue()), /unable to verify|self.signed|issuer certificate/i],
    ['that has expired', () => serving(authority.issueExpired()), /expired/i],
    ['of another host', () => serving(authority.issue()), /altnames|hostname/i, 'localhost'],
    ['that may be good, over TLS 1.2', () => speaking({ ...authority.issue(), maxVersion: 'TLSv1.2' }), /version|EPROTO/i],
  ])('does not speak to a server with a certificate %s', async (_which, start, words, host) => {
    expect(await dial(await start(), host)).toMatch(words);
  });

  it('uses what the files say at each dial, authorities included', async () => {
    const next = testAuthority('next');
    const [old, renewed] = [await serving(authority.issue()), await serving(next.issue(), next.cert)];
    const process = dialCredentials(files);
    const to = (port: number): Promise<string> => dial(port, undefined, process);
    expect([await to(old), await to(renewed)]).toEqual(['ok', expect.not.stringMatching('ok')]);
    write(next.issue('bigfleet://admin'), next.cert);
    expect([await to(renewed), await to(old)]).toEqual(['ok', expect.not.stringMatching('ok')]);
  });

  it('says at once which files cannot be used', () => {
    fs.rmSync(files.key);
    expect(() => dialCredentials(files)).toThrow(/tls\.key/);
  });
});

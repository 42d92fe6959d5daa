import * as fs from 'node:fs';
import { createServer as createPlainServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testAuthority, type KeyAndCertificate } from '../lib/testing/certificates.ts';
import { dialCredentials } from './dial-credentials.ts';
import { dialRefusalOf, type DialRefusal } from './dial-refusal.ts';
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

function selfSigned(): KeyAndCertificate {
  const { key, cert } = testAuthority('own');
  return { key, cert };
}

/** A server that says what TLS it wants, and nothing after that. */
async function speaking(options: TlsOptions): Promise<number> {
  const server: Server = createServer({ ...options, ALPNProtocols: ['h2'] });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function speakingPlainly(): Promise<number> {
  const server = createPlainServer((socket) => socket.on('error', () => undefined).end('220 ready\r\n'));
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

  it.each<[string, () => Promise<number>, DialRefusal, string?]>([
    ['with a certificate that another authority has signed', () => serving(testAuthority('stranger').issue()), 'unknown_authority'],
    ['with a certificate that it has signed itself', () => speaking(selfSigned()), 'unknown_authority'],
    ['with a certificate that has expired', () => serving(authority.issueExpired()), 'expired'],
    ['with a certificate of another host', () => serving(authority.issue()), 'other_host', 'localhost'],
    ['with a certificate that may be good, over TLS 1.2', () => speaking({ ...authority.issue(), maxVersion: 'TLSv1.2' }), 'tls_version'],
    ['without TLS', speakingPlainly, 'not_tls'],
  ])('does not speak to a server %s, and can tell why', async (_which, start, reason, host) => {
    expect(dialRefusalOf(await dial(await start(), host))).toBe(reason);
  });

  it.each<[string, () => Promise<number>]>([
    ['nobody is', async () => 1],
    ['somebody refuses us', () => serving(authority.issue(), testAuthority('stranger').cert)],
  ])('has refused nobody where %s', async (_where, start) => {
    const words = await dial(await start());
    expect(words).toMatch(/^UNAVAILABLE/);
    expect(dialRefusalOf(words)).toBeUndefined();
  });

  it('does not take words of a server for its own', () => {
    expect(dialRefusalOf('PERMISSION_DENIED: the certificate has expired')).toBeUndefined();
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

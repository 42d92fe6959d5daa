import { connect, type ConnectionOptions } from 'node:tls';
import { connect as connectPlain } from 'node:net';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testAuthority, type KeyAndCertificate } from '../lib/testing/certificates.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { CapacityProviderService, Machine } from './gen/bigfleet/v1alpha1/provider.ts';
import { createGrpcServer, Peer, serveUnary, shutdown } from './grpc.ts';
import { listenTls, type Refusal, type TlsListener } from './tls-listener.ts';

const authority = testAuthority();
const me = authority.issue('bigfleet://admin');
let server: ReturnType<typeof createGrpcServer>;
let listener: TlsListener;
let refused: ((reason: Refusal) => void) | undefined;

beforeEach(async () => {
  server = createGrpcServer();
  const get = serveUnary(async ({ id }: { id: string }, { call }) => Machine.create({ id, lastError: call.getAuthContext().sslPeerCertificate?.subjectaltname ?? '' }));
  server.addService({ get: CapacityProviderService.get }, { get });
  const { cert, key } = authority.issue();
  listener = await listenTls(server, '127.0.0.1:0', { cert: Buffer.from(cert), key: Buffer.from(key), ca: Buffer.from(authority.cert) }, {
    clock: new VirtualClock(),
    onRefused: ({ reason }) => refused?.(reason),
  });
});
afterEach(async () => {
  refused = undefined;
  listener.stop();
  await shutdown(server, AbortSignal.abort());
});

const as = ({ cert, key }: KeyAndCertificate, ca = authority.cert): ChannelCredentials => credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(cert));

/** What happens to a handshake: why the server refuses it. */
function refusal(options: ConnectionOptions): Promise<Refusal> {
  return new Promise((resolve, reject) => {
    refused = resolve;
    const socket = connect({ host: '127.0.0.1', servername: '', port: listener.port, ca: authority.cert, ALPNProtocols: ['h2'], ...options });
    socket.on('error', () => undefined);
    // TLS 1.3 lets a client believe that it is connected before its certificate has been looked at.
    socket.on('data', () => reject(new Error('the server speaks to it')));
  });
}

describe('a listener with TLS', () => {
  it('serves calls that tell who makes them, and lets them end when the server shuts down', async () => {
    const peer = new Peer(`127.0.0.1:${listener.port}`, { credentials: as(me) });
    try {
      expect(await peer.unary(CapacityProviderService.get, { id: 'm' })).toMatchObject({ id: 'm', lastError: 'IP Address:127.0.0.1, URI:bigfleet://admin' });
      listener.stop();
      await shutdown(server, new AbortController().signal); // though the connection is open and idle
    } finally {
      peer.close();
    }
  });

  it.each<[string, Refusal, () => ConnectionOptions]>([
    ['one of another authority', 'unknown_authority', () => testAuthority('stranger').issue('bigfleet://admin')],
    ['one of an authority that only has the name of ours', 'unknown_authority', () => testAuthority().issue('bigfleet://admin')],
    ['one that nobody has signed but itself', 'unknown_authority', () => testAuthority('alone')],
    ['one that has expired', 'expired', () => authority.issueExpired('bigfleet://admin')],
    ['none', 'no_certificate', () => ({})],
    ['one, and an old protocol', 'tls_version', () => ({ ...me, maxVersion: 'TLSv1.2' })],
  ])('refuses a caller with %s: %s', async (_what, reason, options) => {
    expect(await refusal(options())).toBe(reason);
  });

  it('refuses a caller in clear text', async () => {
    const said = new Promise<Refusal>((resolve) => (refused = resolve));
    const socket = connectPlain(listener.port, '127.0.0.1', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    socket.on('error', () => undefined);
    expect(await said).toBe('not_tls');
    socket.destroy();
  });

  it('says nothing of a peer that goes away by itself', async () => {
    const said: Refusal[] = [];
    refused = (reason) => said.push(reason);
    const gone = connectPlain(listener.port, '127.0.0.1');
    await new Promise<void>((resolve) => gone.once('connect', () => resolve()));
    await new Promise<void>((resolve) => gone.once('close', () => resolve()).destroy());
    // What is refused after it shows that it would have been told of by now.
    const next = new Promise<void>((resolve) => (refused = (reason) => (said.push(reason), resolve())));
    connect({ host: '127.0.0.1', servername: '', port: listener.port, ca: authority.cert }).on('error', () => undefined);
    await next;
    expect(said).toEqual(['no_certificate']);
  });

  it('names the address that it cannot have', async () => {
    const { cert, key } = authority.issue();
    const again = listenTls(server, `127.0.0.1:${listener.port}`, { cert: Buffer.from(cert), key: Buffer.from(key) }, { clock: new VirtualClock() });
    await expect(again).rejects.toThrow(`cannot listen on 127.0.0.1:${listener.port}`);
  });
});

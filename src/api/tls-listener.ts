/** Serving gRPC over TLS 1.3 with certificates that change while we serve (spec: identity 6). */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createSecureContext, createServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { ServerCredentials, type Server } from '@grpc/grpc-js';
import type { Clock } from '../lib/clock.ts';

/** PEM files: our certificate (with its chain) and key, and the authorities that sign what callers present. */
export interface ServerTlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** PEM, held in memory. */
export interface ServerTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** Callers must present a certificate signed by one of these. Absent: callers are not asked for one. */
  readonly ca?: Buffer;
}

/** Why a connection was refused before any call could be made. */
export type Refusal = 'not_tls' | 'tls_version' | 'no_certificate' | 'unknown_authority' | 'expired' | 'handshake_failed';

export interface TlsOptions {
  readonly clock: Clock;
  /** How often files are looked at. Default 5 s. */
  readonly pollMs?: number;
  /** Told after every change of the files: undefined = in use, else why the last good ones stay in use. */
  readonly onReload?: (problem: string | undefined) => void;
  readonly onRefused?: (refusal: { readonly reason: Refusal; readonly peer: string; readonly text: string }) => void;
}

export interface TlsListener {
  readonly port: number;
  /** Takes no new connections. Those there are belong to the gRPC server. */
  stop(): void;
}

const TLS_VERSION = 'TLSv1.3';
const HANDSHAKE_MS = 10_000;

/**
 * Takes connections for the gRPC server on `host:port` (port 0 for any). Files are looked at again and again: connections
 * made after a change use what is there then, and what cannot be used, a certificate without its key for instance, is not.
 * Connections that exist are not cut. Rejects when address, certificate, key or authorities cannot be used.
 */
export async function listenTls(server: Server, address: string, tls: ServerTls | ServerTlsFiles, options: TlsOptions): Promise<TlsListener> {
  const files = isFiles(tls) ? tls : undefined;
  let seen = files ? stampOf(files) : '';
  const first = files ? readTls(files) : tls as ServerTls;
  const asks = first.ca !== undefined;
  // gRPC gets the connections when their handshake is done: it would not say why one failed.
  const grpc = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createServer({ ...contextOf(first), requestCert: asks, rejectUnauthorized: asks, ALPNProtocols: ['h2'], handshakeTimeout: HANDSHAKE_MS });
  listener.on('secureConnection', (socket) => grpc.injectConnection(socket));
  listener.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    const refusal = refusalOf(error, socket);
    if (refusal) options.onRefused?.({ ...refusal, peer: socket.remoteAddress ?? 'unknown' });
  });
  const at = address.lastIndexOf(':');
  const port = await new Promise<number>((resolve, reject) => {
    listener.once('error', (error) => reject(new Error(`cannot listen on ${address}: ${error.message}`)));
    listener.listen(Number(address.slice(at + 1)), address.slice(0, at).replace(/^\[|\]$/g, ''), () => resolve((listener.address() as AddressInfo).port));
  });
  const cancel = files ? watch(files) : () => {};
  return {
    port,
    stop() {
      cancel();
      listener.close();
    },
  };

  function watch(watched: ServerTlsFiles): () => void {
    const { clock, pollMs = 5_000, onReload } = options;
    const look = (): void => {
      later = clock.after(pollMs, look);
      let problem: string | undefined;
      let stamp = '';
      try {
        stamp = stampOf(watched);
        if (stamp === seen) return;
        listener.setSecureContext(contextOf(readTls(watched)));
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
        stamp ||= problem;
        if (stamp === seen) return; // said already
      }
      seen = stamp;
      onReload?.(problem);
    };
    let later = clock.after(pollMs, look);
    return () => later();
  }
}

function isFiles(tls: ServerTls | ServerTlsFiles): tls is ServerTlsFiles {
  return typeof tls.cert === 'string';
}

/** Throws when they cannot be read or do not belong together. */
export function readTls({ cert, key, ca }: ServerTlsFiles): ServerTls {
  const tls = { cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(ca) };
  try {
    contextOf(tls);
  } catch (error) {
    throw new Error(`${cert}, ${key} and ${ca} cannot be used together: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  return tls;
}

function stampOf(files: ServerTlsFiles): string {
  return [files.cert, files.key, files.ca].map((path) => {
    const { mtimeMs, ino, size } = statSync(path); // follows links: Secrets are mounted as links that are switched
    return `${mtimeMs} ${ino} ${size}`;
  }).join();
}

/** What Node makes a TLS context from, after a try. */
function contextOf({ cert, key, ca }: ServerTls): SecureContextOptions {
  const options: SecureContextOptions = { cert, key, minVersion: TLS_VERSION, ...(ca && { ca: authorities(ca) }) };
  createSecureContext(options);
  return options;
}

/** An empty or broken list would make Node trust the public authorities, or nobody. */
function authorities(bundle: Buffer): string[] {
  const found = bundle.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (!found) throw new Error('the file of authorities holds no certificate');
  for (const one of found) new X509Certificate(one);
  return found;
}

const REASONS: Readonly<Record<string, Refusal>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'not_tls',
  ERR_SSL_HTTP_REQUEST: 'not_tls',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'not_tls',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'tls_version',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'no_certificate',
  CERT_HAS_EXPIRED: 'expired',
  CERT_NOT_YET_VALID: 'expired',
};
/** A chain that does not lead to an authority of ours; the last is what one of the same name and another key gives. */
const STRANGE = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_SIGNATURE_|CERT_UNTRUSTED|ERR_SSL_PROVIDER_SIGNATURE_FAILURE)/;

/** Undefined for a peer that went away by itself. */
function refusalOf(error: NodeJS.ErrnoException, socket: TLSSocket): { reason: Refusal; text: string } | undefined {
  const verdict = socket.authorizationError as string | Error | null; // a code, whatever its type says
  const code = typeof verdict === 'string' ? verdict : (verdict as NodeJS.ErrnoException | null)?.code ?? error.code ?? '';
  if (code === 'ECONNRESET' || code === 'EPIPE') return undefined;
  return { reason: REASONS[code] ?? (STRANGE.test(code) ? 'unknown_authority' : 'handshake_failed'), text: code === '' ? error.message : code };
}

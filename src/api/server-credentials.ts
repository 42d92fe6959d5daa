import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
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

export interface ReloadOptions {
  readonly clock: Clock;
  /** How often the files are looked at. Default 5 s. */
  readonly pollMs?: number;
  /** Told after every change of the files: undefined = in use, else why the last good ones stay in use. */
  readonly onReload?: (problem: string | undefined) => void;
}

const TLS_VERSION = 'TLSv1.3';

/** Credentials of a gRPC server with TLS 1.3 and nothing older. Throws when certificate, key or authorities cannot be used. */
export function serverCredentials(tls: ServerTls): ServerCredentials {
  return new TlsServerCredentials(tls);
}

export interface ReloadingCredentials {
  readonly credentials: ServerCredentials;
  /** Looks at the files no more. */
  stop(): void;
}

/**
 * The same from files that are looked at again and again: connections made after a change use what is there then. What
 * cannot be used, a certificate without its key for instance, is not: the last good files stay in use (spec: identity 6).
 * Connections that exist are not cut. Throws when the files cannot be used at the start.
 */
export function reloadingServerCredentials(files: ServerTlsFiles, options: ReloadOptions): ReloadingCredentials {
  const { clock, pollMs = 5_000, onReload } = options;
  let seen = stampOf(files);
  const credentials = new TlsServerCredentials(readTls(files));
  let cancel = (): void => {};
  const look = (): void => {
    cancel = clock.after(pollMs, look);
    let problem: string | undefined;
    let stamp = '';
    try {
      stamp = stampOf(files);
      if (stamp === seen) return;
      credentials.replace(readTls(files));
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      stamp ||= problem;
      if (stamp === seen) return; // said already
    }
    seen = stamp;
    onReload?.(problem);
  };
  cancel = clock.after(pollMs, look);
  return { credentials, stop: () => cancel() };
}

function readTls({ cert, key, ca }: ServerTlsFiles): ServerTls {
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

class TlsServerCredentials extends ServerCredentials {
  constructor(tls: ServerTls) {
    const context = contextOf(tls);
    const asks = tls.ca !== undefined;
    super({ requestCert: asks, rejectUnauthorized: asks, minVersion: TLS_VERSION }, context);
  }

  replace(tls: ServerTls): void {
    this.updateSecureContextOptions(contextOf(tls));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

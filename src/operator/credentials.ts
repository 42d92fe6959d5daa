import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { UsageError } from '../lib/usage-error.ts';

export interface TlsFiles {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

/**
 * Credentials for each dial (spec: identity 6): all three files = mTLS with TLS 1.3, read anew every time so that rotated
 * certificates are picked up; none = plaintext. Throws a UsageError for anything between, and at once for unreadable files.
 */
export function dialCredentials(files: TlsFiles): () => ChannelCredentials {
  const { cert, key, ca } = files;
  if (!cert && !key && !ca) return () => credentials.createInsecure();
  if (!cert || !key || !ca) throw new UsageError('--tls-cert, --tls-key and --tls-ca go together: give all three for mTLS or none for plaintext');
  const read = (): ChannelCredentials =>
    credentials.createFromSecureContext(createSecureContext({ cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(ca), minVersion: 'TLSv1.3' }));
  read();
  return read;
}

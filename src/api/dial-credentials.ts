import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import type { ServerTlsFiles } from './tls-listener.ts';

/**
 * Credentials for each dial (spec: identity 6): with files mTLS with TLS 1.3, read anew every time so that rotated
 * certificates are picked up; without, plaintext. Throws at once for files that cannot be used.
 */
export function dialCredentials(files: ServerTlsFiles | undefined): () => ChannelCredentials {
  if (!files) return () => credentials.createInsecure();
  const { cert, key, ca } = files;
  const read = (): ChannelCredentials =>
    credentials.createFromSecureContext(createSecureContext({ cert: readFileSync(cert), key: readFileSync(key), ca: readFileSync(ca), minVersion: 'TLSv1.3' }));
  read();
  return read;
}

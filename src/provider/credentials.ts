import { credentials, type ChannelCredentials } from '@grpc/grpc-js';
import type { Tls } from './list-protocol.ts';

/** For a channel to a provider. Without TLS: plaintext. */
export function providerCredentials(tls: Tls | undefined): ChannelCredentials {
  return tls ? credentials.createSsl(pem(tls.ca), pem(tls.key), pem(tls.certificate)) : credentials.createInsecure();
}

function pem(bytes: Uint8Array | undefined): Buffer | null {
  return bytes ? Buffer.from(bytes) : null;
}

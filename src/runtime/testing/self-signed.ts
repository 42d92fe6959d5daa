import { testAuthority } from '../../lib/testing/certificates.ts';

/** A fresh key and a certificate for 127.0.0.1 that signs itself, so that no private key has to lie in the repository. */
export function selfSigned(): { readonly key: string; readonly cert: string } {
  const { key, cert } = testAuthority();
  return { key, cert };
}

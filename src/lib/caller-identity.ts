import { identityOfDer, type PeerIdentity, type Unidentified } from './peer-identity.ts';

/** What is known of the connection that a call came by. */
export interface Caller {
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Buffer; readonly fingerprint256: string } };
}

/** Identities of certificates seen lately; taking one apart costs more than the rest of a call. */
const MAX_KNOWN = 200;

/** Who callers are, by the certificates that their connections were verified with (spec: identity 6). */
export class CallerIdentities {
  private readonly known = new Map<string, PeerIdentity | Unidentified>();

  of(caller: Caller): PeerIdentity | Unidentified {
    const certificate = caller.getAuthContext().sslPeerCertificate;
    if (!certificate) return { role: 'none', problem: 'missing' };
    const { fingerprint256, raw } = certificate;
    const known = this.known.get(fingerprint256);
    if (known) return known;
    if (this.known.size >= MAX_KNOWN) this.known.clear();
    const identity = identityOfDer(raw);
    this.known.set(fingerprint256, identity);
    return identity;
  }
}

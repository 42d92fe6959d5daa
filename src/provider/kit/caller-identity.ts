import { describeIdentity, identityOfDer, type PeerIdentity } from '../../lib/peer-identity.ts';
import { RpcError } from './rpc-error.ts';

/** What is known of the connection that a call came by. */
export interface Caller {
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Buffer; readonly fingerprint256: string } };
}

/** Identities of certificates seen lately; taking one apart costs more than the rest of a call. */
const MAX_KNOWN = 200;

/**
 * Who may do what, where callers present certificates (spec: identity 6): `bigfleet://shard/<id>` mutates under its own
 * shard id and reads, `bigfleet://readonly` reads, `bigfleet://admin` does either, without a token as well.
 */
export class CallerIdentities {
  private readonly known = new Map<string, PeerIdentity | undefined>();

  /** Throws PERMISSION_DENIED. `shardId` is that of a mutation; undefined for reads. */
  authorize(caller: Caller, shardId: string | undefined): void {
    const identity = this.identityOf(caller);
    if (identity?.role === 'admin') return;
    if (identity?.role === 'shard' && (shardId === undefined || identity.id === shardId)) return;
    if (identity?.role === 'readonly' && shardId === undefined) return;
    const wanted = shardId === undefined ? 'a shard, readonly or admin' : shardId === '' ? 'admin, as it names no shard' : `bigfleet://shard/${shardId} or admin`;
    throw new RpcError('PERMISSION_DENIED', `the caller's certificate has ${describeIdentity(identity)}; this call is for ${wanted}`);
  }

  private identityOf(caller: Caller): PeerIdentity | undefined {
    const certificate = caller.getAuthContext().sslPeerCertificate;
    if (!certificate) return undefined;
    const { fingerprint256, raw } = certificate;
    if (!this.known.has(fingerprint256)) {
      if (this.known.size >= MAX_KNOWN) this.known.clear();
      this.known.set(fingerprint256, identityOfDer(raw));
    }
    return this.known.get(fingerprint256);
  }
}

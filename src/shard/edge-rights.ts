import { GrpcCode, GrpcError } from '../api/grpc.ts';
import { CallerIdentities, type Caller } from '../lib/caller-identity.ts';
import { describeIdentity, refusalOf, type IdentityRefusal, type PeerIdentity, type Unidentified } from '../lib/peer-identity.ts';

export interface EdgeRightsOptions {
  readonly onRefused: (refusal: { readonly reason: IdentityRefusal; readonly of: 'session' | 'read'; readonly text: string }) => void;
}

/**
 * Who may do what at a shard, where callers present certificates (spec: identity 6): `bigfleet://cluster/<id>` holds the
 * session of that very cluster, `bigfleet://readonly` and `bigfleet://admin` read. Throws PERMISSION_DENIED.
 */
export class EdgeRights {
  private readonly identities = new CallerIdentities();
  private readonly options: EdgeRightsOptions;

  constructor(options: EdgeRightsOptions) {
    this.options = options;
  }

  /** For a session that says it is the cluster's. */
  mayReport(caller: Caller, cluster: string): void {
    const identity = this.identities.of(caller);
    if (identity.role === 'cluster' && identity.id === cluster) return;
    this.refuse(identity, 'session', `bigfleet://cluster/${cluster}`);
  }

  mayRead(caller: Caller): void {
    const identity = this.identities.of(caller);
    if (identity.role === 'readonly' || identity.role === 'admin') return;
    this.refuse(identity, 'read', 'bigfleet://readonly or bigfleet://admin');
  }

  private refuse(identity: PeerIdentity | Unidentified, of: 'session' | 'read', wanted: string): never {
    const text = `the caller's certificate has ${describeIdentity(identity)}; this call is for ${wanted}`;
    this.options.onRefused({ reason: refusalOf(identity), of, text });
    throw new GrpcError(GrpcCode.PERMISSION_DENIED, text);
  }
}

import { CallerIdentities, type Caller } from '../../lib/caller-identity.ts';
import { describeIdentity, refusalOf, type IdentityRefusal } from '../../lib/peer-identity.ts';
import { RpcError } from './rpc-error.ts';

/**
 * Who may do what, where callers present certificates (spec: identity 6): `bigfleet://shard/<id>` mutates under its own
 * shard id and reads, `bigfleet://readonly` reads, `bigfleet://admin` does either, without a token as well.
 */
export class CallerRights {
  private readonly identities = new CallerIdentities();

  /** Throws PERMISSION_DENIED, after `onRefused`. `shardId` is that of a mutation; undefined for reads. */
  authorize(caller: Caller, shardId: string | undefined, onRefused: (refusal: { readonly reason: IdentityRefusal; readonly text: string }) => void): void {
    const identity = this.identities.of(caller);
    if (identity.role === 'admin') return;
    if (identity.role === 'shard' && (shardId === undefined || identity.id === shardId)) return;
    if (identity.role === 'readonly' && shardId === undefined) return;
    const wanted = shardId === undefined ? 'a shard, readonly or admin' : shardId === '' ? 'admin, as it names no shard' : `bigfleet://shard/${shardId} or admin`;
    const text = `the caller's certificate has ${describeIdentity(identity)}; this call is for ${wanted}`;
    onRefused({ reason: refusalOf(identity), text });
    throw new RpcError('PERMISSION_DENIED', text);
  }
}

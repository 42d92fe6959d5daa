import { ShardResource } from '../api/resources.ts';
import type { Shard } from '../api/types.ts';
import { isConflict } from '../runtime/client/api-error.ts';
import type { KubeClient, Log } from '../runtime/types.ts';
import { advanceEpoch } from './epoch.ts';
import type { DurableCalls } from './epoch.ts';

/** Neither reading nor publishing may hold up a start for long: a shard begins without an API server that answers. */
const TIMEOUT_MS = 3_000;
/** Somebody else may write the object at the same time. */
const CLAIMS = 3;

export interface EpochClaim {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly shardId: string;
  readonly dataDir: string;
  /** How often the Lease has changed hands. */
  readonly transitions: number;
  readonly holder: string;
  /** The Shard as last seen, for when it cannot be read. */
  readonly lastSeen: Shard | undefined;
  readonly disk: DurableCalls;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * The epoch to act under: above what the data directory, the Shard object and the Lease know, so that each of them may be
 * lost. Order matters (spec: coordinator 5.8 i): on disk first, then tried to publish in Shard.status, and only then used.
 */
export async function claimEpoch(claim: EpochClaim): Promise<bigint> {
  const { client, namespace, shardId, log, signal } = claim;
  const ref = { namespace, name: shardId };
  const call = { timeoutMs: TIMEOUT_MS, signal, unthrottled: true, maxAttempts: 1 };
  for (let tries = CLAIMS; ; tries--) {
    const shard = await client.get<Shard>(ShardResource, ref, call).catch((error: unknown) => {
      signal.throwIfAborted();
      log.warn({ error: String(error) }, 'the Shard object cannot be read: its epoch is taken as it was last seen');
      return claim.lastSeen;
    });
    const epoch = advanceEpoch(claim.dataDir, BigInt(Math.max(shard?.status?.epoch ?? 0, claim.transitions)), claim.disk);
    if (!shard) return epoch;
    // Only over what was read: another process may have claimed a higher one while this one stood still.
    const { resourceVersion } = shard.metadata;
    const body = { ...(resourceVersion !== undefined && { metadata: { resourceVersion } }), status: { epoch: Number(epoch), holder: claim.holder } };
    try {
      await client.patch(ShardResource, ref, body, { ...call, subresource: 'status' });
      return epoch;
    } catch (error) {
      signal.throwIfAborted();
      if (isConflict(error) && tries > 1) continue;
      log.warn({ epoch: String(epoch), error: String(error) }, 'the epoch cannot be published in the Shard object yet: it is kept on disk');
      return epoch;
    }
  }
}

import { ShardResource } from '../api/resources.ts';
import type { Shard } from '../api/types.ts';
import { sleep } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { createBackoff } from '../runtime/backoff.ts';
import { isApiError, isConflict } from '../runtime/client/api-error.ts';
import type { KubeClient, Log } from '../runtime/types.ts';
import { advanceEpoch } from './epoch.ts';
import type { DurableCalls } from './epoch.ts';
import type { Pass } from './lease-guard.ts';

/** Neither reading nor publishing may hold up a start for long: a shard begins without an API server that answers. */
const TIMEOUT_MS = 3_000;
/** Somebody else may write the object at the same time. */
const CLAIMS = 3;
/** Between tries that were answered, and not with what was asked for. */
const BACKOFF = { minMs: 50, maxMs: 2_000 };

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
  /** Asked before every claim, as before every mutation: rejects when another process holds the Lease. */
  readonly pass: () => Promise<Pass>;
  readonly disk: DurableCalls;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/**
 * The epoch to act under: above what the data directory, the Shard object and the Lease know, so that each of them may be
 * lost. Order matters (spec: coordinator 5.8 i): on disk first, then tried to publish in Shard.status, and only then used.
 * An API server that answers, if only that it cannot now, is asked again, for as long as the Lease was proven when it began: an
 * epoch that is nowhere but on this disk may be claimed a second time elsewhere. One that does not answer holds nothing up.
 * Rejects when another process holds the Lease, when the file cannot be written, and with the signal's reason.
 */
export async function claimEpoch(claim: EpochClaim): Promise<bigint> {
  const { client, namespace, shardId, clock, log, signal } = claim;
  const ref = { namespace, name: shardId };
  const call = { timeoutMs: TIMEOUT_MS, signal, unthrottled: true, maxAttempts: 1 };
  const backoff = createBackoff(BACKOFF, claim.random);
  let epoch = 0n;
  let until: number | undefined;
  for (let tries = 1; ; tries++) {
    const shard = await client.get<Shard>(ShardResource, ref, call).catch((error: unknown) => {
      signal.throwIfAborted();
      log.warn({ error: String(error) }, 'the Shard object cannot be read: its epoch is taken as it was last seen');
      return claim.lastSeen;
    });
    // After the look at the object, or whoever stood still in between would claim over its successor, and make it step down.
    const { notAfterMonotonicMs } = await claim.pass();
    until ??= notAfterMonotonicMs;
    const known = BigInt(Math.max(shard?.status?.epoch ?? 0, claim.transitions));
    if (known >= epoch) epoch = advanceEpoch(claim.dataDir, known, claim.disk);
    if (!shard) return epoch;
    // Only over what was read: another process may have claimed a higher one while this one stood still.
    const { resourceVersion } = shard.metadata;
    const body = { ...(resourceVersion !== undefined && { metadata: { resourceVersion } }), status: { epoch: Number(epoch), holder: claim.holder } };
    try {
      await client.patch(ShardResource, ref, body, { ...call, subresource: 'status' });
      return epoch;
    } catch (error) {
      signal.throwIfAborted();
      if (isConflict(error) && tries < CLAIMS) continue;
      const pauseMs = pauseAfter(error, backoff.next());
      if (pauseMs === undefined || clock.monotonic() + pauseMs >= until) {
        log.warn({ epoch: String(epoch), error: String(error) }, 'the epoch cannot be published in the Shard object yet: it is kept on disk');
        return epoch;
      }
      log.info({ epoch: String(epoch), error: String(error), pauseMs }, 'the epoch could not be published: trying again');
      await sleep(clock, pauseMs, signal);
    }
  }
}

/** Milliseconds to wait before the next try; undefined where another one would not help, or the outcome is unknown. */
function pauseAfter(error: unknown, backoffMs: number): number | undefined {
  if (!isApiError(error)) return undefined;
  const passes = isConflict(error) || error.status === 429 || error.status >= 500;
  return passes ? Math.max(backoffMs, (error.retryAfterSeconds ?? 0) * 1000) : undefined;
}

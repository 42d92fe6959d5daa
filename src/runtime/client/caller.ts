import { sleep } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { createBackoff } from '../backoff.ts';
import type { TokenBucket } from '../token-bucket.ts';
import type { CallOptions, Log } from '../types.ts';
import { ApiError, TransportError } from './api-error.ts';
import { retryVerdict } from './retry-policy.ts';
import type { Method } from './retry-policy.ts';
import type { Transport } from './transport.ts';

const MAX_ATTEMPTS = 5;
const RETRY_BACKOFF = { minMs: 100, maxMs: 5_000 };
const DEFAULT_TIMEOUT_MS = 30_000;

export interface Call extends CallOptions {
  readonly method: Method;
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
}

export interface CallerOptions {
  readonly transport: Transport;
  readonly bucket: TokenBucket;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Makes calls of tries: rate limit, then tries with backoff between them, all under one deadline and one signal. */
export function createCaller(options: CallerOptions): (call: Call) => Promise<unknown> {
  const { bucket, clock } = options;
  return async (call) => {
    if (call.unthrottled) call.signal?.throwIfAborted();
    else await bucket.take(call.signal);

    const timeoutMs = call.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const abort = new AbortController();
    const onAbort = (): void => abort.abort(call.signal?.reason);
    call.signal?.addEventListener('abort', onAbort, { once: true });
    if (call.signal?.aborted) onAbort(); // while it waited for its turn
    const cancelTimer = clock.after(timeoutMs, () => {
      abort.abort(new TransportError(`${call.method} ${call.path}`, 'TIMEOUT', `no answer within ${timeoutMs} ms`, { sent: true }));
    });
    try {
      return await repeat(call, abort.signal, clock.monotonic() + timeoutMs, options);
    } finally {
      cancelTimer();
      call.signal?.removeEventListener('abort', onAbort);
    }
  };
}

async function repeat(call: Call, signal: AbortSignal, deadline: number, options: CallerOptions): Promise<unknown> {
  const { transport, bucket, clock, random, log } = options;
  const { method, path, body, contentType } = call;
  const request = { method, path, signal, ...(body !== undefined && { body }), ...(contentType !== undefined && { contentType }) };
  const backoff = createBackoff(RETRY_BACKOFF, random);
  let refreshed = false;
  for (let attempt = 1; ; attempt++) {
    try {
      return await transport.call(request);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      // A rotated token: unauthorised means not acted upon, so any verb may be repeated, once.
      if (error instanceof ApiError && error.status === 401 && !refreshed && transport.refreshToken()) {
        refreshed = true;
        continue;
      }
      const verdict = retryVerdict(method, error);
      if (!verdict.retry || attempt >= (call.maxAttempts ?? MAX_ATTEMPTS)) throw error;
      const waitMs = Math.max(verdict.afterMs, backoff.next());
      // The server's own words help the caller more than a timeout would.
      if (clock.monotonic() + waitMs >= deadline) throw error;
      log.debug({ method, path, attempt, waitMs, error: String(error) }, 'repeating a Kubernetes call');
      await sleep(clock, waitMs, signal);
      if (!call.unthrottled) await bucket.take(signal);
    }
  }
}

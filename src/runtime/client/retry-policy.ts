import { ApiError, TransportError } from './api-error.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** What a failed try allows: 'no', or again after at least `afterMs` (0 = the backoff alone decides). */
export type RetryVerdict = { readonly retry: false } | { readonly retry: true; readonly afterMs: number };

const NO: RetryVerdict = { retry: false };
const GATEWAY_TROUBLE: ReadonlySet<number> = new Set([502, 503, 504]);

/**
 * Reads may be repeated after any failure that can pass. Writes only when the server surely did not act on the first
 * try: the request never left, or it was turned away by flow control (429 with Retry-After).
 */
export function retryVerdict(method: Method, error: unknown): RetryVerdict {
  const isRead = method === 'GET';
  if (error instanceof TransportError) return isRead || !error.sent ? { retry: true, afterMs: 0 } : NO;
  if (!(error instanceof ApiError)) return NO;
  const afterMs = error.retryAfterSeconds === undefined ? undefined : error.retryAfterSeconds * 1000;
  if (error.status === 429) {
    if (isEvictionRefusal(error)) return NO;
    if (isRead || afterMs !== undefined) return { retry: true, afterMs: afterMs ?? 0 };
    return NO;
  }
  if (!isRead) return NO;
  if (GATEWAY_TROUBLE.has(error.status)) return { retry: true, afterMs: afterMs ?? 0 };
  return error.status === 500 && afterMs !== undefined ? { retry: true, afterMs } : NO;
}

/** A PodDisruptionBudget answers 429 too. That is a decision for the caller to see, not a queue to wait in. */
function isEvictionRefusal(error: ApiError): boolean {
  return error.causes.some((cause) => cause.reason === 'DisruptionBudget');
}

/** Milliseconds asked for by a Retry-After header (seconds or an HTTP date); undefined if absent or unreadable. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const seconds = Number(header);
  if (header.trim() !== '' && Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

import { ApiError, TransportError } from '../client/api-error.ts';
import type { StatusBody } from '../client/api-error.ts';
import { InitialEventsError } from './initial-events.ts';
import { WatchDecodeError } from './watch-decoder.ts';

/** An ERROR event inside a watch stream: the server's way to say no after it has answered 200. */
export class WatchErrorEvent extends Error {
  override readonly name = 'WatchErrorEvent';
  readonly status: StatusBody;

  constructor(status: StatusBody) {
    super(`the watch ended with ${status.code ?? '?'} ${status.reason ?? 'Unknown'}: ${status.message ?? ''}`);
    this.status = status;
  }
}

/**
 * How a list or watch ended, as far as the next step depends on it.
 * - closed: the server ended it in order; go on from the same resourceVersion.
 * - expired: the resourceVersion is unknown to the server; list anew.
 * - suspect: the answer makes no sense; going on is worth a few tries, then list anew.
 * - failed: trouble that has nothing to do with the resourceVersion; go on from it, later.
 */
export type Ending = 'closed' | 'expired' | 'suspect' | 'failed';

export function classifyEnding(error: unknown): Ending {
  if (error instanceof WatchErrorEvent) return isExpiry(error.status.code, error.status) ? 'expired' : 'suspect';
  if (error instanceof WatchDecodeError || error instanceof InitialEventsError) return 'suspect';
  if (!(error instanceof ApiError)) return 'failed';
  if (isExpiry(error.status, error)) return 'expired';
  const passing = error.status >= 500 || error.status === 401 || error.status === 403 || error.status === 429;
  return passing ? 'failed' : 'suspect';
}

function isExpiry(code: number | undefined, { reason, details }: { reason?: string | undefined; details?: StatusBody['details'] | undefined }): boolean {
  if (code === 410 || reason === 'Expired' || reason === 'Gone') return true;
  // A resourceVersion from the future: the server was restored from a backup or replaced.
  return details?.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') ?? false;
}

/** What kind of trouble it is, without what differs from try to try: to complain about each kind once. */
export function troubleOf(error: unknown): string {
  if (error instanceof ApiError) return `${error.status} ${error.reason}`;
  if (error instanceof TransportError) return error.code;
  return error instanceof Error ? error.message : String(error);
}

/** Milliseconds the server asked to be left alone. */
export function retryAfterMs(error: unknown): number {
  if (error instanceof ApiError) return (error.retryAfterSeconds ?? 0) * 1000;
  if (error instanceof WatchErrorEvent) return (error.status.details?.retryAfterSeconds ?? 0) * 1000;
  return 0;
}

/** One entry of Status.details.causes: which field was wrong and why. */
export interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

/** The part of a Kubernetes Status object that clients act on. */
export interface StatusBody {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly name?: string;
    readonly group?: string;
    readonly kind?: string;
    readonly causes?: readonly StatusCause[];
    readonly retryAfterSeconds?: number;
  };
}

/** The API server answered, and the answer was no. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  readonly details: StatusBody['details'];
  readonly retryAfterSeconds: number | undefined;

  constructor(call: string, status: number, body: StatusBody, retryAfterSeconds?: number) {
    super(`${call}: ${status} ${body.reason ?? 'Unknown'}: ${body.message ?? 'no message'}`);
    this.status = status;
    this.reason = body.reason ?? 'Unknown';
    this.details = body.details;
    this.retryAfterSeconds = retryAfterSeconds ?? body.details?.retryAfterSeconds;
  }

  get causes(): readonly StatusCause[] {
    return this.details?.causes ?? [];
  }
}

/**
 * No answer, or one that could not be read. `sent` is false only when the request surely never reached the server:
 * then repeating it is harmless, whatever it does.
 */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: string;
  readonly sent: boolean;

  constructor(call: string, code: string, message: string, options: { sent: boolean; cause?: unknown }) {
    super(`${call}: ${code}: ${message}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.sent = options.sent;
  }
}

export function isApiError(error: unknown): error is ApiError {
  return error instanceof ApiError;
}

export function isNotFound(error: unknown): boolean {
  return isApiError(error) && error.status === 404;
}

/** A stale resourceVersion or a lost race; an object that exists already is not a conflict in this sense. */
export function isConflict(error: unknown): boolean {
  return isApiError(error) && error.status === 409 && error.reason !== 'AlreadyExists';
}

export function isAlreadyExists(error: unknown): boolean {
  return isApiError(error) && error.status === 409 && error.reason === 'AlreadyExists';
}

/** The resourceVersion or continue token is older than what the server remembers: list again. */
export function isGone(error: unknown): boolean {
  return isApiError(error) && error.status === 410;
}

export function isTooManyRequests(error: unknown): boolean {
  return isApiError(error) && error.status === 429;
}

/** How a gRPC call fails, at both ends. */
import { Metadata, status } from '@grpc/grpc-js';

/** A call that ended with a status other than OK; a handler throws it to answer with that status. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  readonly code: status;
  /** The status text as it goes over the wire. */
  readonly details: string;
  /** Trailing metadata. */
  readonly metadata: Metadata;

  constructor(code: status, details: string, options: { metadata?: Metadata; cause?: unknown } = {}) {
    super(`${codeName(code)}: ${details}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = details;
    this.metadata = options.metadata ?? new Metadata();
  }
}

/** The name of a status code, such as NOT_FOUND. */
export function codeName(code: number): string {
  return status[code] ?? `status ${String(code)}`;
}

/** What grpc-js threw or handed to a callback, as a GrpcError; an error without a status becomes UNKNOWN. */
export function toGrpcError(error: unknown): GrpcError {
  if (error instanceof GrpcError) return error;
  if (error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code in status) {
    const details = 'details' in error && typeof error.details === 'string' ? error.details : error.message;
    const metadata = 'metadata' in error && error.metadata instanceof Metadata ? error.metadata : undefined;
    return new GrpcError(error.code, details, { ...(metadata && { metadata }), cause: error });
  }
  return new GrpcError(status.UNKNOWN, error instanceof Error ? error.message : String(error), { cause: error });
}

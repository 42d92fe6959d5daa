import { GrpcCode, type GrpcError } from '../api/grpc.ts';

/**
 * What a failed provider call means to a shard. `Fenced`: somebody with a higher token has spoken; an incident, never
 * retried. `Late`: the call arrived after the moment that it named itself, and had no effect; to be made anew by whoever is
 * still in office. `Rejected`: refused for any other reason, such as an illegal state.
 */
export type ProviderErrorCode = 'NotFound' | 'NotSupported' | 'Fenced' | 'Late' | 'Unavailable' | 'Deadline' | 'InvalidArgument' | 'Rejected';

export class ProviderError extends Error {
  override readonly name = 'ProviderError';
  readonly code: ProviderErrorCode;

  /** `message` is the provider's own status text. */
  constructor(code: ProviderErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }

  /** True when the call may have taken effect: no answer came back, so ask (Get, List) before assuming anything. */
  get isAmbiguous(): boolean {
    return this.code === 'Unavailable' || this.code === 'Deadline';
  }
}

const codes = new Map<number, ProviderErrorCode>([
  [GrpcCode.NOT_FOUND, 'NotFound'],
  [GrpcCode.UNIMPLEMENTED, 'NotSupported'],
  [GrpcCode.FAILED_PRECONDITION, 'Fenced'],
  [GrpcCode.UNAVAILABLE, 'Unavailable'],
  // A call given up by ourselves leaves as much doubt as one that timed out.
  [GrpcCode.CANCELLED, 'Deadline'],
  [GrpcCode.DEADLINE_EXCEEDED, 'Deadline'],
  [GrpcCode.UNKNOWN, 'Unavailable'],
  [GrpcCode.INVALID_ARGUMENT, 'InvalidArgument'],
]);

export function toProviderError(error: GrpcError): ProviderError {
  // INTERNAL is both a provider's refusal and what the transport says when a stream breaks.
  const broken = error.code === GrpcCode.INTERNAL && error.details.startsWith('Received RST_STREAM');
  return new ProviderError(broken ? 'Unavailable' : (codes.get(error.code) ?? 'Rejected'), error.details, error);
}

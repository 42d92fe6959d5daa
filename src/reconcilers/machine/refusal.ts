import { codeName, GrpcCode, GrpcError } from '../../api/grpc.ts';
import { ProviderError } from '../../provider/client.ts';
import { failureClass } from '../../provider/failure-class.ts';
import type { FailureClass } from '../../provider/failure-class.ts';
import type { OperationKind } from '../../shard/record.ts';

/** A provider's definite no. */
export interface Refusal {
  /** The name of the status code: what makes two refusals the same one, whatever their words. */
  readonly code: string;
  /** What was refused, and the provider's own words. */
  readonly words: string;
  readonly kind: FailureClass;
  /** Asking again is of no use. */
  readonly isFinal: boolean;
  /** Not the machine is the trouble but what was asked of it: another one would be refused as well. */
  readonly isOfRequest: boolean;
}

/** Undefined: no answer came, or none to rely on. What happened has to be looked at, and then it is tried again for ever. */
export function refusalOf(error: unknown, kind: OperationKind): Refusal | undefined {
  if (!(error instanceof ProviderError)) return undefined;
  const grpc = error.cause instanceof GrpcError ? error.cause.code : undefined;
  // Servers that name no code say UNKNOWN. A drain may be given up by it: the look that follows tells if it was begun all the same.
  if (error.isAmbiguous && !(kind === 'Drain' && grpc === GrpcCode.UNKNOWN)) return undefined;
  const kindOfNo = failureClass(error.message, error.code === 'InvalidArgument' ? GrpcCode.INVALID_ARGUMENT : grpc);
  return {
    kind: kindOfNo,
    code: grpc === undefined ? error.code : codeName(grpc),
    words: `${kind.toLowerCase()}: ${error.message}`,
    isFinal: error.code === 'NotSupported' || error.code === 'NotFound',
    isOfRequest: kind === 'Configure' && kindOfNo === 'Invalid',
  };
}

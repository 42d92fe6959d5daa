import { codeName, GrpcCode, GrpcError } from '../../api/grpc.ts';
import { ProviderError } from '../../provider/client.ts';
import { failureClass } from '../../provider/failure-class.ts';
import type { OperationKind, Refusal } from '../../shard/record.ts';

/** What no answer comes to, time and again: no later try is needed for that. Undefined: it never came to a call. */
export function silenceOf(error: unknown, kind: OperationKind): Refusal | undefined {
  if (!(error instanceof ProviderError)) return undefined;
  return { kind: 'Unknown', code: error.code, words: `${kind.toLowerCase()}: ${error.message}`, isFinal: true, isGone: false, isOfRequest: false };
}

/** Undefined: no answer came, or none to rely on. What happened has to be looked at, and then it is tried again. */
export function refusalOf(error: unknown, kind: OperationKind): Refusal | undefined {
  if (!(error instanceof ProviderError)) return undefined;
  const grpc = error.cause instanceof GrpcError ? error.cause.code : undefined;
  // Servers that name no code say UNKNOWN. A drain may be given up by it, once a look has told that it was not begun all the same.
  if (error.isAmbiguous && !(kind === 'Drain' && grpc === GrpcCode.UNKNOWN)) return undefined;
  const kindOfNo = failureClass(error.message, error.code === 'InvalidArgument' ? GrpcCode.INVALID_ARGUMENT : grpc);
  return {
    kind: kindOfNo,
    code: grpc === undefined ? error.code : codeName(grpc),
    words: `${kind.toLowerCase()}: ${error.message}`,
    isFinal: error.code === 'NotSupported' || error.code === 'NotFound',
    isGone: error.code === 'NotFound',
    isOfRequest: kind === 'Configure' && kindOfNo === 'Invalid',
  };
}

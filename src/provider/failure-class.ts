import { GrpcCode } from '../api/grpc.ts';

/**
 * What kind of no a provider says, which decides what rests for it: `OutOfStock` and `Quota` the offer (no other slot of that
 * kind would do better), `Throttled` the whole provider for a moment, `Invalid` what was asked, `Unknown` this machine.
 */
export type FailureClass = 'OutOfStock' | 'Quota' | 'Throttled' | 'Invalid' | 'Unknown';

const NAMED = /\[(OutOfStock|Quota|Throttled|Invalid)\]/;

/**
 * A provider names the class in square brackets anywhere in its words, `[OutOfStock] no c8 in zone-a`: in the text of a
 * status as well as in the `last_error` of a machine, so that it needs no field of its own. Words without it are never
 * guessed at: a throttled call that is taken for a stock-out would rest the wrong thing.
 */
export function failureClass(words: string, grpcCode?: number): FailureClass {
  const named = NAMED.exec(words)?.[1] as FailureClass | undefined;
  if (named) return named;
  return grpcCode === GrpcCode.INVALID_ARGUMENT || grpcCode === GrpcCode.OUT_OF_RANGE ? 'Invalid' : 'Unknown';
}

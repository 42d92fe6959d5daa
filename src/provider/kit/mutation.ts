import type { FencingToken } from './fences.ts';

interface Common {
  readonly machineId: string;
  readonly token: FencingToken;
  /** Unix milliseconds on the provider's clock after which the call must not take effect (D16). */
  readonly notAfterMs?: number;
}

/** A mutating call, free of the wire. */
export type Mutation =
  | (Common & { readonly kind: 'Create' })
  | (Common & {
      readonly kind: 'Configure';
      readonly clusterId: string;
      readonly bootstrapBlob: Uint8Array;
      readonly shardMetadata: ReadonlyMap<string, string>;
    })
  | (Common & { readonly kind: 'Drain'; readonly gracePeriodSeconds: bigint })
  | (Common & { readonly kind: 'Delete' });

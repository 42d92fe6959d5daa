import type { ListFilter } from '../api/gen/bigfleet/v1alpha1/provider.ts';

/** What a client asks of its list thread. */
export type Ask =
  | { readonly kind: 'list'; readonly id: number; readonly address: string; readonly filter: ListFilter; readonly timeoutMs: number }
  | { readonly kind: 'cancel'; readonly id: number };

/** The answer as it came over the wire, or the status of a call that failed. */
export type Answer =
  | { readonly id: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly id: number; readonly code: number; readonly details: string };

export interface Tls {
  readonly ca?: Uint8Array;
  readonly certificate?: Uint8Array;
  readonly key?: Uint8Array;
}

import type { ListFilter } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import type { PackedMachines } from './packed-machines.ts';
import type { RejectedMachine } from './provider-machine.ts';

/** What a client asks of its list thread. */
export type Ask =
  | { readonly kind: 'list'; readonly id: number; readonly address: string; readonly filter: ListFilter; readonly timeoutMs: number }
  /** The last part has been dealt with. */
  | { readonly kind: 'next'; readonly id: number }
  | { readonly kind: 'cancel'; readonly id: number };

/** A part of a List, one at a time; with `revision`, its end. Or the status of a call that failed. */
export type Answer =
  | { readonly id: number; readonly packed: PackedMachines; readonly rejected: readonly RejectedMachine[]; readonly revision?: Uint8Array }
  | { readonly id: number; readonly code: number; readonly details: string };

export interface Tls {
  readonly ca?: Uint8Array;
  readonly certificate?: Uint8Array;
  readonly key?: Uint8Array;
}

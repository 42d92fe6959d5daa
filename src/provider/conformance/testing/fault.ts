import type { Break } from './try-model.ts';

/** A provider that is wrong in one way. */
export interface Fault {
  /** How it is wrong; completes "a provider where …". */
  readonly name: string;
  /** The behaviours that must notice. */
  readonly caughtBy: readonly string[];
  /** What else is run and may suffer. */
  readonly also?: readonly string[];
  readonly breakIt: Break;
  /** Something will never happen; no need to wait long for it. */
  readonly reachMs?: number;
  /** So broken, or so slow, that what usually works is not tried as well. */
  readonly isAlone?: boolean;
}

import { failureClass } from '../failure-class.ts';
import type { FailureClass } from '../failure-class.ts';

export type { FailureClass } from '../failure-class.ts';

/**
 * Throw it, or one of its kinds, from a backend to say what a failure is about: shards leave that alone for a while instead
 * of trying the next slot. Any other error is about this machine, and nothing else.
 */
export class BackendError extends Error {
  readonly kind: FailureClass;

  /** `message`: what the substrate said, without secrets. */
  constructor(kind: FailureClass, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BackendError';
    this.kind = kind;
  }
}

/** There is no such machine to be had at present: every slot of its type, zone and capacity type rests. */
export class OutOfStockError extends BackendError {
  constructor(message: string, options?: ErrorOptions) {
    super('OutOfStock', message, options);
    this.name = 'OutOfStockError';
  }
}

/** The account may have no more of them: rests as if it were out of stock. */
export class QuotaError extends BackendError {
  constructor(message: string, options?: ErrorOptions) {
    super('Quota', message, options);
    this.name = 'QuotaError';
  }
}

export interface ThrottledOptions extends ErrorOptions {
  /**
   * Nothing was done, and it may be asked again after so many milliseconds: the kit does, as often as the time limit of the operation
   * allows, under the same operation id.
   */
  readonly retryAfterMs?: number;
}

/** The substrate was asked too much. Without `retryAfterMs`, or when the time limit comes first, the machine is FAILED and shards slow down. */
export class ThrottledError extends BackendError {
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { retryAfterMs, ...options }: ThrottledOptions = {}) {
    super('Throttled', message, options);
    this.name = 'ThrottledError';
    this.retryAfterMs = retryAfterMs;
  }
}

/** What was asked for cannot work, on this machine or another: a blob that is too large, a type that does not exist any more. */
export class InvalidError extends BackendError {
  constructor(message: string, options?: ErrorOptions) {
    super('Invalid', message, options);
    this.name = 'InvalidError';
  }
}

/** The error as a machine's `last_error` tells it: with the word in brackets that shards read. */
export function wordsOf(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  if (!(error instanceof BackendError) || failureClass(words) === error.kind) return words;
  return `[${error.kind}] ${words}`;
}

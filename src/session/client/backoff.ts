import type { Random } from '../../lib/random.ts';

export interface BackoffOptions {
  readonly initialMs: number;
  readonly maxMs: number;
  readonly random: Random;
}

/**
 * Pauses between dials: the ceiling doubles from `initialMs` to `maxMs`, the pause is uniform below it (full jitter),
 * so that thousands of operators cut off together do not come back together (spec: cluster-operator 4.3).
 */
export class Backoff {
  private readonly options: BackoffOptions;
  private failures = 0;

  constructor(options: BackoffOptions) {
    this.options = options;
  }

  /** Milliseconds to wait before the next dial. */
  next(): number {
    const { initialMs, maxMs, random } = this.options;
    // 2^40 is beyond every cap and still exact; without the bound the shift would reach Infinity × 0 one day.
    const ceiling = Math.min(maxMs, initialMs * 2 ** Math.min(this.failures, 40));
    this.failures++;
    return random() * ceiling;
  }

  /** A good session earns a quick first retry. */
  reset(): void {
    this.failures = 0;
  }
}

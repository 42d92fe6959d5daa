/** One call and its answer, in words. Equal ones in a row, as polling makes them, are one exchange with a count. */
export interface Exchange {
  readonly number: number;
  /** Milliseconds since the trial began. */
  readonly atMs: number;
  readonly sent: string;
  readonly got: string;
  readonly times: number;
}

const FIRST_KEPT = 60;
const LAST_KEPT = 140;

/** What was said in one trial, in order of the answers. Bounded: of a long one the middle is counted, not kept. */
export class Transcript {
  private readonly first: Exchange[] = [];
  private last: Exchange[] = [];
  private left = 0;
  private count = 0;

  add(atMs: number, sent: string, got: string): Exchange {
    const tail = this.last.length > 0 ? this.last : this.first;
    const before = tail.at(-1);
    if (before?.sent === sent && before.got === got) {
      const again = { ...before, times: before.times + 1 };
      tail[tail.length - 1] = again;
      return again;
    }
    const exchange: Exchange = { number: ++this.count, atMs: Math.round(atMs), sent, got, times: 1 };
    if (this.first.length < FIRST_KEPT) this.first.push(exchange);
    else this.last.push(exchange);
    if (this.last.length > 2 * LAST_KEPT) {
      this.left += this.last.length - LAST_KEPT;
      this.last = this.last.slice(-LAST_KEPT);
    }
    return exchange;
  }

  /** What was said elsewhere before, such as in a preparation that several trials share. */
  begin(exchanges: readonly Exchange[]): void {
    for (const { atMs, sent, got } of exchanges) this.add(atMs, sent, got);
  }

  exchanges(): readonly Exchange[] {
    return [...this.first, ...this.last];
  }

  /** How many in the middle were not kept. */
  get omitted(): number {
    return this.left;
  }
}

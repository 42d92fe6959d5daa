/** Lets at most `limit()` tasks run at a time; the others wait in order. The limit may change while it runs. */
export class Semaphore {
  private readonly limit: () => number;
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(limit: () => number) {
    this.limit = limit;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.running >= this.limit()) await new Promise<void>((resolve) => this.waiting.push(resolve));
    this.running++;
    try {
      return await task();
    } finally {
      this.running--;
      this.waiting.shift()?.();
    }
  }
}

/** Lets at most `limit()` tasks run at a time; the others wait in order. The limit may change while it runs. */
export class Semaphore {
  private readonly limit: () => number;
  private readonly waiting: (() => void)[] = [];
  private running = 0;

  constructor(limit: () => number) {
    this.limit = limit;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.waiting.push(resolve);
      this.admit();
    });
    try {
      return await task();
    } finally {
      this.running--;
      this.admit();
    }
  }

  /** Counts whom it lets in at once: between its waking and its first step nobody else can take the place. */
  private admit(): void {
    while (this.running < this.limit()) {
      const next = this.waiting.shift();
      if (!next) return;
      this.running++;
      next();
    }
  }
}

import type { Clock } from './clock.ts';

/**
 * Does some work when it is asked for, at most once per interval; who asks while it is being done is served by the next time. Work
 * that fails is told of, ends nothing else, and is done again when it is asked for again.
 */
export class Paced {
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #work: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #lastAt = -Infinity;
  #timer: (() => void) | undefined;
  #isWorking = false;
  #isAskedAgain = false;
  #isStopped = false;

  constructor(clock: Clock, intervalMs: number, work: () => Promise<void>, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#work = work;
    this.#onError = onError;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  ask(): void {
    if (this.#isStopped || this.#timer !== undefined) return;
    if (this.#isWorking) {
      this.#isAskedAgain = true;
      return;
    }
    const due = this.#lastAt + this.#intervalMs - this.#clock.monotonic();
    this.#timer = this.#clock.after(Math.max(0, due), () => {
      this.#timer = undefined;
      void this.#do();
    });
  }

  /** Nothing begins any more; what has begun can ask `isStopped`. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.();
    this.#timer = undefined;
  }

  async #do(): Promise<void> {
    this.#lastAt = this.#clock.monotonic();
    this.#isWorking = true;
    this.#isAskedAgain = false;
    try {
      await this.#work();
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#isWorking = false;
    }
    if (this.#isAskedAgain) this.ask();
  }
}

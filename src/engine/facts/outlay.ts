/**
 * How many machines, and what they cost together. The sum is kept in two halves that stay exact whatever single machines cost,
 * so that it says the same in whichever order machines came and went; only what is read is rounded, beyond 2^53 − 1.
 */
export class Outlay {
  machines = 0;
  #high = 0;
  #low = 0;

  /** `by` machines more, of one price. */
  add(by: number, microUsdPerHour: number): void {
    const low = microUsdPerHour % HALF;
    this.machines += by;
    this.#low += by * low;
    this.#high += by * ((microUsdPerHour - low) / HALF);
  }

  get microUsdPerHour(): number {
    return this.#high * HALF + this.#low;
  }
}

/** Of prices up to 2^53 − 1 both halves are below 2^27: sums of 2^26 machines are exact. */
const HALF = 2 ** 27;

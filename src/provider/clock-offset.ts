/** The best of so many recent readings counts: enough to ride out a slow answer, few enough to follow a clock that is set. */
const READINGS = 16;

/**
 * Learns how a provider's wall clock relates to our monotonic one, from answers that carry its time. Every reading is a
 * lower bound, since the answer took time to arrive; so a deadline translated with it is never later than meant (D16).
 */
export class ClockOffset {
  private readonly readings: number[] = [];

  learn(providerNowMs: number, receivedAtMonotonicMs: number): void {
    this.readings.push(providerNowMs - receivedAtMonotonicMs);
    if (this.readings.length > READINGS) this.readings.shift();
  }

  /** A moment of our monotonic clock in the provider's Unix milliseconds; undefined before the first answer. */
  toProviderTime(monotonicMs: number): number | undefined {
    return this.readings.length === 0 ? undefined : monotonicMs + Math.max(...this.readings);
  }
}

/** The best of so many recent readings counts: enough to ride out a slow answer, few enough to follow a clock that is set. */
const READINGS = 16;
/** What goes beyond all that slow answers explain by more than this is a leap; what is less fits into the 2 s that a proof ends before its Lease. */
const LEAP_MS = 1_000;
/** So long before it ends was a limit fixed, at most: what a Lease of 15 s proves. */
const LIMIT_LIFE_MS = 13_000;

/** The offset is between the two: the provider told its time after it was asked, and before the answer was here. */
interface Reading {
  readonly leastMs: number;
  readonly mostMs: number;
}

interface Leap {
  readonly atMonotonicMs: number;
  readonly offsetBeforeMs: number;
}

/**
 * Learns how a provider's wall clock relates to our monotonic one, from answers that carry its time. Every reading is a
 * lower bound, since the answer took time to arrive; so a deadline translated with it is never later than meant (D16).
 */
export class ClockOffset {
  private readonly readings: Reading[] = [];
  private leap: Leap | undefined;

  learn(providerNowMs: number, { askedAtMs, answeredAtMs }: { readonly askedAtMs: number; readonly answeredAtMs: number }): void {
    const leastMs = providerNowMs - answeredAtMs;
    const before = this.best();
    if (before !== undefined && leastMs > Math.min(...this.readings.map(({ mostMs }) => mostMs)) + LEAP_MS) this.leapt(answeredAtMs, before);
    this.readings.push({ leastMs, mostMs: providerNowMs - askedAtMs });
    if (this.readings.length > READINGS) this.readings.shift();
  }

  /** A moment of our monotonic clock in the provider's Unix milliseconds; undefined before the first answer. */
  toProviderTime(monotonicMs: number): number | undefined {
    const best = this.best();
    return best === undefined ? undefined : monotonicMs + best;
  }

  /**
   * The same of a moment until which something may take effect. A provider's time that leaps ahead tells of a machine of
   * ours that was suspended, together with its monotonic clock: what was fixed before means less time than it seems to, and
   * is translated as it would have been then. Of a provider whose clock was set nothing differs: for some seconds calls are late.
   */
  toProviderLimit(monotonicMs: number): number | undefined {
    const limit = this.toProviderTime(monotonicMs);
    const { leap } = this;
    if (limit === undefined || leap === undefined || monotonicMs - LIMIT_LIFE_MS >= leap.atMonotonicMs) return limit;
    return Math.min(limit, monotonicMs + leap.offsetBeforeMs);
  }

  private best(): number | undefined {
    return this.readings.length === 0 ? undefined : Math.max(...this.readings.map(({ leastMs }) => leastMs));
  }

  /** Of two leaps close together the lower offset stays: a limit may have been fixed before both. */
  private leapt(atMonotonicMs: number, before: number): void {
    const { leap } = this;
    const isRecent = leap !== undefined && atMonotonicMs - leap.atMonotonicMs < LIMIT_LIFE_MS;
    this.leap = { atMonotonicMs, offsetBeforeMs: isRecent ? Math.min(before, leap.offsetBeforeMs) : before };
  }
}

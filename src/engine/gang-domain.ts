/**
 * Which domain a Same Need lives in (spec: engine 6.3 as changed by D7). Coverage is compared exactly: sums of ratios over
 * one common denominator, so that equal coverages are equal whatever the order of summation.
 */
import { compareText } from '../lib/compare-text.ts';

/** What one domain offers, by dimension of the Need. */
export interface DomainOffer {
  readonly value: string;
  /** Machines. */
  count: number;
  /** Creditable and free together. */
  readonly total: bigint[];
  readonly creditable: bigint[];
  /** The part of `creditable` that was bound for this very gang. */
  readonly own: bigint[];
}

export function isWhole(offer: DomainOffer, wanted: readonly bigint[]): boolean {
  return wanted.every((w, i) => (offer.total[i] ?? 0n) >= w);
}

/** The best domain, or undefined if there is none. The result does not depend on the order of `offers`. */
export function chooseDomain(offers: readonly DomainOffer[], wanted: readonly bigint[]): DomainOffer | undefined {
  const score = scoring(wanted);
  let best: DomainOffer | undefined;
  for (const offer of offers) {
    if (offer.count > 0 && (best === undefined || compareOffers(offer, best, wanted, score) < 0)) best = offer;
  }
  return best;
}

interface Scoring {
  /** Σ min(have, want) / want, times the common denominator. */
  capped(have: readonly bigint[]): bigint;
  uncapped(have: readonly bigint[]): bigint;
}

function compareOffers(a: DomainOffer, b: DomainOffer, wanted: readonly bigint[], score: Scoring): number {
  const whole = isWhole(a, wanted);
  if (whole !== isWhole(b, wanted)) return whole ? -1 : 1;
  const creditable = higher(score.capped(a.creditable), score.capped(b.creditable));
  const rest = whole
    ? higher(score.capped(a.own), score.capped(b.own)) || higher(score.uncapped(b.total), score.uncapped(a.total))
    : higher(score.capped(a.total), score.capped(b.total));
  return creditable || rest || b.count - a.count || compareText(a.value, b.value);
}

function higher(a: bigint, b: bigint): number {
  return a > b ? -1 : a < b ? 1 : 0;
}

function scoring(wanted: readonly bigint[]): Scoring {
  const product = wanted.reduce((p, w) => (w > 0n ? p * w : p), 1n);
  const sum = (have: readonly bigint[], cap: boolean): bigint =>
    wanted.reduce((s, w, i) => {
      if (w <= 0n) return s;
      const amount = have[i] ?? 0n;
      return s + (cap && amount > w ? w : amount) * (product / w);
    }, 0n);
  return { capped: (have) => sum(have, true), uncapped: (have) => sum(have, false) };
}

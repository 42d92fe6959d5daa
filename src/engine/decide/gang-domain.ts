/**
 * Which domain a Same Need lives in (spec: engine 6.3 as changed by D7). Coverage is compared exactly: sums of ratios over
 * one common denominator, so that equal coverages are equal whatever the order of summation.
 */
import { compareText } from '../../lib/compare-text.ts';
import { MOST } from '../facts/dimensions.ts';

/** What one domain offers, by dimension of the Need; sums stop at `MOST`, which is more than any Need asks for. */
export interface DomainOffer {
  readonly value: string;
  /** Machines. */
  count: number;
  /** Creditable and free together, but for what the limit on purchases forbids. */
  readonly total: number[];
  readonly creditable: number[];
  /** The part of `creditable` that was bound for this very gang. */
  readonly own: number[];
  /** What could be preempted there; absent = was not looked for. */
  victims?: number[];
  /** What the limit forbids to buy there; absent = nothing. */
  forbidden?: number[];
  /** The exact sum of creditable, free and victims, for those who must tell how much is too much. */
  readonly exactTotal: () => readonly bigint[];
}

/** Without preempting anybody. */
export function isWhole(offer: DomainOffer, wanted: readonly number[]): boolean {
  return wanted.every((w, i) => (offer.total[i] as number) >= w);
}

export function isWholeWithVictims(offer: DomainOffer, wanted: readonly number[]): boolean {
  return wanted.every((w, i) => (offer.total[i] as number) + (offer.victims?.[i] ?? 0) >= w);
}

/** The best domain, or undefined if there is none. The result does not depend on the order of `offers`. */
export function chooseDomain(offers: readonly DomainOffer[], wanted: readonly number[]): DomainOffer | undefined {
  let best: DomainOffer | undefined;
  for (const offer of offers) {
    if (offer.count > 0 && (best === undefined || compareOffers(offer, best, wanted) < 0)) best = offer;
  }
  return best;
}

function covers(have: readonly number[], wanted: readonly number[]): boolean {
  return wanted.every((w, i) => (have[i] as number) >= w);
}

/** Ranks by what is held already: nothing that others leave or take changes it. */
export function compareHeld(a: DomainOffer, b: DomainOffer, wanted: readonly number[]): number {
  return -compareCapped(a.creditable, b.creditable, wanted) || -compareCapped(a.own, b.own, wanted);
}

function compareOffers(a: DomainOffer, b: DomainOffer, wanted: readonly number[]): number {
  const whole = isWholeWithVictims(a, wanted);
  if (whole !== isWholeWithVictims(b, wanted)) return whole ? -1 : 1;
  const byHeld = whole ? compareHeld(a, b, wanted) : -compareCapped(a.own, b.own, wanted) || -compareCapped(a.creditable, b.creditable, wanted);
  if (byHeld !== 0) return byHeld;
  // A gang that is served must not be moved by what is free elsewhere, nor by what it is served with beyond the whole: that is about to go.
  if (covers(a.creditable, wanted)) return compareText(a.value, b.value);
  if (!whole && a.creditable.some((amount) => amount > 0)) return compareText(a.value, b.value);
  const byFree = whole ? Number(isWhole(b, wanted)) - Number(isWhole(a, wanted)) || compareSlack(a, b, wanted) : -compareCapped(a.total, b.total, wanted);
  return byFree || b.count - a.count || compareText(a.value, b.value);
}

/** Compares Σ min(have, want) / want. Where one has less of nothing no sums are needed. */
function compareCapped(a: readonly number[], b: readonly number[], wanted: readonly number[]): number {
  let more = false;
  let less = false;
  for (let i = 0; i < wanted.length; i++) {
    const w = wanted[i] as number;
    const difference = Math.min(a[i] as number, w) - Math.min(b[i] as number, w);
    if (difference > 0) more = true;
    else if (difference < 0) less = true;
  }
  if (!more || !less) return Number(more) - Number(less);
  const cap = (have: readonly number[]): bigint[] => wanted.map((w, i) => BigInt(Math.min(have[i] as number, w)));
  return compareRatios(cap(a), cap(b), wanted);
}

/** The least over-commitment first. */
function compareSlack(a: DomainOffer, b: DomainOffer, wanted: readonly number[]): number {
  let more = false;
  let less = false;
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === 0) continue;
    const x = (a.total[i] as number) + (a.victims?.[i] ?? 0);
    const y = (b.total[i] as number) + (b.victims?.[i] ?? 0);
    if (x >= MOST || y >= MOST) return compareRatios(a.exactTotal(), b.exactTotal(), wanted);
    if (x > y) more = true;
    else if (x < y) less = true;
  }
  if (!more || !less) return Number(more) - Number(less);
  return compareRatios(a.exactTotal(), b.exactTotal(), wanted);
}

function compareRatios(a: readonly bigint[], b: readonly bigint[], wanted: readonly number[]): number {
  const wants = wanted.map(BigInt);
  const product = wants.reduce((p, w) => (w > 0n ? p * w : p), 1n);
  const score = (have: readonly bigint[]): bigint => wants.reduce((s, w, i) => (w > 0n ? s + (have[i] as bigint) * (product / w) : s), 0n);
  const difference = score(a) - score(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/**
 * Which domain a Same Need lives in (spec: engine 6.3 as changed by D7). Coverage is compared exactly: sums of ratios over
 * one common denominator, so that equal coverages are equal whatever the order of summation.
 */
import { compareText } from '../../lib/compare-text.ts';
import { MOST } from '../facts/dimensions.ts';

/** Machines, and what they sum up to by dimension of the Need. */
export interface Stock {
  count: number;
  readonly amounts: number[];
}

/** What one domain offers; sums stop at `MOST`, which is more than any Need asks for. */
export interface DomainOffer {
  readonly value: string;
  /** Creditable and free machines together, but for what the limit on purchases forbids. */
  count: number;
  readonly total: number[];
  readonly creditable: number[];
  /** The part of `creditable` that was bound for this very gang. */
  readonly own: number[];
  /** What others could be made to give up there; absent = was not looked for, or nothing. */
  victims?: Stock;
  /** The part of it that serves nobody, and what is on its way to nobody. */
  spare?: Stock;
  /** What the limit forbids to buy there; absent = nothing. */
  forbidden?: number[];
  /** The exact sum of creditable and free machines and of what is taken besides, for those who must tell how much is too much. */
  readonly exactTotal: (besides?: 'victims' | 'spare') => readonly bigint[];
}

/** Without preempting anybody. */
export function isWhole(offer: DomainOffer, wanted: readonly number[]): boolean {
  return covers(offer.total, wanted);
}

export function isWholeWithVictims(offer: DomainOffer, wanted: readonly number[]): boolean {
  return isWholeWith(offer, offer.victims, wanted);
}

function isWholeWith(offer: DomainOffer, besides: Stock | undefined, wanted: readonly number[]): boolean {
  return besides === undefined ? isWhole(offer, wanted) : covers(sumsOf(offer, besides), wanted);
}

function sumsOf({ total }: DomainOffer, besides: Stock | undefined): number[] {
  return total.map((amount, i) => amount + (besides?.amounts[i] ?? 0));
}

/** Of a domain that is whole: what it takes besides what is there and free. Nobody loses what serves where that is to be had otherwise (X24). */
type Besides = 'nothing' | 'spare' | 'victims';
const DEARNESS: Readonly<Record<Besides, number>> = { nothing: 0, spare: 1, victims: 2 };

function besidesOf(offer: DomainOffer, wanted: readonly number[]): Besides {
  if (isWhole(offer, wanted)) return 'nothing';
  return isWholeWith(offer, offer.spare, wanted) ? 'spare' : 'victims';
}

/** Machines, whoever has them. */
export function countOf({ count, victims }: DomainOffer): number {
  return count + (victims?.count ?? 0);
}

/** The best domain, or undefined if there is none. The result does not depend on the order of `offers`. */
export function chooseDomain(offers: readonly DomainOffer[], wanted: readonly number[]): DomainOffer | undefined {
  let best: DomainOffer | undefined;
  for (const offer of offers) {
    if (countOf(offer) > 0 && (best === undefined || compareOffers(offer, best, wanted) < 0)) best = offer;
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
  return (whole ? compareUse(a, b, wanted) : -compareCapped(a.total, b.total, wanted) || b.count - a.count) || compareText(a.value, b.value);
}

/** Of two domains that are whole: the one where less that serves is taken from others. What would not be touched there tells nothing. */
function compareUse(a: DomainOffer, b: DomainOffer, wanted: readonly number[]): number {
  const besides = besidesOf(a, wanted);
  const dearer = DEARNESS[besides] - DEARNESS[besidesOf(b, wanted)] || (besides === 'victims' ? -compareCapped(sumsOf(a, a.spare), sumsOf(b, b.spare), wanted) : 0);
  if (dearer !== 0) return dearer;
  const used = besides === 'nothing' ? undefined : besides;
  const countUsed = (offer: DomainOffer): number => offer.count + (used === undefined ? 0 : (offer[used]?.count ?? 0));
  return compareSlack(a, b, wanted, used) || countUsed(b) - countUsed(a);
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
function compareSlack(a: DomainOffer, b: DomainOffer, wanted: readonly number[], besides: 'victims' | 'spare' | undefined): number {
  const ofA = besides === undefined ? a.total : sumsOf(a, a[besides]);
  const ofB = besides === undefined ? b.total : sumsOf(b, b[besides]);
  const compareExactly = (): number => compareRatios(a.exactTotal(besides), b.exactTotal(besides), wanted);
  let more = false;
  let less = false;
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === 0) continue;
    const x = ofA[i] as number;
    const y = ofB[i] as number;
    if (x >= MOST || y >= MOST) return compareExactly();
    if (x > y) more = true;
    else if (x < y) less = true;
  }
  return more && less ? compareExactly() : Number(more) - Number(less);
}

function compareRatios(a: readonly bigint[], b: readonly bigint[], wanted: readonly number[]): number {
  const wants = wanted.map(BigInt);
  const product = wants.reduce((p, w) => (w > 0n ? p * w : p), 1n);
  const score = (have: readonly bigint[]): bigint => wants.reduce((s, w, i) => (w > 0n ? s + (have[i] as bigint) * (product / w) : s), 0n);
  const difference = score(a) - score(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

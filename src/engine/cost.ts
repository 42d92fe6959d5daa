/** What a machine costs a Need (spec: engine 1.2, 1.3; D11). The formula is fixed; the probability is the provider's alone. */

import { PINNED_BUCKET, upperBoundDollars } from '../api/profile.ts';

const MICRO_PER_UNIT = 1_000_000;

export interface Priced {
  readonly priceMicroUsdPerHour: number;
  readonly interruptionProbability: number;
}

/** Micro-USD per hour. With a pinned penalty the plain price: there the probability ranks first and is not money. */
export function effectiveCost(machine: Priced, bucket: number): number {
  if (bucket >= PINNED_BUCKET) return machine.priceMicroUsdPerHour;
  return machine.priceMicroUsdPerHour + machine.interruptionProbability * upperBoundDollars(bucket) * MICRO_PER_UNIT;
}

/** Ascending for a Need with this interruption bucket: by (probability, price) when pinned, else by effective cost. */
export function compareCost(a: Priced, b: Priced, bucket: number): number {
  const risk = bucket >= PINNED_BUCKET ? a.interruptionProbability - b.interruptionProbability : 0;
  return risk || effectiveCost(a, bucket) - effectiveCost(b, bucket);
}

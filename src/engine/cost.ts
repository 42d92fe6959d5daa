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

/** Numbers that compare, one after the other, as `compareCost` does. */
export function compareCostKey(machine: Priced, bucket: number): readonly [risk: number, cost: number] {
  return [bucket >= PINNED_BUCKET ? machine.interruptionProbability : 0, effectiveCost(machine, bucket)];
}

/** Ascending for a Need with this interruption bucket: by (probability, price) when pinned, else by effective cost. */
export function compareCost(a: Priced, b: Priced, bucket: number): number {
  const [riskA, costA] = compareCostKey(a, bucket);
  const [riskB, costB] = compareCostKey(b, bucket);
  return riskA - riskB || costA - costB;
}

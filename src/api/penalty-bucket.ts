/**
 * Penalty buckets: dollars rounded up to a power of two, so that few distinct values exist (spec: engine 1.3). Ordinals are
 * those of the wire's PenaltyBucket and rise with the dollars: compare ordinals, never dollars.
 */
export const UNSPECIFIED_BUCKET = 0;
export const ZERO_BUCKET = 1;
export const HALF_DOLLAR_BUCKET = 2;
export const PINNED_BUCKET = 27;

const FIRST_POWER = 3; // the bucket of one dollar

/** The smallest bucket whose bound is not below `dollars`. Throws a RangeError for NaN. */
export function bucketForDollars(dollars: number): number {
  if (Number.isNaN(dollars)) throw new RangeError('a penalty must be a number of dollars, not NaN');
  if (dollars <= 0) return ZERO_BUCKET;
  if (dollars <= 0.5) return HALF_DOLLAR_BUCKET;
  for (let bucket = FIRST_POWER; bucket < PINNED_BUCKET; bucket++) {
    if (dollars <= 2 ** (bucket - FIRST_POWER)) return bucket;
  }
  return PINNED_BUCKET;
}

/** The most that a penalty in `bucket` can be: US dollars, Infinity for pinned. Throws a RangeError outside 0..27. */
export function upperBoundDollars(bucket: number): number {
  if (!isPenaltyBucket(bucket)) throw new RangeError(`penalty bucket ${String(bucket)} is not within 0..27`);
  switch (bucket) {
    case UNSPECIFIED_BUCKET:
    case ZERO_BUCKET:
      return 0;
    case HALF_DOLLAR_BUCKET:
      return 0.5;
    case PINNED_BUCKET:
      return Infinity;
    default:
      return 2 ** (bucket - FIRST_POWER);
  }
}

/** The value of a metric label: "unspecified", "0", "0.5", "1", … "8388608", "pinned". */
export function bucketLabel(bucket: number): string {
  if (bucket === UNSPECIFIED_BUCKET) return 'unspecified';
  if (bucket === PINNED_BUCKET) return 'pinned';
  return String(upperBoundDollars(bucket));
}

/** What ingest accepts. */
export function isPenaltyBucket(value: number): boolean {
  return Number.isInteger(value) && value >= UNSPECIFIED_BUCKET && value <= PINNED_BUCKET;
}

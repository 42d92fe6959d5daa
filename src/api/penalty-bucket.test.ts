import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PenaltyBucket } from './gen/bigfleet/v1alpha1/capacity.ts';
import { bucketForDollars, bucketLabel, isPenaltyBucket, PINNED_BUCKET, upperBoundDollars } from './penalty-bucket.ts';
import { parseQuantity, quantityToNumber } from './quantity.ts';

test.each([
  ['-1', 1], ['0', 1], ['250m', 2], ['500m', 2], ['0.5', 2], ['0.51', 3], ['1', 3], ['1.01', 4], ['1500m', 4], ['2', 4], ['5000', 16],
  ['8000', 16], ['8192', 16], ['8193', 17], ['8388608', 26], ['8388609', 27], ['20M', 27],
])('%s dollars fall into bucket %d', (dollars, bucket) => {
  expect(bucketForDollars(quantityToNumber(parseQuantity(dollars)))).toBe(bucket);
});

test('every bucket holds its own bound and the next one holds what is above', () => {
  for (let bucket = 1; bucket < PINNED_BUCKET; bucket++) {
    const bound = upperBoundDollars(bucket);
    expect(bucketForDollars(bound)).toBe(bucket);
    expect(bucketForDollars(bound + 0.001)).toBe(bucket + 1);
  }
  expect(upperBoundDollars(PINNED_BUCKET)).toBe(Infinity);
  expect(upperBoundDollars(0)).toBe(0);
});

test('more dollars never mean a lower bucket', () => {
  const dollars = fc.double({ min: -1, max: 1e8, noNaN: true });
  fc.assert(
    fc.property(dollars, dollars, (a, b) => {
      if (a <= b) expect(bucketForDollars(a)).toBeLessThanOrEqual(bucketForDollars(b));
    }),
  );
});

test('names of the wire say the same bounds', () => {
  for (const [name, bucket] of Object.entries(PenaltyBucket)) {
    const bound = /^PENALTY_BUCKET_(\d+)$/.exec(name)?.[1];
    if (bound) expect(upperBoundDollars(bucket), name).toBe(Number(bound));
    expect(isPenaltyBucket(bucket), name).toBe(true);
  }
  expect(PINNED_BUCKET).toBe(PenaltyBucket.PENALTY_BUCKET_PINNED);
});

test('labels are the bounds in dollars', () => {
  expect([0, 1, 2, 3, 4, 16, 26, 27].map(bucketLabel)).toEqual(['unspecified', '0', '0.5', '1', '2', '8192', '8388608', 'pinned']);
});

test('what is no bucket is refused', () => {
  for (const wrong of [-1, 28, 1.5, NaN]) {
    expect(isPenaltyBucket(wrong)).toBe(false);
    expect(() => upperBoundDollars(wrong)).toThrow(RangeError);
  }
  expect(() => bucketForDollars(NaN)).toThrow(RangeError);
});

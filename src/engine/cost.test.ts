import { describe, expect, it } from 'vitest';
import { compareCost, effectiveCost } from './cost.ts';

const priced = (dollars: number, interruptionProbability: number) => ({ priceMicroUsdPerHour: dollars * 1_000_000, interruptionProbability });

describe('effective cost', () => {
  it.each([
    [6, 1, 0.5, 5_000_000], // up to $8
    [4, 1, 0.5, 2_000_000], // up to $2
    [2, 1, 0.5, 1_250_000], // up to 50 cents
    [1, 1, 0.5, 1_000_000],
    [0, 1, 0.5, 1_000_000],
    [27, 1, 0.5, 1_000_000], // pinned: not a matter of money
  ])('in bucket %i of $%d at probability %d is %i', (bucket, dollars, probability, expected) => {
    expect(effectiveCost(priced(dollars, probability), bucket)).toBe(expected);
  });

  it('ranks by risk before price when pinned, and by money otherwise', () => {
    expect(compareCost(priced(9, 0), priced(1, 0.1), 27)).toBeLessThan(0);
    expect(compareCost(priced(9, 0), priced(1, 0), 27)).toBeGreaterThan(0);
    expect(compareCost(priced(9, 0), priced(1, 0.1), 6)).toBeGreaterThan(0);
  });
});

import { describe, expect, it } from 'vitest';
import { chooseDomain } from './gang-domain.ts';
import type { DomainOffer } from './gang-domain.ts';

const one = (value: string, count: number, total: number, creditable: number, own = 0): DomainOffer => ({
  value, count, total: [BigInt(total)], creditable: [BigInt(creditable)], own: [BigInt(own)],
});
const two = (value: string, cpu: bigint, memory: bigint): DomainOffer => ({
  value, count: 1, total: [cpu, memory], creditable: [0n, 0n], own: [0n, 0n],
});

describe('choice of a gang\'s domain', () => {
  it.each<[string, bigint[], DomainOffer[], string]>([
    ['whole beats not whole', [8n], [one('a', 3, 6, 0), one('b', 6, 8, 0)], 'b'],
    ['whole beats serving elsewhere', [3n], [one('a', 2, 2, 2), one('b', 3, 3, 0)], 'b'],
    ['of whole ones, the one that holds more', [4n], [one('p', 4, 4, 4), one('q', 4, 4, 2)], 'p'],
    ['then the one that holds more of its own', [3n], [one('x', 6, 6, 6, 3), one('y', 3, 3, 3)], 'x'],
    ['then the one that wastes less', [3n], [one('big', 5, 5, 3), one('small', 3, 3, 3)], 'small'],
    ['of incomplete ones, the one that holds more, though another could hold more (D7)', [5n], [one('a', 2, 2, 2), one('b', 3, 3, 0)], 'a'],
    ['then the one with more coverage', [5n], [one('a', 2, 2, 0), one('b', 3, 3, 0)], 'b'],
    ['then the one with more machines', [9n], [one('a', 2, 4, 0), one('b', 4, 4, 0)], 'b'],
    ['then the smallest value', [3n], [one('rack-b', 3, 3, 0), one('rack-a', 3, 3, 0)], 'rack-a'],
    ['coverage is the sum over dimensions, each capped', [8n, 8n], [two('a', 8n, 1n), two('b', 4n, 4n)], 'a'],
    ['equal coverages are equal, whatever the rounding', [3n, 7n], [two('b', 1n, 2n), two('a', 1n, 2n)], 'a'],
    ['amounts beyond 2^53 still differ', [2n ** 60n], [one('a', 1, 0, 0), { ...one('b', 1, 0, 0), total: [2n ** 59n + 1n] }, { ...one('c', 1, 0, 0), total: [2n ** 59n] }], 'b'],
    ['domains without a machine do not count', [1n], [one('a', 0, 0, 0), one('b', 1, 0, 0)], 'b'],
  ])('%s', (_, wanted, offers, expected) => {
    expect(chooseDomain(offers, wanted)?.value).toBe(expected);
    expect(chooseDomain([...offers].reverse(), wanted)?.value).toBe(expected);
  });

  it('is none without offers', () => {
    expect(chooseDomain([], [1n])).toBeUndefined();
  });
});

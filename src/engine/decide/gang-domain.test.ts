import { describe, expect, it } from 'vitest';
import { MOST } from '../facts/dimensions.ts';
import { chooseDomain } from './gang-domain.ts';
import type { DomainOffer } from './gang-domain.ts';

const offer = (value: string, count: number, total: number[], creditable: number[], own: number[], victims?: number[]): DomainOffer => ({
  value, count, total, creditable, own, ...(victims && { victims: { count: victims[0] ?? 0, amounts: victims } }),
  exactTotal: (besides) => total.map((amount, i) => BigInt(amount) + BigInt((besides && victims?.[i]) ?? 0)),
});
/** Takes `spare` rather than `victims`, of which it may be a part. */
const sparing = (value: string, total: number, victims: number, spare: number): DomainOffer => ({ ...offer(value, total, [total], [0], [0], [victims]), spare: { count: spare, amounts: [spare] } });
const one = (value: string, count: number, total: number, creditable: number, own = 0): DomainOffer => offer(value, count, [total], [creditable], [own]);
const wasting = (value: string, total: bigint): DomainOffer => ({ ...offer(value, 1, [MOST], [0], [0]), exactTotal: () => [total] });
const two = (value: string, cpu: number, memory: number): DomainOffer => offer(value, 1, [cpu, memory], [0, 0], [0, 0]);

describe('choice of a gang\'s domain', () => {
  it.each<[string, number[], DomainOffer[], string]>([
    ['whole beats not whole', [8], [one('a', 3, 6, 0), one('b', 6, 8, 0)], 'b'],
    ['whole beats serving elsewhere', [3], [one('a', 2, 2, 2), one('b', 3, 3, 0)], 'b'],
    ['of whole ones, the one that holds more', [4], [one('p', 4, 4, 4), one('q', 4, 4, 2)], 'p'],
    ['then the one that holds more of its own', [3], [one('x', 6, 6, 6, 3), one('y', 3, 3, 3)], 'x'],
    ['then the one that wastes less', [3], [one('big', 5, 5, 2), one('small', 3, 3, 2)], 'small'],
    ['which wastes less tells nothing if it is served as it is: what is free comes and goes', [3], [one('a', 5, 5, 3), one('b', 3, 3, 3)], 'a'],
    ['nor does what it is served with beyond the whole: that is given back', [3], [one('b', 5, 5, 5, 3), one('a', 8, 8, 6, 6)], 'a'],
    ['of incomplete ones that hold as much, the smallest value: what is free comes and goes', [5], [one('a', 2, 2, 2), one('b', 3, 4, 2)], 'a'],
    ['of incomplete ones, the one that holds more of its own', [5], [one('a', 3, 3, 3), one('b', 2, 2, 2, 2)], 'b'],
    ['of incomplete ones, the one that holds more, though another could hold more (D7)', [5], [one('a', 2, 2, 2), one('b', 3, 3, 0)], 'a'],
    ['then the one with more coverage', [5], [one('a', 2, 2, 0), one('b', 3, 3, 0)], 'b'],
    ['on however few machines', [5], [one('a', 4, 2, 0), one('b', 1, 3, 0)], 'b'],
    ['then the one with more machines', [9], [one('a', 2, 4, 0), one('b', 4, 4, 0)], 'b'],
    ['then the smallest value', [3], [one('rack-b', 3, 3, 0), one('rack-a', 3, 3, 0)], 'rack-a'],
    ['coverage is the sum over dimensions, each capped', [8, 8], [two('a', 8, 1), two('b', 4, 4)], 'a'],
    ['equal coverages are equal, whatever the rounding', [3, 7], [two('b', 1, 2), two('a', 1, 2)], 'a'],
    ['waste beyond 2^53 still differs', [4], [wasting('a', 2n ** 60n + 1n), wasting('b', 2n ** 60n)], 'b'],
    ['what it takes from others it wastes too', [3], [offer('a', 4, [0], [0], [0], [4]), offer('b', 3, [0], [0], [0], [3])], 'b'],
    ['of what it asks nothing of it wastes nothing', [2, 0], [offer('a', 2, [2, 8], [0, 0], [0, 0]), offer('b', 2, [2, 0], [0, 0], [0, 0])], 'a'],
    ['of whole ones that hold as much, the one that takes from nobody', [4], [offer('a', 4, [2], [2], [0], [2]), one('b', 9, 9, 2)], 'b'],
    ['but one that holds more may take from others', [4], [offer('a', 4, [3], [3], [0], [1]), one('b', 9, 9, 2)], 'a'],
    ['then the one that takes what nobody would miss', [4], [offer('a', 2, [2], [0], [0], [2]), sparing('b', 2, 2, 2)], 'b'],
    ['but not before what nobody has to give up', [4], [sparing('a', 2, 2, 2), one('b', 9, 9, 0)], 'b'],
    ['if nothing that serves is needed besides', [4], [sparing('a', 2, 4, 1), sparing('b', 2, 3, 2)], 'b'],
    ['which is whole even if what is coming does not come', [4], [offer('a', 2, [2], [0], [0], [2]), sparing('b', 2, 1, 2)], 'a'],
    ['then the one where less that serves is taken', [4], [offer('a', 0, [0], [0], [0], [4]), offer('b', 3, [3], [0], [0], [1])], 'b'],
    ['where what nobody would miss is taken first', [4], [offer('a', 1, [1], [0], [0], [3]), sparing('b', 0, 4, 2)], 'b'],
    ['what others have and nobody would touch there is not wasted', [4], [offer('a', 4, [4], [0], [0], [6]), one('b', 5, 5, 0)], 'a'],
    ['nor counted', [4], [offer('a', 2, [4], [0], [0], [6]), one('b', 3, 4, 0)], 'b'],
    ['nor is what serves there, where what nobody would miss is enough', [4], [sparing('a', 2, 9, 2), sparing('b', 2, 3, 3)], 'a'],
    ['whole with what it takes beats not whole', [4], [offer('a', 4, [2], [0], [0], [2]), one('b', 3, 3, 3)], 'a'],
    ['domains without a machine do not count', [1], [one('a', 0, 0, 0), one('b', 1, 0, 0)], 'b'],
  ])('%s', (_, wanted, offers, expected) => {
    expect(chooseDomain(offers, wanted)?.value).toBe(expected);
    expect(chooseDomain([...offers].reverse(), wanted)?.value).toBe(expected);
  });

  it('is none without offers', () => {
    expect(chooseDomain([], [1])).toBeUndefined();
    expect(chooseDomain([one('a', 0, 0, 0)], [1])).toBeUndefined();
  });
});

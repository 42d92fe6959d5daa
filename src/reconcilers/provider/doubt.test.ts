import { describe, expect, it } from 'vitest';
import { Doubt } from './doubt.ts';

/** The tokens of Lists in a row that lack these. */
function tokens(...lists: string[][]): { doubt: Doubt; tokens: string[] } {
  const doubt = new Doubt(1);
  return { doubt, tokens: lists.map((absent) => doubt.look(absent, 0, 20).token) };
}
const only = (absent: string[], unnamed = 0): string => new Doubt(1).look(absent, unnamed, 20).token;

describe('the token of a doubt', () => {
  it('names how many are missing, and is another one for others', () => {
    expect(only(['b', 'a'])).toMatch(/^2-[0-9a-f]{8}$/);
    expect(new Set([only(['a', 'b']), only(['a', 'c']), only(['ab']), only(['a'], 1), only([], 2)]).size).toBe(5);
    expect(new Doubt(7).look(['b', 'a'], 3, 20)).toMatchObject({ since: 7, missing: ['a', 'b'], unnamed: 3, known: 20 });
  });

  it('is the same for the same machines, at any time, in any order, whatever was missing before', () => {
    expect(new Doubt(99).look(['b', 'a'], 0, 50).token).toBe(only(['a', 'b']));
    expect(tokens(['c'], ['a', 'b']).tokens[1]).toBe(only(['a', 'b']));
  });
});

it('names the same machines only once, however many Lists lack them', () => {
  const doubt = new Doubt(1);
  const { missing } = doubt.look(['b', 'a'], 0, 20);
  expect(doubt.look(['b', 'a'], 1, 21).missing).toBe(missing);
  expect(doubt.look(['c', 'a'], 0, 20).missing).toEqual(['a', 'c']);
});

describe('a token confirms', () => {
  it.each<[string, boolean, string[][], number]>([
    ['the List it was offered for', true, [['a', 'b']], 0],
    ['the same machines in a later List', true, [['a', 'b'], ['b', 'a']], 0],
    ['fewer of them', true, [['a', 'b', 'c'], ['a', 'b'], ['a']], 0],
    ['not one more', false, [['a', 'b'], ['a', 'b', 'c']], 0],
    ['not as many others', false, [['a', 'b'], ['a', 'c']], 0],
    ['those, though there were more in between', true, [['a', 'b'], ['a', 'b', 'c'], ['a']], 0],
    ['not one that came back in between', false, [['a', 'b', 'c'], ['a'], ['a', 'b']], 0],
    ['but just the same machines, as ever', true, [['a', 'b'], ['a'], ['a', 'b']], 0],
  ])('%s: %s', (_name, expected, lists, offered) => {
    const { doubt, tokens: offers } = tokens(...lists);
    expect(doubt.isConfirmedBy(offers[offered])).toBe(expected);
  });

  it('so many machines known by their number, or fewer', () => {
    const doubt = new Doubt(1);
    doubt.look(['a'], 5, 20);
    expect([4, 5, 6].map((unnamed) => doubt.isConfirmedBy(only(['a'], unnamed)))).toEqual([false, true, true]);
  });

  it.each([undefined, '', 'yes', '2', '2-'])('nothing when it is no token: %j', (word) => {
    expect(tokens(['a', 'b']).doubt.isConfirmedBy(word)).toBe(false);
  });

  it('does not remember more offers than a person could mean', () => {
    const doubt = new Doubt(1);
    const all = Array.from({ length: 150 }, (_, i) => `m${i}`);
    const first = doubt.look(all, 0, 150).token;
    const later = all.map((_, i) => doubt.look(all.slice(i), 0, 150).token);
    expect([first, later[49], later[50], later[149]].map((token) => doubt.isConfirmedBy(token))).toEqual([false, false, true, true]);
  });
});

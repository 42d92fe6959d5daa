import { describe, expect, it } from 'vitest';
import { Doubt } from './doubt.ts';

/** The tokens of Lists in a row that lack these. */
async function tokens(...lists: string[][]): Promise<{ doubt: Doubt; tokens: string[] }> {
  const doubt = new Doubt(1);
  const found: string[] = [];
  for (const absent of lists) found.push((await doubt.look(absent, 0, 20)).token);
  return { doubt, tokens: found };
}
const only = async (absent: string[], unnamed = 0): Promise<string> => (await new Doubt(1).look(absent, unnamed, 20)).token;

describe('the token of a doubt', () => {
  it('names how many are missing, and is another one for others', async () => {
    expect(await only(['b', 'a'])).toMatch(/^2-[0-9a-f]{8}$/);
    expect(new Set(await Promise.all([only(['a', 'b']), only(['a', 'c']), only(['ab']), only(['a'], 1), only([], 2)])).size).toBe(5);
    expect(await new Doubt(7).look(['b', 'a'], 3, 20)).toMatchObject({ since: 7, missing: ['a', 'b'], unnamed: 3, known: 20 });
  });

  it('is the same for the same machines, at any time, in any order, whatever was missing before', async () => {
    expect((await new Doubt(99).look(['b', 'a'], 0, 50)).token).toBe(await only(['a', 'b']));
    expect((await tokens(['c'], ['a', 'b'])).tokens[1]).toBe(await only(['a', 'b']));
  });
});

it('names the same machines only once, however many Lists lack them', async () => {
  const doubt = new Doubt(1);
  const { missing } = await doubt.look(['b', 'a'], 0, 20);
  expect((await doubt.look(['b', 'a'], 1, 21)).missing).toBe(missing);
  expect((await doubt.look(['c', 'a'], 0, 20)).missing).toEqual(['a', 'c']);
});

it('lets others have their turn while very many are named', async () => {
  const absent = Array.from({ length: 20_000 }, (_, i) => `m${(i * 7_919) % 20_000}`);
  let turns = 0;
  const tick = (): void => void (turns++, looking && setImmediate(tick));
  let looking = true;
  setImmediate(tick);
  const { missing } = await new Doubt(1).look(absent, 0, 20_000);
  looking = false;
  expect(missing).toEqual([...absent].sort());
  expect(turns).toBeGreaterThanOrEqual(25);
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
  ])('%s: %s', async (_name, expected, lists, offered) => {
    const { doubt, tokens: offers } = await tokens(...lists);
    expect(doubt.isConfirmedBy(offers[offered])).toBe(expected);
  });

  it('so many machines known by their number, or fewer', async () => {
    const doubt = new Doubt(1);
    await doubt.look(['a'], 5, 20);
    const words = await Promise.all([4, 5, 6].map((unnamed) => only(['a'], unnamed)));
    expect(words.map((word) => doubt.isConfirmedBy(word))).toEqual([false, true, true]);
  });

  it.each([undefined, '', 'yes', '2', '2-'])('nothing when it is no token: %j', async (word) => {
    expect((await tokens(['a', 'b'])).doubt.isConfirmedBy(word)).toBe(false);
  });

  it('does not remember more offers than a person could mean', async () => {
    const all = Array.from({ length: 150 }, (_, i) => `m${i}`);
    const { doubt, tokens: later } = await tokens(...all.map((_, i) => all.slice(i)));
    expect([later[0], later[49], later[50], later[149]].map((token) => doubt.isConfirmedBy(token))).toEqual([false, false, true, true]);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteKey, ByteMap } from './byte-map.ts';

/** Of the bytes of the text, put together from so many pieces; as its users do, always the same one. */
function keyOf(text: string, key = new ByteKey(), pieces = 1): ByteKey {
  const bytes = Buffer.from(text);
  key.clear();
  for (let nth = 0; nth < pieces; nth++) key.append(bytes, Math.floor((nth * bytes.length) / pieces), Math.floor(((nth + 1) * bytes.length) / pieces));
  return key;
}

describe('a map by bytes', () => {
  it('is what a Map keeps, however its keys were put together', () => {
    const edits = fc.array(fc.record({ text: fc.string({ maxLength: 2 }), repeated: fc.constantFrom(1, 1, 1, 700), value: fc.nat(), pieces: fc.integer({ min: 1, max: 3 }) }), { maxLength: 100, size: 'max' });
    fc.assert(fc.property(edits, (list) => {
      const [map, plain, key] = [new ByteMap<number>(2 ** 20), new Map<string, number>(), new ByteKey()];
      for (const { text, repeated, value, pieces } of list) {
        const long = text.repeat(repeated);
        expect(map.get(keyOf(long, key, pieces))).toBe(plain.get(long));
        map.set(key, value);
        plain.set(long, value);
      }
      for (const [text, value] of plain) expect(map.get(keyOf(text, key))).toBe(value);
    }));
  });

  it('does not take another key of the same hash for the one that was asked for', () => {
    const map = new ByteMap<string>(1_000);
    const [one, other] = [keyOf('declinate'), keyOf('macallums')];
    expect([one.hash, one.length]).toEqual([other.hash, other.length]);
    map.set(one, 'one');
    expect([map.get(one), map.get(other), map.get(keyOf('declinat'))]).toEqual(['one', undefined, undefined]);
    map.set(other, 'other');
    expect([map.get(one), map.get(other)]).toEqual([undefined, 'other']);
    const longer = keyOf('declinatebeadZ6');
    expect(longer.hash).toBe(one.hash);
    map.set(longer, 'longer');
    expect([map.get(one), map.get(longer)]).toEqual([undefined, 'longer']);
  });

  it('forgets all rather than keep more bytes than it may', () => {
    const map = new ByteMap<number>(10);
    for (const [nth, text] of ['four', 'five', 'ab'].entries()) map.set(keyOf(text), nth);
    expect(['four', 'five', 'ab'].map((text) => map.get(keyOf(text)))).toEqual([0, 1, 2]);
    map.set(keyOf('c'), 3);
    expect(['four', 'five', 'ab', 'c'].map((text) => map.get(keyOf(text)))).toEqual([undefined, undefined, undefined, 3]);
    map.set(keyOf('d'), 4);
    expect([map.get(keyOf('c')), map.get(keyOf('d'))]).toEqual([3, 4]);
  });
});

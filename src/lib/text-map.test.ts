import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextMap, TextSet } from './text-map.ts';

const keys = fc.string({ maxLength: 3 });
const edits = fc.array(fc.record({ key: keys, value: fc.nat(), isGone: fc.boolean() }), { maxLength: 300, size: 'max' });
/** More than are kept in one table. */
const many = Array.from({ length: 40_000 }, (_, i) => `node-${String(i).padStart(5, '0')}.eu-west-1.example.com`);

describe('a map of many texts', () => {
  it('is what a Map keeps', () => {
    fc.assert(fc.property(edits, (list) => {
      const [entries, plain] = [new TextMap<number>(), new Map<string, number>()];
      for (const { key, value, isGone } of list) {
        if (isGone) expect(entries.delete(key)).toBe(plain.delete(key));
        else {
          entries.set(key, value);
          plain.set(key, value);
        }
        expect([entries.size, entries.has(key), entries.get(key)]).toEqual([plain.size, plain.has(key), plain.get(key)]);
      }
      expect([...entries.values()].sort()).toEqual([...plain.values()].sort());
    }));
  });

  it('is what a Set keeps', () => {
    fc.assert(fc.property(edits, (list) => {
      const [entries, plain] = [new TextSet(), new Set<string>()];
      for (const { key, isGone } of list) {
        if (isGone) expect(entries.delete(key)).toBe(plain.delete(key));
        else {
          entries.add(key);
          plain.add(key);
        }
        expect([entries.size, entries.has(key)]).toEqual([plain.size, plain.has(key)]);
      }
      expect([...entries].sort()).toEqual([...plain].sort());
    }));
  });

  it('is met once and in full by who walks it while it is emptied', () => {
    const entries = new TextSet();
    for (const key of many) entries.add(key);
    const met: string[] = [];
    for (const key of entries) {
      entries.delete(key);
      met.push(key);
    }
    expect(entries.size).toBe(0);
    expect(met.sort()).toEqual(many);
  });

  it('is found, replaced and deleted once there are many', () => {
    const entries = new TextMap<number>();
    many.forEach((key, i) => entries.set(key, i));
    expect(entries.size).toBe(many.length);
    expect(many.every((key, i) => entries.get(key) === i)).toBe(true);
    many.forEach((key, i) => entries.set(key, -i));
    expect(entries.size).toBe(many.length);
    expect([...entries.values()].sort((a, b) => b - a)).toEqual(many.map((_, i) => -i));
    expect([many.every((key) => entries.delete(key)), entries.size, entries.get(many[0] as string)]).toEqual([true, 0, undefined]);
  });

  it('is met in the order in which it was added, as often as it was replaced, and begins anew when it was emptied', () => {
    const entries = new TextSet();
    for (const keys of [['b', 'c', 'a'], many.toReversed()]) {
      for (const key of [...keys, ...keys.toReversed()]) entries.add(key);
      expect([...entries]).toEqual(keys);
      for (const key of keys) entries.delete(key);
      expect([entries.size, [...entries], entries.has(keys[0] as string)]).toEqual([0, [], false]);
    }
  });

  it('gives the place of what was deleted to what is added; a Set does not', () => {
    const [entries, texts] = [new TextMap<number>(), new TextSet()];
    for (const key of ['a', 'b', 'c']) {
      entries.set(key, 1);
      texts.add(key);
    }
    expect([entries.delete('a'), texts.delete('a')]).toEqual([true, true]);
    expect([[...entries.entries()].map(([key]) => key), [...texts]]).toEqual([['b', 'c'], ['b', 'c']]);
    for (const key of ['d', 'e']) {
      entries.set(key, 2);
      texts.add(key);
    }
    expect([[...entries.entries()].map(([key]) => key), [...texts]]).toEqual([['d', 'b', 'c', 'e'], ['b', 'c', 'd', 'e']]);
  });

  it('is met once, as it is now, by who walks it while it changes', () => {
    const entries = new TextMap<string>();
    const early = many.slice(0, 1000);
    for (const key of early) entries.set(key, key);
    const met: string[] = [];
    const walk = entries.values();
    for (let i = 0; i < 500; i++) met.push(walk.next().value as string);
    for (const key of many) entries.set(key, `${key} again`);
    const deleted = [...early.slice(700, 800), ...many.slice(-100)];
    for (const key of deleted) entries.delete(key);
    met.push(...walk);
    const isDeleted = new Set(deleted);
    expect(met).toEqual([...early.slice(0, 500), ...many.slice(500).filter((key) => !isDeleted.has(key)).map((key) => `${key} again`)]);
  });
});

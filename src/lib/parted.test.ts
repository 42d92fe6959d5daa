import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PartedMap, PartedSet } from './parted.ts';

const keys = fc.string({ maxLength: 3 });
const edits = fc.array(fc.record({ key: keys, value: fc.nat(), isGone: fc.boolean() }), { maxLength: 300, size: 'max' });
/** More than are kept in one table. */
const many = Array.from({ length: 40_000 }, (_, i) => `node-${String(i).padStart(5, '0')}.eu-west-1.example.com`);

describe('what is kept in parts', () => {
  it('is what a Map keeps', () => {
    fc.assert(fc.property(edits, (list) => {
      const [parted, plain] = [new PartedMap<number>(), new Map<string, number>()];
      for (const { key, value, isGone } of list) {
        if (isGone) expect(parted.delete(key)).toBe(plain.delete(key));
        else {
          parted.set(key, value);
          plain.set(key, value);
        }
        expect([parted.size, parted.has(key), parted.get(key)]).toEqual([plain.size, plain.has(key), plain.get(key)]);
      }
      expect([...parted.values()].sort()).toEqual([...plain.values()].sort());
    }));
  });

  it('is what a Set keeps', () => {
    fc.assert(fc.property(edits, (list) => {
      const [parted, plain] = [new PartedSet(), new Set<string>()];
      for (const { key, isGone } of list) {
        if (isGone) expect(parted.delete(key)).toBe(plain.delete(key));
        else {
          parted.add(key);
          plain.add(key);
        }
        expect([parted.size, parted.has(key)]).toEqual([plain.size, plain.has(key)]);
      }
      expect([...parted].sort()).toEqual([...plain].sort());
    }));
  });

  it('is met once and in full by who walks it while it is emptied', () => {
    const parted = new PartedSet();
    for (const key of many) parted.add(key);
    const met: string[] = [];
    for (const key of parted) {
      parted.delete(key);
      met.push(key);
    }
    expect(parted.size).toBe(0);
    expect(met.sort()).toEqual(many);
  });

  it('is found, replaced and deleted once there are many', () => {
    const parted = new PartedMap<number>();
    many.forEach((key, i) => parted.set(key, i));
    expect(parted.size).toBe(many.length);
    expect(many.every((key, i) => parted.get(key) === i)).toBe(true);
    many.forEach((key, i) => parted.set(key, -i));
    expect(parted.size).toBe(many.length);
    expect([...parted.values()].sort((a, b) => b - a)).toEqual(many.map((_, i) => -i));
    expect([many.every((key) => parted.delete(key)), parted.size, parted.get(many[0] as string)]).toEqual([true, 0, undefined]);
  });

  it('is met in the order in which it was added while there are few', () => {
    const parted = new PartedSet();
    for (const key of ['b', 'c', 'a']) parted.add(key);
    expect([...parted]).toEqual(['b', 'c', 'a']);
  });

  it('is met once, as it is now, by who was walking it when there became many', () => {
    const parted = new PartedMap<string>();
    const early = many.slice(0, 1000);
    for (const key of early) parted.set(key, key);
    const met: string[] = [];
    const walk = parted.values();
    for (let i = 0; i < 500; i++) met.push(walk.next().value as string);
    for (const key of many) parted.set(key, `${key} again`);
    const deleted = [...early.slice(700, 800), ...many.slice(-100)];
    for (const key of deleted) parted.delete(key);
    met.push(...walk);
    const isDeleted = new Set(deleted);
    expect(met.sort()).toEqual([...early.slice(0, 500), ...many.slice(500).filter((key) => !isDeleted.has(key)).map((key) => `${key} again`)].sort());
  });

  it('is spread evenly, though its keys begin and end alike', () => {
    const parted = new PartedSet();
    for (const key of many) parted.add(key);
    // The keys of a part come one after the other, in the order in which they were added: where that order ends, a part does.
    const lengths = [0];
    let last = '';
    for (const key of parted) {
      if (key < last) lengths.push(0);
      lengths[lengths.length - 1]!++;
      last = key;
    }
    expect(lengths.length).toBeGreaterThan(50);
    expect(Math.max(...lengths)).toBeLessThan(2 * (many.length / 64));
  });
});

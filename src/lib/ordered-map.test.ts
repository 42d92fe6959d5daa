import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrderedMap } from './ordered-map.ts';

describe('a map in the order of arrival', () => {
  it('does what a Map does', () => {
    const key = fc.integer({ min: 0, max: 30 }).map((n) => `k${n}`);
    let deletions = 0;
    fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), key), { minLength: 50, maxLength: 400 }), (steps) => {
      const ours = new OrderedMap<number>();
      const map = new Map<string, number>();
      for (const [step, [isAdd, name]] of steps.entries()) {
        if (isAdd) {
          ours.add(name, step);
          if (!map.has(name)) map.set(name, step);
        } else {
          const was = map.delete(name);
          if (was) deletions++;
          expect(ours.delete(name)).toBe(was);
        }
        expect([ours.size, ours.has(name)]).toEqual([map.size, map.has(name)]);
      }
      expect([...ours.entries()]).toEqual([...map]);
    }), { numRuns: 100 });
    expect(deletions).toBeGreaterThan(1_000);
  });

  it('keeps its order and its places when its first half has gone', () => {
    const map = new OrderedMap<number>();
    for (let i = 0; i < 10_000; i++) map.add(`k${i}`, i);
    for (let i = 0; i < 9_990; i++) expect(map.delete(`k${i}`)).toBe(true);
    map.add('k0', -1);
    expect([...map.entries()].map(([, value]) => value)).toEqual([9_990, 9_991, 9_992, 9_993, 9_994, 9_995, 9_996, 9_997, 9_998, 9_999, -1]);
    for (const key of ['k9990', 'k9995', 'k0']) expect(map.delete(key)).toBe(true);
    expect([...map.entries()].map(([key]) => key)).toEqual(['k9991', 'k9992', 'k9993', 'k9994', 'k9996', 'k9997', 'k9998', 'k9999']);
    expect((map as unknown as { keys: unknown[] }).keys.length).toBeLessThan(5_000); // what has gone takes no room
  });

  it('keeps its order and its places when most of it has gone', () => {
    const map = new OrderedMap<number>();
    const name = (i: number): string => `k${i}`;
    for (let i = -30_000; i < 20_000; i++) map.add(name(i), i);
    for (let i = -30_000; i < 0; i++) map.delete(name(i));
    map.delete(name(0));
    for (let i = 1; i < 20_000; i++) if (i % 1_000 !== 7) map.delete(name(i));
    map.add('last', -1);
    expect([...map.entries()].map(([, value]) => value)).toEqual([...Array.from({ length: 20 }, (_, i) => i * 1_000 + 7), -1]);
    map.delete(name(7));
    expect([...map.entries()][0]).toEqual([name(1_007), 1_007]);
    expect(map.size).toBe(20);
  });

  it('finds the first entry without passing over those that went before it', () => {
    const map = new OrderedMap<number>();
    for (let i = 0; i < 300_000; i++) map.add(`k${i}`, i);
    let looked = 0;
    const keys = (map as unknown as { keys: unknown[] }).keys;
    const watched = new Proxy(keys, { get: (target, property) => (looked++, Reflect.get(target, property) as unknown) });
    (map as unknown as { keys: unknown[] }).keys = watched;
    for (let i = 0; i < 1_000; i++) for (const [key] of map.entries()) {
      map.delete(key);
      break;
    }
    expect(map.size).toBe(299_000);
    expect(looked).toBeLessThan(12_000); // a few looks for each; 500,000 if each began at the front
  });
});

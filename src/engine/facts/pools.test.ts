import { describe, expect, it } from 'vitest';
import { groupKey } from './pools.ts';

describe('groups', () => {
  it('have keys of their own, also where one part ends and the next one begins', () => {
    const around = (...ends: number[]): number[] => ends.flatMap((end) => [end - 2, end - 1, end]);
    const keys = new Map<string | number, string>();
    for (const classIndex of [0, 1, 2, ...around(2 ** 12, 2 ** 20)]) {
      for (const assigned of [-1, 0, 1, ...around(2 ** 14, 2 ** 20)]) {
        for (const kind of [0, 1, 15]) {
          for (const cost of [0, 1, 255, 256]) {
            const parts = [classIndex, assigned, kind, cost].join(' ');
            const key = groupKey(classIndex, assigned, kind, cost);
            expect(keys.get(key), `is the key of ${parts}, too`).toBeUndefined();
            keys.set(key, parts);
          }
        }
      }
    }
    expect(keys.size).toBe(9 * 9 * 3 * 4);
  });
});

import { describe, expect, it } from 'vitest';
import { growths, heldBy } from './flat.ts';
import type { ProcessLife, Sample } from './samples.ts';

/** A life of `seconds`, looked at every 2.5 s. */
function life(name: string, pid: number, seconds: number, of: (second: number) => Partial<Sample>, from = 0): ProcessLife {
  const samples = Array.from({ length: seconds / 2.5 + 1 }, (_, i): Sample => ({ atMs: (from + i * 2.5) * 1_000, rssMb: 120, descriptors: 30, sockets: 12, ...of(i * 2.5) }));
  return { name, pid, samples };
}

/** As a heap that is collected every half minute. */
const breathing = (second: number): number => 120 + (second % 30);

describe('what is flat', () => {
  it('is a process whose heap breathes, whose connections come and go, and that is warm after a while', () => {
    const held = heldBy([life('shard-a', 1, 900, (s) => ({ rssMb: Math.min(s, 60) + breathing(s), descriptors: 30 + (s % 20 === 0 ? 15 : 0) }))]);
    expect(growths(held)).toEqual([]);
    expect(held[0]).toMatchObject({ name: 'shard-a', lives: 1, longestSeconds: 900, descriptors: { early: 30, late: 30, most: 45 } });
    expect(Math.abs(held[0]!.rssMbPerMinute!)).toBeLessThan(1);
  });

  it('is judged by the longest life, of which there is one for each process id', () => {
    const held = heldBy([life('agent', 1, 30, () => ({ rssMb: 500 })), life('agent', 2, 600, () => ({}), 40), life('agent', 3, 10, () => ({ rssMb: 90 }), 650)]);
    expect(held).toEqual([expect.objectContaining({ lives: 3, longestSeconds: 600, rssMb: 90, peakRssMb: 500, rssMbPerMinute: 0 })]);
  });
});

describe('what is not flat', () => {
  it.each([
    ['a descriptor for every fault of a minute', life('a', 1, 80, (s) => ({ descriptors: 30 + Math.floor(s / 5) })), 'descriptors'],
    ['a socket now and then, among others that come and go', life('a', 1, 900, (s) => ({ sockets: 12 + Math.floor(s / 60) + (s % 20 === 0 ? 10 : 0) })), 'sockets'],
    ['memory under a heap that breathes', life('a', 1, 900, (s) => ({ rssMb: breathing(s) + (s / 60) * 4 })), 'grows by'],
    ['too much from the first moment on', life('a', 1, 60, () => ({ rssMb: 600 })), 'MB at rest'],
  ])('%s', (_what, leaking, words) => {
    expect(growths(heldBy([leaking]))).toEqual([expect.stringContaining(words)]);
  });

  it('a slope is not told of a life that is too short for one', () => {
    expect(heldBy([life('a', 1, 200, (s) => ({ rssMb: 100 + s }))])[0]?.rssMbPerMinute).toBeNull();
  });
});

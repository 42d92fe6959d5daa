import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leftOver, type Bin, type Item } from './packing.ts';

const GI = 1024n ** 3n;
const cores = (cpu: number, memory = 0): [string, bigint][] => [['cpu', BigInt(Math.round(cpu * 1_000)) * 1_000_000n], ...(memory > 0 ? [['memory', BigInt(memory) * GI * 1_000_000_000n] as [string, bigint]] : [])];
const anywhere = (): boolean => true;
const bin = (cpu: number, memory = 64, kind = 'a'): Bin => ({ kind, free: cores(cpu, memory) });
const item = (key: string, cpu: number, memory = 0, mayUse: Item['mayUse'] = anywhere): Item => ({ key, amounts: cores(cpu, memory), mayUse });
const left = (bins: readonly Bin[], items: readonly Item[]): string[] => [...(leftOver(bins, items) ?? ['unknown'])].sort();

describe('what finds no room by arithmetic', () => {
  it.each<[string, Bin[], Item[], string[]]>([
    ['nothing, where all fits', [bin(8)], [item('a', 5), item('b', 3)], []],
    ['one of three of five cores on two machines of eight', [bin(8), bin(8)], [item('a', 5), item('b', 5), item('c', 5)], ['c']],
    ['the small one beside large ones that fill everything', [bin(8), bin(8)], [item('a', 1), item('l', 8), item('m', 8)], ['a']],
    ['what lacks memory alone', [bin(8, 4)], [item('a', 1, 4), item('b', 1, 1)], ['b']],
    ['what no machine may take', [bin(8)], [item('a', 1, 0, (kind) => kind === 'b')], ['a']],
    ['nothing that asks for nothing', [bin(0)], [item('a', 0)], []],
    ['everything where there is no machine', [], [item('a', 1)], ['a']],
    ['what needs something that no machine has', [bin(8)], [{ key: 'a', amounts: [['gpu', 1_000_000_000n]], mayUse: anywhere }], ['a']],
  ])('is %s', (_what, bins, items, expected) => expect(left(bins, items)).toEqual(expected));

  it('fills a machine to the last thousandth, and not beyond', () => {
    expect(left([bin(1)], [item('a', 0.999), item('b', 0.001)])).toEqual([]);
    expect(left([bin(1)], [item('a', 0.999), item('b', 0.002)])).toEqual(['b']);
    const half = (key: string): Item => ({ key, amounts: [['cpu', 600_000n]], mayUse: anywhere });
    expect(left([bin(0.001)], [half('a'), half('b')])).toEqual(['b']);
  });

  it('says nothing where it would take too long', () => {
    expect(leftOver([bin(8), bin(8)], [item('a', 1), item('b', 2)], 3)).toBeUndefined();
    expect(leftOver([bin(8), bin(8)], [item('a', 1), item('b', 1)], 3)).toEqual(new Set());
  });

  const fleet = fc.array(fc.record({ cpu: fc.integer({ min: 0, max: 16 }), kind: fc.constantFrom('a', 'b') }), { maxLength: 8 });
  const pods = fc.array(fc.record({ cpu: fc.integer({ min: 1, max: 12 }), to: fc.constantFrom('a', 'b', 'ab') }), { maxLength: 20 });
  const uses = new Map(['a', 'b', 'ab'].map((to) => [to, (kind: string) => to.includes(kind)]));
  const binsOf = (all: readonly { cpu: number; kind: string }[]): Bin[] => all.map(({ cpu, kind }) => bin(cpu, 64, kind));
  const itemsOf = (all: readonly { cpu: number; to: string }[]): Item[] => all.map(({ cpu, to }, i) => item(`p-${String(i).padStart(2, '0')}`, cpu, 0, uses.get(to)!));

  it('does not depend on the order of machines or Pods', () => {
    fc.assert(fc.property(fleet, pods, fc.infiniteStream(fc.nat()), (machines, wanted, random) => {
      const shuffled = <T>(all: readonly T[]): T[] => all.map((one) => ({ one, at: random.next().value as number })).sort((a, b) => a.at - b.at).map(({ one }) => one);
      const items = itemsOf(wanted);
      expect(left(shuffled(binsOf(machines)), shuffled(items))).toEqual(left(binsOf(machines), items));
    }));
  });

  it('never leaves over what still has room, and never places more than there is', () => {
    fc.assert(fc.property(fleet, pods, (machines, wanted) => {
      const items = itemsOf(wanted);
      const over = new Set(left(binsOf(machines), items));
      const sum = (some: readonly { cpu: number }[]): number => some.reduce((total, { cpu }) => total + cpu, 0);
      const placed = wanted.filter((_, i) => !over.has(items[i]!.key));
      for (const to of ['a', 'b']) {
        expect(sum(placed.filter((pod) => pod.to === to))).toBeLessThanOrEqual(sum(machines.filter(({ kind }) => kind === to)));
      }
      expect(sum(placed)).toBeLessThanOrEqual(sum(machines));
      for (const [i, pod] of wanted.entries()) {
        if (over.has(items[i]!.key)) for (const { cpu, kind } of machines) if (pod.to.includes(kind) && cpu >= pod.cpu) expect(placed.length).toBeGreaterThan(0); // an untouched machine would have taken it
      }
    }));
  });
});

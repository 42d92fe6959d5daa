import { describe, expect, it } from 'vitest';
import { FenceTable, type FenceMark } from './fences.ts';

const mark = (machineId: string, epoch: number, sequence: number, shardId = 's'): FenceMark => ({ shardId, machineId, epoch: BigInt(epoch), sequence: BigInt(sequence) });

/** A table in which the mark of `ghost` has been folded into the floor of shard s. */
function crowded(): FenceTable {
  const table = new FenceTable();
  table.advance(mark('ghost', 5, 5), false);
  for (let i = 0; i < 10_000; i++) table.advance(mark(`other-${i}`, 1, i), false);
  return table;
}

describe('marks of machines that nobody knows', () => {
  it('are bounded, and one that was folded away still holds', () => {
    const table = crowded();
    expect([...table.all()].length).toBe(10_001); // 10,000 marks and a floor
    expect(table.markFor('s', 'ghost', false)).toMatchObject({ epoch: 5n, sequence: 5n });
    expect(table.markFor('s', 'never seen', false)).toMatchObject({ epoch: 5n, sequence: 5n });
    expect(table.markFor('s', 'known', true)).toBeUndefined();
    expect(table.markFor('another', 'ghost', false)).toBeUndefined();
  });

  it('the one raised longest ago is folded first', () => {
    const table = new FenceTable();
    for (let i = 0; i < 10_000; i++) table.advance(mark(`m-${i}`, 1, i), false);
    table.advance(mark('m-0', 1, 20_000), false);
    table.advance(mark('one more', 1, 1), false);
    expect(table.markFor('s', 'm-1', false)).toMatchObject({ machineId: 'm-1', sequence: 1n }); // as the floor
    expect([...table.all()].filter((m) => m.machineId === 'm-1')).toEqual([]);
    expect([...table.all()].find((m) => m.machineId === 'm-0')).toMatchObject({ sequence: 20_000n });
  });

  it('hold when the machine is discovered after its mark was folded away', () => {
    const table = crowded();
    const marks = table.marksOfNew('ghost');
    table.discovered('ghost', marks);
    expect(marks).toEqual([mark('ghost', 5, 5)]);
    expect(table.markFor('s', 'ghost', true)).toEqual(mark('ghost', 5, 5));
  });

  it('are kept for good once the machine is discovered', () => {
    const table = new FenceTable();
    table.advance(mark('m', 7, 7), false);
    table.discovered('m', table.marksOfNew('m'));
    for (let i = 0; i < 20_000; i++) table.advance(mark(`other-${i}`, 1, i), false);
    expect(table.markFor('s', 'm', true)).toEqual(mark('m', 7, 7));
  });

  it('come back from a snapshot', () => {
    const table = new FenceTable();
    for (const one of crowded().all()) table.restore(one, one.machineId === 'other-9999');
    expect(table.markFor('s', 'ghost', false)).toMatchObject({ epoch: 5n, sequence: 5n });
    expect(table.markFor('s', 'other-9999', true)).toEqual(mark('other-9999', 1, 9_999));
  });
});

import { describe, expect, it } from 'vitest';
import { inTurns, nextTurn, sortedInTurns } from './turns.ts';

/** Turns of the event loop while the work runs. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let [turns, over] = [0, false];
  const count = (): void => {
    if (over) return;
    turns++;
    setImmediate(count);
  };
  setImmediate(count);
  await work;
  over = true;
  return turns;
}

describe('work in turns', () => {
  it('visits all in order, and lets others run in between', async () => {
    const seen: number[] = [];
    const items = Array.from({ length: 50 }, (_, i) => i);
    expect(await turnsOf(inTurns(items, (item) => seen.push(item), 10))).toBeGreaterThanOrEqual(3);
    expect(seen).toEqual(items);
  });

  it('awaits nothing for what fits into one turn', () => {
    const seen: number[] = [];
    void inTurns([1, 2, 3], (item) => seen.push(item), 3);
    expect(seen).toEqual([1, 2, 3]);
  });

  it('rejects with what a visit throws', async () => {
    await expect(inTurns([1], () => { throw new Error('no'); })).rejects.toThrow('no');
  });

  it('gives others a turn', async () => {
    let ran = false;
    setImmediate(() => (ran = true));
    await nextTurn();
    expect(ran).toBe(true);
  });
});

describe('sorting in turns', () => {
  it.each([0, 1, 9, 10, 11, 95, 1_000])('orders %d items, equal ones as they came', async (length) => {
    const items = Array.from({ length }, (_, at) => ({ key: (at * 7_919) % 13, at }));
    const sorted: typeof items = [];
    for await (const item of sortedInTurns(items, (a, b) => a.key - b.key, 10)) sorted.push(item);
    expect(sorted).toEqual([...items].sort((a, b) => a.key - b.key || a.at - b.at));
  });

  it('lets others run while there is much to sort', async () => {
    const items = Array.from({ length: 1_000 }, (_, i) => -i);
    const drain = async (): Promise<void> => {
      for await (const _item of sortedInTurns(items, (a, b) => a - b, 10));
    };
    expect(await turnsOf(drain())).toBeGreaterThanOrEqual(99);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Group } from './group.ts';

const SLOTS = 600;

/** A group beside another one that its machines come from and go to, and which of them are in it. */
class Table {
  readonly groupOf: (Group<string> | undefined)[] = new Array<undefined>(SLOTS).fill(undefined);
  // Not the order of slots, so that whoever answers in that order is found out.
  readonly rank = Int32Array.from({ length: SLOTS }, (_, slot) => (slot * 7) % SLOTS);
  readonly waiting = new Uint8Array(SLOTS);
  readonly group = new Group<string>(this, 'idle', 0, -1, [0]);

  come(slot: number): void {
    if (this.groupOf[slot] === this.group) return;
    this.groupOf[slot] = this.group;
    this.waiting[slot] = 1;
    this.group.add(slot);
  }

  go(slot: number): void {
    if (this.groupOf[slot] !== this.group) return;
    this.groupOf[slot] = undefined;
    this.waiting[slot] = 0;
    this.group.delete(slot);
  }

  inOrder(): number[] {
    const slots = this.groupOf.flatMap((group, slot) => (group === this.group ? [slot] : []));
    return slots.sort((a, b) => (this.rank[a] as number) - (this.rank[b] as number));
  }
}

describe('a group', () => {
  it('has no machine any more that has gone, though none has come since it was put in order', () => {
    const table = new Table();
    for (const slot of [1, 2, 3]) table.come(slot);
    expect(table.group.members).toEqual([1, 2, 3]);
    table.go(2);
    expect(table.group.members).toEqual([1, 3]);
  });

  it('takes back nothing where nothing was taken, and what one holder had without the others', () => {
    const table = new Table();
    for (const slot of [1, 2, 3]) table.come(slot);
    const { group } = table;
    group.take('a', 1);
    group.take('b', 2);
    group.giveBack(2);
    group.giveBack(0);
    expect(group.shares).toEqual([{ holder: 'a', end: 1 }]);
    group.giveBack(1);
    expect(group.shares).toEqual([]);
    expect(group.left).toBe(3);
  });

  it('is in order of id whenever it is asked, whatever has come and gone in between', () => {
    const slots = fc.array(fc.integer({ min: 0, max: SLOTS - 1 }), { maxLength: 400 });
    const step = fc.oneof(fc.record({ come: slots }), fc.record({ go: slots }), fc.constant('ask' as const), fc.constant('settle' as const));
    let asked = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
        const table = new Table();
        for (const next of [...steps, 'ask' as const]) {
          if (next === 'settle') table.group.settle();
          else if (next === 'ask') {
            const expected = table.inOrder();
            if (expected.length > 0) asked++;
            expect(table.group.members).toEqual(expected);
            expect(table.group.size).toBe(expected.length);
            expect([...new Set(table.group.slots())].sort((a, b) => a - b)).toEqual([...expected].sort((a, b) => a - b));
          } else if ('come' in next) for (const slot of next.come) table.come(slot);
          else for (const slot of next.go) table.go(slot);
        }
      }),
      { numRuns: 300 },
    );
    expect(asked).toBeGreaterThan(300);
  });
});

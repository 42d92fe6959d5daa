import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planOnce } from '../engine.ts';
import { amounts, assignmentOf, machine, need, requirement, T0, world, zoneSpread } from '../testing/builders.ts';
import { Group } from '../facts/group.ts';
import type { Filing } from '../facts/group.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { EngineMachine, Need, Plan } from '../types.ts';
import type { Tally } from './tally.ts';
import { TieQueue } from './tie-queue.ts';

interface Drawn {
  readonly ids: readonly number[];
  readonly sizes: readonly number[];
  readonly kinds: readonly ('a' | 'b')[];
  readonly perDemand: number;
  readonly rows: readonly { readonly units: number; readonly asks: 'a' | 'any' | 'spread'; readonly priority: number }[];
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  ids: fc.uniqueArray(fc.integer({ min: 1000, max: 9999 }), { minLength: 90, maxLength: 200, size: 'max' }),
  // Mostly of one size: only then the order of ids is all there is to look at.
  sizes: fc.oneof({ weight: 4, arbitrary: fc.constant([2]) }, fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 5 })),
  kinds: fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 7 }),
  perDemand: fc.constantFrom(1, 1, 1, 2, 3),
  rows: fc.array(fc.record({ units: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 9 }) }, fc.integer({ min: 60, max: 90 })), asks: fc.constantFrom('a', 'any', 'any', 'spread'), priority: fc.integer({ min: 100, max: 103 }) }), { minLength: 1, maxLength: 60, size: 'max' }),
});

/** The machines of one cluster: bound for a demand each, or all for one, which makes one group of them. */
function fleet({ ids, sizes, kinds, perDemand }: Drawn, isOneGroup: boolean): EngineMachine[] {
  return ids.map((id, i) => {
    const boundFor = need({ group: isOneGroup ? 'one' : `for-${Math.floor(i / perDemand)}`, priority: 50 });
    const kind = kinds[i % kinds.length] as string;
    return machine(`m${id}`, 'Configured', { zone: kind === 'a' ? 'za' : 'zb', labels: { kind }, allocatable: amounts({ cpu: sizes[i % sizes.length] as number }), assigned: assignmentOf(boundFor) });
  });
}

function needsOf({ rows }: Drawn): Need[] {
  return rows.map(({ units, asks, priority }, i) => need({
    group: `g${i}`, priority, units, ...(asks === 'a' && { requirements: [requirement('kind', 'In', 'a')] }), ...(asks === 'spread' && { spread: [zoneSpread(1)] }),
  }));
}

function summary(plan: Plan): unknown {
  return { actions: plan.actions.map(({ kind, machineId }) => [kind, machineId]), verdicts: plan.verdicts.map((v) => [v.need.group, v.satisfied, v.deficit, v.machines]), reasons: [...plan.machineReasons] };
}

describe('machines of which each was bound for another demand', () => {
  it('are credited in the order of their ids, as if all were bound for one', () => {
    let [credited, served] = [0, 0];
    fc.assert(
      fc.property(drawn, (one) => {
        const needs = needsOf(one);
        const plans = [false, true].map((isOneGroup) => planOnce(world({ machines: fleet(one, isOneGroup), needs }), T0));
        expect(summary(plans[0] as Plan)).toEqual(summary(plans[1] as Plan));
        served += (plans[0] as Plan).verdicts.filter((v) => v.satisfied).length;
        credited += (plans[0] as Plan).verdicts.reduce((sum, v) => sum + v.machines, 0);
      }),
      { numRuns: 100 },
    );
    expect(served).toBeGreaterThan(800);
    expect(credited).toBeGreaterThan(5_000);
  });
});

describe('a queue of groups of one rank', () => {
  const rank = Int32Array.from({ length: 400 }, (_, slot) => slot);
  const filing: Filing<Tally> = { groupOf: [], rank, waiting: new Uint8Array(400) };
  const cls = (...cpu: number[]): MachineClass => ({ amounts: cpu }) as unknown as MachineClass;
  const wanting = (n: number): Pick<Tally, 'wants'> => ({ wants: () => n });
  /** Group i has the machines i and i + 200. */
  const pairs = (n: number): Group<Tally>[] => Array.from({ length: n }, (_, i) => {
    const group = new Group<Tally>(filing, 'configured', 0, i, []);
    for (const slot of [i + 200, i]) {
      filing.waiting[slot] = 1;
      (filing.groupOf as Group<Tally>[])[slot] = group;
      group.add(slot);
    }
    return group;
  });
  const take = (groups: readonly Group<Tally>[], n: number): void => {
    for (const group of groups) group.take({} as Tally, n);
  };

  it('offers as many as have the next machines, passing over what has run out', () => {
    const groups = pairs(200);
    const queue = new TieQueue([...groups].reverse(), new Set([cls(1)]), rank);
    expect(queue.offerTo(wanting(3))).toEqual(groups.slice(0, 3));
    take(groups.slice(1, 41), 2);
    take(groups.slice(41, 42), 1);
    for (let again = 0; again < 2; again++) expect(queue.offerTo(wanting(3))).toEqual([groups[0], ...groups.slice(41, 44)]);
    take(groups, 1);
    take(groups.filter(({ left }) => left > 0), 1);
    expect([queue.isEmpty, queue.offerTo(wanting(1)), queue.groups]).toEqual([true, [], []]);
  });

  it('offers all to whoever wants many, where there are few, and where they differ', () => {
    const [many, few] = [pairs(200), pairs(10)];
    expect(new TieQueue(many, new Set([cls(1)]), rank).offerTo(wanting(33))).toHaveLength(200);
    expect(new TieQueue(few, new Set([cls(1)]), rank).offerTo(wanting(1))).toHaveLength(10);
    expect(new TieQueue(many, new Set([cls(1), cls(2)]), rank).offerTo(wanting(1))).toHaveLength(200);
    expect(new TieQueue(many, new Set([cls(1), cls(1)]), rank).offerTo(wanting(1))).toHaveLength(1);
  });
});

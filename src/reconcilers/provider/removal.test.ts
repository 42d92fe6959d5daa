import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { removalVerdict } from './removal.ts';
import type { KnownMachine } from './removal.ts';

const known = (id: string, missedLists = 0, pending = false, held = true): KnownMachine => ({ id, missedLists, pending, held });
const fleet = (size: number, missedLists = 0): KnownMachine[] => Array.from({ length: size }, (_, i) => known(`m${i}`, missedLists));
const naming = (machines: readonly KnownMachine[], from: number): Set<string> => new Set(machines.slice(from).map((m) => m.id));

describe('a machine that a List does not name', () => {
  it('is removed when the List before did not name it either', () => {
    const machines = [known('once'), known('twice', 1), known('there', 0)];
    expect(removalVerdict(machines, 3, new Set(['there']))).toEqual({ quarantined: false, absent: ['once', 'twice'], removed: ['twice'], missed: new Map([['once', 1]]) });
  });

  it('is never removed while something is decided or under way, but its absence is counted', () => {
    expect(removalVerdict([known('m', 5, true)], 1, new Set(['other']))).toEqual({ quarantined: false, absent: ['m'], removed: [], missed: new Map([['m', 6]]) });
  });

  it('starts over when it is named in between', () => {
    expect(removalVerdict([known('m', 1)], 1, new Set(['m'])).missed).toEqual(new Map([['m', 0]]));
  });
});

describe('a List that lacks many machines at once', () => {
  it.each([
    [20, 10, false], [20, 11, true], // ten, in a small fleet
    [100, 10, false], [100, 11, true],
    [200, 20, false], [200, 21, true], // a tenth, in a large one
  ])('of %i lacks %i: quarantined %s', (size, absent, quarantined) => {
    const machines = fleet(size, 1);
    const verdict = removalVerdict(machines, size, naming(machines, absent));
    expect(verdict.quarantined).toBe(quarantined);
    expect(verdict.removed).toHaveLength(quarantined ? 0 : absent);
    expect(verdict.absent).toEqual(machines.slice(0, absent).map((m) => m.id));
    if (quarantined) expect(verdict.missed.size).toBe(0);
  });

  it('names nothing at all: quarantined, however few machines there were', () => {
    for (const size of [1, 2, 10]) {
      const verdict = removalVerdict(fleet(size, 1), size, new Set());
      expect([verdict.quarantined, verdict.removed]).toEqual([true, []]);
    }
    expect(removalVerdict([], 0, new Set(), { known: 3, missing: 3, bound: 1 }).quarantined, 'known by their number').toBe(true);
    expect(removalVerdict([], 0, new Set()).quarantined, 'nothing is missed').toBe(false);
    const offers = [known('a', 1, false, false), known('b', 1, false, false)];
    expect(removalVerdict(offers, 2, new Set()).removed, 'an offer that is withdrawn takes nothing away').toEqual(['a', 'b']);
  });

  it('counts also the machines that would not be removed yet', () => {
    expect(removalVerdict(fleet(20), 20, new Set()).quarantined).toBe(true);
  });
});

it('removes no machine that is named or pending, and none on its first absence', () => {
  const machine = fc.record({ missedLists: fc.nat(3), pending: fc.boolean(), named: fc.boolean(), held: fc.boolean() });
  fc.assert(fc.property(fc.array(machine, { maxLength: 30 }), (drawn) => {
    const machines = drawn.map((m, i) => ({ ...m, id: `m${i}` }));
    const { removed } = removalVerdict(machines, machines.length, new Set(machines.filter((m) => m.named).map((m) => m.id)));
    for (const id of removed) {
      const { named, pending, missedLists } = machines.find((m) => m.id === id)!;
      expect([named, pending, missedLists >= 1]).toEqual([false, false, true]);
    }
  }));
});

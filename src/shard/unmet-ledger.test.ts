import { describe, expect, it } from 'vitest';
import { amounts, need } from '../engine/testing/builders.ts';
import type { Need, NeedVerdict } from '../engine/types.ts';
import { verdict } from './testing/needs.ts';
import { UnmetLedger } from './unmet-ledger.ts';

const [a, b] = [need({ group: 'a' }), need({ group: 'a', minUnit: amounts({ cpu: 100 }) })];
const unmet = (of: Need): NeedVerdict => verdict(of, { satisfied: false });

function setUp() {
  const ledger = new UnmetLedger();
  let cycle = 0;
  const plan = (...verdicts: NeedVerdict[]): void => {
    cycle++;
    ledger.planned({ verdicts, at: cycle * 1_000 }, cycle);
  };
  return { plan, since: () => [a, b].map((n) => ledger.of(unmet(n))?.since), ledger };
}

describe('the spell of a Need', () => {
  it('begins with the first plan that leaves it unmet, each Need for itself', () => {
    const t = setUp();
    t.plan(unmet(a), verdict(b));
    t.plan(unmet(a), unmet(b));
    expect(t.since()).toEqual([1_000, 2_000]);
    expect(t.ledger.of(unmet(b))).toMatchObject({ sinceCycle: 2 });
  });

  it('goes on with the same verdict, with another one, and at another place', () => {
    const t = setUp();
    const [first, second] = [unmet(a), unmet(b)];
    t.plan(first, second);
    t.plan(second, first);
    t.plan(unmet(a), second);
    t.plan(verdict(need({ group: 'new' })), second, unmet(a));
    expect(t.since()).toEqual([1_000, 1_000]);
  });

  it('goes on when hundreds of rows come and go around it', () => {
    const t = setUp();
    const still = unmet(a);
    const others = (from: number, count: number): NeedVerdict[] => Array.from({ length: count }, (_, i) => verdict(need({ group: `o${from + i}` }), { satisfied: i % 2 === 0 }));
    const first = others(0, 300);
    t.plan(...first, still, unmet(b));
    t.plan(...others(1_000, 50), still, ...first.slice(100));
    t.plan(still, unmet(b), ...others(2_000, 300));
    expect(t.since()).toEqual([1_000, 3_000]);
  });

  it('ends when it is met, and when it is not asked for', () => {
    const t = setUp();
    const still = unmet(a);
    t.plan(still, unmet(b));
    t.plan(still);
    t.plan(still, unmet(b));
    expect(t.since()).toEqual([1_000, 3_000]);
    t.plan(verdict(a));
    expect(t.since()).toEqual([undefined, undefined]);
    t.plan(still);
    expect(t.since()).toEqual([5_000, undefined]);
  });
});

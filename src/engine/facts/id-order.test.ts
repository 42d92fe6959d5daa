import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareText } from '../../lib/compare-text.ts';
import { createEngine } from '../engine.ts';
import { machine, machinesChange, need, policy, T0 } from '../testing/builders.ts';
import { idsOf } from '../testing/summary.ts';
import { IdOrder } from './id-order.ts';

describe('the order of ids', () => {
  it('ranks what has come after others have gone behind what was there before', () => {
    const engine = createEngine(policy());
    engine.apply({ kind: 'needs', cluster: 'c1', needs: [need()] });
    engine.apply({ kind: 'session', cluster: 'c1', connected: true });
    engine.apply(machinesChange(machine('a', 'Speculative'), machine('b', 'Speculative'), machine('c', 'Configured')));
    engine.plan(T0);
    engine.apply({ kind: 'machines', upserted: [], removed: ['a', 'b'] });
    engine.plan(T0);
    engine.apply(machinesChange(machine('d', 'Configured', { zone: 'zb' })));
    expect(idsOf(engine.plan(T0), 'Reclaim')).toEqual(['d']);
  });

  it('loses more at a time than a call takes arguments: a provider that is taken out', () => {
    const count = 600_000; // a test runs on a thread, whose stack has room for more than the main one's 125,000
    const ids: (string | undefined)[] = Array.from({ length: count }, (_, i) => `m-${i}`);
    const order = new IdOrder(ids);
    order.makeRoom(count, 1);
    for (let slot = 0; slot < count; slot++) order.add(slot);
    order.settle(Number.POSITIVE_INFINITY);
    for (let slot = 0; slot < count; slot++) {
      order.remove(slot);
      ids[slot] = undefined;
    }
    expect(order.released()).toHaveLength(count);
  });

  it('is that of the ids, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ id: fc.nat(30), settles: fc.boolean() }), { maxLength: 60, size: 'max' }), (steps) => {
        const ids: (string | undefined)[] = [];
        const free: number[] = [];
        const order = new IdOrder(ids);
        const settle = (): void => {
          order.settle(Number.POSITIVE_INFINITY);
          free.push(...order.released());
          const slots = [...order];
          const expected = ids.filter((id) => id !== undefined).sort(compareText);
          expect(slots.map((slot) => ids[slot])).toEqual(expected);
          expect([...slots].sort((a, b) => (order.rank[a] as number) - (order.rank[b] as number))).toEqual(slots);
          expect(new Set(slots.map((slot) => order.rank[slot])).size).toBe(slots.length);
        };
        for (const { id, settles } of steps) {
          const known = ids.indexOf(`m${id}`);
          if (known >= 0) {
            order.remove(known);
            ids[known] = undefined;
          } else {
            const slot = free.pop() ?? ids.length;
            ids[slot] = `m${id}`;
            order.makeRoom(ids.length, 0);
            order.add(slot);
          }
          if (settles) settle();
        }
        settle();
      }),
    );
  });
});

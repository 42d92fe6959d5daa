import { describe, expect, it } from 'vitest';
import { seen } from '../../shard/testing/machines.ts';
import { bind, setUp, unbind } from './testing/reconciler-setup.ts';

describe('a call that is accepted and begins nothing', () => {
  it.each([['create', 'Speculative', bind], ['configure', 'Idle', bind], ['drain', 'Configured', unbind]] as const)('is made again later and later: %s', async (kind, state, intent) => {
    const t = setUp();
    const asItWas = seen('m', state);
    const at: number[] = [];
    for (let i = 0; i < 100; i++) {
      t.provider.next(kind, () => {
        at.push(t.clock.monotonic());
        return Promise.resolve({ operationId: `op-${String(i)}`, machine: asItWas });
      });
    }
    t.have('m', state, intent);
    await t.clock.advance(120_000);
    const pauses = at.slice(1).map((time, i) => time - (at[i] as number));
    expect(pauses.length).toBeGreaterThan(7);
    pauses.forEach((pause, i) => expect(pause).toBeGreaterThanOrEqual(0.7 * Math.min(30_000, 200 * 2 ** i)));
  });
});

import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Rests } from './rests.ts';

/** From 1 s to 10 s, without jitter. */
function setUp(random = 0.5) {
  const clock = new VirtualClock();
  return { clock, rests: new Rests(clock, () => random, { minMs: 1_000, maxMs: 10_000 }) };
}

describe('what has failed', () => {
  it('rests twice as long each time, up to the most', async () => {
    const { clock, rests } = setUp();
    const spells: number[] = [];
    for (let i = 0; i < 6; i++) {
      spells.push(rests.failed('a'));
      await clock.advance(spells.at(-1)!);
      expect(rests.restMs('a')).toBe(0);
    }
    expect(spells).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  });

  it('rests no longer for failures of calls that were under way', async () => {
    const { clock, rests } = setUp();
    rests.failed('a');
    await clock.advance(400);
    expect([rests.failed('a'), rests.restMs('a')]).toEqual([600, 600]);
    await clock.advance(600);
    expect(rests.failed('a')).toBe(2_000);
  });

  it('is forgotten by a success, and by peace', async () => {
    const { clock, rests } = setUp();
    rests.failed('a');
    rests.succeeded('a');
    expect(rests.restMs('a')).toBe(0);
    expect(rests.failed('a')).toBe(1_000);
    await clock.advance(1_000 + 9_999);
    expect(rests.failed('a')).toBe(2_000);
    await clock.advance(2_000 + 10_000);
    expect(rests.failed('a')).toBe(1_000);
  });

  it('is nobody else’s matter', () => {
    const { rests } = setUp();
    rests.failed('a');
    expect(rests.restMs('b')).toBe(0);
  });

  it('comes back a quarter earlier or later than others', () => {
    expect([setUp(0).rests.failed('a'), setUp(1).rests.failed('a')]).toEqual([750, 1_250]);
  });

  it('is not remembered for ever, however much there is of it', async () => {
    const { clock, rests } = setUp();
    for (let i = 0; i < 10_000; i++) rests.failed(`old ${i}`);
    await clock.advance(60_000);
    rests.failed('new');
    expect((rests as unknown as { byKey: Map<string, unknown> }).byKey.size).toBe(1);
  });
});

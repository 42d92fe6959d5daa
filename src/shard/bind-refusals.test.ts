import { describe, expect, it } from 'vitest';
import type { MachineState } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { BindRefusals } from './bind-refusals.ts';
import { Inventory } from './inventory.ts';
import { SourceRows, rowKey } from './source-rows.ts';
import { comingFor, eastRow, seen, toEast } from './testing/machines.ts';

function setUp() {
  const clock = new VirtualClock();
  const inventory = new Inventory(clock);
  const refusals = new BindRefusals(clock, new SourceRows());
  inventory.onChange((change) => refusals.observe(change));
  const have = (id: string, state: MachineState): void => {
    inventory.observe(seen(id, state), inventory.mark());
    inventory.setIntent(id, { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent: true });
    inventory.explain(id, comingFor(eastRow));
  };
  const moves = (id: string, state: MachineState): void => inventory.observe(seen(id, state, state === 'Failed' ? { lastError: 'no network' } : {}), inventory.mark());
  const known = (): string | undefined => refusals.current().get(rowKey(eastRow))?.words;
  const hasOneCome = (): boolean => refusals.current().get(rowKey(eastRow))?.hasOneCome === true;
  return { clock, inventory, refusals, have, moves, known, hasOneCome };
}

describe('what a provider said when it refused machines to a row', () => {
  it('is known while others are tried; that one has come is known as well, until the next is refused', () => {
    const t = setUp();
    t.refusals.refused({ why: comingFor(eastRow) }, { code: 'INTERNAL', words: 'configure: disk broken' });
    t.have('m', 'Idle');
    t.moves('m', 'Configuring');
    expect([t.known(), t.hasOneCome()]).toEqual(['configure: disk broken', false]);
    t.moves('m', 'Configured');
    expect([t.known(), t.hasOneCome()]).toEqual(['configure: disk broken', true]);
    t.refusals.refused({ why: comingFor(eastRow) }, { code: 'INTERNAL', words: 'again' });
    expect([t.known(), t.hasOneCome()]).toEqual(['again', false]);
  });

  it('is nothing that a machine leaves which comes to a row that was refused none', () => {
    const t = setUp();
    t.have('m', 'Configuring');
    t.moves('m', 'Configured');
    expect(t.known()).toBeUndefined();
  });

  it('is also how a machine fails on its way, not how one fails that serves', () => {
    const t = setUp();
    t.have('m', 'Configuring');
    t.moves('m', 'Failed');
    expect(t.known()).toBe('no network');
    const other = setUp();
    other.have('m', 'Configuring');
    other.moves('m', 'Configured');
    other.moves('m', 'Failed');
    expect(other.known()).toBeUndefined();
  });

  it('is forgotten when nothing was refused for a while: nothing is tried any more', async () => {
    const t = setUp();
    t.refusals.refused({ why: comingFor(eastRow) }, { code: 'INTERNAL', words: 'first' });
    await t.clock.advance(60_000);
    t.refusals.refused({ why: comingFor(eastRow) }, { code: 'INTERNAL', words: 'second' });
    await t.clock.advance(60_000);
    expect(t.known()).toBe('second');
    await t.clock.advance(31_000);
    expect(t.known()).toBeUndefined();
  });
});

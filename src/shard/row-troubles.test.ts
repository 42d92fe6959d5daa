import { describe, expect, it } from 'vitest';
import { need } from '../engine/testing/builders.ts';
import type { MachineReason, MachineState } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { BindRefusals } from './bind-refusals.ts';
import { Inventory } from './inventory.ts';
import type { MachineIntent } from './record.ts';
import { RowTroubles } from './row-troubles.ts';
import { SourceRows, rowKey } from './source-rows.ts';
import { comingFor, eastRow, seen, toEast } from './testing/machines.ts';
import { verdict } from './testing/needs.ts';

const bind = (fingerprint: string = toEast.fingerprint): MachineIntent => ({ kind: 'bind', to: { ...toEast, fingerprint }, requirements: [], reason: '', decidedAt: 0, configureSent: false });

function setUp() {
  const clock = new VirtualClock();
  const inventory = new Inventory(clock);
  const rows = new SourceRows();
  const refusals = new BindRefusals(clock, rows);
  const troubles = new RowTroubles({ clock, inventory, refusals, rows, whyWithheld: () => '' });
  const have = (id: string, state: MachineState, intent?: MachineIntent, obstacle = ''): void => {
    inventory.observe(seen(id, state), inventory.mark());
    if (intent) inventory.setIntent(id, intent);
    if (intent?.kind === 'bind') inventory.explain(id, comingFor({ ...eastRow, fingerprint: intent.to.fingerprint }));
    if (obstacle) inventory.update(id, { obstacle });
  };
  const now = () => troubles.current().get(rowKey(eastRow));
  return { clock, inventory, refusals, rows, have, now, of: (row: Parameters<typeof rowKey>[0]) => troubles.current().get(rowKey(row)) };
}

describe('what keeps machines from a row', () => {
  it('is nothing where nothing was refused and nothing is in the way', () => {
    const t = setUp();
    t.have('m', 'Creating', bind());
    expect(t.now()).toBeUndefined();
  });

  it('is what stands in the way of a machine that was chosen for it', () => {
    const t = setUp();
    t.have('n', 'Configured', { kind: 'unbind', reason: '', graceSeconds: 0, preemptorPriority: 0, decidedAt: 0 }, 'drain: no');
    t.inventory.explain('n', comingFor(eastRow));
    t.have('m', 'Idle', bind(), 'no blob');
    expect(t.now()).toEqual({ words: 'no blob', isPresent: true, wasRefused: false, onTheWay: 0 });
  });

  it('is what stands in the way of a machine that was preempted for it', () => {
    const t = setUp();
    t.have('n', 'Configured', { kind: 'unbind', reason: '', graceSeconds: 0, preemptorPriority: 0, decidedAt: 0 }, 'drain: no');
    t.inventory.explain('n', { ...comingFor(eastRow), code: 'Reserved' } as MachineReason);
    expect(t.now()).toEqual({ words: 'drain: no', isPresent: true, wasRefused: false, onTheWay: 0 });
    t.inventory.update('n', { obstacle: '' });
    expect(t.now()).toBeUndefined();
    t.inventory.standStill('n', 'cluster west is not connected');
    expect(t.now()?.words).toBe('cluster west is not connected');
  });

  it('is what was said of others; and machines that are being made ready are counted', () => {
    const t = setUp();
    t.refusals.refused({ why: comingFor(eastRow) }, { code: 'INTERNAL', words: 'disk broken' });
    t.have('creating', 'Creating', bind());
    t.have('configuring', 'Configuring', bind());
    t.have('decided', 'Speculative', bind());
    t.have('other', 'Creating', bind('fp-2'));
    t.have('stuck', 'Creating', bind());
    t.inventory.update('stuck', { stuck: true });
    t.have('draining', 'Draining', undefined);
    t.inventory.explain('draining', comingFor(eastRow));
    expect(t.now()).toEqual({ words: 'disk broken', isPresent: false, wasRefused: true, onTheWay: 2 });
  });

  it('keeps its words while it is the same trouble, however they vary, and renews them at times', async () => {
    const t = setUp();
    const words = new Set<string | undefined>();
    for (let i = 0; i < 50; i++) {
      t.refusals.refused({ why: comingFor(eastRow) }, { code: 'INTERNAL', words: `request req-${'abcdefgh'[i % 8]}x failed` });
      words.add(t.now()?.words);
      if (i === 28) expect(words.size).toBe(1);
      await t.clock.advance(1_000);
    }
    expect(words.size).toBe(2);
    t.refusals.refused({ why: comingFor(eastRow) }, { code: 'ABORTED', words: 'something else' });
    expect(t.now()?.words).toBe('something else');
  });

  it('is, before anything else, why what was chosen is not begun, as it is now', () => {
    const t = setUp();
    t.have('m', 'Idle', bind(), 'no blob');
    const words = ['the shard is in mode Paused', 'cluster east is not connected', undefined].map((standstill) => {
      t.inventory.standStill('m', standstill);
      return t.now()?.words;
    });
    expect(words).toEqual(['the shard is in mode Paused', 'cluster east is not connected', 'no blob']);
  });

  it('is nothing of rows that are alike but for their unit or their group (D2)', () => {
    const t = setUp();
    t.have('m', 'Idle', bind(), 'no blob');
    t.refusals.refused({ why: comingFor({ ...eastRow, group: 'g' }) }, { code: 'INTERNAL', words: 'disk broken' });
    t.have('n', 'Creating', bind());
    expect(t.of(eastRow)).toEqual({ words: 'no blob', isPresent: true, wasRefused: false, onTheWay: 1 });
    expect(t.of({ ...eastRow, group: 'g' })).toEqual({ words: 'disk broken', isPresent: false, wasRefused: true, onTheWay: 0 });
    expect(t.of({ ...eastRow, unitClass: 'cpu=9' })).toBeUndefined();
  });

  it('is nothing of a row that does not count on the machine any more', () => {
    const t = setUp();
    t.have('m', 'Idle', bind(), 'no blob');
    t.inventory.explain('m', { code: 'Stuck', state: 'Idle' });
    expect(t.now()).toBeUndefined();
  });

  it('is the same of all gangs that were planned as one, also once they are so no longer', () => {
    const t = setUp();
    const gangs = ['g1', 'g2'].map((group) => need({ cluster: 'east', group }));
    const other = need({ cluster: 'west', group: 'g1' });
    const together = { foldedAs: 'f|cpu=2' };
    t.rows.planned([...gangs.map((gang) => verdict(gang, together)), verdict(other, together)]);
    const why = comingFor({ ...gangs[0]!, group: '' }, together);
    for (const [id, state] of [['m', 'Idle'], ['n', 'Creating']] as const) {
      t.have(id, state, bind());
      t.inventory.explain(id, why);
    }
    t.inventory.update('m', { obstacle: 'no blob' });
    expect(gangs.map((gang) => t.of(gang))).toEqual(gangs.map(() => ({ words: 'no blob', isPresent: true, wasRefused: false, onTheWay: 1 })));
    expect(t.of(other)).toBeUndefined();
    t.refusals.refused({ why }, { code: 'INTERNAL', words: 'disk broken' });
    t.inventory.update('m', { obstacle: '' });
    t.rows.planned(gangs.map((gang) => verdict(gang)));
    expect(gangs.map((gang) => t.of(gang)?.words)).toEqual(['disk broken', 'disk broken']);
    t.rows.planned([verdict(other, together)]);
    expect(t.rows.of(why)).toEqual([]);
  });

  it('does not jump from machine to machine', () => {
    const t = setUp();
    t.have('m', 'Idle', bind(), 'no blob for m');
    t.have('n', 'Idle', bind(), 'no blob for n');
    expect(t.now()?.words).toBe('no blob for m');
    t.inventory.update('m', { obstacle: '' });
    t.inventory.update('m', { obstacle: 'no blob for m' });
    expect(t.now()?.words).toBe('no blob for m');
  });

  it('begins with new words when it comes back', () => {
    const t = setUp();
    t.have('m', 'Idle', bind(), 'first');
    expect(t.now()?.words).toBe('first');
    t.inventory.update('m', { obstacle: '' });
    expect(t.now()).toBeUndefined();
    t.inventory.update('m', { obstacle: 'second' });
    expect(t.now()?.words).toBe('second');
  });
});

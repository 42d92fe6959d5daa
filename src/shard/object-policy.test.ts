import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Inventory } from './inventory.ts';
import { machineObjectsMode, wantsObject } from './object-policy.ts';
import type { MachineRecord } from './record.ts';
import { seen, toEast } from './testing/machines.ts';
import type { MachineState } from '../engine/types.ts';

function record(state: MachineState, fields: Partial<MachineRecord> = {}): MachineRecord {
  const inventory = new Inventory(new VirtualClock());
  inventory.observe(seen('m', state), inventory.mark());
  return { ...inventory.get('m')!, ...fields };
}

describe('which machines are objects (D22)', () => {
  it('those that are not Speculative, as long as they are few', () => {
    const has = (['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'] as const).filter((s) => wantsObject(record(s), 'NonSpeculative', false));
    expect(has).toEqual(['Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed']);
  });

  it('only exceptions, when they are many: in transition, failed, stuck, held, decided about, asked for', () => {
    const has = (['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'] as const).filter((s) => wantsObject(record(s), 'Exceptional', false));
    expect(has).toEqual(['Creating', 'Configuring', 'Draining', 'Deleting', 'Failed']);
    expect(wantsObject(record('Configured', { stuck: true }), 'Exceptional', false)).toBe(true);
    expect(wantsObject(record('Idle', { hold: true }), 'Exceptional', false)).toBe(true);
    expect(wantsObject(record('Idle', { intent: { kind: 'release', reason: '', decidedAt: 0 } }), 'Exceptional', false)).toBe(true);
    expect(wantsObject(record('Configured', { assigned: toEast }), 'Exceptional', true)).toBe(true);
  });

  it('a decided Speculative slot in both modes', () => {
    const slot = record('Speculative', { intent: { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent: false } });
    expect([wantsObject(slot, 'NonSpeculative', false), wantsObject(slot, 'Exceptional', false)]).toEqual([true, true]);
  });
});

describe('the mode', () => {
  it('switches above 20,000 and back below 15,000, and stays in between', () => {
    expect(machineObjectsMode('NonSpeculative', 'NonSpeculative', 20_000)).toBe('NonSpeculative');
    expect(machineObjectsMode('NonSpeculative', 'NonSpeculative', 20_001)).toBe('Exceptional');
    expect(machineObjectsMode('NonSpeculative', 'Exceptional', 15_000)).toBe('Exceptional');
    expect(machineObjectsMode('NonSpeculative', 'Exceptional', 14_999)).toBe('NonSpeculative');
  });

  it('is Exceptional when a person says so, however few there are', () => {
    expect(machineObjectsMode('Exceptional', 'NonSpeculative', 1)).toBe('Exceptional');
  });
});

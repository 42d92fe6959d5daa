import { describe, expect, it } from 'vitest';
import type { MachineState } from '../engine/types.ts';
import type { Machine } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Inventory } from './inventory.ts';
import type { MachineRecord } from './record.ts';
import { isReleaseRequest, releaseStep } from './release-requests.ts';
import { seen, toEast } from './testing/machines.ts';

function record(state: MachineState, fields: Partial<MachineRecord> = {}, capacityType: 'OnDemand' | 'BareMetal' = 'OnDemand'): MachineRecord {
  const inventory = new Inventory(new VirtualClock());
  inventory.observe(seen('m', state, { capacityType }), inventory.mark());
  return { ...inventory.get('m')!, ...fields };
}
const kind = (machine: MachineRecord): string => {
  const step = releaseStep(machine, 5, 1);
  return typeof step === 'string' ? step : step.kind;
};

describe('a machine that a person wants gone', () => {
  it('is drained, then deleted where it can be bought again, then done', () => {
    expect(kind(record('Configured', { assigned: toEast }))).toBe('unbind');
    expect(kind(record('Draining'))).toBe('wait');
    expect(kind(record('Idle'))).toBe('release');
    expect(kind(record('Deleting'))).toBe('wait');
    expect(kind(record('Speculative'))).toBe('done');
  });

  it.each<MachineState>(['Speculative', 'Idle', 'Configured', 'Failed'])('waits for the end of a call to a machine that is %s', (state) => {
    expect(kind(record(state, { busy: true }))).toBe('wait');
    expect(kind(record(state, { busy: false }))).not.toBe('wait');
  });

  it('is deleted also when it has failed', () => {
    expect(releaseStep(record('Failed'), 5, 1)).toEqual({ kind: 'release', reason: 'A person asked for its release.', decidedAt: 1, byPerson: true });
    expect(kind(record('Failed', {}, 'BareMetal'))).toBe('done');
    expect(kind(record('Failed', { busy: true }))).toBe('wait');
    expect(kind(record('Failed', { intent: { kind: 'release', reason: '', decidedAt: 0, byPerson: true } }))).toBe('wait');
    expect(kind(record('Failed', { hold: true }))).toBe('wait');
  });

  it('waits while it rests because its drain was refused, and not longer', () => {
    const rested = (until: number) => record('Configured', { drainRefusal: { words: 'no', code: 'INTERNAL', until, spells: 1 } });
    expect([kind(rested(2)), kind(rested(1)), kind(rested(0))]).toEqual(['wait', 'unbind', 'unbind']);
  });

  it('is only drained where it cannot', () => {
    expect(kind(record('Idle', {}, 'BareMetal'))).toBe('done');
    expect(kind(record('Configured', {}, 'BareMetal'))).toBe('unbind');
  });

  it('is decided about once', () => {
    expect(kind(record('Configured', { intent: { kind: 'unbind', reason: '', graceSeconds: 1, preemptorPriority: 0, decidedAt: 0 } }))).toBe('wait');
    expect(kind(record('Idle', { intent: { kind: 'release', reason: '', decidedAt: 0 } }))).toBe('wait');
  });

  it('leaves the cluster it was only meant for, unless Configure is under way', () => {
    const bind = { kind: 'bind' as const, to: toEast, requirements: [], reason: '', decidedAt: 0 };
    expect(kind(record('Idle', { intent: { ...bind, configureSent: false } }))).toBe('release');
    expect(kind(record('Idle', { intent: { ...bind, configureSent: true } }))).toBe('wait');
    expect(kind(record('Idle', { busy: true }))).toBe('wait');
  });

  it('stays while it is held', () => {
    expect(kind(record('Configured', { hold: true }))).toBe('wait');
    expect(kind(record('Idle', { hold: true }))).toBe('wait');
  });

  it('is asked for by annotation and deletion together', () => {
    const object = (deleted: boolean, value?: string): Machine => ({
      metadata: { name: 'm', ...(deleted && { deletionTimestamp: '2026-01-01T00:00:00Z' }), ...(value !== undefined && { annotations: { 'control.bigfleet.lucy.sh/release': value } }) },
      spec: { machineId: 'm', providerRef: 'p', shardRef: 's' },
    });
    expect([object(true, 'true'), object(false, 'true'), object(true), object(true, 'no'), undefined].map(isReleaseRequest)).toEqual([true, false, false, false, false]);
  });
});

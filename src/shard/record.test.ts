import { describe, expect, it } from 'vitest';
import type { CapacityType, MachineState } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Inventory } from './inventory.ts';
import { toEngineMachine } from './record.ts';
import { seen } from './testing/machines.ts';

/** What the engine is told of a machine that is being drained. */
function told(state: MachineState, capacityType: CapacityType, byPerson: boolean): string | undefined {
  const inventory = new Inventory(new VirtualClock());
  inventory.observe(seen('m', state, { cluster: 'east', capacityType }), inventory.mark());
  inventory.setIntent('m', { kind: 'unbind', reason: '', graceSeconds: 1, preemptorPriority: 0, decidedAt: 0, ...(byPerson && { byPerson }) });
  return toEngineMachine(inventory.get('m')!, 0).intent?.kind;
}

describe('a machine that leaves a cluster', () => {
  it.each(['Configured', 'Draining'] as const)('is told as one that leaves the fleet as well if a person has released it and it can be given back: %s', (state) => {
    expect((['OnDemand', 'Spot', 'Reserved', 'BareMetal'] as const).map((type) => told(state, type, true))).toEqual(['release', 'release', 'unbind', 'unbind']);
    expect(told(state, 'OnDemand', false)).toBe('unbind');
  });
});

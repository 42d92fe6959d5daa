import { describe, expect, it } from 'vitest';
import type { MachineState } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Inventory } from './inventory.ts';
import type { MachineIntent } from './record.ts';
import { seen, toEast } from './testing/machines.ts';

const bind: MachineIntent = { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 1, configureSent: true };

/** What is left of a binding whose Configure was sent, once the Idle machine is seen like this. */
function after(state: MachineState): MachineIntent | undefined {
  const inventory = new Inventory(new VirtualClock());
  inventory.observe(seen('m', 'Idle'), inventory.mark());
  inventory.setIntent('m', bind);
  inventory.observe(seen('m', state), inventory.mark());
  return inventory.get('m')?.intent;
}

describe('a binding whose Configure was sent', () => {
  it.each(['Speculative', 'Creating'] as const)('begins anew on a machine that is %s: what the Configure was sent to is gone', (state) => {
    expect(after(state)).toEqual({ ...bind, configureSent: false });
  });

  it.each(['Idle', 'Configuring'] as const)('may still be carried out on one that is %s', (state) => {
    expect(after(state)).toBe(bind);
  });
});

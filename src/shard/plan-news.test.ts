import { describe, expect, it } from 'vitest';
import type { MachineState } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Inventory } from './inventory.ts';
import { isNewsForThePlan } from './plan-news.ts';
import type { MachineIntent } from './record.ts';
import { seen, toEast } from './testing/machines.ts';

const bind: MachineIntent = { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent: false };
const unbind: MachineIntent = { kind: 'unbind', reason: '', graceSeconds: 1, preemptorPriority: 0, decidedAt: 0 };
const release: MachineIntent = { kind: 'release', reason: '', decidedAt: 0 };

/** Whether each change of a machine in that state, with that intent, calls for another plan. */
function news(state: MachineState, intent: MachineIntent | undefined, happens: (inventory: Inventory) => void): boolean[] {
  const inventory = new Inventory(new VirtualClock());
  inventory.observe(seen('m', state), inventory.mark());
  if (intent) inventory.setIntent('m', intent);
  const told: boolean[] = [];
  inventory.onChange((change) => told.push(isNewsForThePlan(change)));
  happens(inventory);
  return told;
}

const becomes = (state: MachineState, fields: Parameters<typeof seen>[2] = {}) => (inventory: Inventory): void => inventory.observe(seen('m', state, fields), inventory.mark());

describe('another plan is called for', () => {
  it.each<[MachineState, MachineIntent | undefined, MachineState, boolean]>([
    ['Configured', unbind, 'Draining', false],
    ['Speculative', bind, 'Creating', false],
    ['Idle', bind, 'Configuring', false],
    ['Idle', release, 'Deleting', false],
    ['Configured', undefined, 'Draining', true],
    ['Configured', unbind, 'Idle', true],
    ['Configured', unbind, 'Failed', true],
    ['Draining', unbind, 'Idle', true],
    ['Speculative', bind, 'Idle', true],
    ['Creating', bind, 'Idle', true],
    ['Configuring', bind, 'Configured', true],
    ['Idle', bind, 'Speculative', true],
    ['Idle', bind, 'Failed', true],
    ['Deleting', release, 'Speculative', true],
  ])('when what was %s is decided about (%j) and is %s: not where it was sent there', (state, intent, next, expected) => {
    expect(news(state, intent, becomes(next))).toEqual([expected]);
  });

  it('by what else is new of a machine that goes where it was sent', () => {
    expect(news('Speculative', bind, becomes('Creating', { priceMicroUsdPerHour: 7 }))).toEqual([true]);
  });

  it('by a person who holds it, by a decision that is over, and not by one that is made', () => {
    expect(news('Idle', undefined, (inventory) => inventory.update('m', { hold: true }))).toEqual([true]);
    expect(news('Idle', undefined, (inventory) => inventory.setIntent('m', bind))).toEqual([false]);
    expect(news('Idle', bind, (inventory) => inventory.setIntent('m', undefined))).toEqual([true]);
  });

  it('by a machine that comes or goes', () => {
    expect(news('Idle', undefined, (inventory) => (inventory.observe(seen('n', 'Idle'), inventory.mark()), inventory.remove('m')))).toEqual([true, true]);
  });
});

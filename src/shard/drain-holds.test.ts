import { expect, it } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { DrainHolds } from './drain-holds.ts';
import { Inventory } from './inventory.ts';
import { tellMachine } from './machine-telling.ts';
import { seen } from './testing/machines.ts';

function setUp() {
  const inventory = new Inventory(new VirtualClock());
  for (const [id, cluster] of [['m', 'east'], ['n', 'east'], ['other', 'west']] as const) inventory.observe(seen(id, 'Configured', { cluster }), inventory.mark());
  inventory.takeEngineChanges();
  return { inventory, holds: new DrainHolds(inventory), heldBy: () => [...inventory.all()].flatMap(({ seen: { id }, heldBy }) => (heldBy === undefined ? [] : [[id, heldBy]])) };
}

it('what holds up a drain is kept until its cluster says otherwise', () => {
  const { inventory, holds, heldBy } = setUp();
  holds.report('east', new Map([['m', 'web-1 stays'], ['n', 'db-0 stays']]));
  expect(heldBy()).toEqual([['m', 'web-1 stays'], ['n', 'db-0 stays']]);
  holds.report('west', new Map());
  expect(heldBy()).toHaveLength(2);
  holds.report('east', new Map([['n', 'db-1 stays']]));
  expect(heldBy()).toEqual([['n', 'db-1 stays']]);
  holds.report('east', new Map());
  expect(heldBy()).toEqual([]);
  expect(inventory.get('n')?.seen.state).toBe('Configured');
});

it('a cluster has no say about machines that do not serve it', () => {
  const { holds, heldBy } = setUp();
  holds.report('east', new Map([['other', 'mine'], ['unknown', 'mine']]));
  expect(heldBy()).toEqual([]);
});

it('the same words again are no change', () => {
  const { inventory, holds } = setUp();
  let changes = 0;
  inventory.onChange(() => changes++);
  for (let i = 0; i < 3; i++) holds.report('east', new Map([['m', 'web-1 stays']]));
  expect(changes).toBe(1);
});

it('the sentence about the machine ends with it', () => {
  expect(tellMachine({ why: { code: 'Leaving', cluster: 'east' }, heldBy: '1 Pod(s) remain: ns/web-1' })).toBe('On its way out of cluster east. Its drain waits: 1 Pod(s) remain: ns/web-1');
  expect(tellMachine({ why: { code: 'Leaving', cluster: 'east' } })).toBe('On its way out of cluster east.');
});

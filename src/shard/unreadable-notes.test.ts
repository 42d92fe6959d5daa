import { beforeEach, expect, it } from 'vitest';
import { ASSIGNED_INTERRUPTION_PENALTY, ASSIGNED_NEED_FINGERPRINT, ASSIGNED_PRIORITY } from '../api/shard-metadata.ts';
import type { MachineState } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { silentLog } from '../runtime/types.ts';
import { Inventory } from './inventory.ts';
import type { MachineIntent } from './record.ts';
import { seen, toEast } from './testing/machines.ts';
import { UnreadableNotes } from './unreadable-notes.ts';

const BAD = new Map([[ASSIGNED_PRIORITY, 'high'], [ASSIGNED_INTERRUPTION_PENALTY, '-3'], [ASSIGNED_NEED_FINGERPRINT, 'f']]);
const PROBLEMS = [`${ASSIGNED_PRIORITY}: cannot read "high"`, `${ASSIGNED_INTERRUPTION_PENALTY}: cannot read "-3"`];

let inventory: Inventory;
let told: object[];

beforeEach(() => {
  told = [];
  inventory = new Inventory(new VirtualClock());
  const notes = new UnreadableNotes({ ...silentLog, warn: (fields) => told.push(fields) });
  inventory.onChange((change) => notes.observe(change));
});

const is = (state: MachineState, shardMetadata: ReadonlyMap<string, string>): void => inventory.observe(seen('m', state, { shardMetadata }), inventory.mark());

it('a machine whose purpose nobody remembers is named with all that cannot be read of it, which counts as 0', () => {
  is('Configured', BAD);
  expect(told).toEqual([{ machine: 'm', cluster: 'east', problems: PROBLEMS }]);
  expect(inventory.get('m')?.assigned).toMatchObject({ priority: 0, interruptionBucket: 0, fingerprint: 'f' });
});

it.each([
  ['readable', new Map([[ASSIGNED_PRIORITY, '7']])],
  ['absent: it may have been bound by somebody else', new Map<string, string>()],
])('nothing is said of notes that are %s', (_what, notes) => {
  is('Configured', notes);
  expect(told).toEqual([]);
});

it('each machine is named once, also when it leaves its cluster and comes back; a new one of that name is another', () => {
  is('Configured', BAD);
  is('Configured', new Map([...BAD, ['other', 'x']]));
  is('Failed', BAD);
  is('Configured', BAD);
  expect(told).toHaveLength(1);
  inventory.remove('m');
  is('Configured', BAD);
  expect(told).toHaveLength(2);
});

it('nothing is said of a machine that this process bound itself: it knows what for', () => {
  const bind: MachineIntent = { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 1, configureSent: true };
  is('Idle', new Map());
  inventory.setIntent('m', bind);
  is('Configuring', BAD);
  is('Configured', BAD);
  is('Configured', new Map([...BAD, ['other', 'x']]));
  inventory.update('m', { hold: true });
  expect([told, inventory.get('m')?.assigned]).toEqual([[], toEast]);
});

/** A shard whose data disk is full for a while. */
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { realDisk } from './disk.ts';
import type { ShardDisk } from './disk.ts';
import { LiveSettings } from './live-settings.ts';
import { wireRow } from './testing/needs.ts';
import { ShardWorld, eventually } from './testing/shard-world.ts';

const { MACHINE_STATE_SPECULATIVE: SPECULATIVE } = MachineState;
const SETTINGS_UNKEPT = 'reconcile failed; it will be repeated';

let world: ShardWorld;
let isFull: boolean;
const disk: ShardDisk = {
  ...realDisk,
  replace: (file, text) => {
    if (isFull) throw new Error('ENOSPC');
    realDisk.replace(file, text);
  },
};
beforeEach(async () => {
  isFull = false;
  world = await new ShardWorld().open();
});
afterEach(() => world.close());

it('keeps to a limit and a mode that a person sets meanwhile, and remembers them once there is room', async () => {
  for (let i = 0; i < 4; i++) world.provider.put(`m-${i}`, { state: SPECULATIVE });
  const shard = world.startShard({ surroundings: { disk } });
  const east = await world.operator(shard);
  east.rollup({ needs: [wireRow()] });
  await eventually('one is bought', () => world.provider.count('Create') === 1);
  isFull = true;
  world.editShard({ limits: { machines: 1 } });
  await eventually('the shard says that it cannot remember it', () => world.errors.includes(SETTINGS_UNKEPT));
  east.rollup({ needs: ['', 'g', 'h'].map((group) => wireRow({ group })), timestampUnixNanos: 3n });
  await eventually('the others are planned for', async () => (await world.needs(shard)).satisfied.length === 3);
  await world.plans(shard);
  expect(world.provider.count('Create')).toBe(1);
  world.editShard({ mode: 'Paused' });
  isFull = false;
  await eventually('it is remembered', () => new LiveSettings(join(world.dir, 'data')).current.mode === 'Paused');
  expect(new Set(world.errors)).toEqual(new Set([SETTINGS_UNKEPT]));
});

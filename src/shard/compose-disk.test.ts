/** A shard whose data disk is full for a while. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { realDisk } from './disk.ts';
import type { ShardDisk } from './disk.ts';
import { LiveSettings } from './live-settings.ts';
import { wireRow } from './testing/needs.ts';
import { ShardWorld, eventually } from './testing/shard-world.ts';

const { MACHINE_STATE_SPECULATIVE: SPECULATIVE, MACHINE_STATE_CONFIGURED: CONFIGURED } = MachineState;
const SETTINGS_UNKEPT = 'reconcile failed; it will be repeated';

let world: ShardWorld;
let isFull: boolean;
const disk: ShardDisk = {
  ...realDisk,
  append: (file, text) => {
    if (isFull) throw new Error('ENOSPC');
    realDisk.append(file, text);
  },
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

it('takes nothing away that its audit log could not tell of, acquires all the same, and says what waits for it', async () => {
  world.provider.put('m-1', { state: CONFIGURED, cluster: 'east' });
  world.provider.put('m-2', { state: CONFIGURED, cluster: 'east' });
  world.provider.put('m-3', { state: SPECULATIVE, zone: 'zone-b' });
  const auditLog = join(world.dir, 'audit');
  const shard = world.startShard({ auditLog, surroundings: { disk } });
  const east = await world.operator(shard);
  const west = await world.operator(shard, 'west');
  west.rollup({ clusterId: 'west', needs: [] });
  east.rollup({ needs: [wireRow(), wireRow({ group: 'g' })] });
  await eventually('both are known', async () => [...(await world.machines(shard)).values()].filter((m) => m.state === CONFIGURED).length === 2);
  await eventually('an object that a person can delete', () => world.machineObject('m-2')?.status?.phase === 'Configured');
  isFull = true;
  world.annotateMachine('m-2', { 'control.bigfleet.lucy.sh/release': 'true' });
  world.deleteMachineObject('m-2');
  east.rollup({ needs: [], timestampUnixNanos: 3n });
  west.rollup({ clusterId: 'west', needs: [wireRow({ requirements: [{ key: 'topology.kubernetes.io/zone', operator: 1, values: ['zone-b'] }] })], timestampUnixNanos: 3n });
  await eventually('the shard says so', async () => (await world.explainCluster(shard, 'east')).conditions.some((c) => c.code === 'AuditLogUnwritable'));
  await eventually('and at the machine', async () => (await world.explain(shard, 'm-1')).machine?.why?.code === 'Withheld');
  await eventually('another cluster gets what it needs', () => world.provider.count('Configure') === 1);
  await world.plans(shard);
  expect([world.provider.count('Drain'), world.provider.count('Delete'), readFileSync(auditLog, 'utf8')]).toEqual([0, 0, '']);
  isFull = false;
  await world.plans(shard);
  await eventually('both are drained', () => world.provider.count('Drain') === 2);
  const lines = readFileSync(auditLog, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { kind: string; machine: string; outcome: string });
  for (const id of ['m-1', 'm-2']) expect(lines).toContainEqual(expect.objectContaining({ kind: 'Reclaim', machine: id, outcome: 'decided' }));
  expect((await world.explainCluster(shard, 'east')).conditions.some((c) => c.code === 'AuditLogUnwritable')).toBe(false);
});

it('says no longer that the audit log cannot be written once it can, although nothing is decided', async () => {
  world.provider.put('m-1', { state: SPECULATIVE });
  const shard = world.startShard({ auditLog: join(world.dir, 'audit'), surroundings: { disk } });
  const east = await world.operator(shard);
  const isSaid = async (): Promise<boolean> => (await world.explainCluster(shard, 'east')).conditions.some((c) => c.code === 'AuditLogUnwritable');
  isFull = true;
  east.rollup({ needs: [wireRow()] });
  await eventually('it is said', isSaid);
  await world.plans(shard);
  expect(await isSaid()).toBe(true);
  isFull = false;
  await world.plans(shard);
  expect(await isSaid()).toBe(false);
});

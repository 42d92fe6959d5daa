import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { GrpcCode, GrpcError } from '../api/grpc.ts';
import { systemClock } from '../lib/clock.ts';
import type { FakeOperator } from '../session/server/testing/fake-operator.ts';
import { wireRow } from './testing/needs.ts';
import { ShardWorld, eventually } from './testing/shard-world.ts';

const { MACHINE_STATE_IDLE: IDLE, MACHINE_STATE_CONFIGURED: CONFIGURED, MACHINE_STATE_CONFIGURING: CONFIGURING } = MachineState;
const HOUR_MS = 3_600_000;

describe('a shard on a machine whose wall clock is set', () => {
  let world: ShardWorld;
  let aheadMs: number;
  const clock = { ...systemClock, now: () => systemClock.now() + aheadMs };

  const said = (operator: FakeOperator): string => operator.received.flatMap((p) => (p.$case === 'needStatus' ? p.value.items : [])).at(-1)?.reasonText ?? '';

  beforeEach(async () => {
    aheadMs = 0;
    world = await new ShardWorld().open();
  });
  afterEach(() => world.close());

  it('back by an hour, tries again what was refused when its pause is over, and not an hour later', async () => {
    world.provider.put('m-1', { state: IDLE });
    world.provider.onCall = ({ kind }) => {
      if (kind !== 'Configure' || aheadMs < 0) return;
      throw new GrpcError(GrpcCode.INVALID_ARGUMENT, 'bad blob');
    };
    const shard = world.startShard({ clock });
    const east = await world.operator(shard);
    east.rollup({ needs: [wireRow()] });
    await eventually('its refusal is known', () => said(east).endsWith('bad blob.'));
    aheadMs = -HOUR_MS;
    await eventually('the machine serves', () => world.provider.state('m-1') === CONFIGURED);
    expect(world.provider.count('Configure')).toBeGreaterThan(1);
  });

  it('ahead by an hour, takes nothing for stuck that has just begun; and dates by the new time what it puts on record', async () => {
    for (const id of ['m-1', 'm-2']) world.provider.put(id, { state: IDLE });
    const auditLog = join(world.dir, 'audit');
    const shard = world.startShard({ clock, auditLog });
    const east = await world.operator(shard);
    world.provider.unfinished.add('Configure');
    east.rollup({ needs: [wireRow()] });
    await eventually('it is being configured', async () => [...(await world.machines(shard)).values()].some(({ state }) => state === CONFIGURING));
    aheadMs = HOUR_MS;
    await world.provider.asked(60); // every 25 ms; what is stuck is looked for once a second
    await world.plans(shard);
    expect(world.provider.count('Configure')).toBe(1);
    east.rollup({ needs: [wireRow(), wireRow({ group: 'g' })], timestampUnixNanos: 3n });
    await eventually('the other one is taken for other demand', () => world.provider.count('Configure') === 2);
    const [first, second] = readFileSync(auditLog, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { readonly time: string });
    expect(Date.parse(second!.time) - Date.parse(first!.time)).toBeGreaterThan(HOUR_MS - 60_000);
  });
});

import { expect, it } from 'vitest';
import type { Shard } from '../api/types.ts';
import { silentLog } from '../runtime/types.ts';
import { Succession } from './succession.ts';

const shard = (epoch?: number, holder?: string): Shard => ({
  metadata: { name: 's' }, spec: {}, status: { ...(epoch !== undefined && { epoch }), ...(holder !== undefined && { holder }) },
});

function start() {
  const told: string[] = [];
  const stop = new AbortController();
  const succession = new Succession({ identity: 'me', log: silentLog, onSucceeded: ({ message }) => told.push(message) });
  const outcome = succession.run(stop.signal).then(() => 'stopped', (error: Error) => error.name);
  return { succession, told, stop, outcome };
}

it.each([
  ['a higher epoch', shard(8, 'other')],
  ['a higher epoch of nobody', shard(8)],
  // Claimed twice: the object could not tell the second of the first.
  ['our epoch, as another’s', shard(7, 'other')],
])('%s ends the process, and tells once', async (_what, object) => {
  const { succession, told, outcome } = start();
  succession.look(7n, object);
  succession.look(7n, object);
  expect(await outcome).toBe('SucceededError');
  expect(told).toHaveLength(1);
});

it.each([
  ['our own claim', 7n, shard(7, 'me')],
  ['an object that does not know us yet', 7n, shard(6, 'other')],
  ['an object without a status', 7n, { metadata: { name: 's' }, spec: {} } satisfies Shard],
  ['an object that is gone', 7n, undefined],
  ['an epoch while we have none', 0n, shard(6, 'other')],
  ['our epoch without a holder', 7n, shard(7)],
])('%s does not', async (_what, epoch, object) => {
  const { succession, told, stop, outcome } = start();
  succession.look(epoch, object);
  stop.abort();
  expect(await outcome).toBe('stopped');
  expect(told).toEqual([]);
});

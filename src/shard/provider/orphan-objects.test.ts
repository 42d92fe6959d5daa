import { expect, it } from 'vitest';
import type { Machine } from '../../api/types.ts';
import { OrphanObjects } from './orphan-objects.ts';

const object = (machineId: string, hold = false): Machine => ({ metadata: { name: machineId }, spec: { machineId, providerRef: 'p', shardRef: 's', ...(hold && { hold }) } });

it('an object goes when two Lists in a row lack its machine', () => {
  const orphans = new OrphanObjects();
  expect(orphans.afterFullList([object('a'), object('b')], (id) => id === 'b')).toEqual([]);
  expect(orphans.afterFullList([object('a'), object('b')], (id) => id === 'b')).toEqual(['a']);
});

it('a machine that comes back in between starts anew', () => {
  const orphans = new OrphanObjects();
  orphans.afterFullList([object('a')], () => false);
  orphans.afterFullList([object('a')], () => true);
  expect(orphans.afterFullList([object('a')], () => false)).toEqual([]);
});

it('a held one stays, however often', () => {
  const orphans = new OrphanObjects();
  for (let i = 0; i < 5; i++) expect(orphans.afterFullList([object('a', true)], () => false)).toEqual([]);
});

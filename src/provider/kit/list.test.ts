import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineList } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { startSim, type SimHarness } from '../testing/sim-harness.ts';
import { Inventory } from './inventory.ts';
import { machineOf } from './machine.ts';
import { builtInSeeds } from '../sim/built-in-seeds.ts';

const ids = (list: MachineList): string[] => list.machines.map((m) => m.id);

describe('List', () => {
  let h: SimHarness;
  beforeEach(async () => void (h = await startSim()));
  afterEach(() => h.close());

  it('filters by state, exactly and without repeats', async () => {
    await h.toIdle(h.fresh());
    await h.toConfigured(h.fresh());
    const all = await h.rpc.list();
    expect(new Set(ids(all)).size).toBe(40);
    const wanted = (states: number[]): string[] => all.machines.filter((m) => states.includes(m.state)).map((m) => m.id);
    expect(ids(await h.rpc.list({ states: [3] }))).toEqual(wanted([3]));
    expect(ids(await h.rpc.list({ states: [3, 5] }))).toEqual(wanted([3, 5]));
    expect(ids(await h.rpc.list({ states: [8] }))).toEqual([]);
  });

  it('caps, starts elsewhere each time, and wraps round to fill the page', async () => {
    const take = async (n: number): Promise<string[]> => ids(await h.rpc.list({ states: [1], maxResults: n }));
    const [a, b, c] = [await take(1), await take(1), await take(1)];
    expect(new Set([...a, ...b, ...c]).size).toBe(3);
    const speculative = ids(await h.rpc.list({ states: [1] }));
    expect(speculative.length).toBe(36);
    for (let i = 0; i < 10; i++) expect(new Set(await take(7)).size).toBe(7);
    expect(new Set(await take(1000))).toEqual(new Set(speculative));
    expect(ids(await h.rpc.list({ maxResults: 0 })).length).toBe(40);
  });

  it('gives what changed since a revision, and nothing when nothing did', async () => {
    const cursors: Uint8Array[] = [];
    const changed: string[] = [];
    for (let i = 0; i < 4; i++) {
      cursors.push((await h.rpc.list()).revision);
      changed.push(h.fresh());
      await h.toIdle(changed[i]!);
    }
    for (let i = 0; i < 4; i++) {
      expect(ids(await h.rpc.list({ sinceRevision: cursors[i]! }))).toEqual(changed.slice(i));
    }
    const { revision } = await h.rpc.list();
    const quiet = await h.rpc.list({ sinceRevision: revision });
    expect([ids(quiet), Buffer.from(quiet.revision)]).toEqual([[], Buffer.from(revision)]);
  });

  it('shows a machine that changed twice once, as it is', async () => {
    const { revision } = await h.rpc.list();
    const id = h.fresh();
    await h.toConfigured(id);
    const delta = await h.rpc.list({ sinceRevision: revision });
    expect(delta.machines.map((m) => [m.id, m.state])).toEqual([[id, 5]]);
  });

  it('answers cursors it never gave out with everything', async () => {
    const { revision } = await h.rpc.list();
    const head = Buffer.from(revision);
    expect(head.toString()).toMatch(/^\d+$/);
    const strange = [
      Buffer.alloc(0), Buffer.from('not-a-real-cursor'), Buffer.alloc(4096, 0xde), Buffer.from([0, 255, 1]),
      Buffer.concat([head, Buffer.from('!')]), Buffer.concat([Buffer.from('~'), head]), Buffer.concat([head, Buffer.from([0, 255])]),
      Buffer.from(` ${head}`), Buffer.from('1e3'), Buffer.from('-1'), Buffer.from('٣'),
      Buffer.from(String(Number(head) + 1)), // ahead of us: somebody else's, or ours before the state was lost
      Buffer.from('9'.repeat(16)), Buffer.from('9'.repeat(40)),
    ];
    for (const cursor of strange) expect([cursor.toString('hex'), ids(await h.rpc.list({ sinceRevision: cursor })).length]).toEqual([cursor.toString('hex'), 40]);
  });

  it('loses nothing when a delta is capped: pages continue where the last one ended', async () => {
    let { revision } = await h.rpc.list();
    const changed = Array.from({ length: 5 }, () => h.fresh());
    for (const id of changed) await h.toIdle(id);
    const pages: string[][] = [];
    for (let i = 0; i < 4; i++) {
      const page = await h.rpc.list({ sinceRevision: revision, maxResults: 2 });
      pages.push(ids(page));
      revision = page.revision;
    }
    expect(pages).toEqual([changed.slice(0, 2), changed.slice(2, 4), changed.slice(4), []]);
  });

  it('describes every machine completely', async () => {
    for (const m of (await h.rpc.list()).machines) {
      expect(m.instanceType && m.zone && m.capacityType && m.resources?.resources.size && m.allocatable?.resources.size).toBeTruthy();
      expect(m.pricePerHour).toBeGreaterThan(0);
      expect(m.interruptionProbability > 0).toBe(m.capacityType === 4);
    }
  });

  it('never gives an empty delta to a cursor of a provider that lost its state', async () => {
    const { revision } = await h.rpc.list();
    for (let i = 0; i < 5; i++) await h.toConfigured(h.fresh());
    await h.clock.advance(1);
    const later = await startSim({ clock: h.clock });
    expect(ids(await later.rpc.list({ sinceRevision: revision })).length).toBe(40);
    await later.close();
  });
});

it('a full List that is encoded over several turns shows the changes made meanwhile', async () => {
  const inventory = new Inventory(0);
  for (const [i, seed] of builtInSeeds(3_000).entries()) inventory.put({ machine: machineOf(seed), revision: i + 1, operations: {} });
  const everything = { states: [], maxResults: 0, sinceRevision: new Uint8Array() };
  const listing = inventory.list(everything);
  const first = inventory.entries()[0]!.stored;
  inventory.put({ ...first, machine: { ...first.machine, instanceType: 'changed-meanwhile' }, revision: 3_001 });
  const bytes = await listing;
  expect(bytes.includes('changed-meanwhile')).toBe(true);
  expect(bytes.subarray(-4).toString()).toBe('3001');
  expect(await inventory.list(everything)).toBe(bytes); // unchanged: not put together again
  inventory.put({ machine: machineOf(builtInSeeds(3_001)[3_000]!), revision: 3_002, operations: {} });
  const last = inventory.entries()[2_999]!.stored;
  inventory.put({ ...last, machine: { ...last.machine, instanceType: 'changed-later' }, revision: 3_003 });
  const list = MachineList.decode(await inventory.list(everything));
  expect(list.machines.map((m) => m.id)).toEqual(builtInSeeds(3_001).map((m) => m.id));
  expect(list.machines.map((m) => m.instanceType).filter((type) => type.startsWith('changed'))).toEqual(['changed-meanwhile', 'changed-later']);
});

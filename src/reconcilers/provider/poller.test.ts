import { afterEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { ProviderError } from '../../provider/client.ts';
import { silentLog } from '../../runtime/types.ts';
import { Inventory } from '../../shard/inventory.ts';
import type { MachineIntent } from '../../shard/record.ts';
import { FakeProvider } from '../../shard/testing/fake-provider.ts';
import { seen } from '../../shard/testing/machines.ts';
import { ProviderPoller } from './poller.ts';
import type { PollerSettings } from './poller.ts';

const SETTINGS: PollerSettings = {
  pollMs: 10_000,
  fullListMs: 300_000,
  listDeadlineMs: 120_000,
  transitionMs: { Creating: 900_000, Configuring: 900_000, Draining: 300_000, Deleting: 600_000 }, drainingAddsGrace: true,
};
type Writable<T> = { -readonly [K in keyof T]: T[K] };
const CURSOR = new Uint8Array([7]);
const unbind: MachineIntent = { kind: 'unbind', reason: '', graceSeconds: 60, preemptorPriority: 0, decidedAt: 0 };
const away = (): ProviderError => new ProviderError('Unavailable', 'connection refused');

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function setUp(options: { settings?: Partial<PollerSettings>; foreign?: string[]; random?: number; knownBefore?: number; boundBefore?: number; recalled?: number } = {}) {
  const clock = new VirtualClock();
  const inventory = new Inventory(clock);
  for (let i = 0; i < (options.recalled ?? 0); i++) inventory.observe(seen(`m${i}`, 'Idle'), inventory.mark());
  const provider = new FakeProvider();
  const trust: [at: number, trusted: boolean][] = [];
  const refused: string[] = [];
  const believed = { count: 0 };
  const warnings: string[] = [];
  const confirmed: { token: string | undefined } = { token: undefined };
  const withdrawn: string[] = [];
  const poller = new ProviderPoller({
    provider, inventory, clock, log: { ...silentLog, warn: (_fields, message) => warnings.push(message) },
    random: () => options.random ?? 1, // the longest pause
    settings: () => ({ ...SETTINGS, ...options.settings }),
    confirmation: () => confirmed.token,
    withdrawConfirmation: (word) => withdrawn.push(word),
    knownBefore: () => ({ machines: options.knownBefore ?? 0, bound: options.boundBefore ?? 0 }),
    isForeign: (id) => options.foreign?.includes(id) ?? false,
    onTrust: (trusted) => trust.push([clock.monotonic(), trusted]),
    onRejected: (reason) => refused.push(reason),
    onFullList: () => (believed.count += 1),
  });
  const stop = new AbortController();
  const start = async (): Promise<void> => {
    const running = poller.run(stop.signal);
    stops.push(async () => {
      stop.abort();
      await running;
      expect(clock.pending).toBe(0);
    });
    await clock.advance(0);
  };
  const have = (count: number, prefix = 'm'): void => {
    for (let i = 0; i < count; i++) provider.set(seen(`${prefix}${i}`, 'Idle'));
  };
  const lists = (): { since: Uint8Array | undefined }[] => provider.calls.filter((c) => c.kind === 'list').map((c) => c.request as { since: Uint8Array | undefined });
  return { confirmed, withdrawn, believed, warnings, clock, inventory, provider, poller, trust, refused, start, have, lists };
}

describe('a List of a large fleet', () => {
  /** Says how many machines were known after each part, of so many machines, but the last. */
  function inParts({ provider, inventory }: ReturnType<typeof setUp>, size: number): number[] {
    const list = provider.list.bind(provider);
    const sizes: number[] = [];
    provider.list = async ({ onPart, ...request } = {}) => {
      const { machines, ...rest } = await list(request);
      let from = 0;
      for (; from + size < machines.length; from += size) {
        await onPart?.(machines.slice(from, from + size));
        sizes.push(inventory.size);
      }
      return { ...rest, machines: machines.slice(from) };
    };
    return sizes;
  }

  it('is compared with what was known before its first part', async () => {
    const t = setUp();
    t.have(50);
    await t.start();
    t.provider.machines.clear();
    t.have(200, 'n');
    t.have(39); // eleven of fifty are missing, of two hundred and fifty they would be few
    inParts(t, 100);
    await t.clock.advance(SETTINGS.pollMs);
    expect(t.poller.status.quarantine).toMatchObject({ known: 50 });
    expect(t.poller.status.quarantine?.missing).toHaveLength(11);
  });

  it('is merged part by part, and what no part names is missing', async () => {
    const t = setUp({ foreign: ['m3'] });
    t.have(12);
    await t.start();
    t.have(24, 'n');
    t.provider.machines.delete('m0');
    const sizes = inParts(t, 15);
    await t.clock.advance(SETTINGS.pollMs);
    expect([sizes, t.inventory.size]).toEqual([[15, 30], 35]);
    expect([t.inventory.get('m0')?.missedLists, t.inventory.get('m1')?.missedLists, t.inventory.get('n23')?.missedLists]).toEqual([1, 0, 0]);
    expect([t.believed.count, t.poller.status.quarantine]).toEqual([2, undefined]);
  });

  it.each([
    ['nobody has known any', {}, 0, false],
    ['a predecessor knew more than twenty thousand', { knownBefore: 20_001 }, 0, true],
    ['a predecessor knew twenty thousand', { knownBefore: 20_000 }, 0, false],
    ['more than twenty thousand are known', {}, 20_001, true],
  ])('is received on a thread of its own when %s', async (_, options, known, isLarge) => {
    const t = setUp(options);
    for (let i = 0; i < known; i++) t.inventory.observe(seen(`m${i}`, 'Idle'), t.inventory.mark());
    await t.start();
    expect(t.lists()).toEqual([{ since: undefined, isLarge }]);
  });

  it('is merged in turns, what was touched meanwhile is newer, and removes what two of them lack', async () => {
    const t = setUp();
    t.have(5_000);
    const { list } = t.provider;
    let lists = 0;
    t.provider.list = async (request) => {
      const answer = await list.call(t.provider, request);
      // Once the first part of the second List is merged, a call about a machine of a later part begins and ends.
      if (++lists === 2) setImmediate(() => {
        t.inventory.begin('m4998', { kind: 'Delete', operationId: '', startedAt: 0, attempts: 1, lastError: '' });
        t.inventory.end('m4998', { seen: seen('m4998', 'Deleting'), operationId: 'op' });
      });
      return answer;
    };
    await t.start();
    const until = async (done: () => boolean): Promise<void> => {
      for (let i = 0; i < 400 && !done(); i++) await t.clock.advance(0);
      expect(done()).toBe(true);
    };
    await until(() => t.believed.count === 1);
    expect(t.inventory.size).toBe(5_000);
    t.provider.machines.delete('m4999');
    await t.clock.advance(10_000);
    await until(() => t.believed.count === 2);
    expect([t.inventory.get('m4998')?.seen.state, t.inventory.get('m4999')?.missedLists]).toEqual(['Deleting', 1]);
    await t.clock.advance(10_000);
    await until(() => t.believed.count === 3);
    expect([t.inventory.get('m4998')?.seen.state, t.inventory.get('m4999')]).toEqual(['Idle', undefined]);
  });
});

describe('a great loss', () => {
  /** A fleet that is known, and how many machines were removed at most without a turn for others. */
  const fleet = async (count: number) => {
    const t = setUp();
    t.have(count);
    const until = async (done: () => boolean): Promise<void> => {
      for (let i = 0; i < 400 && !done(); i++) await t.clock.advance(0);
      expect(done()).toBe(true);
    };
    const stretch = { now: 0, longest: 0 };
    t.inventory.onChange(({ after }) => {
      if (after) return;
      if (stretch.now++ === 0) setImmediate(() => (stretch.now = 0));
      stretch.longest = Math.max(stretch.longest, stretch.now);
    });
    await t.start();
    await until(() => t.believed.count === 1);
    return { ...t, until, stretch };
  };

  it('is removed in turns, but nothing that something was decided about, or that a call has found, meanwhile', async () => {
    const t = await fleet(22_000);
    for (let i = 0; i < 2_200; i++) t.provider.machines.delete(`m${i}`);
    await t.clock.advance(10_000);
    await t.until(() => t.believed.count === 2);
    let left: string[] = [];
    t.inventory.onChange(({ id, after }) => {
      if (after || left.length > 0) return;
      left = Array.from({ length: 2_200 }, (_, i) => `m${i}`).filter((other) => other !== id);
      const [decided, found] = left as [string, string];
      t.inventory.setIntent(decided, unbind);
      t.inventory.begin(found, { kind: 'Delete', operationId: '', startedAt: 0, attempts: 1, lastError: '' });
      t.inventory.end(found, { seen: seen(found, 'Idle'), operationId: 'op' });
    });
    await t.clock.advance(10_000);
    await t.until(() => t.believed.count === 3);
    const [decided, found, ...others] = left as [string, string];
    expect([t.inventory.size, t.inventory.get(decided)?.intent, t.inventory.get(found)?.missedLists]).toEqual([19_802, unbind, 0]);
    expect([others.length, others.filter((id) => t.inventory.get(id))]).toEqual([2_197, []]);
    expect(t.stretch.longest).toBeLessThanOrEqual(2_000);
  });

  it('is removed in turns when a person confirms it', async () => {
    const t = await fleet(5_000);
    t.provider.machines.clear();
    await t.clock.advance(10_000);
    await t.until(() => t.poller.status.quarantine !== undefined);
    t.confirmed.token = t.poller.status.quarantine!.token;
    await t.clock.advance(10_000);
    await t.until(() => t.believed.count === 2);
    expect([t.inventory.size, t.poller.status.trusted]).toEqual([0, true]);
    expect(t.stretch.longest).toBeLessThanOrEqual(2_000);
  });
});

describe('polling', () => {
  it('merges what the provider lists, once per interval', async () => {
    const t = setUp();
    t.have(2);
    await t.start();
    expect(t.inventory.size).toBe(2);
    t.provider.move('m0', 'Failed');
    await t.clock.advance(9_999);
    expect(t.inventory.get('m0')?.seen.state).toBe('Idle');
    await t.clock.advance(1);
    expect(t.inventory.get('m0')?.seen.state).toBe('Failed');
    expect(t.poller.status).toMatchObject({ trusted: true, lastListAt: t.clock.now(), lastFullListAt: t.clock.now(), lastError: '' });
  });

  it('asks for changes by cursor and for everything now and then', async () => {
    const t = setUp({ settings: { fullListMs: 30_000 } });
    t.have(1);
    t.provider.revision = CURSOR;
    await t.start();
    await t.clock.advance(40_000);
    expect(t.lists().map((l) => l.since)).toEqual([undefined, CURSOR, CURSOR, undefined, CURSOR]);
    expect(t.poller.status.lastFullListAt).toBe(t.clock.now() - 10_000);
  });

  it('takes every List of a provider without cursors for a full one', async () => {
    const t = setUp();
    t.have(1);
    await t.start();
    await t.clock.advance(20_000);
    expect(t.lists().map((l) => l.since)).toEqual([undefined, undefined, undefined]);
    expect(t.poller.status.lastFullListAt).toBe(t.clock.now());
  });

  it('moves the cursor only after success', async () => {
    const t = setUp();
    t.provider.revision = new Uint8Array([1]);
    await t.start();
    t.provider.revision = new Uint8Array([2]);
    t.provider.next('list', away);
    await t.clock.advance(60_000);
    expect(t.lists().slice(1, 3).map((l) => l.since)).toEqual([new Uint8Array([1]), new Uint8Array([1])]);
  });

  describe('a full List that was asked for', () => {
    it('is the next one to begin, once', async () => {
      const t = setUp();
      t.provider.revision = CURSOR;
      await t.start();
      t.poller.listFully();
      await t.clock.advance(20_000);
      expect(t.lists().map((l) => l.since)).toEqual([undefined, undefined, CURSOR]);
    });

    it.each([undefined, CURSOR])('while a List is under way is the one after it (under way since %j)', async (since) => {
      const t = setUp();
      t.provider.revision = CURSOR;
      const list = Promise.withResolvers<never>();
      if (since === undefined) t.provider.next('list', () => list.promise);
      await t.start();
      if (since !== undefined) {
        t.provider.next('list', () => list.promise);
        await t.clock.advance(10_000);
      }
      expect(t.lists().at(-1)?.since).toEqual(since);
      t.poller.listFully();
      list.resolve({ machines: [], rejected: [], revision: CURSOR } as never);
      await t.clock.advance(20_000);
      expect(t.lists().slice(-2).map((l) => l.since)).toEqual([undefined, CURSOR]);
    });

    it('is asked for again when it fails', async () => {
      const t = setUp({ settings: { pollMs: 1_000 } });
      t.provider.revision = CURSOR;
      await t.start();
      t.poller.listFully();
      t.provider.next('list', away);
      await t.clock.advance(1_000 + 2_000 + 1_000);
      expect(t.lists().map((l) => l.since)).toEqual([undefined, undefined, undefined, CURSOR]);
    });
  });

  it('allows each List what the settings say by then', async () => {
    const settings: Partial<Writable<PollerSettings>> = {};
    const t = setUp({ settings });
    t.provider.revision = CURSOR;
    await t.start();
    settings.listDeadlineMs = 7_000;
    await t.clock.advance(10_000);
    settings.listDeadlineMs = 8_000;
    t.poller.listFully();
    await t.clock.advance(10_000);
    expect(t.provider.calls.map((c) => c.timeoutMs)).toEqual([120_000, 7_000, 8_000]);
  });

  it('does not see machines of other shards (D15)', async () => {
    const t = setUp({ foreign: ['m1'] });
    t.have(2);
    await t.start();
    expect([...t.inventory.all()].map((m) => m.seen.id)).toEqual(['m0']);
  });

  it('does not overwrite the answer of a call that was made while the List was on its way', async () => {
    const t = setUp();
    t.provider.set(seen('m', 'Speculative'));
    await t.start();
    const list = Promise.withResolvers<never>();
    t.provider.next('list', () => list.promise);
    await t.clock.advance(10_000);
    t.inventory.begin('m', { kind: 'Create', operationId: '', startedAt: 0, attempts: 1, lastError: '' });
    t.inventory.end('m', { seen: seen('m', 'Creating'), operationId: 'op' });
    list.resolve({ machines: [seen('m', 'Speculative')], rejected: [], revision: new Uint8Array() } as never);
    await t.clock.advance(0);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Creating' }, recheck: true });
  });
});

describe('a machine that is no longer listed', () => {
  it('is removed after two full Lists', async () => {
    const t = setUp();
    t.have(2);
    await t.start();
    t.provider.machines.delete('m1');
    await t.clock.advance(10_000);
    expect(t.inventory.size).toBe(2);
    await t.clock.advance(10_000);
    expect([...t.inventory.all()].map((m) => m.seen.id)).toEqual(['m0']);
  });

  it('is not removed by a List of changes, which names only what changed', async () => {
    const t = setUp();
    t.have(2);
    t.provider.revision = CURSOR;
    await t.start();
    t.provider.machines.clear();
    await t.clock.advance(290_000);
    expect(t.inventory.size).toBe(2);
    expect(t.inventory.get('m0')?.missedLists).toBe(0);
  });

  it('is not removed if it was listed in between', async () => {
    const t = setUp();
    t.have(1);
    await t.start();
    const machine = t.provider.machines.get('m0')!;
    for (let i = 0; i < 3; i++) {
      t.provider.machines.delete('m0');
      await t.clock.advance(10_000);
      t.provider.set(machine);
      await t.clock.advance(10_000);
    }
    expect(t.inventory.size).toBe(1);
  });

  it('is not removed while something is decided about it', async () => {
    const t = setUp();
    t.provider.set(seen('m', 'Configured'));
    t.provider.set(seen('other', 'Idle'));
    await t.start();
    t.inventory.setIntent('m', unbind);
    t.provider.machines.delete('m');
    await t.clock.advance(60_000);
    expect(t.inventory.size).toBe(2);
    t.inventory.setIntent('m', undefined);
    await t.clock.advance(10_000);
    expect(t.inventory.size).toBe(1);
  });
});

it('a machine with a call in flight is not removed', async () => {
  const t = setUp();
  t.have(2);
  await t.start();
  t.inventory.begin('m0', { kind: 'Delete', operationId: '', startedAt: 0, attempts: 1, lastError: '' });
  t.provider.machines.delete('m0');
  await t.clock.advance(60_000);
  expect(t.inventory.size).toBe(2);
});

describe('a record that is refused', () => {
  it('keeps what was known, is counted, and is no absence', async () => {
    const t = setUp();
    t.have(1);
    await t.start();
    t.provider.rejected.set('m0', { id: 'm0', reason: 'price', field: 'price_per_hour', text: 'must be finite' });
    await t.clock.advance(50_000);
    expect(t.inventory.get('m0')?.seen.priceMicroUsdPerHour).toBe(400_000);
    expect(t.refused).toEqual(['price', 'price', 'price', 'price', 'price']);
    expect(t.poller.status.rejected).toBe(5);
  });

  it('is logged, but of very many only some, and how many more', async () => {
    const t = setUp();
    for (let i = 0; i < 5_000; i++) t.provider.rejected.set(`m${i}`, { id: `m${i}`, reason: 'price', field: 'price_per_hour', text: 'must be finite' });
    await t.start();
    for (let i = 0; i < 10; i++) await t.clock.advance(0);
    expect([t.refused.length, t.poller.status.rejected, t.believed.count]).toEqual([5_000, 5_000, 1]);
    expect(t.warnings).toEqual([...Array.from({ length: 10 }, () => "the provider's record is refused: must be finite"), '4990 more records of the List are refused']);
  });
});

describe('quarantine', () => {
  it('removes nothing and withdraws trust while a List lacks too many, and ends with a good List', async () => {
    const t = setUp();
    t.have(100);
    t.provider.revision = CURSOR;
    await t.start();
    const all = [...t.provider.machines.values()];
    t.provider.machines.clear();
    await t.clock.advance(300_000);
    expect(t.trust).toEqual([[0, true], [300_000, false]]);
    expect(t.poller.status).toMatchObject({ trusted: false, quarantine: { since: t.clock.now(), known: 100 } });
    expect(t.poller.status.quarantine?.missing).toHaveLength(100);
    await t.clock.advance(10_000);
    // While in doubt only a full List can help.
    expect(t.lists().at(-1)?.since).toBeUndefined();
    expect(t.inventory.size).toBe(100);
    for (const machine of all) t.provider.set(machine);
    await t.clock.advance(10_000);
    expect(t.trust.at(-1)).toEqual([320_000, true]);
    expect(t.inventory.get('m0')?.missedLists).toBe(0);
    expect(t.poller.status.quarantine).toBeUndefined();
  });

  it('counts what is missing of the machines known before, however many the List names for the first time', async () => {
    const t = setUp();
    t.have(100);
    await t.start();
    for (let i = 0; i < 50; i++) t.provider.machines.delete(`m${i}`);
    t.have(400, 'new');
    await t.clock.advance(30_000);
    expect(t.inventory.size).toBe(500);
    expect(t.poller.status.quarantine).toMatchObject({ known: 100, since: t.clock.now() - 20_000 });
    expect(t.poller.status.quarantine?.missing).toHaveLength(50);
    // What is new is known from the next List that is believed on.
    for (let i = 0; i < 50; i++) t.provider.set(seen(`m${i}`, 'Idle'));
    await t.clock.advance(10_000);
    for (let i = 0; i < 50; i++) t.provider.machines.delete(`m${i}`);
    await t.clock.advance(20_000);
    expect([t.poller.status.quarantine, t.inventory.size]).toEqual([undefined, 450]);
  });

  describe('by what was known before the start', () => {
    const quarantined = async (options: Parameters<typeof setUp>[0], have: (t: ReturnType<typeof setUp>) => void) => {
      const t = setUp(options);
      have(t);
      await t.start();
      await t.clock.advance(30_000);
      const { quarantine, trusted } = t.poller.status;
      expect(trusted).toBe(quarantine === undefined);
      expect(t.inventory.get('m0')).toBeDefined();
      return quarantine && { missing: quarantine.missing.length, unnamed: quarantine.unnamed, known: quarantine.known };
    };

    it.each([10, 11])('machines with an object are compared by name: %i of them missing', async (missing) => {
      const verdict = await quarantined({ recalled: 15, knownBefore: 15 }, (t) => {
        t.have(15);
        for (let i = 1; i <= missing; i++) t.provider.machines.delete(`m${i}`);
        t.have(500, 'new');
      });
      expect(verdict).toEqual(missing === 10 ? undefined : { missing: 11, unnamed: 0, known: 15 });
    });

    it('and on their own: machines of which only the number was known may be others by now', async () => {
      expect(await quarantined({ recalled: 15, knownBefore: 1_015 }, (t) => t.have(1_000, 'offer'))).toEqual({ missing: 15, unnamed: 0, known: 1_015 });
    });

    it.each([100, 101])('machines without an object are compared by their number, on top of the named ones: %i missing', async (missing) => {
      const verdict = await quarantined({ recalled: 200, knownBefore: 1_000 }, (t) => {
        t.have(200);
        for (let i = 1; i <= 20; i++) t.provider.machines.delete(`m${i}`);
        t.have(800 - (missing - 20), 'offer');
      });
      expect(verdict).toEqual(missing === 100 ? undefined : { missing: 20, unnamed: 81, known: 1_000 });
    });

    it.each([49, 50])('machines that served and have no object are not made up for by such as do not: %i of 60 found', async (found) => {
      const verdict = await quarantined({ recalled: 1, knownBefore: 101, boundBefore: 61 }, (t) => {
        t.have(1);
        t.have(100 - found, 'offer');
        for (let i = 0; i < found; i++) t.provider.set(seen(`b${i}`, i % 2 ? 'Configured' : 'Draining'));
      });
      expect(verdict).toEqual(found === 50 ? undefined : { missing: 0, unnamed: 11, known: 101 });
    });

    it('a machine with an object that served before and does not now is there', async () => {
      expect(await quarantined({ recalled: 100, knownBefore: 100, boundBefore: 100 }, (t) => t.have(100))).toBeUndefined();
    });

    it('another shard\'s machines are not taken for ours that are missing', async () => {
      const foreign = Array.from({ length: 90 }, (_, i) => `foreign${i}`);
      const verdict = await quarantined({ recalled: 5, knownBefore: 100, foreign }, (t) => {
        t.have(10);
        t.have(90, 'foreign');
      });
      expect(verdict).toEqual({ missing: 0, unnamed: 90, known: 100 });
    });

    it('a machine whose record is refused is there', async () => {
      const verdict = await quarantined({ recalled: 5, knownBefore: 100, boundBefore: 100 }, (t) => {
        t.have(5);
        for (let i = 0; i < 95; i++) t.provider.rejected.set(`r${i}`, { id: `r${i}`, reason: 'price', field: 'price_per_hour', text: 'must be finite' });
      });
      expect(verdict).toBeUndefined();
    });

    it('and no more once a List was believed', async () => {
      const t = setUp({ recalled: 15, knownBefore: 465 });
      t.have(15);
      t.have(450, 'offer');
      await t.start();
      t.have(0);
      for (let i = 0; i < 15; i++) t.provider.machines.delete(`m${i}`);
      await t.clock.advance(20_000);
      expect([t.poller.status.quarantine, t.inventory.size]).toEqual([undefined, 450]);
    });
  });

  it('does not count what was known before the start when Lists were believed since', async () => {
    const t = setUp({ knownBefore: 100 });
    t.have(100);
    await t.start();
    for (let i = 0; i < 20; i++) {
      t.provider.machines.delete(`m${i}`);
      await t.clock.advance(10_000);
    }
    await t.clock.advance(10_000);
    expect([t.inventory.size, t.poller.status.quarantine, t.trust.length]).toEqual([80, undefined, 1]);
  });

  describe('that a person confirms', () => {
    /** 100 machines, of which the first `count` are gone; the List after the full one at the start has not come yet. */
    const lose = async (count: number) => {
      const t = setUp();
      t.have(100);
      await t.start();
      const leave = (...ids: string[]): void => ids.forEach((id) => t.provider.machines.delete(id));
      leave(...Array.from({ length: count }, (_, i) => `m${i}`));
      await t.clock.advance(10_000);
      expect(t.inventory.size).toBe(100);
      return { ...t, leave, token: () => t.poller.status.quarantine?.token };
    };

    it('removes at once what is missing, also what something was decided about, and is over', async () => {
      const t = await lose(20);
      t.inventory.setIntent('m0', unbind);
      t.inventory.begin('m1', { kind: 'Create', operationId: '', startedAt: 0, attempts: 1, lastError: '' });
      t.confirmed.token = ` ${t.token()}\n`;
      const before = t.believed.count;
      await t.clock.advance(10_000);
      expect(t.inventory.size).toBe(80);
      expect(t.poller.status).toMatchObject({ trusted: true, quarantine: undefined });
      expect(t.believed.count).toBe(before + 1);
      expect(t.warnings).toEqual(['a person confirmed that the machines which the List lacks are gone: removed']);
    });

    it.each([['another word', 'yes'], ['the count alone', '20'], ['nothing', '']])('needs its token: %s removes nothing', async (_name, text) => {
      const t = await lose(20);
      t.confirmed.token = text;
      const before = t.believed.count;
      await t.clock.advance(30_000);
      expect(t.believed.count).toBe(before);
      expect(t.inventory.size).toBe(100);
      expect(t.poller.status).toMatchObject({ trusted: false, quarantine: { known: 100 } });
    });

    it('is another one when more has gone before the List that was to be confirmed', async () => {
      const t = await lose(20);
      t.confirmed.token = t.token();
      t.leave('m50');
      await t.clock.advance(30_000);
      expect(t.inventory.size).toBe(100);
      expect(t.token()).not.toBe(t.confirmed.token);
      t.confirmed.token = t.token();
      await t.clock.advance(10_000);
      expect(t.inventory.size).toBe(79);
    });

    it('covers a List that lacks only some of them', async () => {
      const t = await lose(20);
      const token = t.token();
      t.have(5);
      await t.clock.advance(10_000);
      t.have(6);
      t.confirmed.token = token;
      await t.clock.advance(10_000);
      expect(t.poller.status.quarantine).toBeUndefined();
      expect([t.inventory.size, t.inventory.get('m5') !== undefined, t.inventory.get('m6')]).toEqual([86, true, undefined]);
    });

    it('is the same one after a restart', async () => {
      const before = await lose(20);
      before.confirmed.token = before.token();
      const after = setUp({ recalled: 100, knownBefore: 100 });
      after.have(100);
      for (let i = 0; i < 20; i++) after.provider.machines.delete(`m${i}`);
      after.confirmed.token = before.token();
      await after.clock.advance(3_600_000);
      await after.start();
      expect(after.inventory.size).toBe(80);
    });

    it('covers, of machines known only by their number, so many or fewer', async () => {
      const t = setUp({ recalled: 5, knownBefore: 50 });
      t.have(5);
      await t.start();
      expect(t.poller.status.quarantine).toMatchObject({ missing: [], unnamed: 45 });
      const token = t.poller.status.quarantine!.token;
      const again = setUp({ recalled: 5, knownBefore: 51 });
      again.have(5);
      again.confirmed.token = token;
      await again.start();
      expect(again.poller.status.quarantine).toMatchObject({ unnamed: 46 });
      again.have(6);
      await again.clock.advance(10_000);
      expect(again.poller.status).toMatchObject({ trusted: true, quarantine: undefined });
    });

    it('is withdrawn once it was used, and used only once', async () => {
      const t = await lose(20);
      const token = ` ${t.token()}\n`;
      t.confirmed.token = token;
      await t.clock.advance(10_000);
      expect([t.inventory.size, t.withdrawn]).toEqual([80, [token]]);
      t.have(100);
      await t.clock.advance(10_000);
      // It could not be taken off the object yet: it is tried again, and means nothing meanwhile.
      expect(t.withdrawn).toEqual([token, token]);
      t.leave(...Array.from({ length: 20 }, (_, i) => `m${i}`));
      await t.clock.advance(30_000);
      expect([t.inventory.size, t.token()]).toEqual([100, token.trim()]);
      t.confirmed.token = undefined;
      await t.clock.advance(10_000);
      expect(t.inventory.size).toBe(100);
      t.confirmed.token = token;
      await t.clock.advance(10_000);
      expect(t.inventory.size).toBe(80);
      expect(t.withdrawn).toEqual([token, token, token]);
    });

    it('is withdrawn unused when a List is believed, and does not wait for the next loss', async () => {
      const t = await lose(20);
      const token = t.token();
      t.have(100);
      t.confirmed.token = token;
      await t.clock.advance(10_000);
      expect(t.withdrawn).toEqual([token]);
      t.leave(...Array.from({ length: 20 }, (_, i) => `m${i}`));
      await t.clock.advance(30_000);
      expect([t.inventory.size, t.token(), t.withdrawn.length]).toEqual([100, token, 1]);
    });

    it('confirms no other loss later', async () => {
      const t = await lose(20);
      t.confirmed.token = t.token();
      await t.clock.advance(10_000);
      expect(t.inventory.size).toBe(80);
      t.leave(...Array.from({ length: 20 }, (_, i) => `m${i + 20}`));
      await t.clock.advance(30_000);
      expect(t.inventory.size).toBe(80);
      expect(t.trust.at(-1)?.[1]).toBe(false);
    });
  });
});

describe('failures', () => {
  it('are repeated with growing pauses of at most ten seconds', async () => {
    const t = setUp({ settings: { pollMs: 1_000 } });
    for (let i = 0; i < 20; i++) t.provider.next('list', away);
    await t.start();
    const at: number[] = [0];
    let known = 1;
    for (let ms = 0; ms < 60_000; ms += 500) {
      await t.clock.advance(500);
      if (t.lists().length > known) at.push(t.clock.monotonic());
      known = t.lists().length;
    }
    const pauses = at.slice(1).map((x, i) => x - at[i]!);
    expect(pauses.slice(0, 6)).toEqual([2_000, 4_000, 8_000, 10_000, 10_000, 10_000]);
    expect(t.poller.status.lastError).toBe('connection refused');
  });

  it('spread their pauses, so that shards do not return in step', async () => {
    const pause = async (random: number): Promise<number> => {
      const t = setUp({ settings: { pollMs: 4_000 }, random });
      t.provider.next('list', away);
      await t.start();
      while (t.lists().length < 2) await t.clock.advance(100);
      return t.clock.monotonic();
    };
    expect([await pause(0), await pause(0.999)]).toEqual([4_000, 8_000]);
  });

  it('go back to the ordinary interval after a success', async () => {
    const t = setUp({ settings: { pollMs: 1_000 } });
    for (let i = 0; i < 3; i++) t.provider.next('list', away);
    await t.start();
    await t.clock.advance(2_000 + 4_000 + 8_000);
    expect(t.lists()).toHaveLength(4);
    expect(t.poller.status.lastError).toBe('');
    t.provider.next('list', away);
    await t.clock.advance(1_000);
    expect(t.lists()).toHaveLength(5);
    await t.clock.advance(2_000); // the pause of a first failure again
    expect(t.lists()).toHaveLength(6);
  });

  it('do not stop the sweep', async () => {
    const t = setUp();
    t.provider.set(seen('m', 'Creating'));
    await t.start();
    for (let i = 0; i < 1_000; i++) t.provider.next('list', away);
    await t.clock.advance(920_000);
    expect(t.inventory.get('m')?.stuck).toBe(true);
  });
});

describe('trust', () => {
  it('begins with the first List, not before', async () => {
    const t = setUp({ settings: { pollMs: 1_000 } });
    t.provider.next('list', away);
    await t.start();
    expect(t.trust).toEqual([]);
    expect(t.poller.status).toMatchObject({ trusted: false, lastListAt: 0 });
    await t.clock.advance(2_000);
    expect(t.trust).toEqual([[2_000, true]]);
  });

  it('is lost when the last List is older than three polls, and regained with the next', async () => {
    const t = setUp();
    await t.start();
    for (let i = 0; i < 5; i++) t.provider.next('list', away);
    await t.clock.advance(30_000);
    expect(t.trust).toEqual([[0, true]]);
    await t.clock.advance(1);
    expect(t.trust).toEqual([[0, true], [30_001, false]]);
    await t.clock.advance(60_000);
    expect(t.trust.slice(2).map(([, trusted]) => trusted)).toEqual([true]);
  });

  it('is lost also while a List hangs', async () => {
    const t = setUp();
    await t.start();
    t.provider.next('list', ({ signal }) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped')))));
    await t.clock.advance(30_001);
    expect(t.trust.at(-1)).toEqual([30_001, false]);
  });

  it('does not flap with polls of a quarter of a second', async () => {
    const t = setUp({ settings: { pollMs: 250 } });
    await t.start();
    for (let i = 0; i < 3; i++) t.provider.next('list', away);
    await t.clock.advance(5_000);
    expect(t.trust).toEqual([[0, true]]);
  });
});

describe('a machine in transition', () => {
  it.each([['Creating', 900_000], ['Configuring', 900_000], ['Draining', 300_000], ['Deleting', 600_000]] as const)(
    'is stuck when it is %s for longer than %i ms, and no more when it moves',
    async (state, limitMs) => {
      const t = setUp({ settings: { pollMs: 1_000 } });
      t.provider.set(seen('m', state));
      await t.start();
      await t.clock.advance(limitMs);
      expect(t.inventory.get('m')?.stuck).toBe(false);
      await t.clock.advance(1_000);
      expect(t.inventory.get('m')?.stuck).toBe(true);
      await t.clock.advance(10_000);
      expect(t.warnings.filter((w) => w.startsWith('stuck'))).toHaveLength(1);
      t.provider.move('m', 'Idle');
      await t.clock.advance(1_000);
      expect(t.inventory.get('m')?.stuck).toBe(false);
    },
  );

  it('may drain for as long as it was given, and the deadline on top', async () => {
    const t = setUp({ settings: { pollMs: 1_000 } });
    t.provider.set(seen('m', 'Configured'));
    await t.start();
    t.inventory.setIntent('m', unbind);
    t.provider.move('m', 'Draining');
    await t.clock.advance(1_000 + 360_000);
    expect(t.inventory.get('m')?.stuck).toBe(false);
    await t.clock.advance(1_000);
    expect(t.inventory.get('m')?.stuck).toBe(true);
  });

  it('is not stuck while it rests in a stable state, however long', async () => {
    const t = setUp({ settings: { pollMs: 60_000 } });
    t.have(1);
    t.provider.set(seen('f', 'Failed'));
    await t.start();
    await t.clock.advance(7_200_000);
    expect([...t.inventory.all()].map((m) => m.stuck)).toEqual([false, false]);
  });
});

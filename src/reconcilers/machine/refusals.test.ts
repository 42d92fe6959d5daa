import { describe, expect, it } from 'vitest';
import { GrpcCode, GrpcError } from '../../api/grpc.ts';
import { ProviderError } from '../../provider/client.ts';
import { toProviderError } from '../../provider/provider-error.ts';
import type { MachineIntent } from '../../shard/record.ts';
import { seen, toEast } from '../../shard/testing/machines.ts';
import { bind, rejected, release, setUp, unavailable, unbind } from './testing/reconciler-setup.ts';
import type { Setup } from './testing/reconciler-setup.ts';

describe('an ambiguous failure', () => {
  it('is looked at before it is repeated, and repeated if nothing happened', async () => {
    const t = setUp();
    t.provider.next('create', unavailable);
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.provider.made()).toEqual(['create m', 'get m', 'create m']);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Creating' }, operation: { attempts: 2 } });
    expect(t.world.outcomes).toEqual(['Create provider_error', 'Create success']);
  });

  it('is also one without a code, unless it is a Drain: the machine is kept', async () => {
    const t = setUp();
    t.provider.next('create', () => toProviderError(new GrpcError(GrpcCode.UNKNOWN, 'oops')));
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.provider.made()).toEqual(['create m', 'get m', 'create m']);
    expect(t.world.refused).toEqual([]);
  });

  it('is not repeated if it had its effect all the same', async () => {
    const t = setUp();
    t.provider.next('create', () => {
      t.provider.move('m', 'Creating');
      return new ProviderError('Deadline', 'deadline exceeded');
    });
    t.have('m', 'Speculative', bind);
    await t.settle();
    await t.clock.advance(120_000);
    expect(t.provider.made()).toEqual(['create m', 'get m']);
    expect(t.world.outcomes).toEqual(['Create ctx_canceled']);
  });

  it('is repeated later and later, also where looking works', async () => {
    const t = setUp();
    for (let i = 0; i < 50; i++) t.provider.next('create', unavailable);
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.provider.made()).toEqual(['create m', 'get m', 'create m', 'get m']);
    await t.clock.advance(200);
    expect(t.provider.made('create')).toHaveLength(3);
    await t.clock.advance(300);
    expect(t.provider.made('create')).toHaveLength(3);
    await t.clock.advance(100);
    expect(t.provider.made('create')).toHaveLength(4);
    await t.clock.advance(11_000);
    expect(t.provider.made('create')).toHaveLength(7);
    expect(t.inventory.get('m')).toMatchObject({ intent: bind, obstacle: 'create: connection lost' });
  });

  it.each([
    ['Create', 'Speculative', 'create'],
    ['Configure', 'Idle', 'configure'],
  ] as const)('of a %s ends the decision after eight tries, once none can take effect any more and a look has found that none has', async (_kind, state, call) => {
    const t = setUp();
    for (let i = 0; i < 50; i++) t.provider.next(call, unavailable);
    const limit = t.clock.monotonic() + 60_000;
    t.world.pass = () => Promise.resolve({ notAfterMonotonicMs: limit });
    t.have('m', state, bind);
    await t.clock.advance(59_999);
    expect([t.provider.made(call).length, t.inventory.get('m')?.intent?.kind, t.world.refused]).toEqual([8, 'bind', []]);
    const looks = t.provider.made('get').length;
    await t.clock.advance(1);
    expect(t.provider.made('get')).toHaveLength(looks + 1);
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, obstacle: `${call}: connection lost`, coolUntil: t.clock.now() + 30_000 });
    expect(t.world.refused).toEqual([`east fp-1 ${call}: connection lost`]);
    await t.clock.advance(600_000);
    expect(t.provider.made(call)).toHaveLength(8);
  });

  it('of the last of eight tries is no verdict if one of them takes effect by then', async () => {
    const t = setUp();
    for (let i = 0; i < 50; i++) t.provider.next('configure', unavailable);
    const limit = t.clock.monotonic() + 60_000;
    t.world.pass = () => Promise.resolve({ notAfterMonotonicMs: limit });
    t.have('m', 'Idle', bind);
    await t.clock.advance(50_000);
    t.provider.move('m', 'Configuring', { cluster: 'east' });
    await t.clock.advance(600_000);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Configuring' }, intent: { kind: 'bind' }, obstacle: '' });
    expect(t.world.refused).toEqual([]);
  });

  it('of a Drain is given up after eight tries as well: the machine serves on, and another one is taken', async () => {
    const t = setUp();
    for (let i = 0; i < 50; i++) t.provider.next('drain', unavailable);
    t.have('m', 'Configured', unbind);
    t.provider.set(seen('m', 'Configured', { cluster: 'east' }));
    await t.clock.advance(40_000);
    expect([t.provider.made('drain').length, t.inventory.get('m')?.intent, t.world.givenUp]).toEqual([8, undefined, ['Unavailable']]);
    expect(t.inventory.get('m')?.drainRefusal).toMatchObject({ words: 'drain: connection lost', spells: 1 });
  });

  it('of a Delete rests after eight tries', async () => {
    const t = setUp();
    for (let i = 0; i < 50; i++) t.provider.next('delete', unavailable);
    t.have('m', 'Idle', release);
    await t.clock.advance(40_000);
    expect([t.provider.made('delete').length, t.inventory.get('m')?.intent]).toEqual([8, undefined]);
    expect(t.inventory.get('m')!.coolUntil).toBeGreaterThan(t.clock.now());
  });

  it('keeps the decision and its error, and backs off while the provider is away', async () => {
    const t = setUp();
    for (let i = 0; i < 50; i++) {
      t.provider.next('create', unavailable);
      t.provider.next('get', unavailable);
    }
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ intent: bind, operation: { lastError: 'create: connection lost' }, recheck: true });
    await t.clock.advance(60_000);
    const tries = t.provider.calls.length;
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(20);
    expect(t.inventory.get('m')?.intent).toEqual(bind);
  });
});

describe('a definite refusal', () => {
  it('drops the decision, rests the machine and tells the engine when it has rested', async () => {
    const t = setUp();
    t.provider.next('create', rejected);
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.provider.made()).toEqual(['create m', 'get m']);
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, busy: false, recheck: false, obstacle: 'create: quota' });
    expect(t.world.refused).toEqual(['east fp-1 create: quota']);
    expect(t.inventory.takeEngineChanges()?.upserted).toMatchObject([{ id: 'm', stuck: true }]);
    await t.clock.advance(29_999);
    expect(t.inventory.takeEngineChanges()).toBeUndefined();
    await t.clock.advance(1);
    expect(t.inventory.takeEngineChanges()?.upserted).toMatchObject([{ id: 'm', stuck: false }]);
    expect(t.inventory.get('m')?.obstacle).toBe('');
    expect(t.provider.made()).toEqual(['create m', 'get m']);
  });

  it('keeps a new decision waiting until the machine has rested', async () => {
    const t = setUp();
    t.provider.next('delete', rejected);
    t.have('m', 'Idle', release);
    await t.settle();
    t.inventory.setIntent('m', release);
    await t.clock.advance(29_999);
    expect(t.provider.made('delete')).toHaveLength(1);
    await t.clock.advance(1);
    expect(t.provider.made('delete')).toHaveLength(2);
  });

  describe('of a Drain', () => {
    const refuse = (t: Setup, times: number, error: () => Error = rejected): void => {
      for (let i = 0; i < times; i++) t.provider.next('drain', error);
    };
    const engineHears = (t: Setup) => t.inventory.takeEngineChanges()?.upserted.at(-1);

    it('keeps the decision once the operator was told to empty the machine, and tries again at growing intervals', async () => {
      const t = setUp();
      refuse(t, 4);
      t.have('m', 'Configured', unbind);
      const decided = new Set<MachineIntent | undefined>();
      t.inventory.onChange(({ after }) => decided.add(after?.intent));
      const triedAt: number[] = [];
      await t.settle();
      for (let tried = 0; tried < 5 && t.clock.monotonic() < 60_000; await t.clock.advance(250)) {
        const made = t.provider.made('drain').length;
        if (made > tried) triedAt.push(t.clock.monotonic());
        tried = made;
        if (tried === 5) break;
        expect(t.inventory.get('m')).toMatchObject({ intent: { kind: 'unbind', isTold: true, graceSeconds: 5 }, obstacle: 'drain: quota' });
        const heard = engineHears(t);
        // It leaves, and is on nobody's list of what is broken.
        if (heard) expect(heard).toMatchObject({ intent: { kind: 'unbind' }, stuck: false });
        expect(heard?.drainRefused).toBeUndefined();
      }
      expect(triedAt.slice(1).map((at, i) => at - triedAt[i]!)).toEqual([1_000, 2_000, 4_000, 8_000]);
      expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Draining' }, obstacle: '', drainRefusal: undefined });
      expect(t.world.log).toHaveLength(5);
      // The operator is told anew with every try; what is decided stays the same all the while.
      expect(decided.size).toBe(2);
      expect(t.world.givenUp).toEqual([]);
    });

    it('is given up at the fifth: the machine serves on, and nothing is left of the decision', async () => {
      const t = setUp();
      refuse(t, 5);
      t.have('m', 'Configured', unbind);
      await t.clock.advance(15_000);
      expect(t.provider.made('drain')).toHaveLength(5);
      expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Configured' }, intent: undefined, coolUntil: 0, obstacle: '', drainRefusal: { words: 'drain: quota', code: 'Rejected', spells: 1 } });
      expect(engineHears(t)).toMatchObject({ id: 'm', stuck: false, drainRefused: true });
      expect(engineHears(t)).toBeUndefined();
      expect(t.world.givenUp).toEqual(['Rejected']);
      await t.clock.advance(600_000);
      expect(t.provider.made('drain')).toHaveLength(5);
    });

    it('is given up at once where the provider cannot drain at all', async () => {
      const t = setUp();
      refuse(t, 1, () => new ProviderError('NotSupported', 'no such call'));
      t.have('m', 'Configured', unbind);
      await t.settle();
      expect(t.inventory.get('m')).toMatchObject({ intent: undefined, drainRefusal: { words: 'drain: no such call', code: 'NotSupported' } });
      await t.clock.advance(59_000);
      expect(t.provider.made('drain')).toHaveLength(1);
    });

    it('rests the machine longer each time, up to a quarter of an hour, and forgets it when it leaves', async () => {
      const t = setUp();
      const restsMs: number[] = [];
      t.have('m', 'Configured');
      for (let spell = 0; spell < 6; spell++) {
        refuse(t, 1, () => new ProviderError('NotSupported', 'no such call'));
        t.inventory.setIntent('m', unbind);
        await t.settle();
        const from = t.clock.monotonic();
        expect(engineHears(t)?.drainRefused).toBe(true);
        let heard = engineHears(t);
        for (; !heard && t.clock.monotonic() < from + 3_600_000; heard = engineHears(t)) await t.clock.advance(30_000);
        expect(heard?.drainRefused).toBeUndefined();
        expect(t.inventory.get('m')).toMatchObject({ drainRefusal: { until: 0 } });
        restsMs.push(t.clock.monotonic() - from);
      }
      expect(restsMs).toEqual([60_000, 120_000, 240_000, 480_000, 900_000, 900_000]);
      t.inventory.setIntent('m', unbind);
      await t.settle();
      expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Draining' }, drainRefusal: undefined });
    });

    it.each([[0, 45_000], [0.999_999, 75_000]])('rests and tries with jitter: %d', async (random, restMs) => {
      const t = setUp();
      t.world.random = random;
      refuse(t, 5);
      t.have('m', 'Configured', unbind);
      await t.clock.advance(750);
      expect(t.provider.made('drain')).toHaveLength(random === 0 ? 2 : 1);
      while (t.world.givenUp.length === 0) await t.clock.advance(10);
      expect(Math.abs(t.inventory.get('m')!.drainRefusal!.until - t.clock.now() - restMs)).toBeLessThan(11);
    });

    it('is none where no answer comes', async () => {
      const t = setUp();
      refuse(t, 7, unavailable);
      refuse(t, 4);
      t.have('m', 'Configured', unbind);
      await t.clock.advance(1_200_000);
      expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Draining' } });
      expect(t.provider.made('drain')).toHaveLength(12);
      expect(t.world.givenUp).toEqual([]);
    });

    it('is given up also where the provider gives no code for it', async () => {
      const t = setUp();
      refuse(t, 5, () => toProviderError(new GrpcError(GrpcCode.UNKNOWN, 'oops')));
      t.have('m', 'Configured', unbind);
      await t.clock.advance(15_000);
      expect(t.world.givenUp).toEqual(['UNKNOWN']);
      expect(t.inventory.get('m')?.intent).toBeUndefined();
    });

    it('without a code is no refusal where the drain was begun all the same', async () => {
      const t = setUp();
      t.provider.next('drain', () => {
        t.provider.move('m', 'Draining');
        return toProviderError(new GrpcError(GrpcCode.UNKNOWN, 'oops'));
      });
      t.have('m', 'Configured', unbind);
      await t.clock.advance(60_000);
      expect(t.provider.made()).toEqual(['drain m', 'get m']);
      expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Draining' }, intent: { kind: 'unbind' } });
    });

    it('drops the decision while no operator was told: the next plan decides anew', async () => {
      const t = setUp();
      t.world.connected = false;
      t.provider.next('drain', rejected);
      t.have('m', 'Configured', { ...unbind, byPerson: true });
      await t.settle();
      expect(t.inventory.get('m')?.intent).toBeUndefined();
      expect(engineHears(t)).toMatchObject({ stuck: false, drainRefused: true });
    });

    it('drops the decision where the provider knows no such machine: the List removes it', async () => {
      const t = setUp();
      t.provider.next('drain', () => new ProviderError('NotFound', 'no machine'));
      t.have('m', 'Configured', unbind);
      await t.settle();
      expect(t.inventory.get('m')?.intent).toBeUndefined();
      expect(engineHears(t)).toMatchObject({ stuck: true });
      expect(t.world.givenUp).toEqual([]);
    });
  });

  describe('of what was to be configured', () => {
    const invalid = (): ProviderError => new ProviderError('InvalidArgument', 'bad blob');

    it('keeps the machine for its demand, and tries again with a fresh blob at growing intervals', async () => {
      const t = setUp();
      for (let i = 0; i < 4; i++) t.provider.next('configure', invalid);
      t.have('m', 'Idle', bind);
      await t.settle();
      // Withdrawn it could be: nothing has come of it.
      expect(t.inventory.get('m')).toMatchObject({ intent: { kind: 'bind', configureSent: false }, coolUntil: 0, obstacle: 'configure: bad blob' });
      expect(t.inventory.takeEngineChanges()?.upserted).toMatchObject([{ stuck: false, intent: { kind: 'bind', configureSent: false } }]);
      const triedAt: number[] = [0];
      while (triedAt.length < 5 && t.clock.monotonic() < 60_000) {
        await t.clock.advance(250);
        if (t.provider.made('configure').length > triedAt.length) triedAt.push(t.clock.monotonic());
      }
      expect(triedAt.slice(1).map((at, i) => at - triedAt[i]!)).toEqual([1_000, 2_000, 4_000, 8_000]);
      expect(t.world.log).toHaveLength(5);
      expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Configuring' }, obstacle: '' });
      expect(t.world.refused).toHaveLength(4);
    });

    it('is tried again in time also when the look after it failed and the doubt was cleared by the List', async () => {
      const t = setUp();
      t.provider.next('configure', invalid);
      t.provider.next('get', unavailable);
      t.have('m', 'Idle', bind);
      await t.settle();
      t.inventory.observe(t.provider.machines.get('m')!, t.inventory.mark());
      await t.clock.advance(999);
      expect(t.provider.made('configure')).toHaveLength(1);
      await t.clock.advance(1);
      expect(t.provider.made('configure')).toHaveLength(2);
    });

    it('drops the decision at the fifth: the machine may be the trouble after all', async () => {
      const t = setUp();
      for (let i = 0; i < 5; i++) t.provider.next('configure', invalid);
      t.have('m', 'Idle', bind);
      await t.clock.advance(15_000);
      expect(t.provider.made('configure')).toHaveLength(5);
      expect(t.inventory.get('m')).toMatchObject({ intent: undefined, obstacle: 'configure: bad blob' });
      expect(t.inventory.takeEngineChanges()?.upserted).toMatchObject([{ stuck: true }]);
    });

    it('keeps no machine that is wanted for something else meanwhile', async () => {
      const t = setUp();
      t.provider.next('configure', invalid);
      t.have('m', 'Idle', bind);
      await t.settle();
      t.inventory.setIntent('m', { ...bind, to: { ...toEast, cluster: 'west' } });
      await t.settle();
      expect(t.provider.calls.filter((c) => c.kind === 'configure').map((c) => c.request['clusterId'])).toEqual(['east', 'west']);
    });

    it('is about the machine if the code says so: it rests, and others are tried', async () => {
      const t = setUp();
      t.provider.next('configure', rejected);
      t.have('m', 'Idle', bind);
      await t.settle();
      expect(t.inventory.get('m')?.intent).toBeUndefined();
      expect(t.inventory.takeEngineChanges()?.upserted).toMatchObject([{ stuck: true }]);
    });
  });

  it.each([
    ['the provider, which answers again', (t: Setup) => t.clock.advance(1_000)],
    ['the List', (t: Setup) => (t.inventory.observe(t.provider.machines.get('m')!, t.inventory.mark()), t.clock.advance(1_000))],
    ['the List, and something is decided', (t: Setup) => {
      t.inventory.observe(t.provider.machines.get('m')!, t.inventory.mark());
      t.inventory.setIntent('m', bind);
      return t.clock.advance(1_000);
    }],
  ])('ends its rest in time also when the look after it failed and the doubt was cleared by %s', async (_name, clear) => {
    const t = setUp();
    t.provider.next('create', rejected);
    t.provider.next('get', unavailable);
    t.have('m', 'Speculative', bind);
    await t.settle();
    await clear(t);
    t.inventory.takeEngineChanges();
    await t.clock.advance(28_999);
    expect(t.inventory.takeEngineChanges()).toBeUndefined();
    await t.clock.advance(1);
    expect(t.inventory.takeEngineChanges()?.upserted).toMatchObject([{ id: 'm', stuck: false }]);
  });

  it.each([
    ['NotFound', 'inventory_miss'],
    ['NotSupported', 'provider_error'],
    ['InvalidArgument', 'provider_error'],
    ['Rejected', 'provider_error'],
  ] as const)('%s is counted as %s', async (code, label) => {
    const t = setUp();
    t.provider.next('delete', () => new ProviderError(code, 'no'));
    t.provider.next('get', () => new ProviderError('NotFound', 'no'));
    t.have('m', 'Idle', release);
    await t.settle();
    expect(t.world.outcomes).toEqual([`Delete ${label}`]);
    // A Get that finds nothing removes nothing: that is the List's business.
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, recheck: false });
  });
});

describe('what a refusal is about (spec: engine 20)', () => {
  const saying = (words: string) => (): ProviderError => toProviderError(new GrpcError(GrpcCode.RESOURCE_EXHAUSTED, words));

  it.each(['OutOfStock', 'Quota'])('%s: no other slot of the offer is tried, what was meant for them is decided anew, and another offer is', async (kind) => {
    const t = setUp({ concurrency: 1 });
    t.provider.next('create', saying(`[${kind}] no c8 in zone-a`));
    for (let i = 0; i < 5; i++) t.have(`m${i}`, 'Speculative', bind);
    t.provider.set(seen('other', 'Speculative', { zone: 'zone-b' }));
    t.inventory.observe(t.provider.machines.get('other')!, t.inventory.mark());
    t.inventory.takeEngineChanges();
    await t.settle();
    expect(t.provider.made('create')).toEqual(['create m0']);
    expect(t.world.failures).toEqual([`Create ${kind}`]);
    for (let i = 0; i < 5; i++) expect(t.inventory.get(`m${i}`)).toMatchObject({ intent: undefined, coolUntil: t.clock.now() + 30_000 });
    expect(t.inventory.takeEngineChanges()?.upserted.filter((m) => m.stuck).map((m) => m.id).sort()).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
    t.inventory.setIntent('other', bind);
    await t.settle();
    expect(t.provider.made('create')).toEqual(['create m0', 'create other']);
    await t.clock.advance(30_000);
    // One slot tries the offer again, before the others do.
    const resting = (): string[] => ['m0', 'm1', 'm2', 'm3', 'm4'].filter((id) => (t.inventory.get(id)?.coolUntil ?? 0) > t.clock.now());
    const [first, ...others] = ['m0', 'm1', 'm2', 'm3', 'm4'].filter((id) => !resting().includes(id));
    expect([first, others]).toEqual([expect.any(String), []]);
    t.inventory.setIntent(first as string, bind);
    await t.settle();
    expect(t.provider.made('create')).toEqual(['create m0', 'create other', `create ${first as string}`]);
  });

  it('Throttled: everything for this provider waits a moment, nothing is dropped and no machine rests', async () => {
    const t = setUp();
    t.provider.next('configure', saying('[Throttled] 20 calls a minute'));
    t.have('m', 'Idle', bind);
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ busy: false, recheck: false, coolUntil: 0, intent: { kind: 'bind', configureSent: false } });
    t.have('n', 'Speculative', bind);
    await t.clock.advance(999);
    expect(t.provider.made()).toEqual(['configure m']);
    await t.clock.advance(1);
    expect(t.provider.made().slice(1).sort()).toEqual(['configure m', 'create n']);
    expect(t.world.outcomes).toEqual(expect.arrayContaining(['Configure throttled', 'Configure success', 'Create success']));
    expect([t.world.refused, t.world.failures]).toEqual([[], ['Configure Throttled']]);
  });

  it('Unknown: the machine rests, longer each time it is refused', async () => {
    const t = setUp();
    const rests: number[] = [];
    for (let i = 0; i < 3; i++) {
      t.provider.next('delete', rejected);
      t.have('m', 'Idle', release);
      await t.settle();
      rests.push(t.inventory.get('m')!.coolUntil - t.clock.now());
      await t.clock.advance(rests.at(-1)!);
      expect(t.inventory.get('m')).toMatchObject({ coolUntil: 0, obstacle: '', intent: undefined });
    }
    expect(rests).toEqual([30_000, 60_000, 120_000]);
  });
});

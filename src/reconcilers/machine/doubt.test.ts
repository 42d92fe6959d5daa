import { describe, expect, it } from 'vitest';
import { GrpcCode, GrpcError } from '../../api/grpc.ts';
import type { MachineState } from '../../engine/types.ts';
import { ProviderError } from '../../provider/client.ts';
import { toProviderError } from '../../provider/provider-error.ts';
import type { MachineIntent } from '../../shard/record.ts';
import { seen, toEast } from '../../shard/testing/machines.ts';
import { bind, rejected, release, setUp, unavailable, unbind } from './testing/reconciler-setup.ts';

describe('a refusal after a try that brought no answer', () => {
  const every = [
    ['Create', 'Speculative', bind, 'Creating'],
    ['Configure', 'Idle', bind, 'Configuring'],
    ['Drain', 'Configured', unbind, 'Draining'],
    ['Delete', 'Idle', release, 'Deleting'],
  ] as const;
  const refusals = (['Rejected', 'NotFound', 'InvalidArgument', 'NotSupported'] as const).map((code) => [code, () => new ProviderError(code, 'no')] as const);
  const everyRefusal = every.flatMap((one) => refusals.map(([code, refusal]) => [...one, code, refusal] as const));
  type Kind = 'create' | 'configure' | 'drain' | 'delete';

  /** Until `leaveMs` from its start a call may take effect. Its first try brings no answer, its second one that refusal. */
  async function refusedInDoubt(kind: string, state: MachineState, intent: MachineIntent, refusal: () => Error, leaveMs = 10_000) {
    const t = setUp();
    const call = kind.toLowerCase() as Kind;
    const limit = t.clock.monotonic() + leaveMs;
    t.world.pass = () => Promise.resolve({ notAfterMonotonicMs: limit });
    t.provider.next(call, unavailable);
    t.provider.next(call, refusal);
    const kinds = new Set<string>();
    t.inventory.onChange(({ after }) => kinds.add(after?.intent?.kind ?? 'nothing'));
    t.have('m', state, intent);
    if (state === 'Configured') t.provider.set(seen('m', state, { cluster: 'east' }));
    const decided = t.inventory.get('m')!.intent!.kind;
    kinds.clear();
    await t.settle();
    return { ...t, call, limit, decided, kinds };
  }

  it.each([...every, ['Delete', 'Failed', { ...release, byPerson: true }, 'Deleting'] as const])('%s: whoever counts on the machine hears of it from the second try without an answer on', async (kind, state, intent) => {
    const t = setUp();
    const call = kind.toLowerCase() as Kind;
    t.provider.next(call, unavailable);
    t.have('m', state, intent);
    if (state === 'Configured') t.provider.set(seen('m', state, { cluster: 'east' }));
    const obstacles: (string | undefined)[] = [];
    t.inventory.onChange(({ after }) => { if (after?.obstacle !== obstacles.at(-1)) obstacles.push(after?.obstacle); });
    await t.settle();
    expect(obstacles.filter(Boolean)).toEqual([]); // the second one was answered
    const u = setUp();
    u.provider.next(call, unavailable);
    u.provider.next(call, unavailable);
    u.have('m', state, intent);
    if (state === 'Configured') u.provider.set(seen('m', state, { cluster: 'east' }));
    await u.settle();
    expect([...u.inventory.hindered()].map(({ obstacle }) => obstacle)).toEqual([expect.stringMatching(new RegExp(`^${call}: `))]);
  });

  it('is told as well where the provider does not say either what has become of the machine', async () => {
    const t = setUp();
    t.provider.next('create', unavailable);
    t.provider.next('get', unavailable);
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.inventory.get('m')?.obstacle).toMatch(/^create: /);
  });

  it('is told nobody where the provider answers that it knows no such machine', async () => {
    const t = setUp();
    t.provider.next('create', unavailable);
    t.provider.next('get', () => new ProviderError('NotFound', 'no machine'));
    const obstacles = new Set<string | undefined>();
    t.inventory.onChange(({ after }) => obstacles.add(after?.obstacle));
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect([...obstacles]).toEqual(['']);
  });

  it('is told nobody where a List has shown meanwhile that the call took effect', async () => {
    const t = setUp();
    t.provider.next('create', () => {
      t.provider.move('m', 'Creating');
      return unavailable();
    });
    t.provider.next('get', () => {
      t.inventory.observe(t.provider.machines.get('m')!, t.inventory.mark());
      return unavailable();
    });
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Creating' }, obstacle: '' });
  });

  it.each(everyRefusal)('%s: nothing is concluded, and nobody is told anything, if the first try has taken effect by then (%s, %s, %s, %s)', async (kind, state, intent, during, _code, refusal) => {
    const t = setUp();
    const call = kind.toLowerCase() as Kind;
    t.provider.next(call, unavailable);
    t.provider.next(call, () => {
      t.provider.move('m', during, kind === 'Configure' || kind === 'Drain' ? { cluster: 'east' } : {});
      return refusal();
    });
    t.have('m', state, intent);
    const lost: string[] = [];
    t.inventory.onChange(({ after }) => { if (!after?.intent || after.coolUntil > 0) lost.push(JSON.stringify(after)); });
    await t.settle();
    expect(t.provider.made()).toEqual([`${call} m`, 'get m', `${call} m`, 'get m']);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: during }, intent: { kind: intent.kind }, coolUntil: 0, obstacle: '' });
    await t.clock.advance(600_000);
    expect(lost).toEqual([]);
    expect(t.world.refused).toEqual([]);
    expect(t.provider.made()).toHaveLength(4);
  });

  it.each(every)('%s: nor if it takes effect later, within the time in which it may', async (kind, state, intent, during) => {
    const t = await refusedInDoubt(kind, state, intent, rejected);
    await t.clock.advance(9_999);
    t.provider.move('m', during, kind === 'Configure' || kind === 'Drain' ? { cluster: 'east' } : {});
    await t.clock.advance(600_000);
    expect([...t.kinds]).toEqual([t.decided]);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: during }, coolUntil: 0, drainRefusal: undefined });
    expect(t.world.refused).toEqual([]);
    expect(t.provider.made()).toEqual([`${t.call} m`, 'get m', `${t.call} m`, 'get m', 'get m']);
  });

  it.each(every)('%s: is the verdict once the machine was looked at after that time, and it is asked for no more often than that', async (kind, state, intent) => {
    const t = await refusedInDoubt(kind, state, kind === 'Drain' ? { ...unbind, byPerson: true } : intent, () => new ProviderError('NotSupported', 'no'));
    expect(t.provider.made()).toEqual([`${t.call} m`, 'get m', `${t.call} m`, 'get m']);
    await t.clock.advance(9_999);
    expect(t.inventory.get('m')?.intent?.kind).toBe(intent.kind);
    expect(t.provider.made()).toHaveLength(4);
    await t.clock.advance(1);
    expect(t.provider.made()).toHaveLength(5);
    expect(t.provider.made('get')).toHaveLength(3);
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, seen: { state } });
    if (kind === 'Drain') expect(t.world.givenUp).toEqual(['NotSupported']);
    else expect(t.inventory.get('m')).toMatchObject({ obstacle: `${t.call}: no`, coolUntil: t.clock.now() + 30_000 });
    await t.clock.advance(600_000);
    expect(t.provider.made()).toHaveLength(5);
  });

  it('binds the machine to its cluster all the while: it cannot be withdrawn', async () => {
    const t = await refusedInDoubt('Configure', 'Idle', bind, () => new ProviderError('InvalidArgument', 'bad blob'));
    expect(t.inventory.takeEngineChanges()?.upserted).toMatchObject([{ stuck: false, intent: { kind: 'bind', configureSent: true } }]);
    await t.clock.advance(10_000);
    // Now it counts, as any first refusal of what was to be configured.
    expect(t.inventory.get('m')).toMatchObject({ obstacle: 'configure: bad blob', intent: { configureSent: false, rest: { refusals: 1 } } });
    expect(t.world.refused).toHaveLength(1);
  });

  it.each([
    ['Throttled', () => toProviderError(new GrpcError(GrpcCode.RESOURCE_EXHAUSTED, '[Throttled] slow down'))],
    ['Late', () => new ProviderError('Late', 'too late')],
  ] as const)('%s: it cannot be withdrawn either, is looked at, and asked for anew', async (_name, refusal) => {
    const t = await refusedInDoubt('Configure', 'Idle', bind, refusal);
    expect(t.provider.made('configure')).toHaveLength(2);
    expect(t.inventory.get('m')?.intent).toMatchObject({ configureSent: true });
    await t.clock.advance(999);
    expect(t.provider.made('configure')).toHaveLength(2);
    await t.clock.advance(1);
    expect(t.provider.made()).toEqual(['configure m', 'get m', 'configure m', 'get m', 'configure m']);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Configuring' }, intent: { configureSent: true } });
  });

  it('waits for a Get that fails, with backoff, and holds up no other machine', async () => {
    const t = await refusedInDoubt('Configure', 'Idle', bind, rejected, 50);
    for (let i = 0; i < 100; i++) t.provider.next('get', unavailable);
    await t.clock.advance(120_000);
    expect(t.inventory.get('m')?.intent).toMatchObject({ kind: 'bind', configureSent: true });
    const gets = t.provider.made('get').length;
    expect(gets).toBeGreaterThan(5);
    expect(gets).toBeLessThan(25);
    t.have('n', 'Idle', bind);
    await t.settle();
    expect(t.inventory.get('n')).toMatchObject({ seen: { state: 'Configuring' } });
    t.provider.forgive('get');
    await t.clock.advance(30_000);
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, obstacle: 'configure: quota' });
  });

  it('is satisfied by a List, where the provider answers no Get', async () => {
    const t = await refusedInDoubt('Create', 'Speculative', bind, rejected, 1_000);
    for (let i = 0; i < 100; i++) t.provider.next('get', unavailable);
    const old = t.inventory.mark();
    await t.clock.advance(5_000);
    // What was asked before the time was over says nothing.
    t.inventory.observe(t.provider.machines.get('m')!, old);
    await t.settle();
    expect(t.inventory.get('m')?.intent?.kind).toBe('bind');
    t.inventory.observe(t.provider.machines.get('m')!, t.inventory.mark());
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, obstacle: 'create: quota' });
  });

  it('is the verdict also of a provider that knows no such machine, or says what cannot be used', async () => {
    for (const isRejected of [false, true]) {
      const t = setUp();
      t.provider.next('delete', unavailable);
      t.provider.next('get', () => t.provider.machines.get('m') && { machine: t.provider.machines.get('m') });
      t.provider.next('delete', () => new ProviderError('NotFound', 'no machine'));
      if (isRejected) t.provider.next('get', () => ({ rejected: { id: 'm', reason: 'price', field: 'price_per_hour', text: 'must be finite' } }));
      for (let i = 0; i < 2; i++) t.provider.next('get', () => new ProviderError('NotFound', 'no machine'));
      t.have('m', 'Idle', release);
      await t.clock.advance(1_000);
      expect(t.inventory.get('m')).toMatchObject({ intent: undefined, obstacle: 'delete: no machine', recheck: false });
    }
  });

  it('counts like any other among the tries of a drain', async () => {
    const t = await refusedInDoubt('Drain', 'Configured', unbind, rejected, 50);
    for (let i = 0; i < 4; i++) t.provider.next('drain', rejected);
    await t.clock.advance(20_000);
    expect(t.provider.made('drain')).toHaveLength(6);
    expect(t.world.givenUp).toEqual(['Rejected']);
    expect(t.inventory.get('m')?.intent).toBeUndefined();
  });

  it('is forgotten with what was decided: a later decision begins without it', async () => {
    const t = await refusedInDoubt('Configure', 'Idle', bind, rejected);
    t.inventory.setIntent('m', { ...bind, to: { ...toEast, cluster: 'west' } });
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Configuring', cluster: 'west' }, intent: { kind: 'bind', to: { cluster: 'west' } } });
  });

  it('is the verdict at once where every try was answered', async () => {
    const t = setUp();
    t.provider.next('configure', rejected);
    t.provider.next('get', () => new Promise(() => undefined));
    t.have('m', 'Idle', bind);
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, obstacle: 'configure: quota' });
  });
});

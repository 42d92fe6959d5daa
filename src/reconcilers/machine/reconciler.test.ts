import { describe, expect, it } from 'vitest';
import { GrpcCode, GrpcError } from '../../api/grpc.ts';
import { ASSIGNED_NEED_FINGERPRINT, ASSIGNED_PRIORITY } from '../../api/shard-metadata.ts';
import type { MachineState } from '../../engine/types.ts';
import { ProviderError } from '../../provider/client.ts';
import { toProviderError } from '../../provider/provider-error.ts';
import type { MachineIntent } from '../../shard/record.ts';
import { seen, toEast } from '../../shard/testing/machines.ts';
import type { Blob } from './reconciler.ts';
import { bind, BLOB, rejected, release, setUp, unavailable, unbind } from './testing/reconciler-setup.ts';
import type { Setup } from './testing/reconciler-setup.ts';

describe('the ordinary life of a binding', () => {
  it('goes from a slot to a configured machine without another decision (D34)', async () => {
    const t = setUp();
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.provider.made()).toEqual(['create m']);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Creating' }, operation: { kind: 'Create', operationId: 'op-1', attempts: 1, lastError: '' } });
    await t.moves('m', 'Idle');
    expect(t.provider.made()).toEqual(['create m', 'configure m']);
    expect(t.world.log).toEqual(['blob east ["zone"]']);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Configuring' }, intent: { kind: 'bind', configureSent: true } });
    await t.moves('m', 'Configured');
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, assigned: toEast, operation: undefined });
    expect(t.world.outcomes).toEqual(['Create success', 'Configure success']);
    await t.clock.advance(600_000);
    expect(t.provider.made()).toEqual(['create m', 'configure m']);
  });

  it('hands the blob and what the machine is for to the provider', async () => {
    const t = setUp();
    t.have('m', 'Idle', bind);
    await t.settle();
    const { request } = t.provider.calls[0]!;
    expect(request).toMatchObject({ machineId: 'm', clusterId: 'east', bootstrapBlob: BLOB });
    expect((request['shardMetadata'] as Map<string, string>).get(ASSIGNED_PRIORITY)).toBe('100');
    expect((request['shardMetadata'] as Map<string, string>).get(ASSIGNED_NEED_FINGERPRINT)).toBe('fp-1');
  });

  it('drains with the grace of the decision, telling the operator first, and deletes', async () => {
    const t = setUp();
    t.have('m', 'Configured', unbind);
    t.have('n', 'Idle', release);
    await t.settle();
    expect(t.world.log).toEqual(['reclaim m 5s 7']);
    expect(t.provider.made().sort()).toEqual(['delete n', 'drain m']);
    expect(t.provider.calls.find((c) => c.kind === 'drain')?.request['gracePeriodSeconds']).toBe(5);
    await t.moves('m', 'Idle');
    await t.moves('n', 'Speculative');
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, assigned: undefined });
    expect(t.inventory.get('n')?.intent).toBeUndefined();
  });

  it('does not drain without an operator, who alone would ask the budgets of the Pods, unless a person asked for it (D14)', async () => {
    const t = setUp();
    t.world.connected = false;
    t.have('m', 'Configured', unbind);
    t.have('n', 'Configured', { ...unbind, byPerson: true });
    await t.settle();
    expect(t.provider.made()).toEqual(['drain n']);
    expect(t.inventory.get('m')?.intent).toBeUndefined();
  });
});

it('a Drain of which no code says what became of it is not given up before the machine was looked at', async () => {
  const t = setUp();
  t.world.connected = false; // nobody was told: it would be given up at once
  t.provider.next('drain', () => {
    t.provider.move('m', 'Draining', { cluster: 'east' });
    return toProviderError(new GrpcError(GrpcCode.UNKNOWN, 'oops'));
  });
  t.have('m', 'Configured', { ...unbind, byPerson: true });
  await t.clock.advance(60_000);
  expect(t.provider.made()).toEqual(['drain m', 'get m']);
  expect([t.world.givenUp, t.inventory.get('m')?.intent?.kind]).toEqual([[], 'unbind']);
});

describe('every call', () => {
  it('has the deadline of its kind, as it is by then', async () => {
    const t = setUp();
    let factor = 1;
    t.world.deadlineMs = (kind) => factor * { Create: 1, Configure: 2, Drain: 3, Delete: 4, Get: 5, List: 6 }[kind];
    t.provider.next('create', unavailable);
    t.have('m', 'Speculative', bind);
    await t.clock.advance(1_000);
    await t.moves('m', 'Idle');
    await t.moves('m', 'Configured');
    factor = 10;
    t.inventory.setIntent('m', unbind);
    await t.settle();
    await t.moves('m', 'Idle');
    t.provider.next('delete', unavailable);
    t.inventory.setIntent('m', release);
    await t.clock.advance(1_000);
    expect(t.provider.calls.map((c) => [c.kind, c.timeoutMs])).toEqual([
      ['create', 1], ['get', 5], ['create', 1], ['configure', 2], ['drain', 30], ['delete', 40], ['get', 50], ['delete', 40],
    ]);
  });
});

describe('the sequence of the last call', () => {
  it.each<[string, MachineState, MachineIntent]>([['create', 'Speculative', bind], ['configure', 'Idle', bind], ['drain', 'Configured', unbind], ['delete', 'Idle', release]])(
    'is known while %s is under way, and is another one for the next attempt', async (kind, state, intent) => {
      const t = setUp();
      const call = kind as 'create' | 'configure' | 'drain' | 'delete';
      t.provider.next(call, unavailable);
      t.provider.next(call, () => new Promise<never>(() => undefined));
      t.have('m', state, intent);
      const known: (number | undefined)[] = [];
      t.inventory.onChange(({ after }) => after?.busy && known.push(after.operation?.sequence));
      await t.clock.advance(1_000);
      expect(t.provider.made()).toEqual([`${kind} m`, 'get m', `${kind} m`]);
      expect(known.filter((sequence, i) => i === 0 || sequence !== known[i - 1])).toEqual([undefined, 1, undefined, 3]);
    });

  it('of one that is another shard\'s by then is of no use', () => {
    const t = setUp();
    t.inventory.sent('m', 1n);
    t.have('m', 'Idle');
    t.inventory.sent('m', 1n);
    expect(t.inventory.get('m')?.operation).toBeUndefined();
  });
});

describe('a machine that becomes another shard\'s', () => {
  it('while we look at it is not brought back by the answer', async () => {
    const t = setUp();
    const got = Promise.withResolvers<{ machine: ReturnType<typeof seen> }>();
    t.provider.next('create', unavailable);
    t.provider.next('get', () => got.promise);
    t.have('m', 'Speculative', bind);
    await t.clock.advance(1_000);
    expect(t.provider.made()).toEqual(['create m', 'get m']);
    t.inventory.disown('m');
    got.resolve({ machine: seen('m', 'Speculative') });
    await t.clock.advance(60_000);
    expect(t.inventory.get('m')).toBeUndefined();
    expect(t.provider.made()).toEqual(['create m', 'get m']);
  });

  it.each<[string, (t: Setup) => (then: () => void) => void]>([
    ['while it waits for its object', (t) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      t.world.written = () => promise;
      return (then) => (then(), resolve());
    }],
    ['while it waits for the operator', (t) => {
      const { promise, resolve } = Promise.withResolvers<Blob>();
      t.world.blob = () => promise;
      return (then) => (then(), resolve({ userData: BLOB, expiresAt: undefined }));
    }],
  ])('%s is not called any more', async (_name, hinder) => {
    const t = setUp();
    const release = hinder(t);
    t.have('m', 'Idle', bind);
    await t.settle();
    release(() => t.inventory.disown('m'));
    await t.clock.advance(60_000);
    expect(t.provider.made()).toEqual([]);
    expect(t.inventory.get('m')).toBeUndefined();
  });

  it.each([['an answer', undefined], ['a refusal', rejected], ['no answer', unavailable]])('while a call is under way, which brings %s, stays gone and is not called again', async (_name, failure) => {
    const t = setUp();
    const answered = Promise.withResolvers<void>();
    t.provider.next('create', () => answered.promise.then(() => failure?.() ?? { operationId: 'op-1', machine: seen('m', 'Creating') }));
    t.have('m', 'Speculative', bind);
    await t.settle();
    t.inventory.disown('m');
    answered.resolve();
    await t.clock.advance(60_000);
    expect(t.provider.made()).toEqual(['create m']);
    expect(t.inventory.get('m')).toBeUndefined();
  });
});

describe('what is decided and not begun', () => {
  it.each<[string, Partial<Setup['world']>, Partial<Setup['world']>, MachineState, MachineIntent, string]>([
    ['the mode', { active: false }, { active: true }, 'Speculative', bind, 'the shard is in mode Paused'],
    ['the mode, once the machine is there', { active: false }, { active: true }, 'Idle', bind, 'the shard is in mode Paused'],
    ['an absent operator', { connected: false }, { connected: true }, 'Idle', bind, 'cluster east is not connected'],
    ['the Lease, for what a person wants', { leaseProven: false }, { leaseProven: true }, 'Idle', { ...release, byPerson: true } as MachineIntent, 'the shard cannot prove at present that it holds its Lease'],
  ])('says why until it is: %s', async (_name, before, after, state, intent, words) => {
    const t = setUp();
    Object.assign(t.world, before);
    t.have('m', state, intent);
    await t.settle();
    expect([t.provider.made(), t.inventory.get('m')?.standstill, [...t.inventory.hindered()].length]).toEqual([[], words, 1]);
    let changes = 0;
    t.inventory.onChange(() => changes++);
    t.wake('m');
    await t.settle();
    expect(changes).toBe(0);
    Object.assign(t.world, after);
    t.wake('m');
    await t.settle();
    expect([t.provider.made().length, t.inventory.get('m')?.standstill, [...t.inventory.hindered()].length]).toEqual([1, undefined, 0]);
  });

  it('is told at once, and no more, of a machine that waits for its turn or for an operator', async () => {
    const t = setUp({ concurrency: 1 });
    t.world.blob = () => new Promise(() => undefined);
    t.provider.next('create', () => new Promise(() => undefined));
    for (const id of ['a', 'b']) t.have(id, 'Speculative', bind);
    t.have('c', 'Idle', bind);
    await t.settle();
    const told = (): unknown[] => ['a', 'b', 'c'].map((id) => {
      t.reconciler.remark(id);
      return t.inventory.get(id)?.standstill;
    });
    expect([t.provider.made(), told()]).toEqual([['create a'], [undefined, undefined, undefined]]);
    t.world.active = false;
    expect(told()).toEqual([undefined, 'the shard is in mode Paused', 'the shard is in mode Paused']);
    t.world.active = true;
    expect(told()).toEqual([undefined, undefined, undefined]);
    t.reconciler.remark('gone');
  });

  it('is nothing that the engine has to hear', async () => {
    const t = setUp();
    t.world.active = false;
    t.have('m', 'Speculative', bind);
    t.inventory.takeEngineChanges();
    await t.settle();
    expect([t.inventory.get('m')?.standstill, t.inventory.engineBacklog]).toEqual(['the shard is in mode Paused', 0]);
  });

  it('is told anew of another decision and of another state', async () => {
    const t = setUp();
    t.world.active = false;
    t.have('m', 'Speculative', bind);
    t.have('n', 'Speculative', bind);
    await t.settle();
    t.inventory.setIntent('m', undefined);
    await t.moves('n', 'Creating'); // somebody else's doing
    expect(['m', 'n'].map((id) => t.inventory.get(id)?.standstill)).toEqual([undefined, undefined]);
    await t.moves('n', 'Idle');
    expect(t.inventory.get('n')?.standstill).toBe('the shard is in mode Paused');
    await t.moves('n', 'Configured');
    expect(t.inventory.get('n')).toMatchObject({ intent: undefined, standstill: undefined });
  });

  it('is told all the while that the provider is looked at', async () => {
    const t = setUp();
    t.world.active = false;
    t.have('m', 'Speculative', bind);
    await t.settle();
    const told = new Set<string | undefined>();
    t.inventory.onChange(({ after }) => told.add(after?.standstill));
    t.inventory.endDoubt('m');
    await t.settle();
    expect([t.provider.made(), [...told]]).toEqual([['get m'], ['the shard is in mode Paused']]);
  });

  it('is a hold, of a Configure that was sent and not answered', async () => {
    const t = setUp();
    t.have('m', 'Idle', { ...bind, configureSent: true } as MachineIntent);
    t.inventory.update('m', { hold: true });
    await t.settle();
    expect([t.provider.made(), t.inventory.get('m')?.standstill]).toEqual([[], 'a person holds it']);
  });
});

describe('fencing', () => {
  it('is told once and nothing is retried', async () => {
    const t = setUp();
    t.provider.next('create', () => new ProviderError('Fenced', 'epoch 4 is older than 5'));
    t.have('m', 'Speculative', bind);
    await t.settle();
    t.have('n', 'Speculative', bind);
    await t.clock.advance(600_000);
    expect(t.world.fenced).toEqual(['m']);
    expect(t.provider.made('create')).toEqual(['create m']);
    expect(t.world.outcomes).toEqual(['Create fenced']);
    expect(t.inventory.get('m')?.intent).toEqual(bind);
  });

  it('leaves a binding that has not begun, and can be decided anew elsewhere; not so if an earlier Configure may have been carried out', async () => {
    const t = setUp();
    t.provider.next('configure', () => new ProviderError('Fenced', 'epoch 4 is older than 5'));
    t.have('m', 'Idle', bind);
    await t.settle();
    expect([t.world.fenced, t.inventory.get('m')?.intent]).toEqual([['m'], bind]);
    const doubtful = setUp();
    doubtful.provider.next('configure', unavailable);
    doubtful.provider.next('configure', () => new ProviderError('Fenced', 'epoch 4 is older than 5'));
    doubtful.have('m', 'Idle', bind);
    await doubtful.clock.advance(1_000);
    expect([doubtful.world.fenced, doubtful.inventory.get('m')?.intent]).toEqual([['m'], { ...bind, configureSent: true }]);
  });

  it('is no verdict on what was decided, also after a try that brought no answer', async () => {
    const t = setUp();
    t.provider.next('create', unavailable);
    t.provider.next('create', () => new ProviderError('Fenced', 'epoch 4 is older than 5'));
    t.have('m', 'Speculative', bind);
    await t.clock.advance(600_000);
    expect(t.world.fenced).toEqual(['m']);
    expect(t.inventory.get('m')?.intent).toEqual(bind);
  });
});

describe('the answer of an accepted call', () => {
  it('that names another cluster is adopted, not believed to be what was asked for', async () => {
    const t = setUp();
    t.provider.next('configure', () => ({ operationId: 'op-9', machine: seen('m', 'Configured', { cluster: 'west' }) }));
    t.have('m', 'Idle', bind);
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ seen: { cluster: 'west' }, assigned: { cluster: 'west' }, intent: undefined });
  });

  it('that carries no usable machine makes us look', async () => {
    const t = setUp();
    t.provider.next('create', () => {
      t.provider.move('m', 'Creating');
      return { operationId: 'op-9', rejected: { id: 'm', reason: 'price', field: 'price_per_hour', text: 'must be finite' } };
    });
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.provider.made()).toEqual(['create m', 'get m']);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Creating' }, operation: { lastError: 'price_per_hour must be finite' } });
  });

  it('is not overwritten by a List that began before the call, and the List makes us look again', async () => {
    const t = setUp();
    t.have('m', 'Speculative');
    const old = t.provider.machines.get('m')!;
    const mark = t.inventory.mark();
    t.inventory.setIntent('m', bind);
    await t.settle();
    t.inventory.observe(old, mark);
    await t.settle();
    expect(t.provider.made()).toEqual(['create m', 'get m']);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Creating' }, recheck: false });
  });

  it('whose record is refused on looking keeps what was known', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    t.provider.rejected.set('m', { id: 'm', reason: 'price', field: 'price_per_hour', text: 'must be finite' });
    t.provider.next('delete', () => new ProviderError('Rejected', 'busy'));
    t.inventory.setIntent('m', release);
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Idle' }, recheck: false });
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { ASKED_FOR_ANNOTATION, MACHINE_FINALIZER } from '../api/constants.ts';
import { MachineResource } from '../api/resources.ts';
import type { Condition, Machine } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { ApiError } from '../runtime/client/api-error.ts';
import { silentLog } from '../runtime/types.ts';
import { Inventory } from './inventory.ts';
import { desiredMachine } from './machine-object.ts';
import { MachineWriter } from './machine-writer.ts';
import type { MachineObjects } from './object-policy.ts';
import type { MachineIntent } from './record.ts';
import { FakeKube } from './testing/fake-kube.ts';
import { seen, toEast } from './testing/machines.ts';

const bind: MachineIntent = { kind: 'bind', to: toEast, requirements: [], reason: 'wanted', decidedAt: 1, configureSent: false };
const release: MachineIntent = { kind: 'release', reason: 'idle', decidedAt: 1 };
const SETTLE_MS = 50;
const never = new AbortController().signal;
/** As written for the machine that `written` has. */
const conditions = conditionsOfConfigured();
const boom = (status = 500): ApiError => new ApiError('patch', status, { reason: 'InternalError', message: 'boom' });

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function setUp(options: { workers?: number; started?: boolean; mode?: MachineObjects; awaited?: Set<string> } = {}) {
  const clock = new VirtualClock();
  const inventory = new Inventory(clock);
  const kube = new FakeKube();
  const warnings: object[] = [];
  const writer = new MachineWriter({
    client: kube, inventory, clock, objects: kube.store, identity: { namespace: 'fleet', shard: 'shard-0' },
    log: { ...silentLog, warn: (fields) => warnings.push(fields) }, workers: options.workers ?? 4, mode: () => options.mode ?? 'NonSpeculative', isReleasing: () => false, isAwaited: (id) => options.awaited?.has(id) ?? false, settleMs: SETTLE_MS,
  });
  inventory.onChange(({ id, after }) => (after ? writer.markDirty(id) : writer.markGone(id)));
  const stop = new AbortController();
  const start = (): void => {
    const running = writer.run(stop.signal);
    stops.push(async () => {
      stop.abort();
      await running;
      expect(clock.pending).toBe(0);
    });
  };
  if (options.started ?? true) start();
  const have = (id: string, ...args: [state: Parameters<typeof seen>[1], fields?: Parameters<typeof seen>[2]]): void =>
    inventory.observe(seen(id, ...args), inventory.mark());
  /** The informer catches up and tells the writer, as the shard wires it. */
  const deliver = async (count?: number): Promise<void> => {
    kube.deliver((event) => {
      const object = event.type === 'deleted' ? event.old : event.object;
      writer.observed(object.spec.machineId, event.type === 'deleted' ? undefined : object);
    }, count);
    await clock.advance(SETTLE_MS);
  };
  const settle = (): Promise<void> => clock.advance(SETTLE_MS);
  return { clock, inventory, kube, writer, warnings, have, deliver, settle, start };
}

function conditionsOfConfigured(): Condition[] {
  const inventory = new Inventory(new VirtualClock());
  inventory.observe(seen('m', 'Configured'), 0);
  return desiredMachine(inventory.get('m')!, { namespace: 'fleet', shard: 'shard-0' }).status?.conditions ?? [];
}

async function state(promise: Promise<unknown>): Promise<string> {
  const pending = Symbol();
  const first = await Promise.race([promise.then(() => 'written', (e: Error) => e.message), new Promise((r) => setImmediate(() => r(pending)))]);
  return first === pending ? 'waiting' : (first as string);
}

describe('writing', () => {
  it('leaves the object alone while what it says is still to be taken over', async () => {
    const awaited = new Set(['m']);
    const t = setUp({ awaited });
    t.have('m', 'Idle');
    await t.settle();
    expect(t.kube.taken()).toEqual([]);
    awaited.clear();
    t.writer.markDirty('m');
    await t.settle();
    expect(t.kube.taken()).toEqual(['create m', 'patch m/status']);
  });

  it('makes the object of a machine, spec and status', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.settle();
    expect(t.kube.taken()).toEqual(['create m', 'patch m/status']);
    expect(t.kube.objects.get('m')).toMatchObject({ metadata: { finalizers: [MACHINE_FINALIZER] }, spec: { machineId: 'm', shardRef: 'shard-0' }, status: { phase: 'Idle' } });
  });

  it('lets others have their turn among thousands of objects that are right already', async () => {
    const t = setUp({ workers: 2 });
    const ids = Array.from({ length: 500 }, (_, i) => `m${i}`);
    for (const id of ids) t.have(id, 'Idle');
    for (let i = 0; i < 20; i++) await t.settle();
    await t.deliver();
    t.kube.taken();
    for (const id of ids) t.writer.markDirty(id);
    let turns = 0;
    const count = (): void => {
      turns++;
      if (t.writer.backlog > 0) setImmediate(count);
    };
    setImmediate(count);
    for (let i = 0; i < 20 && t.writer.backlog > 0; i++) await t.settle();
    expect([t.writer.backlog, t.kube.taken()]).toEqual([0, []]);
    expect(turns).toBeGreaterThanOrEqual(9); // 500 objects, 2 workers, 25 for each in a turn
  });

  it('gathers what happens to one machine within the settle time into one write', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.clock.advance(SETTLE_MS - 1);
    expect(t.kube.requests).toEqual([]);
    for (const state of ['Deleting', 'Speculative', 'Creating', 'Idle'] as const) t.have('m', state);
    t.inventory.setIntent('m', bind);
    await t.clock.advance(1);
    expect(t.kube.taken()).toEqual(['create m', 'patch m/status']);
    expect(t.kube.objects.get('m')).toMatchObject({ spec: { binding: { clusterId: 'east' } }, status: { phase: 'Idle' } });
    expect(t.writer.backlog).toBe(0);
  });

  it('writes nothing when nothing changed, whoever asks', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    t.inventory.setIntent('m', bind);
    await t.settle();
    await t.deliver();
    t.kube.taken();
    t.writer.markDirty('m');
    await t.settle();
    await t.deliver();
    t.have('m', 'Idle');
    await t.settle();
    expect(t.kube.taken()).toEqual([]);
  });

  it('touches only what changed: a price is status, a decision is spec', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.settle();
    t.kube.taken();
    t.have('m', 'Idle', { priceMicroUsdPerHour: 7 });
    await t.settle();
    expect(t.kube.taken()).toEqual(['patch m/status']);
    t.inventory.setIntent('m', release);
    await t.settle();
    expect(t.kube.taken()).toContain('patch m');
    expect(t.kube.objects.get('m')?.spec).toMatchObject({ release: { reason: 'idle' } });
  });

  it('says why the machine is where it is, and keeps no old reason when there is none any more', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    t.inventory.explain('m', { code: 'Available' });
    await t.settle();
    expect(t.kube.objects.get('m')?.status).toMatchObject({ reason: 'Available', message: 'Free for any demand.' });
    t.inventory.explain('m', undefined);
    await t.settle();
    expect(t.kube.objects.get('m')?.status).not.toHaveProperty('reason');
    expect(t.kube.objects.get('m')?.status).not.toHaveProperty('message');
  });

  it('clears a decision that is over, and the operation with it', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    t.inventory.setIntent('m', bind);
    t.inventory.begin('m', { kind: 'Configure', operationId: '', startedAt: 0, attempts: 1, lastError: '' });
    await t.settle();
    expect(t.kube.objects.get('m')).toMatchObject({ spec: { binding: {} }, status: { operation: { kind: 'Configure' } } });
    t.inventory.end('m', { error: 'no', recheck: false });
    t.inventory.setIntent('m', undefined);
    await t.settle();
    expect(t.kube.objects.get('m')?.spec).not.toHaveProperty('binding');
    expect(t.kube.objects.get('m')?.status).not.toHaveProperty('operation');
  });

  it('forgets when something was to be tried again once it is being tried', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    t.inventory.setIntent('m', { kind: 'release', reason: 'idle', decidedAt: 0 });
    const operation = { kind: 'Delete', operationId: '', startedAt: t.clock.now(), attempts: 1, lastError: '' } as const;
    t.inventory.begin('m', operation);
    t.inventory.end('m', { error: 'delete: no answer', recheck: false, retryAt: t.clock.now() + 5_000 });
    await t.settle();
    const stored = () => t.kube.objects.get('m')?.status?.operation;
    expect(stored()?.nextAttemptAt).toBeDefined();
    await t.deliver();
    t.inventory.begin('m', { ...operation, attempts: 2 });
    await t.settle();
    expect([stored()?.attempts, stored()?.nextAttemptAt]).toEqual([2, undefined]);
  });

  it('sees to many machines at a time, but never twice to one', async () => {
    const t = setUp({ workers: 3 });
    const held: PromiseWithResolvers<void>[] = [];
    for (let i = 0; i < 2; i++) {
      t.kube.fails(() => {
        const gate = Promise.withResolvers<void>();
        held.push(gate);
        return gate.promise;
      });
    }
    for (const id of ['a', 'b']) t.have(id, 'Idle');
    await t.settle();
    t.have('a', 'Failed');
    await t.settle();
    expect(t.kube.requests).toEqual(['create a', 'create b']);
    for (const gate of held) gate.resolve();
    await t.settle();
    expect(t.kube.objects.get('a')?.status?.phase).toBe('Failed');
  });
});

describe('write-ahead', () => {
  it('is written already when nothing is known that is not', async () => {
    const t = setUp();
    await t.writer.written('nobody', never);
    t.have('m', 'Idle');
    await t.settle();
    await t.writer.written('m', never);
    expect(t.kube.taken()).toEqual(['create m', 'patch m/status']);
  });

  it('skips the settle time and ends when spec and status are there', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    t.inventory.setIntent('m', bind);
    const gate = Promise.withResolvers<void>();
    t.kube.fails(() => gate.promise);
    const written = t.writer.written('m', never);
    await t.clock.advance(0);
    expect([await state(written), t.kube.requests]).toEqual(['waiting', ['create m']]);
    gate.resolve();
    await t.clock.advance(0);
    expect([await state(written), t.kube.objects.get('m')?.spec.binding?.clusterId]).toEqual(['written', 'east']);
    expect(t.clock.monotonic()).toBe(0);
  });

  it('waits for what was decided during a write, not only for that write', async () => {
    const t = setUp();
    const gates = [1, 2, 3].map(() => Promise.withResolvers<void>());
    for (const gate of gates) t.kube.fails(() => gate.promise);
    t.have('m', 'Idle');
    await t.settle();
    const [early, other] = [t.writer.written('m', never), t.writer.written('m', never)];
    expect(await state(early)).toBe('waiting');
    t.inventory.setIntent('m', bind); // the write under way does not know
    const written = t.writer.written('m', never);
    gates[0]!.resolve();
    gates[1]!.resolve();
    await t.clock.advance(0);
    expect(t.kube.requests).toEqual(['create m', 'patch m/status', 'patch m']);
    expect(await state(written)).toBe('waiting');
    gates[2]!.resolve();
    await t.clock.advance(0);
    expect([await state(early), await state(other), await state(written)]).toEqual(['written', 'written', 'written']);
    expect(t.kube.objects.get('m')?.spec.binding?.clusterId).toBe('east');
  });

  it('outlasts a failure', async () => {
    const t = setUp();
    t.kube.fails(boom());
    t.have('m', 'Idle');
    const written = t.writer.written('m', never);
    await t.clock.advance(0);
    expect(await state(written)).toBe('waiting');
    await t.clock.advance(400);
    expect(await state(written)).toBe('written');
  });

  it('gives up with its signal; others who wait are not affected', async () => {
    const t = setUp();
    t.kube.away = true;
    t.have('m', 'Idle');
    const abort = new AbortController();
    const [impatient, patient] = [t.writer.written('m', abort.signal), t.writer.written('m', never)];
    const gaveUp = expect(impatient).rejects.toThrow('the object of machine m was not written in time');
    abort.abort();
    await gaveUp;
    await expect(t.writer.written('m', abort.signal)).rejects.toThrow('aborted');
    expect(await state(patient)).toBe('waiting');
    t.kube.away = false;
    await t.clock.advance(10_000);
    expect(await state(patient)).toBe('written');
  });
});

describe('an API server that is away', () => {
  it('is caught up with when it is back, with the newest of each machine', async () => {
    const t = setUp();
    t.kube.away = true;
    for (let i = 0; i < 20; i++) t.have(`m${i}`, 'Idle');
    await t.clock.advance(300_000);
    const tries = t.kube.taken().length;
    expect(tries).toBeLessThan(300); // four workers, each at most every ten seconds once it is bad
    expect(t.warnings.length).toBeLessThan(10);
    for (let i = 0; i < 20; i++) t.have(`m${i}`, 'Failed');
    t.inventory.remove('m0');
    expect(t.writer.backlog).toBe(20);
    t.kube.away = false;
    await t.clock.advance(10_000);
    expect([...t.kube.objects.values()].map((o) => o.status?.phase)).toEqual(Array.from({ length: 19 }, () => 'Failed'));
    expect(t.writer.backlog).toBe(0);
  });

  it('that loses the answer of a create is not asked to create twice', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.settle();
    const object = t.kube.objects.get('m')!;
    t.kube.deliver(() => undefined);
    // Made, but we never heard of it: neither by answer nor by watch.
    const u = setUp();
    u.kube.objects.set('m', object);
    u.have('m', 'Failed');
    await u.settle();
    expect(u.kube.taken()).toEqual(['create m', 'get m', 'patch m', 'patch m/status']);
    expect(u.kube.objects.get('m')?.status?.phase).toBe('Failed');
  });

  it('is tried with short pauses again once it has answered', async () => {
    const t = setUp();
    t.kube.away = true;
    t.have('m', 'Idle');
    await t.clock.advance(120_000);
    t.kube.away = false;
    await t.clock.advance(10_000);
    t.kube.fails(boom());
    t.have('m', 'Failed');
    await t.clock.advance(SETTLE_MS + 400);
    expect(t.kube.objects.get('m')?.status?.phase).toBe('Failed');
  });

  it('that refuses one object does not keep the others from being written', async () => {
    const t = setUp({ workers: 1 });
    t.kube.fails(boom(422));
    t.have('bad', 'Idle');
    t.have('good', 'Idle');
    await t.clock.advance(1_000);
    expect([...t.kube.objects.keys()].sort()).toEqual(['bad', 'good']);
  });

  it('that conflicts is asked for what is there now', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.settle();
    await t.deliver();
    t.kube.taken();
    t.kube.fails(new ApiError('patch', 409, { reason: 'Conflict', message: 'm' }));
    t.have('m', 'Failed');
    await t.clock.advance(1_000);
    expect(t.kube.objects.get('m')?.status?.phase).toBe('Failed');
  });
});

describe('what people do to the objects', () => {
  async function written() {
    const t = setUp();
    t.have('m', 'Configured');
    await t.settle();
    await t.deliver();
    t.kube.taken();
    return t;
  }

  it('a deleted object comes back while the machine is there', async () => {
    const t = await written();
    t.kube.remove('m');
    expect(t.kube.objects.get('m')?.metadata.deletionTimestamp).toBeDefined();
    await t.deliver();
    await t.deliver();
    const object = t.kube.objects.get('m');
    expect(object?.metadata).toMatchObject({ uid: 'uid-2', finalizers: [MACHINE_FINALIZER] });
    expect(object?.metadata.deletionTimestamp).toBeUndefined();
    expect(object?.status?.phase).toBe('Configured');
    t.kube.taken();
    await t.deliver();
    expect(t.kube.taken()).toEqual([]);
  });

  it('a deleted object comes back at once, without waiting for the informer to see it go', async () => {
    const t = await written();
    t.kube.remove('m');
    await t.deliver(); // the deletionTimestamp; that it has gone is not delivered
    await t.clock.advance(10_000);
    expect(t.kube.objects.get('m')).toMatchObject({ metadata: { uid: 'uid-2' }, status: { phase: 'Configured' } });
    expect(t.kube.taken().length).toBeLessThan(8);
  });

  it('an object that is deleted while it is written comes back, though the answer tells of it before the informer', async () => {
    const t = await written();
    t.kube.remove('m');
    t.have('m', 'Configured', { priceMicroUsdPerHour: 7 });
    await t.settle();
    await t.deliver();
    await t.clock.advance(10_000);
    expect(t.kube.objects.get('m')).toMatchObject({ metadata: { uid: 'uid-2', finalizers: [MACHINE_FINALIZER] }, status: { phase: 'Configured', priceMicroUsdPerHour: 7 } });
    expect(t.kube.taken().length).toBeLessThan(8);
  });

  it('a deleted object that others hold on to comes back when they let go, and nobody hurries them', async () => {
    const t = await written();
    t.kube.edit('m', { metadata: { finalizers: [MACHINE_FINALIZER, 'example.com/mine'] } });
    t.kube.remove('m');
    await t.deliver();
    await t.clock.advance(120_000);
    await t.deliver();
    expect(t.kube.objects.get('m')?.metadata).toMatchObject({ uid: 'uid-1', finalizers: ['example.com/mine'] });
    expect(t.kube.taken().length).toBeLessThan(40);
    t.kube.edit('m', { metadata: { finalizers: [] } });
    t.kube.remove('m');
    await t.deliver();
    await t.clock.advance(10_000);
    expect(t.kube.objects.get('m')).toMatchObject({ metadata: { uid: 'uid-2', finalizers: [MACHINE_FINALIZER] }, status: { phase: 'Configured' } });
  });

  it('an object whose finalizer was torn off and that was deleted comes back, too', async () => {
    const t = await written();
    t.kube.edit('m', { metadata: { finalizers: null } });
    t.kube.remove('m');
    await t.deliver();
    expect(t.kube.objects.get('m')).toMatchObject({ metadata: { uid: 'uid-2' }, status: { phase: 'Configured' } });
  });

  it.each<[string, object, (machine: Machine) => unknown, unknown]>([
    ['a removed finalizer', { metadata: { finalizers: null } }, (o) => o.metadata.finalizers, [MACHINE_FINALIZER]],
    ['a changed label', { metadata: { labels: { 'control.bigfleet.lucy.sh/state': 'Idle' } } }, (o) => o.metadata.labels?.['control.bigfleet.lucy.sh/state'], 'Configured'],
    ['an invented drain', { spec: { unbind: { reason: 'me', graceSeconds: 0, decidedAt: '2026-01-01T00:00:00Z' } } }, (o) => o.spec.unbind, undefined],
    ['an invented release', { spec: { release: { reason: 'me' } } }, (o) => o.spec.release, undefined],
    ['a removed binding', { spec: { binding: null } }, (o) => o.spec.binding?.clusterId, 'east'],
    ['an edited status', { status: { phase: 'Failed' } }, (o) => o.status?.phase, 'Configured'],
    ['an invented operation', { status: { operation: { kind: 'Drain' } } }, (o) => o.status?.operation, undefined],
    ['cleared conditions', { status: { conditions: [] } }, (o) => o.status?.conditions?.length, 5],
    ['an added condition', { status: { conditions: [...conditions, { ...conditions[0]!, type: 'Mine' }] } }, (o) => o.status?.conditions?.length, 5],
    ['a removed status', { status: null }, (o) => o.status?.phase, 'Configured'],
  ])('%s is repaired', async (_name, edit, read, expected) => {
    const t = await written();
    t.kube.edit('m', edit);
    await t.deliver();
    expect(read(t.kube.objects.get('m')!)).toEqual(expected);
  });

  it('what is theirs stays: annotations, labels, finalizers, the hold', async () => {
    const t = await written();
    t.kube.edit('m', { metadata: { annotations: { note: 'mine' }, labels: { team: 'a' }, finalizers: [MACHINE_FINALIZER, 'example.com/mine'] }, spec: { hold: true } });
    t.inventory.update('m', { hold: true });
    await t.deliver();
    t.have('m', 'Failed');
    await t.settle();
    expect(t.kube.objects.get('m')).toMatchObject({
      metadata: { annotations: { note: 'mine' }, labels: { team: 'a' }, finalizers: [MACHINE_FINALIZER, 'example.com/mine'] }, spec: { hold: true }, status: { phase: 'Failed' },
    });
  });
});

describe('the informer', () => {
  it('that echoes our own older writes causes none', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.settle();
    t.have('m', 'Failed');
    await t.settle();
    t.kube.taken();
    for (let i = 0; i < 4; i++) await t.deliver(1); // versions of which we know the newest
    expect(t.kube.taken()).toEqual([]);
    expect(t.kube.store.get('fleet/m')).toBe(t.kube.objects.get('m'));
  });

  it('that tells what the answer to our write told already wakes nobody', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.settle();
    t.kube.deliver((event) => event.type !== 'deleted' && t.writer.observed('m', event.object));
    expect(t.writer.backlog).toBe(0);
  });

  it('compares versions as numbers of any length', async () => {
    const t = setUp();
    for (let i = 0; i < 12; i++) {
      t.have('m', 'Idle', { priceMicroUsdPerHour: i });
      await t.settle();
    }
    t.kube.taken();
    for (let i = 0; i < 13; i++) await t.deliver(1); // …, 9, 10, …: the ninth is older than the thirteenth
    expect(t.kube.taken()).toEqual([]);
    expect(t.kube.objects.get('m')?.status?.priceMicroUsdPerHour).toBe(11);
  });

  it('knows the objects of an earlier process, which are not made again', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.settle();
    const next = setUp({ started: false });
    next.kube.edit('m', t.kube.objects.get('m')!);
    next.kube.deliver((event) => {
      if (event.type !== 'deleted') next.writer.observed('m', event.object);
    });
    next.have('m', 'Idle');
    next.start();
    await next.settle();
    expect(next.kube.taken()).toEqual([]);
  });
});

describe('many machines (D22)', () => {
  it('have objects only while something happens to them', async () => {
    const { kube, have, settle, inventory } = setUp({ mode: 'Exceptional' });
    have('m', 'Idle');
    await settle();
    expect(kube.objects.size).toBe(0);
    inventory.setIntent('m', bind);
    await settle();
    expect(kube.objects.size).toBe(1);
    have('m', 'Configuring');
    have('m', 'Configured');
    await settle();
    expect(kube.objects.size).toBe(0);
  });

  it('keep the object that a person made, also once it carries our finalizer', async () => {
    const { kube, have, settle, deliver } = setUp({ mode: 'Exceptional' });
    have('m', 'Speculative');
    await settle();
    await kube.create(MachineResource, { metadata: { name: 'm', namespace: 'fleet' }, spec: { machineId: 'm', providerRef: 'metal', shardRef: 'shard-0' } } as Machine);
    await deliver();
    expect([...kube.objects.values()][0]).toMatchObject({ metadata: { annotations: { [ASKED_FOR_ANNOTATION]: 'true' }, finalizers: [MACHINE_FINALIZER] }, status: { phase: 'Speculative' } });
    await deliver();
    have('m', 'Idle', { priceMicroUsdPerHour: 3 });
    await settle();
    expect([...kube.objects.values()][0]?.status?.phase).toBe('Idle');
  });
});

it('an object that a person made for a slot goes when they delete it', async () => {
  const t = setUp();
  t.have('m', 'Speculative');
  t.kube.edit('m', { metadata: { name: 'm', namespace: 'fleet', uid: 'uid-0' }, spec: { machineId: 'm', providerRef: 'metal', shardRef: 'shard-0' } });
  await t.deliver();
  expect(t.kube.objects.get('m')?.metadata.finalizers).toEqual([MACHINE_FINALIZER]);
  t.kube.remove('m');
  await t.deliver();
  await t.deliver();
  expect(t.kube.objects.size).toBe(0);
});

describe('a machine without an object', () => {
  it('is a slot about which nothing is decided', async () => {
    const t = setUp();
    t.have('m', 'Speculative');
    await t.settle();
    expect(t.kube.taken()).toEqual([]);
    t.inventory.setIntent('m', bind);
    await t.settle();
    expect(t.kube.objects.has('m')).toBe(true);
  });

  it('loses it, finalizer and all, when it becomes a slot again', async () => {
    const t = setUp();
    t.have('m', 'Deleting');
    await t.settle();
    await t.deliver();
    t.kube.taken();
    t.have('m', 'Speculative');
    await t.settle();
    expect(t.kube.objects.size).toBe(0);
    await t.deliver(1);
    await t.deliver();
    expect([t.kube.objects.size, t.kube.taken()]).toEqual([0, ['delete m', 'patch m']]);
  });

  it.each([['before', 0], ['between', 1]])('loses it also when the API server fails %s the two steps of that', async (_name, ok) => {
    const t = setUp();
    t.have('m', 'Deleting');
    await t.settle();
    await t.deliver();
    for (let i = 0; i < ok; i++) t.kube.fails(() => Promise.resolve());
    t.kube.fails(boom());
    t.have('m', 'Speculative');
    await t.settle();
    expect(t.kube.objects.size).toBe(1);
    await t.deliver();
    await t.clock.advance(10_000);
    expect(t.kube.objects.size).toBe(0); // and not taken for an object that a person made
  });

  it('keeps it while nobody has said that the machine is gone, as after a restart', async () => {
    const { kube, settle, deliver } = setUp();
    await kube.create(MachineResource, { metadata: { name: 'm', namespace: 'fleet', finalizers: [MACHINE_FINALIZER] }, spec: { machineId: 'm', providerRef: 'metal', shardRef: 'shard-0', hold: true } } as Machine);
    kube.taken();
    await deliver();
    await settle();
    expect([kube.objects.size, kube.taken()]).toEqual([1, []]);
  });

  it('comes back held when it was held', async () => {
    const { kube, have, inventory, settle, deliver } = setUp();
    have('m', 'Idle');
    await settle();
    await deliver();
    inventory.update('m', { hold: true });
    await kube.delete(MachineResource, { namespace: 'fleet', name: 'm' });
    await deliver();
    await settle();
    await deliver();
    expect([...kube.objects.values()][0]?.spec.hold).toBe(true);
  });

  it('loses it when the provider no longer lists it', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.settle();
    await t.deliver();
    t.inventory.remove('m');
    await t.settle();
    expect(t.kube.objects.size).toBe(0);
  });

  it('leaves an object that others hold on to, without our finalizer', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.settle();
    t.kube.edit('m', { metadata: { finalizers: [MACHINE_FINALIZER, 'example.com/mine'] } });
    await t.deliver();
    t.inventory.remove('m');
    await t.settle();
    expect(t.kube.objects.get('m')?.metadata).toMatchObject({ finalizers: ['example.com/mine'], deletionTimestamp: expect.any(String) as string });
  });

  it('keeps it while a person holds it', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    t.inventory.update('m', { hold: true });
    t.have('m', 'Speculative');
    await t.settle();
    expect(t.kube.objects.has('m')).toBe(true);
  });

  it('is made to have one again if the object vanished between two writes', async () => {
    const t = setUp();
    t.have('m', 'Idle');
    await t.settle();
    t.kube.objects.delete('m'); // no watch event yet
    t.have('m', 'Failed');
    await t.clock.advance(3 * SETTLE_MS);
    expect(t.kube.objects.get('m')?.status?.phase).toBe('Failed');
    expect(t.warnings).toEqual([]);
  });
});

it('stops at once, whatever waits', async () => {
  const t = setUp();
  t.kube.away = true;
  t.have('m', 'Idle');
  await t.clock.advance(5_000);
  expect(t.writer.backlog).toBe(1); // the end of the test stops it, and checks that no timer is left
});

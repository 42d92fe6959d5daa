import { afterEach, describe, expect, it } from 'vitest';
import { GrpcCode, GrpcError } from '../../api/grpc.ts';
import { ASSIGNED_NEED_FINGERPRINT, ASSIGNED_PRIORITY } from '../../api/shard-metadata.ts';
import type { MachineState } from '../../engine/types.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { ProviderError } from '../../provider/client.ts';
import { toProviderError } from '../../provider/provider-error.ts';
import { createController } from '../../runtime/controller.ts';
import { createWorkQueue } from '../../runtime/queue/work-queue.ts';
import { silentLog } from '../../runtime/types.ts';
import { Inventory, isWork } from '../../shard/inventory.ts';
import type { CallKind, MachineIntent } from '../../shard/record.ts';
import { ProviderGate } from '../../shard/provider/gate.ts';
import { Setbacks } from '../../shard/setbacks.ts';
import { FakeProvider } from '../../shard/testing/fake-provider.ts';
import { seen, toEast } from '../../shard/testing/machines.ts';
import { MachineReconciler } from './reconciler.ts';
import type { Blob } from './reconciler.ts';

const bind: MachineIntent = { kind: 'bind', to: toEast, requirements: [], reason: 'wanted', decidedAt: 1, configureSent: false };
const unbind: MachineIntent = { kind: 'unbind', reason: 'excess', graceSeconds: 5, preemptorPriority: 7, decidedAt: 1 };
const release: MachineIntent = { kind: 'release', reason: 'idle', decidedAt: 1 };
const BLOB = new Uint8Array([1, 2, 3]);

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A reconciler under a real controller, wired as the shard wires it, with everything around it in the test's hands. */
function setUp(options: { concurrency?: number } = {}) {
  const clock = new VirtualClock();
  const inventory = new Inventory(clock);
  const provider = new FakeProvider();
  const world = {
    deadlineMs: (_kind: CallKind): number => 30_000,
    active: true, leaseProven: true, connected: true, reported: true,
    log: [] as string[],
    outcomes: [] as string[],
    fenced: [] as string[],
    refused: [] as string[],
    givenUp: [] as string[],
    failures: [] as string[],
    /** In the middle: no jitter. */
    random: 0.5,
    blob: (_signal: AbortSignal): Promise<Blob> => Promise.resolve({ userData: BLOB, expiresAt: undefined }),
    written: (_id: string, _signal: AbortSignal): Promise<void> => Promise.resolve(),
    pass: (_signal: AbortSignal): Promise<{ notAfterMonotonicMs: number }> => Promise.resolve({ notAfterMonotonicMs: 77 }),
    /** Limits of calls that went out and were not answered. */
    out: [] as number[],
  };
  const random = (): number => world.random;
  const gate = new ProviderGate({ clock, random, limit: () => options.concurrency ?? 16 });
  const setbacks = new Setbacks({ clock, random, inventory, log: silentLog });
  inventory.onChange((change) => setbacks.observe(change));
  const controller = createController({
    clock, log: silentLog, workers: 8, queue: createWorkQueue({ clock, backoff: { minMs: 100, maxMs: 30_000 }, retryQps: 100, retryBurst: 100 }),
    reconciler: new MachineReconciler({
      inventory, provider, clock, random: () => world.random, log: silentLog,
      isActive: () => world.active && world.fenced.length === 0,
      isLeaseProven: () => world.leaseProven,
      pass: (signal) => world.pass(signal),
      goesOut: ({ notAfterMonotonicMs }) => {
        world.out.push(notAfterMonotonicMs);
        return () => world.out.splice(world.out.indexOf(notAfterMonotonicMs), 1);
      },
      isConnected: () => world.connected,
      hasReported: () => world.reported,
      requestBlob: (cluster, requirements, signal) => {
        world.log.push(`blob ${cluster} ${JSON.stringify(requirements.map((r) => r.key))}`);
        return world.blob(signal);
      },
      sendReclaim: (machine, intent) => {
        world.log.push(`reclaim ${machine.seen.id} ${intent.graceSeconds}s ${intent.preemptorPriority}`);
        return world.connected;
      },
      requirementsOf: () => [{ key: 'zone', operator: 'Exists', values: [] }],
      written: (id, signal) => world.written(id, signal),
      deadlineMs: (kind) => world.deadlineMs(kind),
      gate,
      inCluster: (_cluster, run) => run(),
      machineRests: setbacks.machines,
      clusterRests: setbacks.clusters,
      onFenced: (id) => world.fenced.push(id),
      onFailureClass: (kind, failure) => world.failures.push(`${kind} ${failure}`),
      onBindRefused: ({ intent, seen: machine }, operation, { words, kind }) => {
        if (operation === 'Create') setbacks.offers.refused(machine, kind, words);
        world.refused.push(intent?.kind === 'bind' ? `${intent.to.cluster} ${intent.to.fingerprint} ${words}` : words);
      },
      onAnswered: (kind) => { gate.heard(kind); },
      onUnanswered: (_machine, kind, words) => { gate.unanswered(kind, words); },
      onDrainGivenUp: (code) => world.givenUp.push(code),
      onOutcome: (kind, outcome) => world.outcomes.push(`${kind} ${outcome}`),
    }),
  });
  const wake = (id: string): void => controller.enqueue(id);
  inventory.onChange((change) => {
    if (isWork(change)) wake(change.id);
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  stops.push(async () => {
    stop.abort();
    // A call that a test left hanging is given up after the grace.
    await clock.advance(60_000);
    await running;
  });

  /** The provider lists the machine. */
  const observe = (): void => {
    for (const machine of provider.machines.values()) inventory.observe(machine, inventory.mark());
  };
  const have = (id: string, state: MachineState, intent?: MachineIntent): void => {
    provider.set(seen(id, state));
    inventory.observe(provider.machines.get(id)!, inventory.mark());
    if (intent) inventory.setIntent(id, intent);
  };
  const moves = async (id: string, state: MachineState): Promise<void> => {
    provider.move(id, state);
    observe();
    await clock.advance(0);
  };
  const settle = (): Promise<void> => clock.advance(0);
  return { clock, inventory, provider, world, gate, setbacks, wake, have, moves, settle };
}

type Setup = ReturnType<typeof setUp>;

const unavailable = (): ProviderError => new ProviderError('Unavailable', 'connection lost');
const rejected = (): ProviderError => new ProviderError('Rejected', 'quota');

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
    await t.clock.advance(600_000);
    const tries = t.provider.made('create').length;
    expect(tries).toBeGreaterThan(20);
    expect(tries).toBeLessThan(35);
    expect(t.inventory.get('m')).toMatchObject({ intent: bind, obstacle: '' });
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

    it('is not given up because no answer comes, however often; and such tries are no refusals', async () => {
      const t = setUp();
      refuse(t, 20, unavailable);
      refuse(t, 4);
      t.have('m', 'Configured', unbind);
      await t.clock.advance(1_200_000);
      expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Draining' } });
      expect(t.provider.made('drain')).toHaveLength(25);
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

describe('A-65: an operator that cannot make a blob', () => {
  it('is asked later and later, for all of its machines together, and no machine fails', async () => {
    const t = setUp();
    t.world.blob = () => Promise.reject(new Error('no credentials'));
    t.have('first', 'Idle', bind);
    await t.settle();
    for (let i = 0; i < 20; i++) t.have(`m${i}`, 'Idle', bind);
    await t.settle();
    expect(t.world.log).toHaveLength(1);
    await t.clock.advance(31_000); // after 1, 3, 7, 15 and 31 s all are asked for at once; what was under way counts once
    const asked = t.world.log.length;
    expect(asked).toBeGreaterThan(3);
    expect(asked).toBeLessThanOrEqual(1 + 5 * 21);
    expect([...t.inventory.all()].map((m) => m.seen.state)).toEqual(Array.from({ length: 21 }, () => 'Idle'));
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: undefined });
    await t.clock.advance(40_000);
    expect(t.provider.made('configure')).toHaveLength(21);
  });

  it.each([
    ['runs out', (_t: Setup) => undefined],
    ['is called off by a machine that joins', (t: Setup) => t.setbacks.clusters.succeeded('east')],
  ])('is asked again though the rest %s while the object is still being written', async (_how, during) => {
    const t = setUp();
    t.world.random = 0; // the rest is shorter than the wait for the object
    t.world.blob = () => Promise.reject(new Error('no credentials'));
    t.world.written = (_id, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    t.have('m', 'Idle', bind);
    await t.clock.advance(500);
    during(t);
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: undefined });
    await t.clock.advance(10_000);
    expect(t.provider.made()).toEqual(['configure m']);
  });

  it('does not hold up the machines of another cluster', async () => {
    const t = setUp();
    t.world.blob = () => Promise.reject(new Error('no credentials'));
    t.have('m', 'Idle', bind);
    await t.settle();
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: undefined });
    t.have('n', 'Idle', { ...bind, to: { ...toEast, cluster: 'west' } });
    await t.settle();
    expect(t.provider.made()).toEqual(['configure n']);
  });
});

describe('leave to make a call (D16)', () => {
  const every = [['Speculative', bind, 'create'], ['Idle', bind, 'configure'], ['Configured', unbind, 'drain'], ['Idle', release, 'delete']] as const;

  it.each(every)('of a machine that is %s is asked for before it, and its limit goes with it', async (state, intent, call) => {
    const t = setUp();
    const asked = Promise.withResolvers<{ notAfterMonotonicMs: number }>();
    t.world.pass = () => asked.promise;
    t.have('m', state, intent);
    await t.settle();
    expect(t.provider.made()).toEqual([]);
    asked.resolve({ notAfterMonotonicMs: 4_711 });
    await t.settle();
    expect(t.provider.calls.map((c) => [c.kind, c.notAfterMonotonicMs])).toEqual([[call, 4_711]]);
  });

  it.each(every)('that is not given for a machine that is %s: nothing is called, and nobody is told', async (state, intent) => {
    const t = setUp();
    t.world.pass = () => Promise.reject(new Error('another process holds the Lease'));
    t.have('m', state, intent);
    await t.clock.advance(60_000);
    expect(t.provider.made()).toEqual([]);
    expect(t.world.log.filter((line) => line.startsWith('reclaim'))).toEqual([]);
  });

  it.each(every)('of a machine that is %s counts from the call on until its answer, whatever that is; without one it is never over', async (state, intent, call) => {
    const limits = [1, 2, 3];
    const t = setUp();
    t.world.pass = () => Promise.resolve({ notAfterMonotonicMs: limits.shift()! });
    const underWay: number[][] = [];
    for (const answer of [unavailable, rejected]) {
      t.provider.next(call, () => {
        underWay.push([...t.world.out]);
        return answer();
      });
    }
    t.have('m', state, intent);
    await t.settle();
    expect(underWay).toEqual([[1], [1, 2]]);
    expect(t.world.out).toEqual([1]);
    await t.clock.advance(60_000);
    t.have('m', state, intent);
    await t.clock.advance(60_000);
    expect([limits, t.world.out]).toEqual([[], [1]]);
  });

  it('takes time in which a decision may be withdrawn and the Lease lost', async () => {
    for (const change of ['withdrawn', 'lost'] as const) {
      const t = setUp();
      const asked = Promise.withResolvers<{ notAfterMonotonicMs: number }>();
      t.world.pass = () => asked.promise;
      t.have('m', 'Configured', unbind);
      await t.settle();
      if (change === 'withdrawn') t.inventory.setIntent('m', undefined);
      else t.world.leaseProven = false;
      asked.resolve({ notAfterMonotonicMs: 1 });
      await t.settle();
      expect([change, t.provider.made(), t.world.log]).toEqual([change, [], []]);
    }
  });

  it.each(every)('that was over when the call for a machine that is %s arrived: it is made anew a little later, with fresh leave', async (state, intent, call) => {
    const t = setUp();
    const limits = [10, 20];
    t.world.pass = () => Promise.resolve({ notAfterMonotonicMs: limits.shift()! });
    t.provider.next(call, () => new ProviderError('Late', 'too late'));
    t.have('m', state, intent);
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ busy: false, recheck: false, coolUntil: 0, intent: { kind: intent.kind } });
    if (call === 'configure') expect(t.inventory.get('m')?.intent).toMatchObject({ configureSent: false }); // it may be withdrawn
    await t.clock.advance(700);
    expect(t.provider.made()).toEqual([`${call} m`]);
    await t.clock.advance(300);
    expect(t.provider.calls.map((c) => c.notAfterMonotonicMs)).toEqual([10, 20]);
    expect([t.world.fenced, t.world.refused]).toEqual([[], []]);
    expect(t.world.outcomes.map((o) => o.split(' ')[1])).toEqual(['late', 'success']);
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

describe('a cluster that is left alone for a moment', () => {
  it('while a machine waits for its turn: it is made ready when that is over', async () => {
    const t = setUp();
    t.world.written = () => {
      t.setbacks.clusters.failed('east');
      t.world.written = () => Promise.resolve();
      return Promise.resolve();
    };
    t.have('m', 'Idle', bind);
    await t.settle();
    expect(t.provider.made()).toEqual([]);
    await t.clock.advance(60_000);
    expect(t.provider.made()).toEqual(['configure m']);
  });
});

describe('the bootstrap blob', () => {
  it('that the operator cannot make leaves the machine Idle and is asked for again, later and later', async () => {
    const t = setUp();
    t.world.blob = () => Promise.reject(new Error('no credentials'));
    t.have('m', 'Idle', bind);
    await t.clock.advance(60_000);
    const asked = t.world.log.length;
    expect(asked).toBeGreaterThan(3);
    expect(asked).toBeLessThan(15);
    expect(t.provider.made()).toEqual([]);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Idle' }, intent: bind, obstacle: 'no credentials' });
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: undefined });
    await t.clock.advance(30_000);
    expect(t.provider.made()).toEqual(['configure m']);
    expect(t.inventory.get('m')?.obstacle).toBe('');
  });

  it('that the operator cannot make for one reason after another is asked for no sooner', async () => {
    const t = setUp();
    const failures = Array.from({ length: 50 }, (_, i) => `failure ${i}`);
    t.world.blob = () => {
      const failure = failures.shift();
      return failure === undefined ? Promise.resolve({ userData: BLOB, expiresAt: undefined }) : Promise.reject(new Error(failure));
    };
    t.have('m', 'Idle', bind);
    await t.clock.advance(60_000);
    expect(t.world.log.length).toBeLessThan(15);
    expect(t.provider.made()).toEqual([]);
  });

  it('that comes to nothing after the decision was withdrawn is no obstacle', async () => {
    const t = setUp();
    const asked = Promise.withResolvers<Blob>();
    t.world.blob = () => asked.promise;
    t.have('m', 'Idle', bind);
    await t.settle();
    t.inventory.setIntent('m', undefined);
    asked.reject(new Error('no credentials'));
    await t.settle();
    expect(t.inventory.get('m')?.obstacle).toBe('');
  });

  it('is waited for at most 30 s', async () => {
    const t = setUp();
    let gaveUpAt = 0;
    t.world.blob = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => {
      gaveUpAt ||= t.clock.monotonic();
      reject(new GrpcError(GrpcCode.DEADLINE_EXCEEDED, 'late'));
    }));
    t.have('m', 'Idle', bind);
    await t.clock.advance(30_000);
    expect(gaveUpAt).toBe(30_000);
    expect(t.provider.made()).toEqual([]);
  });

  it('that is lost with its session is asked for again after the reconnect', async () => {
    const t = setUp();
    let lose = (): void => undefined;
    t.world.blob = () => new Promise((_, reject) => (lose = () => reject(new GrpcError(GrpcCode.UNAVAILABLE, 'session ended'))));
    t.have('m', 'Idle', bind);
    await t.settle();
    t.world.connected = false;
    lose();
    await t.clock.advance(120_000);
    expect(t.world.log).toHaveLength(1);
    t.world.connected = true;
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: undefined });
    t.wake('m');
    await t.settle();
    expect(t.provider.made()).toEqual(['configure m']);
  });

  it.each([
    ['withdrawn', undefined],
    ['changed to another cluster', { ...bind, to: { ...toEast, cluster: 'west' } }],
  ] as const)('is not used for a binding that was %s while the operator was thinking', async (_name, intent) => {
    const t = setUp();
    const thinking = Promise.withResolvers<Blob>();
    t.world.blob = () => thinking.promise;
    t.have('m', 'Idle', bind);
    await t.settle();
    t.world.blob = () => new Promise(() => undefined);
    t.inventory.setIntent('m', intent);
    thinking.resolve({ userData: BLOB, expiresAt: undefined });
    await t.settle();
    expect(t.provider.made()).toEqual([]);
  });

  it('is not used for a machine that failed while the operator was thinking', async () => {
    const t = setUp();
    const thinking = Promise.withResolvers<Blob>();
    t.world.blob = () => thinking.promise;
    t.have('m', 'Idle', bind);
    await t.settle();
    await t.moves('m', 'Failed');
    thinking.resolve({ userData: BLOB, expiresAt: undefined });
    await t.settle();
    expect(t.provider.made()).toEqual([]);
  });

  it('that has expired is not used: a fresh one is asked for', async () => {
    const t = setUp();
    const expiries = [t.clock.monotonic(), t.clock.monotonic() + 3_600_000];
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: expiries.shift() });
    t.have('m', 'Idle', bind);
    await t.settle();
    expect(t.provider.made()).toEqual([]);
    expect(t.inventory.get('m')?.intent).toEqual(bind); // still to be withdrawn, if need be
    await t.clock.advance(100);
    expect(t.provider.made()).toEqual(['configure m']);
    expect(t.world.log).toHaveLength(2);
  });
});

describe('write-ahead', () => {
  it('waits for the object, and not longer than a second when the API server is away', async () => {
    for (const [state, intent, call] of [
      ['Speculative', bind, 'create m'], ['Idle', bind, 'configure m'], ['Configured', unbind, 'drain m'], ['Idle', release, 'delete m'],
    ] as const) {
      const t = setUp();
      t.world.written = (_id, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('not written'))));
      t.have('m', state, intent);
      await t.clock.advance(999);
      expect(t.provider.made()).toEqual([]);
      await t.clock.advance(1);
      expect(t.provider.made()).toEqual([call]);
    }
  });

  it('goes on at once when the object is written', async () => {
    const t = setUp();
    const written = Promise.withResolvers<void>();
    t.world.written = () => written.promise;
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.provider.made()).toEqual([]);
    written.resolve();
    await t.settle();
    expect(t.provider.made()).toEqual(['create m']);
  });

  it('asks for the blob meanwhile', async () => {
    const t = setUp();
    t.world.written = () => new Promise(() => undefined);
    t.have('m', 'Idle', bind);
    await t.settle();
    expect(t.world.log).toHaveLength(1);
  });

  it('gives way to a decision that changes during the wait', async () => {
    const t = setUp();
    const written = Promise.withResolvers<void>();
    t.world.written = () => written.promise;
    t.have('m', 'Speculative', bind);
    await t.settle();
    t.inventory.setIntent('m', undefined);
    written.resolve();
    await t.clock.advance(10_000);
    expect(t.provider.made()).toEqual([]);
  });
});

describe('calls at a time', () => {
  it('are never more than the limit', async () => {
    const t = setUp({ concurrency: 2 });
    const pending: PromiseWithResolvers<Error>[] = [];
    for (let i = 0; i < 5; i++) {
      t.provider.next('create', () => {
        const call = Promise.withResolvers<Error>();
        pending.push(call);
        return call.promise;
      });
    }
    for (let i = 0; i < 5; i++) t.have(`m${i}`, 'Speculative', bind);
    await t.settle();
    expect(t.provider.made('create')).toEqual(['create m0', 'create m1']);
    pending[0]!.resolve(rejected());
    await t.settle();
    expect(t.provider.made('create')).toEqual(['create m0', 'create m1', 'create m2']);
  });

  /** One call holds the only place; what waits behind it is the test's subject. */
  async function waiting(state: MachineState, intent: MachineIntent) {
    const t = setUp({ concurrency: 1 });
    const first = Promise.withResolvers<Error>();
    t.provider.next('create', () => first.promise);
    t.have('first', 'Speculative', bind);
    await t.settle();
    t.have('m', state, intent);
    await t.settle();
    expect(t.provider.made()).toEqual(['create first']);
    return { ...t, go: async () => (first.resolve(rejected()), t.settle()) };
  }

  it('what waited is not done any more when the decision was withdrawn', async () => {
    const t = await waiting('Speculative', bind);
    t.inventory.setIntent('m', undefined);
    await t.go();
    expect(t.provider.made()).not.toContain('create m');
  });

  it('nothing is taken away when the Lease was lost in the queue; what the plan wanted is dropped (D16)', async () => {
    for (const [state, intent, call] of [['Configured', unbind, 'drain m'], ['Idle', release, 'delete m']] as const) {
      const t = await waiting(state, intent);
      t.world.leaseProven = false;
      await t.go();
      expect(t.inventory.get('m')?.intent).toBeUndefined();
      t.world.leaseProven = true;
      await t.clock.advance(10_000);
      expect(t.provider.made()).not.toContain(call);
    }
  });

  it('nothing that a person wants gone is taken away when the Lease was lost in the queue, until it is proven again (D16)', async () => {
    for (const [state, intent, call] of [['Configured', unbind, 'drain m'], ['Idle', release, 'delete m']] as const) {
      const t = await waiting(state, { ...intent, byPerson: true });
      t.world.leaseProven = false;
      await t.go();
      await t.clock.advance(10_000);
      expect(t.provider.made()).not.toContain(call);
      expect(t.world.log).toEqual([]);
      t.world.leaseProven = true;
      await t.clock.advance(1_000);
      expect(t.provider.made()).toContain(call);
    }
  });

  it('nothing is done when the shard was paused meanwhile', async () => {
    const t = await waiting('Idle', bind);
    t.world.active = false;
    await t.go();
    await t.clock.advance(60_000);
    expect(t.provider.made()).not.toContain('configure m');
    t.world.active = true;
    t.wake('m');
    await t.settle();
    expect(t.provider.made()).toContain('configure m');
  });

  it('a binding in the queue may still be withdrawn: Configure was not sent', async () => {
    const t = await waiting('Idle', bind);
    expect(t.inventory.get('m')?.intent).toMatchObject({ configureSent: false });
  });
});

it('a binding cannot be withdrawn any more once Configure is on its way', async () => {
  const t = setUp();
  t.provider.next('configure', () => new Promise(() => undefined));
  t.have('m', 'Idle', bind);
  await t.settle();
  expect(t.inventory.get('m')).toMatchObject({ busy: true, intent: { configureSent: true } });
});

describe('what waits', () => {
  it('for the Lease asks again every second', async () => {
    const t = setUp();
    t.world.leaseProven = false;
    t.have('m', 'Configured', { ...unbind, byPerson: true });
    await t.clock.advance(5_000);
    expect(t.provider.made()).toEqual([]);
    t.world.leaseProven = true;
    await t.clock.advance(1_000);
    expect(t.provider.made()).toEqual(['drain m']);
  });

  it('is not a machine that the plan takes away: when the Lease, the mode or a hold is in the way, it serves on and the next plan decides', async () => {
    for (const inTheWay of ['lease', 'mode', 'hold'] as const) {
      const t = setUp();
      if (inTheWay === 'lease') t.world.leaseProven = false;
      if (inTheWay === 'mode') t.world.active = false;
      t.have('m', 'Configured', unbind);
      if (inTheWay === 'hold') t.inventory.update('m', { hold: true });
      await t.settle();
      expect([inTheWay, t.provider.made(), t.inventory.get('m')?.intent]).toEqual([inTheWay, [], undefined]);
      Object.assign(t.world, { leaseProven: true, active: true });
      t.inventory.update('m', { hold: false });
      t.wake('m');
      await t.clock.advance(60_000);
      expect([inTheWay, t.provider.made()]).toEqual([inTheWay, []]);
    }
  });

  it('is not a machine whose drain was refused and that a person holds for a moment: Pods may have come, and it counts', async () => {
    const t = setUp();
    t.provider.next('drain', rejected);
    t.have('m', 'Configured', unbind);
    await t.settle();
    expect(t.provider.made('drain')).toHaveLength(1);
    expect(t.inventory.get('m')?.coolUntil).toBeGreaterThan(0);
    t.inventory.update('m', { hold: true });
    t.wake('m');
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, coolUntil: 0 });
    t.inventory.update('m', { hold: false });
    t.wake('m');
    await t.clock.advance(60_000);
    expect(t.provider.made('drain')).toHaveLength(1);
  });

  it('a machine that is gone is nobody', async () => {
    const t = setUp();
    t.wake('nobody');
    await t.settle();
    expect(t.provider.calls).toEqual([]);
  });

  it('a restart with a binding on record acts only after its cluster has reported', async () => {
    const t = setUp();
    t.world.reported = false;
    t.have('m', 'Speculative', bind);
    await t.clock.advance(60_000);
    expect(t.provider.made()).toEqual([]);
    t.world.reported = true;
    t.wake('m');
    await t.settle();
    expect(t.provider.made()).toEqual(['create m']);
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { serveScripted, type KitHarness } from '../testing/kit-harness.ts';
import { codeOf, stateName } from '../testing/rpc.ts';
import { host, ScriptedBackend, slot } from '../testing/scripted-backend.ts';
import type { Instance } from './machine.ts';
import type { ProviderOptions } from './serve-provider.ts';
import { memoryStore, type StateStore } from './state-store.ts';

let h: KitHarness;
let backend: ScriptedBackend;
afterEach(() => h.close());

async function serve(options: ConstructorParameters<typeof ScriptedBackend>[0] = {}, provider: Partial<ProviderOptions> = {}): Promise<void> {
  backend = new ScriptedBackend(options);
  h = await serveScripted(backend, provider);
}

describe('an operation that goes wrong', () => {
  it('turns the machine FAILED with the backend’s words, and keeps what it was bound to', async () => {
    await serve();
    await h.toIdle('m-1');
    expect(stateName((await h.rpc.configure('m-1', { cluster: 'conf', metadata: { k: 'v' } })).machine)).toBe('CONFIGURING');
    await h.settle();
    backend.last('configure').fail('no route to host');
    expect(await h.look('m-1')).toEqual(['FAILED', 'Configure failed: no route to host']);
    const machine = await h.rpc.get('m-1');
    expect([machine.cluster, machine.shardMetadata.get('k'), machine.host?.ref]).toEqual(['conf', 'v', host.ref]);
  });

  it('times out per kind, and a success that comes later is discarded', async () => {
    await serve({}, { timeouts: { createMs: 1_000, configureMs: 2_000 } });
    await h.rpc.create('m-2');
    await h.clock.advance(1_000);
    expect(await h.look('m-2')).toEqual(['FAILED', 'Create timed out after 1 s']);
    await h.toIdle('m-1');
    await h.rpc.configure('m-1');
    await h.clock.advance(1_999);
    expect(await h.look('m-1')).toEqual(['CONFIGURING', '']);
    const call = backend.last('configure');
    expect(call.signal.aborted).toBe(false);
    await h.clock.advance(1);
    expect(await h.look('m-1')).toEqual(['FAILED', 'Configure timed out after 2 s']);
    expect(call.signal.aborted).toBe(true);
    const { revision } = await h.rpc.list();
    call.succeed();
    expect(await h.look('m-1')).toEqual(['FAILED', 'Configure timed out after 2 s']);
    expect((await h.rpc.list({ sinceRevision: revision })).machines).toEqual([]);
  });

  it('gives a Drain its grace period on top, however long', async () => {
    await serve({}, { timeouts: { drainMs: 1_000 } });
    await h.toConfigured('m-1');
    await h.rpc.drain('m-1', 600);
    await h.clock.advance(659_000);
    expect(await h.look('m-1')).toEqual(['DRAINING', '']);
    await h.clock.advance(1_000);
    expect(await h.look('m-1')).toEqual(['FAILED', 'Drain timed out after 660 s']);
  });

  it('keeps a machine CONFIGURING until its Node is ready, within the one timeout', async () => {
    await serve({ confirms: true }, { timeouts: { configureMs: 1_000 } });
    await h.toIdle('m-1');
    await h.rpc.configure('m-1');
    await h.clock.advance(600);
    backend.last('configure').succeed();
    await h.clock.advance(399);
    expect(await h.look('m-1')).toEqual(['CONFIGURING', '']);
    const ready = backend.last('ready');
    await h.clock.advance(1);
    expect(await h.look('m-1')).toEqual(['FAILED', 'Configure timed out after 1 s']);
    ready.succeed();
    expect((await h.look('m-1'))[0]).toBe('FAILED');
  });

  it('does not take a host of impossible size for one', async () => {
    await serve();
    await h.rpc.create('m-1');
    await h.settle();
    backend.last('create').succeed({ host, resources: { cpu: 'many' } });
    expect((await h.look('m-1'))[1]).toMatch(/cannot be used: resources .*cpu/);
  });

  it.each([
    ['than its resources', {}, { resources: { cpu: '2' }, allocatable: { cpu: '2001m' } }, 'cpu 2001m is more than the 2 of resources'],
    ['than what it was described with', {}, { allocatable: { cpu: '5' } }, 'cpu 5 is more than the 4 of resources'],
    ['as described, of a host that turns out smaller', { allocatable: { cpu: '3' } }, { resources: { cpu: '2' } }, 'cpu 3 is more than the 2 of resources'],
  ])('does not take a host for one whose Pods could have more %s', async (_what, described, made, text) => {
    await serve({ instances: [slot('m-1', described)] });
    await h.rpc.create('m-1');
    await h.settle();
    backend.last('create').succeed({ host, ...made });
    expect((await h.look('m-1'))[1]).toContain(`cannot be used: allocatable ${text}`);
  });

  it('always has words for what went wrong, and never too many', async () => {
    await serve();
    await h.toConfigured('m-1');
    h.provider.reportFailure('m-1', '');
    expect((await h.look('m-1'))[1]).toMatch(/no reason was given/);
    await h.rpc.create('m-2');
    await h.settle();
    backend.last('create').fail('x'.repeat(100_000));
    expect((await h.look('m-2'))[1].length).toBeLessThan(3_000);
  });

  it('refuses a Create that brought no host', async () => {
    await serve();
    await h.rpc.create('m-1');
    await h.settle();
    backend.last('create').succeed({ host: { provider: 'test', ref: '' } });
    expect((await h.look('m-1'))[1]).toMatch(/no host/);
  });

  it('is final for every call, whichever comes', async () => {
    await serve();
    await h.rpc.create('m-1');
    await h.settle();
    backend.last('create').fail('quota');
    await h.settle();
    for (const call of [h.rpc.create('m-1'), h.rpc.configure('m-1'), h.rpc.drain('m-1'), h.rpc.delete('m-1')]) expect(await codeOf(call)).toBe('INTERNAL');
    await h.clock.advance(3_600_000);
    expect(await h.look('m-1')).toEqual(['FAILED', 'Create failed: quota']);
    expect((await h.rpc.list({ states: [8] })).machines.map((m) => m.lastError)).toEqual(['Create failed: quota']);
  });
});

describe('recovery', () => {
  it('does not begin before the failure is durable: a restart must not take the machine for what it was', async () => {
    const disk = Promise.withResolvers<void>();
    let isSlow = false;
    await serve({ recovers: true }, { store: { ...memoryStore(), flush: () => (isSlow ? disk.promise : Promise.resolve()) } });
    await h.toConfigured('m-1');
    isSlow = true;
    h.provider.reportFailure('m-1', 'interrupted');
    await h.settle();
    expect(backend.calls.at(-1)?.what).toBe('configure');
    disk.resolve();
    await h.settle();
    backend.last('recover').succeed('speculative');
    expect(await h.look('m-1')).toEqual(['SPECULATIVE', '']);
  });

  it('returns the slot, clean, when the backend says so', async () => {
    await serve({ recovers: true });
    await h.toConfigured('m-1');
    expect(h.provider.reportFailure('m-1', 'interrupted')).toBe(true);
    expect(await h.look('m-1')).toEqual(['FAILED', 'interrupted']);
    backend.last('recover').succeed('speculative');
    expect(await h.look('m-1')).toEqual(['SPECULATIVE', '']);
    const machine = await h.rpc.get('m-1');
    expect([machine.host, machine.cluster, machine.shardMetadata.size]).toEqual([undefined, '', 0]);
    expect(h.changes.slice(-2).map((c) => [c.from, c.machine.state, c.cause])).toEqual([
      ['Configured', 'Failed', 'interrupt'], ['Failed', 'Speculative', 'recover'],
    ]);
    await h.toConfigured('m-1');
    expect((await h.look('m-1'))[0]).toBe('CONFIGURED');
  });

  it('returns the host as Idle, and one without a host as a slot', async () => {
    await serve({ recovers: true });
    await h.toConfigured('m-1');
    h.provider.reportFailure('m-1', 'disk');
    await h.settle();
    backend.last('recover').succeed('idle');
    expect((await h.look('m-1'))[0]).toBe('IDLE');
    await h.rpc.create('m-2');
    await h.settle();
    backend.last('create').fail('quota');
    await h.settle();
    backend.last('recover').succeed('idle');
    expect((await h.look('m-2'))[0]).toBe('SPECULATIVE');
  });

  it('is tried again after it failed or achieved nothing', async () => {
    await serve({ recovers: true });
    await h.toConfigured('m-1');
    h.provider.reportFailure('m-1', 'disk');
    await h.settle();
    backend.last('recover').fail('not yet');
    await h.settle();
    const tries = (): number => backend.calls.filter((c) => c.what === 'recover').length;
    await h.clock.advance(30_000);
    expect(tries()).toBe(2);
    backend.last('recover').succeed('keep');
    await h.clock.advance(30_000);
    expect(tries()).toBe(3);
    expect(await h.look('m-1')).toEqual(['FAILED', 'disk']);
    expect(h.warnings.join()).toMatch(/recovery of m-1 failed.*not yet/);
  });

  it('waits until the backend has let go of the machine, and learns of a host that was made too late', async () => {
    await serve({ recovers: true }, { timeouts: { createMs: 1_000 } });
    await h.rpc.create('m-1');
    await h.clock.advance(1_000);
    expect((await h.look('m-1'))[0]).toBe('FAILED');
    const late = backend.last('create'); // nothing has been recovered yet
    late.succeed({ host });
    await h.settle();
    expect(backend.last('recover').request).toMatchObject({ machine: { state: 'Failed', host }, lastError: 'Create timed out after 1 s' });
    backend.last('recover').succeed('speculative');
    expect(await h.look('m-1')).toEqual(['SPECULATIVE', '']);
  });

  it('begins without the backend when that does not let go, and says so when a host was made after that', async () => {
    await serve({ recovers: true }, { timeouts: { createMs: 1_000 } });
    await h.rpc.create('m-1');
    await h.clock.advance(1_000);
    const late = backend.last('create');
    await h.clock.advance(30_000);
    backend.last('recover').succeed('speculative');
    expect((await h.look('m-1'))[0]).toBe('SPECULATIVE');
    late.succeed({ host });
    expect((await h.look('m-1'))[0]).toBe('SPECULATIVE');
    expect(h.warnings.join()).toMatch(/Create op-.* of m-1 .*host-1.*may run unseen/);
  });

  it('voids the operation that was under way', async () => {
    await serve();
    await h.toIdle('m-1');
    await h.rpc.configure('m-1');
    await h.settle();
    const call = backend.last('configure');
    h.provider.reportFailure('m-1', 'interrupted');
    expect(call.signal.aborted).toBe(true);
    call.succeed();
    expect(await h.look('m-1')).toEqual(['FAILED', 'interrupted']);
  });
});

describe('a provider without Delete', () => {
  it('answers UNIMPLEMENTED before it looks at the token', async () => {
    await serve({ deletes: false });
    expect(await codeOf(h.rpc.delete('m-1', ['s', 5, 5]))).toBe('UNIMPLEMENTED');
    expect(await codeOf(h.rpc.create('m-1', ['s', 5, 5]))).toBe('OK');
  });
});

describe('reconcile', () => {
  it('adds, refreshes and fails what is gone twice; says nothing new when nothing is', async () => {
    await serve({ instances: [slot('m-1'), slot('m-2')] });
    await h.toConfigured('m-1');
    const { revision } = await h.rpc.list();
    await h.provider.reconcile();
    expect((await h.rpc.list({ sinceRevision: revision })).machines).toEqual([]);

    backend.instances = [slot('m-1', { pricePerHour: 2, labels: { a: 'b' } }), slot('m-3'), slot('bad', { pricePerHour: NaN })];
    await h.provider.reconcile();
    const delta = (await h.rpc.list({ sinceRevision: revision })).machines;
    expect(delta.map((m) => [m.id, stateName(m), m.pricePerHour, m.cluster])).toEqual([['m-1', 'CONFIGURED', 2, 'cluster-a'], ['m-3', 'SPECULATIVE', 1, '']]);
    expect(h.warnings.join()).toMatch(/"bad".*pricePerHour/);

    backend.instances = [];
    await h.provider.reconcile();
    expect((await h.look('m-1'))[0]).toBe('CONFIGURED');
    await h.provider.reconcile();
    expect(await h.look('m-1')).toEqual(['FAILED', 'the substrate no longer has host host-1']);
    expect((await h.look('m-2'))[0]).toBe('SPECULATIVE');
  });

  it('does not disturb an operation under way', async () => {
    await serve();
    await h.rpc.create('m-1');
    await h.settle();
    backend.instances = [slot('m-1', { pricePerHour: 9 }), slot('m-2')];
    await h.provider.reconcile();
    backend.last('create').succeed({ host });
    expect((await h.look('m-1'))[0]).toBe('IDLE');
    expect((await h.rpc.get('m-1')).pricePerHour).toBe(9);
  });

  it('does not believe at once that most hosts are gone', async () => {
    const hosts = Array.from({ length: 9 }, (_, i) => slot(`h-${i}`, { state: 'Idle', host: { provider: 'test', ref: `h-${i}` } }));
    await serve({ instances: hosts });
    const failed = async (): Promise<number> => (await h.rpc.list({ states: [8] })).machines.length;
    backend.instances = hosts.slice(0, 4);
    for (let i = 1; i < 10; i++) await h.provider.reconcile();
    expect(await failed()).toBe(0);
    expect(h.warnings.at(-1)).toMatch(/5 of 9 hosts/);
    await h.provider.reconcile();
    expect(await failed()).toBe(5);
    backend.instances = hosts.slice(0, 3);
    await h.provider.reconcile();
    backend.instances = hosts;
    await h.provider.reconcile();
    backend.instances = hosts.slice(0, 3);
    await h.provider.reconcile();
    expect(await failed()).toBe(5); // seen in between
    await h.provider.reconcile();
    expect(await failed()).toBe(6);
  });

  it('is one at a time, and a description that does not come is given up', async () => {
    await serve({}, { reconcileIntervalMs: 60_000, reconcileTimeoutMs: 5_000 });
    const signals: AbortSignal[] = [];
    const answers: ((instances: ReturnType<typeof slot>[]) => void)[] = [];
    backend.describe = (signal) => new Promise((resolve) => {
      signals.push(signal);
      answers.push(resolve);
    });
    await h.clock.advance(60_000);
    const shared = expect(h.provider.reconcile()).rejects.toThrow(/did not describe itself within 5 s/);
    expect(signals.length).toBe(1);
    await h.clock.advance(5_000);
    await shared;
    expect(signals[0]!.aborted).toBe(true);
    expect(h.warnings.join()).toMatch(/did not describe itself within 5 s/);
    answers[0]!([slot('late')]);
    await h.clock.advance(60_000);
    expect(signals.length).toBe(2);
    expect((await h.rpc.list()).machines.map((m) => m.id)).toEqual(['m-1', 'm-2']);
  });

  it('runs by itself at its interval', async () => {
    await serve({}, { reconcileIntervalMs: 60_000 });
    backend.instances = [slot('m-9')];
    await h.clock.advance(60_000);
    expect((await h.look('m-9'))[0]).toBe('SPECULATIVE');
  });
});

describe('a store that cannot be written', () => {
  it('refuses the mutation and changes nothing, not even the fence', async () => {
    let full = false;
    const store: StateStore = {
      ...memoryStore(),
      append: () => {
        if (full) throw new Error('ENOSPC: no space left on device');
      },
    };
    await serve({}, { store });
    full = true;
    expect(await codeOf(h.rpc.create('m-1', ['s', 5, 5]))).toBe('UNAVAILABLE');
    expect(await h.look('m-1')).toEqual(['SPECULATIVE', '']);
    expect(backend.calls).toEqual([]);
    full = false;
    expect(await codeOf(h.rpc.create('m-1', ['s', 5, 5]))).toBe('OK');
    await h.settle();
    full = true;
    backend.last('create').succeed({ host });
    expect((await h.look('m-1'))[0]).toBe('CREATING'); // done, but not yet known to the disk
    full = false;
    await h.clock.advance(1_000);
    expect((await h.look('m-1'))[0]).toBe('IDLE');
  });

  it('neither acknowledges nor actuates what did not become durable', async () => {
    let failing = false;
    const store: StateStore = { ...memoryStore(), flush: () => (failing ? Promise.reject(new Error('EIO')) : Promise.resolve()) };
    await serve({}, { store });
    failing = true;
    expect(await codeOf(h.rpc.create('m-1'))).toBe('UNAVAILABLE');
    await h.settle();
    expect(backend.calls).toEqual([]);
  });
});

it('names what is wrong with the instances of a first start', async () => {
  await serve();
  const bad = new ScriptedBackend({ instances: [slot('x', { capacityType: 'Spot' }), slot('y', { zone: '' }), slot('z', { state: 'Idle' })] });
  await expect(serveScripted(bad)).rejects.toThrow(/"x": interruptionProbability.*\n.*"y": zone.*\n.*"z": host/);
  const small = new ScriptedBackend({ instances: [slot('x', { allocatable: { cpu: '4' } }), slot('y', { resources: { cpu: '4', memory: '8Gi' }, allocatable: { cpu: '4.0000001', memory: '8Gi' } })] });
  await expect(serveScripted(small)).rejects.toThrow(/used:\n.*"y": allocatable cpu 4.0000001 is more than the 4 of resources: it is what they leave for Pods; lower it, or raise resources$/);
  const worse = new ScriptedBackend({ instances: [slot('x', { labels: { zone: 'z' } }), slot('y', { resources: { cpu: '4', 'nvidia.com/gpu': '0' } }), slot('z'), slot('z')] });
  await expect(serveScripted(worse)).rejects.toThrow(/"x": labels .*"zone".*\n.*"y": resources .*nvidia.com\/gpu.*\n.*"z": id is described twice/);
});

describe('two instances that are one host', () => {
  const at = (id: string, ref: string): Instance => slot(id, { state: 'Idle', host: { provider: 'test', ref } });

  it('stop a first start, which names both', async () => {
    await serve();
    const twice = new ScriptedBackend({ instances: [at('x', 'r'), at('y', 'r'), slot('z')] });
    await expect(serveScripted(twice)).rejects.toThrow(/instance "y": host test r is that of instance "x": one host cannot be two machines, describe it once/);
  });

  it('are one later: the machine that is known stays, whichever comes first, and the other is left out', async () => {
    await serve({ instances: [at('x', 'r'), slot('z')] });
    backend.instances = [at('y', 'r'), at('x', 'r'), slot('z'), at('w', 's')];
    await h.provider.reconcile();
    expect((await h.rpc.list()).machines.map((m) => m.id).sort()).toEqual(['w', 'x', 'z']);
    expect(h.warnings.filter((text) => text.includes('left out'))).toEqual(['instance "y" is left out: host test r is that of instance "x": one host cannot be two machines, describe it once']);
  });
});

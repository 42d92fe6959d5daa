import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { memoryStore } from '../kit/state-store.ts';
import { codeOf, Rpc, stateName } from '../testing/rpc.ts';
import { slot } from '../testing/scripted-backend.ts';
import { faultSeeds } from './fault-seeds.ts';
import { runFaultProvider, type FaultOptions, type RunningFault } from './run-fault-provider.ts';

let clock: VirtualClock;
let fault: RunningFault;
let rpc: Rpc;
const warnings: string[] = [];

async function start(options: Partial<FaultOptions> = {}): Promise<void> {
  clock = new VirtualClock();
  fault = await runFaultProvider({
    serving: { address: '127.0.0.1:0', store: memoryStore() }, clock, seeds: () => faultSeeds(10, 2),
    timeoutMs: 2_000, latencyMs: 20, slowMs: 1_000, interruptAfterMs: 500, onWarning: (text) => void warnings.push(text), ...options,
  });
  rpc = new Rpc(fault.provider.port);
}
beforeEach(() => start());
afterEach(async () => {
  rpc.close();
  await fault.close();
});

const HEALTHY = 'fault-00000';
const FAILING = 'fault-00011';
const look = async (id = HEALTHY): Promise<[string, string]> => {
  const machine = await rpc.get(id);
  return [stateName(machine), machine.lastError];
};
const toIdle = async (id = HEALTHY): Promise<void> => {
  expect(await codeOf(rpc.create(id))).toBe('OK');
  await clock.advance(20);
};
const configure = async (cluster: string): Promise<void> => {
  await toIdle();
  expect(await codeOf(rpc.configure(HEALTHY, { cluster, metadata: { k: 'v' } }))).toBe('OK');
  await clock.advance(0);
};

describe('the selectors of the fault profile', () => {
  it('B701 fault-error: FAILED with words, terminal, and the same at every look', async () => {
    await configure('fault-error');
    await clock.advance(20);
    const failed = await look();
    expect(failed).toEqual(['FAILED', expect.stringMatching(/Configure failed: .*fault-error/)]);
    expect(await codeOf(rpc.configure(HEALTHY, { cluster: 'healthy' }))).toBe('INTERNAL'); // B705
    await clock.advance(3_600_000);
    expect([await look(), await look()]).toEqual([failed, failed]); // B707
    expect((await rpc.list({ states: [8] })).machines.map((m) => [m.id, m.lastError, m.cluster])).toEqual([[HEALTHY, failed[1], 'fault-error']]);
  });

  it('B702 a slot labelled conformance.fault/create=error fails its Create', async () => {
    const labelled = (await rpc.list()).machines.filter((m) => m.labels.get('conformance.fault/create') === 'error').map((m) => m.id);
    expect(labelled).toEqual(['fault-00010', FAILING]);
    expect(await codeOf(rpc.create(FAILING))).toBe('OK');
    await clock.advance(20);
    expect(await look(FAILING)).toEqual(['FAILED', expect.stringMatching(/Create failed: .*create=error/)]);
  });

  it('B703 fault-timeout: CONFIGURING for two seconds, then FAILED', async () => {
    await configure('fault-timeout');
    await clock.advance(1_999);
    expect(await look()).toEqual(['CONFIGURING', '']);
    await clock.advance(1);
    expect(await look()).toEqual(['FAILED', 'Configure timed out after 2 s']);
  });

  it('B704 fault-slow-ok: what succeeds too late changes nothing', async () => {
    await configure('fault-slow-ok');
    await clock.advance(2_499);
    expect((await look())[0]).toBe('FAILED');
    expect(fault.backend.release(HEALTHY, 'idle')).toBe(false); // the substrate has not let go of it
    await clock.advance(3_501);
    expect(await look()).toEqual(['FAILED', 'Configure timed out after 2 s']);
    expect(fault.backend.release(HEALTHY, 'idle')).toBe(true);
  });

  it('B706 fault-drain-error: configured well, and FAILED by its Drain', async () => {
    await configure('fault-drain-error');
    await clock.advance(20);
    expect(await look()).toEqual(['CONFIGURED', '']);
    await rpc.drain(HEALTHY, 0);
    await clock.advance(20);
    expect(await look()).toEqual(['FAILED', expect.stringMatching(/Drain failed: /)]);
  });

  it('B708 fault-readiness-block: never CONFIGURED, FAILED in the end', async () => {
    await configure('fault-readiness-block');
    await clock.advance(1_999);
    expect(await look()).toEqual(['CONFIGURING', '']);
    await clock.advance(1);
    expect((await look())[0]).toBe('FAILED');
  });
});

describe('the other selectors', () => {
  it('a cluster that is not named for a fault gets machines that work', async () => {
    await configure('default-cluster');
    await clock.advance(20);
    expect((await look())[0]).toBe('CONFIGURED');
    await rpc.drain(HEALTHY);
    await clock.advance(20);
    await rpc.delete(HEALTHY);
    await clock.advance(20);
    expect(await look()).toEqual(['SPECULATIVE', '']);
  });

  it.each([
    ['fault-slow', 1_000, 'CONFIGURED', /^$/],
    ['fault-no-capacity', 20, 'FAILED', /\[OutOfStock\] out of capacity/],
    ['fault-quota', 20, 'FAILED', /\[Quota\] quota/],
    ['fault-throttled', 20, 'FAILED', /rate limit/],
    ['fault-invalid', 20, 'FAILED', /invalid/],
    ['fault-hang', 2_000, 'FAILED', /timed out/],
    ['fault-ready-error', 40, 'FAILED', /fault-ready-error/],
    ['fault-nonsense', 20, 'CONFIGURED', /^$/],
  ])('%s: after %i ms %s', async (cluster, ms, state, words) => {
    await configure(cluster);
    await clock.advance(ms - 1);
    expect((await look())[0]).toBe('CONFIGURING');
    await clock.advance(1);
    expect(await look()).toEqual([state, expect.stringMatching(words)]);
  });

  it('a drain without grace is given up at the timeout', async () => {
    await configure('fault-drain-hang');
    await clock.advance(20);
    await rpc.drain(HEALTHY, 0);
    await clock.advance(2_000);
    expect(await look()).toEqual(['FAILED', 'Drain timed out after 2 s']);
  });

  it('fault-interrupt: CONFIGURED, and broken half a second later, unless it has moved on', async () => {
    await configure('fault-interrupt');
    await clock.advance(519);
    expect((await look())[0]).toBe('CONFIGURED');
    await clock.advance(1);
    expect(await look()).toEqual(['FAILED', expect.stringMatching(/interrupted/)]);
    fault.backend.release(HEALTHY, 'idle');
    await clock.advance(0);
    expect(await codeOf(rpc.configure(HEALTHY, { cluster: 'fault-interrupt' }))).toBe('OK');
    await clock.advance(20);
    await rpc.drain(HEALTHY);
    await clock.advance(3_000);
    expect(await look()).toEqual(['IDLE', '']);
  });

  it('labels choose any step', async () => {
    rpc.close();
    await fault.close();
    await start({ seeds: () => [slot('d', { labels: { 'conformance.fault/delete': 'error', 'conformance.fault/create': 'slow' } })] });
    await rpc.create('d');
    await clock.advance(999);
    expect((await look('d'))[0]).toBe('CREATING');
    await clock.advance(1);
    await rpc.delete('d');
    await clock.advance(20);
    expect((await look('d'))[0]).toBe('FAILED');
  });
});

describe('the control panel', () => {
  let url: string;
  beforeEach(async () => {
    rpc.close();
    await fault.close();
    await start({ admin: { host: '127.0.0.1', port: 0 } });
    url = `http://127.0.0.1:${fault.adminPort}`;
  });
  const post = async (path: string, body: unknown): Promise<[number, unknown]> => {
    const answer = await fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    return [answer.status, await answer.json()];
  };

  it('breaks a machine and makes it usable again', async () => {
    await configure('c');
    await clock.advance(20);
    expect(await post('/fail', { machineId: HEALTHY, reason: 'disk' })).toEqual([200, { failed: true }]);
    expect(await look()).toEqual(['FAILED', 'disk']);
    expect(await post('/release', { machineId: HEALTHY, to: 'idle' })).toEqual([200, { released: true }]);
    await clock.advance(0);
    expect(await look()).toEqual(['IDLE', '']);
    expect(await post('/release', { machineId: HEALTHY, to: 'idle' })).toEqual([200, { released: false }]);
    expect((await post('/fail', { machineId: 'nobody', reason: 'x' }))[0]).toBe(404);
    expect((await post('/fail', { machineId: HEALTHY }))[0]).toBe(400);
    expect(await (await fetch(`${url}/state`)).json()).toEqual({ Idle: 1, Speculative: 11 });
  });

  it('refuses calls, and nothing is done', async () => {
    await post('/answers', { rpc: 'Create', code: 'RESOURCE_EXHAUSTED', message: 'quota', times: 2 });
    expect([await codeOf(rpc.create(HEALTHY)), await codeOf(rpc.create(HEALTHY))]).toEqual(['RESOURCE_EXHAUSTED', 'RESOURCE_EXHAUSTED']);
    expect((await look())[0]).toBe('SPECULATIVE');
    expect(await codeOf(rpc.create(HEALTHY))).toBe('OK');
  });

  it('does what it is asked for and loses the answer', async () => {
    await post('/answers', { rpc: 'Create', lost: true });
    expect(await codeOf(rpc.create(HEALTHY))).toBe('UNAVAILABLE');
    expect((await look())[0]).toBe('CREATING');
    expect(await codeOf(rpc.create(HEALTHY))).toBe('OK');
  });

  it('leaves machines out of Lists', async () => {
    await post('/answers', { rpc: 'List', missing: 1 });
    const empty = await rpc.list();
    const full = await rpc.list();
    expect([empty.machines.length, full.machines.length]).toEqual([0, 12]);
    expect(Buffer.from(empty.revision)).toEqual(Buffer.from(full.revision));
    await post('/answers', { rpc: 'List', missing: 0.5, times: 5 });
    expect((await rpc.list()).machines.length).toBe(6);
    await post('/answers', { rpc: 'List', missing: 0.5, times: 0 });
    expect((await rpc.list()).machines.length).toBe(12);
  });

  it.each([{ rpc: 'Watch', lost: true }, { rpc: 'Get' }, { rpc: 'Get', missing: 1 }, { rpc: 'Get', code: 'NONE' }, { rpc: 'Get', code: 'OK' }, { rpc: 'List', missing: 2 }, { rpc: 'Get', lost: true, code: 'INTERNAL' }, { rpc: 'Get', lost: true, times: -1 }])(
    'says what is wrong with %j', async (body) => {
      expect(await post('/answers', body)).toEqual([400, { error: expect.any(String) }]);
      expect((await look())[0]).toBe('SPECULATIVE');
    });
});

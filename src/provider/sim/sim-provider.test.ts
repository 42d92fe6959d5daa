import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startFakeNodeAgent, type FakeNodeAgent } from '../testing/fake-node-agent.ts';
import { codeOf, stateName } from '../testing/rpc.ts';
import { startSim, type SimHarness } from '../testing/sim-harness.ts';
import { slot } from '../testing/scripted-backend.ts';

let h: SimHarness;
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  await h.close();
  for (const clean of cleanups.splice(0)) await clean();
});

describe('with a node agent', () => {
  async function start(): Promise<FakeNodeAgent> {
    const agent = await startFakeNodeAgent();
    cleanups.push(() => agent.close());
    h = await startSim({ nodeAgent: agent.url, seeds: () => [slot('m-1', { labels: { rack: 'r1' }, allocatable: { cpu: '3' } })] });
    return agent;
  }

  async function bind(agent: FakeNodeAgent): Promise<void> {
    const configured = h.becomes('m-1', 'Configured');
    await h.toIdle('m-1');
    await h.rpc.configure('m-1', { cluster: 'c1', blob: Buffer.from('secret') });
    await h.clock.advance(100);
    (await agent.next('/join')).reply(204);
    await configured;
  }

  it('joins at the end of Configure, with all that a Node needs', async () => {
    const agent = await start();
    await h.toIdle('m-1');
    const configured = h.becomes('m-1', 'Configured');
    await h.rpc.configure('m-1', { cluster: 'c1', blob: Buffer.from('secret') });
    await h.clock.advance(100);
    const join = await agent.next('/join');
    expect(join.body).toEqual({
      machineId: 'm-1', providerId: 'sim:///m-1', clusterId: 'c1', blob: Buffer.from('secret').toString('base64'),
      instanceType: 't', zone: 'z', capacityType: 'OnDemand', labels: { rack: 'r1' }, allocatable: { cpu: '3' },
    });
    expect(await h.state('m-1')).toBe('CONFIGURING');
    join.reply(204);
    await configured;
  });

  it('fails the machine when the blob is refused, then kills and recovers it', async () => {
    const agent = await start();
    await h.toIdle('m-1');
    const failed = h.becomes('m-1', 'Failed');
    await h.rpc.configure('m-1');
    await h.clock.advance(100);
    (await agent.next('/join')).reply(400, { error: 'the token has expired' });
    await failed;
    expect((await h.rpc.get('m-1')).lastError).toBe('Configure failed: node agent: the token has expired');
    const kill = await agent.next('/kill');
    expect(kill.body).toEqual({ machineId: 'm-1' });
    const recovered = h.becomes('m-1', 'Speculative');
    kill.reply(204);
    await passTime(recovered, 500);
  });

  it('drains until the agent says the Pods are gone, however often the connection breaks', async () => {
    const agent = await start();
    await bind(agent);
    const idle = h.becomes('m-1', 'Idle');
    await h.rpc.drain('m-1', 30);
    const first = await agent.next('/leave');
    expect(first.body).toEqual({ machineId: 'm-1', graceSeconds: 30 });
    expect(await h.state('m-1')).toBe('DRAINING');
    first.hangUp();
    (await passTime(agent.next('/leave'), 25)).reply(503);
    const last = await passTime(agent.next('/leave'), 25);
    expect(await h.state('m-1')).toBe('DRAINING');
    last.reply(204);
    await passTime(idle, 25);
  });

  it('kills an interrupted machine at once', async () => {
    const agent = await start();
    await bind(agent);
    expect(h.sim.interruptions.interrupt({ machineId: 'm-1' })).toEqual(['m-1']);
    expect((await agent.next('/kill')).body).toEqual({ machineId: 'm-1' });
  });

  /** Moves virtual time in steps until something that depends on real sockets has happened. */
  async function passTime<T>(event: Promise<T>, stepMs: number): Promise<T> {
    let done = false;
    void event.finally(() => (done = true));
    while (!done) await h.clock.advance(stepMs);
    return event;
  }
});

describe('interruptions', () => {
  it('take bound machines, fail them, and give the slot back clean after the recovery time', async () => {
    h = await startSim();
    const spot = [...h.sim.provider.machines()].filter((m) => m.capacityType === 'Spot').map((m) => m.id);
    for (const id of spot.slice(0, 4)) await h.toConfigured(id);
    const [victim] = h.sim.interruptions.interrupt({ capacityType: 'Spot', count: 1 });
    const failed = await h.rpc.get(victim!);
    expect([stateName(failed), failed.lastError]).toEqual(['FAILED', 'interrupted by the Spot market (simulated)']);
    await h.clock.advance(2_999);
    expect(await h.state(victim!)).toBe('FAILED');
    await h.clock.advance(1);
    const back = await h.rpc.get(victim!);
    expect([stateName(back), back.host, back.cluster, back.lastError]).toEqual(['SPECULATIVE', undefined, '', '']);
  });

  it('never take what is not bound, nor more than there is', async () => {
    h = await startSim();
    const spot = [...h.sim.provider.machines()].filter((m) => m.capacityType === 'Spot').map((m) => m.id);
    await h.toIdle(spot[0]!);
    await h.toConfigured(spot[1]!);
    expect(h.sim.interruptions.interrupt({ machineId: spot[0]! })).toEqual([]);
    expect(h.sim.interruptions.interrupt({ capacityType: 'Spot', count: 9 })).toEqual([spot[1]]);
    expect(h.sim.interruptions.interrupt({ capacityType: 'Spot', count: 9 })).toEqual([]);
  });

  it('choose the same victims for the same seed', async () => {
    const victims = async (seed: number): Promise<string[]> => {
      h = await startSim({ seed });
      const spot = [...h.sim.provider.machines()].filter((m) => m.capacityType === 'Spot').map((m) => m.id);
      for (const id of spot) await h.rpc.create(id);
      await h.clock.advance(100);
      for (const id of spot.toReversed()) await h.rpc.configure(id);
      await h.clock.advance(100);
      const chosen = h.sim.interruptions.interrupt({ capacityType: 'Spot', count: 4 });
      await h.close();
      return chosen;
    };
    const first = await victims(1);
    expect(first).toHaveLength(4);
    expect(await victims(1)).toEqual(first);
    expect(await victims(2)).not.toEqual(first);
    h = await startSim();
  });

  it('come at random at the given rate, to Spot machines only', async () => {
    h = await startSim({ interruptionsPerHour: 60 });
    const byType = (type: string): string => [...h.sim.provider.machines()].find((m) => m.capacityType === type && m.state === 'Speculative')!.id;
    const [spot, onDemand] = [byType('Spot'), byType('OnDemand')];
    await h.toConfigured(onDemand);
    await h.toConfigured(spot);
    for (let minutes = 0; (await h.state(spot)) === 'CONFIGURED'; minutes++) {
      expect(minutes).toBeLessThan(60);
      await h.clock.advance(2_000);
    }
    expect(await h.state(onDemand)).toBe('CONFIGURED');
  });

  it('can be asked for over HTTP', async () => {
    h = await startSim({ admin: { host: '127.0.0.1', port: 0 } });
    const id = [...h.sim.provider.machines()].find((m) => m.capacityType === 'Spot')!.id;
    await h.toConfigured(id);
    const base = `http://127.0.0.1:${h.sim.adminPort}`;
    const post = async (body: string): Promise<[number, unknown]> => {
      const answer = await fetch(`${base}/interrupt`, { method: 'POST', body });
      return [answer.status, await answer.json()];
    };
    expect(await post('{"capacityType":"spot"}')).toEqual([400, { error: expect.stringContaining('one of BareMetal, Reserved, OnDemand, Spot') as string }]);
    expect((await post('{"capacityType":"Spot","count":0}'))[0]).toBe(400);
    expect((await post('nonsense'))[0]).toBe(400);
    expect(await post('{"machineId":"nope"}')).toEqual([404, { error: 'machineId: there is no machine "nope" here' }]);
    expect(await post('{"capacityType":"Spot","count":1}')).toEqual([200, { interrupted: [id] }]);
    expect(await h.state(id)).toBe('FAILED');
    expect(await (await fetch(`${base}/state`)).json()).toMatchObject({ Failed: 1 });
    expect((await fetch(`${base}/healthz`)).status).toBe(200);
    expect((await fetch(`${base}/else`)).status).toBe(404);
  });
});

describe('failures by rate', () => {
  it('fail the operation and bring elastic machines back as slots, owned ones as Idle', async () => {
    h = await startSim({ failureRates: { create: 0, configure: 1, drain: 0, delete: 0 } });
    const elastic = h.fresh();
    const owned = [...h.sim.provider.machines()].find((m) => m.capacityType === 'BareMetal')!.id;
    await h.toIdle(elastic);
    for (const id of [elastic, owned]) await h.rpc.configure(id);
    await h.clock.advance(100);
    for (const id of [elastic, owned]) {
      const machine = await h.rpc.get(id);
      expect([stateName(machine), machine.lastError]).toEqual(['FAILED', 'Configure failed: simulated failure: the host did not boot']);
    }
    await h.clock.advance(3_000);
    expect([await h.state(elastic), await h.state(owned)]).toEqual(['SPECULATIVE', 'IDLE']);
  });

  it('hit about the asked-for share', async () => {
    h = await startSim({ failureRates: { create: 0.3, configure: 0, drain: 0, delete: 0 }, seeds: () => Array.from({ length: 400 }, (_, i) => slot(`m-${i}`)) });
    await Promise.all(Array.from({ length: 400 }, (_, i) => h.rpc.create(`m-${i}`)));
    await h.clock.advance(100);
    const failed = (await h.rpc.list({ states: [8] })).machines.length;
    expect(failed).toBeGreaterThan(80);
    expect(failed).toBeLessThan(160);
  });
});

describe('the operation log', () => {
  it('tells every call and every change, in order', async () => {
    const directory = fs.mkdtempSync(join(tmpdir(), 'provider-log-'));
    cleanups.push(() => fs.rmSync(directory, { recursive: true }));
    const path = join(directory, 'deep', 'operations.jsonl');
    h = await startSim({ operationLog: path, seeds: () => [slot('m-1', { pricePerHour: 0.19 }), slot('idle', { state: 'Idle', host: { provider: 'p', ref: 'r' } })] });
    const startedAt = h.clock.now();
    await h.rpc.create('m-1', ['s', 2n ** 60n, 7]);
    expect(await codeOf(h.rpc.create('m-1', ['s', 1, 7]))).toBe('FAILED_PRECONDITION');
    await h.clock.advance(100);
    await h.rpc.configure('m-1', { cluster: 'c1' }, ['s', 2n ** 60n, 8]);
    const lines = fs.readFileSync(path, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    const common = { machineId: 'm-1', event: 'state', priceMicroUsdPerHour: 190_000, capacityType: 'OnDemand', instanceType: 't' };
    expect(lines).toEqual([
      { ...common, t: startedAt, machineId: 'idle', priceMicroUsdPerHour: 1_000_000, from: 'Speculative', to: 'Idle', clusterId: '', cause: 'seed' },
      { ...common, t: startedAt, from: 'Speculative', to: 'Creating', clusterId: '', cause: 'call' },
      { t: startedAt, event: 'call', rpc: 'Create', machineId: 'm-1', outcome: 'OK', operationId: expect.stringMatching(/^op-\w+-1$/), shardId: 's', epoch: String(2n ** 60n), sequence: '7' },
      { t: startedAt, event: 'call', rpc: 'Create', machineId: 'm-1', outcome: 'FAILED_PRECONDITION', shardId: 's', epoch: '1', sequence: '7' },
      { ...common, t: startedAt + 100, from: 'Creating', to: 'Idle', clusterId: '', cause: 'complete' },
      { ...common, t: startedAt + 100, from: 'Idle', to: 'Configuring', clusterId: 'c1', cause: 'call' },
      { t: startedAt + 100, event: 'call', rpc: 'Configure', machineId: 'm-1', outcome: 'OK', operationId: expect.stringMatching(/^op-\w+-2$/), clusterId: 'c1', shardId: 's', epoch: String(2n ** 60n), sequence: '8' },
    ]);
  });
});

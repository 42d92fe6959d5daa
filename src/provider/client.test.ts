import { status, Metadata, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import {
  CapacityProviderService, CapacityType, Machine, MachineState, type CreateRequest, type ListFilter,
} from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { createGrpcServer, listen } from '../api/grpc.ts';
import { encodeShardMetadata } from '../api/shard-metadata.ts';
import { testAuthority } from '../lib/testing/certificates.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { assignmentNotes, createProviderClient, ProviderError, type ProviderClient, type ProviderClientOptions } from './client.ts';
import { ClockOffset } from './clock-offset.ts';
import { machineFromWire, type RejectedMachine } from './provider-machine.ts';
import { startSim, type SimHarness } from './testing/sim-harness.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

function connect(port: number, options: Partial<ProviderClientOptions> = {}): ProviderClient {
  const client = createProviderClient({ address: () => `127.0.0.1:${port}`, shardId: 'shard-0', epoch: () => 3n, clock: new VirtualClock(), ...options });
  cleanups.push(() => client.close());
  return client;
}

async function sim(): Promise<SimHarness> {
  const h = await startSim();
  cleanups.push(() => h.close());
  return h;
}

/** A provider that answers Create with whatever the test decides, and tells what it received. */
async function scripted(answer: (request: CreateRequest, metadata: Metadata) => { code: status; details: string } | 'never' | Partial<Machine>): Promise<number> {
  const server = createGrpcServer();
  server.addService({ create: CapacityProviderService.create }, {
    create: (call: { request: CreateRequest; metadata: Metadata; sendMetadata(m: Metadata): void }, callback: (error: object | null, ack?: object) => void) => {
      const result = answer(call.request, call.metadata);
      if (result === 'never') return;
      if ('code' in result) callback(result);
      else callback(null, { operationId: 'op-1', machine: Machine.create(result) });
    },
  });
  const port = await listen(server, '127.0.0.1:0', ServerCredentials.createInsecure());
  cleanups.push(() => server.forceShutdown());
  return port;
}

const failure = (call: Promise<unknown>): Promise<ProviderError> => call.then(() => expect.fail('it succeeded'), (error: unknown) => error as ProviderError);

describe('against the simulated provider', () => {
  it('goes to another address from the call on before which it is told another, and forgets the clock of the first', async () => {
    const [first, second] = [await sim(), await sim()];
    let port = first.sim.provider.port;
    const client = connect(0, { address: () => `127.0.0.1:${port}` });
    const id = first.fresh();
    await client.create(id);
    expect(client.providerNow()).toBeDefined();
    port = second.sim.provider.port;
    expect(client.address).toBe(`127.0.0.1:${first.sim.provider.port}`);
    await first.close(); // nothing is asked of it any more
    const answer = client.get(id);
    expect(client.address).toBe(`127.0.0.1:${port}`);
    expect(client.providerNow()).toBeUndefined();
    expect(await answer).toMatchObject({ machine: { state: 'Speculative' } });
    expect(client.providerNow()).toBeDefined();
    client.close();
    port = first.sim.provider.port;
    expect((await failure(client.get(id))).message).not.toBe('');
    expect(client.address).toBe(`127.0.0.1:${second.sim.provider.port}`); // once closed it dials no more
  });

  it('connects anew, with other certificates, from the call on before which it is given others', async () => {
    const authority = testAuthority();
    const leaf = authority.issue();
    const server = createGrpcServer();
    const peers: (string | undefined)[] = [];
    server.addService({ get: CapacityProviderService.get }, {
      get: (call: { getAuthContext(): { sslPeerCertificate?: { serialNumber?: string } } }, callback: (error: null, machine: Machine) => void) => {
        peers.push(call.getAuthContext().sslPeerCertificate?.serialNumber);
        callback(null, Machine.create(good));
      },
    });
    const port = await listen(server, '127.0.0.1:0', ServerCredentials.createSsl(Buffer.from(authority.cert), [{ private_key: Buffer.from(leaf.key), cert_chain: Buffer.from(leaf.cert) }], true));
    cleanups.push(() => server.forceShutdown());
    const material = ({ cert, key }: { cert: string; key: string }) => ({ ca: Buffer.from(authority.cert), certificate: Buffer.from(cert), key: Buffer.from(key) });
    let tls: ReturnType<typeof material> | undefined = material(authority.issue());
    const client = connect(port, { tls: () => tls });
    await client.get('m');
    await client.get('m');
    tls = material(authority.issue());
    await client.get('m');
    expect([peers[0] === peers[1], peers[1] === peers[2], peers[0] === undefined]).toEqual([true, false, false]);
    tls = undefined;
    expect((await failure(client.get('m'))).code).toBe('Unavailable');
  });

  it('tells of each call, also on the thread of large Lists, for which it did not speak to the provider', async () => {
    const leaf = testAuthority().issue();
    const server = createGrpcServer();
    const port = await listen(server, '127.0.0.1:0', ServerCredentials.createSsl(null, [{ private_key: Buffer.from(leaf.key), cert_chain: Buffer.from(leaf.cert) }]));
    cleanups.push(() => server.forceShutdown());
    const other = testAuthority('other');
    const own = other.issue();
    const tls = { ca: Buffer.from(other.cert), certificate: Buffer.from(own.cert), key: Buffer.from(own.key) };
    const refused: string[] = [];
    const client = connect(port, { tls: () => tls, onRefused: (reason) => refused.push(reason) });
    for (const call of [client.get('m'), client.list({ isLarge: true })]) expect((await failure(call)).code).toBe('Unavailable');
    expect(refused).toEqual(['unknown_authority', 'unknown_authority']);
  });

  it('tells the sequence of every mutation before its answer', async () => {
    const h = await sim();
    const client = connect(h.sim.provider.port);
    const id = h.fresh();
    const sequences: bigint[] = [];
    const limits = { onSequence: (sequence: bigint) => sequences.push(sequence) };
    const refused = (call: Promise<unknown>): Promise<unknown> => call.catch(() => undefined);
    const calls = [
      client.create(id, limits), client.configure({ machineId: id, clusterId: 'c1', bootstrapBlob: Buffer.from('x'), shardMetadata: new Map() }, limits),
      client.drain({ machineId: id, gracePeriodSeconds: 1 }, limits), client.delete(id, limits),
    ];
    expect(sequences.map((s) => s - sequences[0]!)).toEqual([0n, 1n, 2n, 3n]);
    await Promise.all(calls.map(refused));
  });

  it('asks nothing while there is an obstacle, and goes on when it is gone', async () => {
    const h = await sim();
    let obstacle: string | undefined = 'spec.tls';
    const client = connect(h.sim.provider.port, { obstacle: () => obstacle });
    const id = h.fresh();
    const calls = [
      () => client.list(), () => client.get(id), () => client.create(id), () => client.delete(id), () => client.drain({ machineId: id, gracePeriodSeconds: 1 }),
      () => client.configure({ machineId: id, clusterId: 'c1', bootstrapBlob: Buffer.from('x'), shardMetadata: new Map() }),
    ];
    for (const call of calls) expect(await failure(call())).toMatchObject({ name: 'ProviderError', code: 'Unavailable', message: 'spec.tls' });
    obstacle = undefined;
    const { machines } = await client.list();
    expect(machines.find((m) => m.id === id)?.state).toBe('Speculative');
  });

  it('walks a machine through its life', async () => {
    const h = await sim();
    const client = connect(h.sim.provider.port);
    const id = h.fresh();
    const created = await client.create(id);
    expect([created.machine?.id, created.machine?.state]).toEqual([id, 'Creating']);
    await h.clock.advance(100);
    const shardMetadata = encodeShardMetadata({ priority: 7, interruptionBucket: 3, reclamationBucket: 4, needFingerprint: 'fp', group: 'k\0g' });
    const configured = await client.configure({ machineId: id, clusterId: 'c1', bootstrapBlob: Buffer.from('x'), shardMetadata });
    expect(configured.machine?.cluster).toBe('c1');
    expect(configured.operationId).not.toBe(created.operationId);
    await h.clock.advance(100);
    const got = await client.get(id);
    const machine = 'machine' in got ? got.machine : expect.fail('rejected');
    expect(machine).toMatchObject({ state: 'Configured', cluster: 'c1', host: { provider: 'sim', ref: `sim:///${id}` } });
    expect(assignmentNotes(machine)).toEqual({ priority: 7, interruptionBucket: 3, reclamationBucket: 4, needFingerprint: 'fp', group: 'k\0g', problems: [] });
    await client.drain({ machineId: id, gracePeriodSeconds: 0.5 });
    await h.clock.advance(200);
    await client.delete(id);
    await h.clock.advance(50);
    expect(await client.get(id)).toMatchObject({ machine: { state: 'Speculative' } });
  });

  it('lists in our units, whole and since a revision', async () => {
    const h = await sim();
    const client = connect(h.sim.provider.port);
    const all = await client.list();
    expect([all.machines.length, all.rejected]).toEqual([40, []]);
    const first = all.machines[0]!;
    expect(first.priceMicroUsdPerHour).toBe(190_000);
    expect(first.allocatable).toEqual([['cpu', 4_000], ['memory', 16 * 2 ** 30], ['pods', 110_000]]);
    expect(first.labels['kubernetes.io/os']).toBe('linux');
    await h.toIdle(h.fresh());
    const delta = await client.list({ since: all.revision });
    expect(delta.machines.map((m) => m.state)).toEqual(['Idle']);
    expect((await client.list({ since: delta.revision })).machines).toEqual([]);
    expect((await client.list({ states: ['Idle'], maxResults: 2 })).machines.map((m) => m.state)).toEqual(['Idle', 'Idle']);
  });

  it('decodes a large List in slices, all of it', async () => {
    const { builtInSeeds } = await import('./sim/built-in-seeds.ts');
    const h = await startSim({ seeds: () => builtInSeeds(2_000) });
    cleanups.push(() => h.close());
    const { machines } = await connect(h.sim.provider.port).list();
    expect(new Set(machines.map((m) => m.id)).size).toBe(2_000);
  });

  it('stamps every attempt with a fresh, higher sequence', async () => {
    const h = await sim();
    const client = connect(h.sim.provider.port);
    const id = h.fresh();
    const first = await client.create(id);
    expect((await client.create(id)).operationId).toBe(first.operationId); // fenced off, had the sequence been reused
    const later = connect(h.sim.provider.port, { clock: new VirtualClock(Date.UTC(2026, 0, 2)) });
    expect((await later.create(id)).operationId).toBe(first.operationId); // a restarted process goes on above
  });

  it('tells errors apart by type and keeps the provider’s words', async () => {
    const h = await sim();
    const id = h.fresh();
    const client = connect(h.sim.provider.port);
    const old = connect(h.sim.provider.port, { epoch: () => 2n });
    await client.create(id);
    const codes: [() => Promise<unknown>, string, RegExp][] = [
      [() => client.get('ghost'), 'NotFound', /"ghost"/],
      [() => old.create(id), 'Fenced', /fenced: \(2, /],
      [() => client.drain({ machineId: id, gracePeriodSeconds: 1 }), 'Rejected', /needs state Configured; machine .* is Creating/],
      [() => client.create(''), 'InvalidArgument', /machine_id/],
    ];
    for (const [call, code, text] of codes) {
      const error = await failure(call());
      expect([error.code, error.isAmbiguous]).toEqual([code, false]);
      expect(error.message).toMatch(text);
    }
  });

  it('sends until when a call is good, in the provider’s time', async () => {
    const h = await sim();
    const clock = new VirtualClock(0); // a clock that is decades behind the provider's
    const client = connect(h.sim.provider.port, { clock });
    const [a, b] = [h.fresh(), h.fresh()];
    expect(client.providerNow()).toBeUndefined();
    await client.list();
    expect(client.providerNow()).toBe(h.clock.now());
    await client.create(a, { notAfterMonotonicMs: clock.monotonic() });
    const late = await failure(client.create(b, { notAfterMonotonicMs: clock.monotonic() - 1 }));
    expect([late.code, late.isAmbiguous, late.message]).toEqual(['Late', false, expect.stringContaining('too late') as string]);
    await client.create(b);
  });

  it('tells a late call from a fenced one by the time in its answer, also when the provider’s clock has jumped ahead', async () => {
    const h = await sim();
    const client = connect(h.sim.provider.port);
    const old = connect(h.sim.provider.port, { epoch: () => 2n });
    const id = h.fresh();
    await client.list();
    await old.list();
    await client.create(id);
    const limit = { notAfterMonotonicMs: 5_000 };
    expect((await failure(old.create(id, limit))).code).toBe('Fenced');
    await h.clock.advance(3_600_000);
    expect((await failure(client.create(id, limit))).code).toBe('Late');
    expect((await failure(client.create(id, limit))).code).toBe('Late'); // what was fixed before the jump stays as it was
    const fresh = { notAfterMonotonicMs: 13_000 };
    await client.create(id, fresh); // the refusal told the new time
    expect((await failure(old.create(id, limit))).code).toBe('Late');
    expect((await failure(old.create(id, fresh))).code).toBe('Fenced');
  });

  it('sends no call with a limit before the provider has told its time, nor after its address has changed', async () => {
    const [first, second] = [await sim(), await sim()];
    let port = first.sim.provider.port;
    const client = connect(0, { address: () => `127.0.0.1:${port}` });
    const limit = { notAfterMonotonicMs: 5_000 };
    for (const h of [first, second]) {
      port = h.sim.provider.port;
      const id = h.fresh();
      const unsent = await failure(client.create(id, limit));
      expect([unsent.code, unsent.isAmbiguous, unsent.message]).toEqual(['Unavailable', true, expect.stringContaining('nothing was sent') as string]);
      expect(await client.get(id)).toMatchObject({ machine: { state: 'Speculative' } });
      expect((await client.create(id, limit)).machine?.state).toBe('Creating');
    }
  });
});

describe('against providers that misbehave', () => {
  it('a call without an answer is ambiguous, whether it timed out or lost its connection', async () => {
    const port = await scripted(() => 'never');
    const silent = await failure(connect(port).create('m', { timeoutMs: 20 }));
    expect([silent.code, silent.isAmbiguous]).toEqual(['Deadline', true]);
    const abort = new AbortController();
    const call = failure(connect(port).create('m', { signal: abort.signal }));
    abort.abort();
    expect((await call).isAmbiguous).toBe(true);
    const nobody = await failure(connect(1).create('m'));
    expect([nobody.code, nobody.isAmbiguous]).toEqual(['Unavailable', true]);
  });

  it('maps what a fixed-capacity provider says', async () => {
    const port = await scripted(() => ({ code: status.UNIMPLEMENTED, details: 'bare metal' }));
    expect(await failure(connect(port).create('m'))).toMatchObject({ code: 'NotSupported', message: 'bare metal' });
  });

  it('sends no deadline of its own to a provider whose clock it does not know', async () => {
    const seen: unknown[] = [];
    const port = await scripted((request, metadata) => {
      seen.push(request, metadata.get('bigfleet-not-after'));
      return good;
    });
    const client = connect(port, { epoch: () => 2n ** 62n });
    await client.create('m'); // its answer tells no time
    seen.length = 0;
    await client.create('m', { notAfterMonotonicMs: 0 });
    expect(seen).toEqual([expect.objectContaining({ shardId: 'shard-0', shardEpoch: 2n ** 62n }), []]);
  });

  it('an acknowledgement with an unusable record still acknowledges', async () => {
    const port = await scripted(() => ({ ...good, pricePerHour: Infinity }));
    const ack = await connect(port).create('m');
    expect([ack.operationId, ack.machine, ack.rejected?.reason]).toEqual(['op-1', undefined, 'price']);
  });

  it('takes an answer about another machine for no answer about either', async () => {
    const client = connect(await scripted(() => ({ id: 'other', state: MachineState.MACHINE_STATE_CREATING })));
    const ack = await client.create('m');
    expect([ack.machine, ack.rejected]).toEqual([undefined, { id: 'm', reason: 'structural', field: 'id', text: 'is "other", though "m" was asked about' }]);
  });

  it('one bad record of a List spoils nothing else, and an unknown field nothing at all', async () => {
    const server = createGrpcServer();
    const frame = (m: Partial<Machine>): Buffer => {
      const bytes = Machine.encode(Machine.create(m)).finish();
      return Buffer.concat([Buffer.from([10, bytes.length]), bytes]);
    };
    const unknown = frame({ ...good, id: 'inside an unknown field' });
    const bytes = Buffer.concat([frame(good), Buffer.from([0xca, 0x3e, unknown.length]), unknown, frame({ ...good, id: 'bad', interruptionProbability: NaN }), frame({ ...good, id: 'm3' })]);
    server.addService(
      { list: { ...CapacityProviderService.list, responseSerialize: (value: Buffer) => value } as unknown as typeof CapacityProviderService.list },
      { list: (_call: { request: ListFilter }, callback: (error: null, value: Buffer) => void) => callback(null, bytes) },
    );
    const port = await listen(server, '127.0.0.1:0', ServerCredentials.createInsecure());
    cleanups.push(() => server.forceShutdown());
    const list = await connect(port).list();
    expect(list.machines.map((m) => m.id)).toEqual(['m', 'm3']);
    expect(list.rejected.map((r) => [r.id, r.reason])).toEqual([['bad', 'interruption_probability']]);
    expect(list.revision.length).toBe(0);
  });
});

const good: Partial<Machine> = {
  id: 'm', state: MachineState.MACHINE_STATE_IDLE, host: { provider: 'p', ref: 'r' }, instanceType: 't', zone: 'z',
  capacityType: CapacityType.CAPACITY_TYPE_SPOT, pricePerHour: 0.1, interruptionProbability: 0.5,
  resources: { resources: new Map([['cpu', '1500.7m']]) },
};

describe('a record', () => {
  const convert = (m: Partial<Machine>): ReturnType<typeof machineFromWire> => machineFromWire(Machine.create(m));

  it('is counted down, never up, and allocatable wins over resources', () => {
    expect(convert(good)).toMatchObject({ machine: { allocatable: [['cpu', 1500]], priceMicroUsdPerHour: 100_000, capacityType: 'Spot' } });
    expect(convert({ ...good, allocatable: { resources: new Map([['memory', '1.5'], ['cpu', '1']]) } })).toMatchObject({ machine: { allocatable: [['cpu', 1000], ['memory', 1]] } });
  });

  const S = MachineState;
  const table: [Partial<Machine>, RejectedMachine['reason'], string][] = [
    [{ pricePerHour: -0.01 }, 'price', 'price_per_hour'],
    [{ pricePerHour: NaN }, 'price', 'price_per_hour'],
    [{ pricePerHour: Infinity }, 'price', 'price_per_hour'],
    [{ pricePerHour: 1e300 }, 'price', 'price_per_hour'],
    [{ interruptionProbability: 1.01 }, 'interruption_probability', 'interruption_probability'],
    [{ interruptionProbability: -0.1 }, 'interruption_probability', 'interruption_probability'],
    [{ interruptionProbability: NaN }, 'interruption_probability', 'interruption_probability'],
    [{ state: S.MACHINE_STATE_UNSPECIFIED }, 'structural', 'state'],
    [{ state: 99 as Machine['state'] }, 'structural', 'state'],
    [{ capacityType: 99 as Machine['capacityType'] }, 'structural', 'capacity_type'],
    [{ id: '' }, 'structural', 'id'],
    [{ state: S.MACHINE_STATE_SPECULATIVE }, 'structural', 'host'],
    [{ host: undefined }, 'structural', 'host'],
    [{ state: S.MACHINE_STATE_DELETING, host: { provider: '', ref: '' } }, 'structural', 'host'],
    [{ state: S.MACHINE_STATE_CONFIGURED }, 'structural', 'cluster'],
    [{ state: S.MACHINE_STATE_CONFIGURING }, 'structural', 'cluster'],
    [{ state: S.MACHINE_STATE_DRAINING }, 'structural', 'cluster'],
    [{ state: S.MACHINE_STATE_CREATING, cluster: 'c' }, 'structural', 'cluster'],
    [{ state: S.MACHINE_STATE_FAILED }, 'structural', 'last_error'],
    [{ resources: { resources: new Map([['cpu', 'lots']]) } }, 'structural', 'resources'],
    [{ allocatable: { resources: new Map([['cpu', '-1']]) } }, 'structural', 'allocatable'],
  ];
  it.each(table)('%j is refused: %s, %s', (change, reason, field) => {
    expect(convert({ ...good, ...change })).toEqual({ rejected: { id: change.id ?? 'm', reason, field, text: expect.any(String) as string } });
  });

  it.each([
    { state: S.MACHINE_STATE_CREATING },
    { state: S.MACHINE_STATE_CREATING, host: undefined },
    { state: S.MACHINE_STATE_FAILED, lastError: 'x', host: undefined },
    { state: S.MACHINE_STATE_CONFIGURED, cluster: 'c' },
    { pricePerHour: 0, capacityType: CapacityType.CAPACITY_TYPE_UNSPECIFIED },
  ])('%j is accepted', (change) => {
    expect(convert({ ...good, ...change })).toHaveProperty('machine');
  });
});

/** An answer that came at such a moment of ours, to a question that was asked so long before. */
function learn(offset: ClockOffset, providerNowMs: number, answeredAtMs: number, tookMs = 0): void {
  offset.learn(providerNowMs, { askedAtMs: answeredAtMs - tookMs, answeredAtMs });
}

it('translates moments with the reading that waited least, and follows a clock that is set back', () => {
  const offset = new ClockOffset();
  expect(offset.toProviderTime(0)).toBeUndefined();
  learn(offset, 950, 100); // a slow answer: it is at least 950 there when it is 100 here
  learn(offset, 1_010, 110); // says more
  learn(offset, 1_020, 160); // says less again
  expect(offset.toProviderTime(200)).toBe(1_100);
  for (let i = 0; i < 16; i++) learn(offset, 500 + i, 300 + i);
  expect(offset.toProviderTime(320)).toBe(520);
});

describe('until when a call may be obeyed, once the provider’s time has leapt ahead of our monotonic clock', () => {
  /** Each pair is a leap: at such a moment of ours the provider's clock is found to be so far ahead. */
  function leapt(...leaps: [atMs: number, offsetMs: number][]): ClockOffset {
    const offset = new ClockOffset();
    learn(offset, 0, 0);
    for (const [atMs, offsetMs] of leaps) learn(offset, atMs + offsetMs, atMs);
    return offset;
  }

  it('what was fixed before ends when it would have ended: this machine was suspended meanwhile', () => {
    const offset = leapt([5_000, 60_000]);
    expect(offset.toProviderTime(17_999)).toBe(77_999);
    expect(offset.toProviderLimit(17_999)).toBe(17_999);
  });

  it('what a Lease proves that was renewed later is told in the new time', () => {
    expect(leapt([5_000, 60_000]).toProviderLimit(5_000 + 13_000)).toBe(78_000);
  });

  it('of two leaps close together the first counts as well, of two far apart only the last', () => {
    expect(leapt([5_000, 60_000], [6_000, 90_000]).toProviderLimit(18_500)).toBe(18_500);
    expect(leapt([5_000, 60_000], [19_000, 90_000]).toProviderLimit(30_000)).toBe(90_000);
  });

  it('a second ahead is none', () => {
    expect(leapt([5_000, 1_000]).toProviderLimit(6_000)).toBe(7_000);
    expect(leapt([5_000, 1_001]).toProviderLimit(6_000)).toBe(6_000);
  });

  it('nor is an answer that was faster than all before', () => {
    const offset = new ClockOffset();
    learn(offset, 1_000, 6_000, 5_000);
    learn(offset, 2_000, 7_500, 5_500);
    learn(offset, 8_000, 8_000);
    expect(offset.toProviderLimit(9_000)).toBe(9_000);
  });

  it('a provider whose clock was set back afterwards is never told a later moment for it', () => {
    const offset = leapt([5_000, 60_000]);
    for (let i = 0; i < 16; i++) learn(offset, 6_000 - 600_000, 6_000);
    expect(offset.toProviderLimit(7_000)).toBe(7_000 - 600_000);
  });
});

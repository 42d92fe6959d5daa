import { ServerCredentials, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CapacityProviderService, CapacityType, Machine, MachineList, MachineState, type ListFilter } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { createGrpcServer, listen } from '../api/grpc.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { createProviderClient, ProviderError, type ProviderClient, type ProviderClientOptions } from './client.ts';
import type { Ask } from './list-protocol.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

type Answered = MachineList | { bytes: Buffer } | { code: status; details: string } | 'never';

/** A provider that lists as the test says; `asked` tells the filters and whether a call was cancelled. */
async function provider(answer: (filter: ListFilter) => Answered): Promise<{ port: number; filters: ListFilter[]; called: () => Promise<void>; cancelled: Promise<void> }> {
  const server = createGrpcServer();
  const filters: ListFilter[] = [];
  const cancelled = Promise.withResolvers<void>();
  const waiters: (() => void)[] = [];
  const { responseSerialize } = CapacityProviderService.list;
  const list = { ...CapacityProviderService.list, responseSerialize: (value: MachineList | { bytes: Buffer }) => ('bytes' in value ? value.bytes : responseSerialize(value)) };
  server.addService({ list }, {
    list: (call: ServerUnaryCall<ListFilter, MachineList>, callback: (error: object | null, value?: MachineList | { bytes: Buffer }) => void) => {
      filters.push(call.request);
      call.on('cancelled', () => cancelled.resolve());
      for (const waiter of waiters.splice(0)) waiter();
      const answered = answer(call.request);
      if (answered === 'never') return;
      if ('code' in answered) callback(answered);
      else callback(null, answered);
    },
  });
  const port = await listen(server, '127.0.0.1:0', ServerCredentials.createInsecure());
  cleanups.push(() => server.forceShutdown());
  return { port, filters, cancelled: cancelled.promise, called: () => (filters.length > 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))) };
}

function connect(port: () => number, options: Partial<ProviderClientOptions> = {}): ProviderClient {
  const client = createProviderClient({ address: () => `127.0.0.1:${port()}`, shardId: 'shard-0', epoch: () => 3n, clock: new VirtualClock(), ...options });
  cleanups.push(() => client.close());
  return client;
}

/** Of every kind: free, bound, failed, with labels of their own and such that others have too, with and without metadata; and some that are refused. */
function motley(count: number): MachineList {
  const { MACHINE_STATE_SPECULATIVE: SPECULATIVE, MACHINE_STATE_CONFIGURED: CONFIGURED, MACHINE_STATE_FAILED: FAILED, MACHINE_STATE_IDLE: IDLE } = MachineState;
  return MachineList.fromPartial({
    machines: Array.from({ length: count }, (_, i) => Machine.fromPartial({
      id: `m-${i}`, capacityType: CapacityType.CAPACITY_TYPE_SPOT, instanceType: `c${i % 7}`, zone: i % 2 === 0 ? 'a' : '', pricePerHour: i % 11 === 0 ? -1 : i % 5, interruptionProbability: 0.25,
      state: [SPECULATIVE, CONFIGURED, FAILED, IDLE][i % 4]!,
      ...(i % 4 !== 0 && { host: { provider: i % 8 === 1 ? '' : `rack-${i % 3}`, ref: i % 16 === 2 ? '' : `host-${i}` } }),
      ...(i % 4 === 1 && { cluster: `c-${i % 9}`, shardMetadata: i % 8 === 1 ? new Map([['bigfleet-group', `g-${i}`]]) : new Map<string, string>() }),
      ...(i % 4 === 2 && { lastError: `broken in way ${i % 3}` }),
      labels: new Map([['hall', `h${i % 2}`], ...(i % 3 === 0 ? [['name', `n-${i}`] as const] : [])]),
      resources: { resources: new Map([['cpu', String(1 + (i % 3))]]) },
    })),
  });
}

function machines(count: number, prefix = 'm'): MachineList {
  return MachineList.fromPartial({
    revision: new Uint8Array([1, 2, 3]),
    machines: Array.from({ length: count }, (_, i) => Machine.fromPartial({
      id: `${prefix}-${i}`, state: MachineState.MACHINE_STATE_SPECULATIVE, capacityType: CapacityType.CAPACITY_TYPE_SPOT, instanceType: 'c8', zone: 'a', pricePerHour: 0.1, interruptionProbability: 0,
      resources: { resources: new Map([['cpu', '8']]) },
    })),
  });
}

const failure = (call: Promise<unknown>): Promise<ProviderError> => call.then(() => expect.fail('it succeeded'), (error: unknown) => error as ProviderError);

describe('a List that is received on a thread of its own (D19)', () => {
  it('brings what it would bring on this one, small or large', async () => {
    let count = 1;
    const { port, filters } = await provider(() => machines(count));
    const client = connect(() => port);
    for (count of [0, 1, 20_000]) {
      const here = await client.list({ states: ['Speculative'], since: new Uint8Array([9]) });
      const there = await client.list({ states: ['Speculative'], since: new Uint8Array([9]), isLarge: true });
      expect(there.machines).toHaveLength(count);
      expect(there).toEqual(here);
      expect(there.revision.buffer.byteLength).toBe(3); // it must not keep the List in memory
      expect(here.revision.buffer.byteLength).toBe(3);
    }
    expect(filters[1]).toEqual(filters[0]);
  });

  it('is that of whoever turns out to have too much to say to be heard on this one', async () => {
    let count = 20_000;
    const { port, filters } = await provider(() => machines(count, 'a-machine-with-a-rather-long-name-so-that-the-list-is-more-than-four-mebibytes'.repeat(3)));
    const client = connect(() => port);
    const asks = vi.spyOn(Worker.prototype, 'postMessage');
    cleanups.push(() => asks.mockRestore());
    expect((await client.list()).machines).toHaveLength(20_000);
    expect([filters.length, asks.mock.calls.some(([ask]) => (ask as Ask).kind === 'list')]).toEqual([2, true]);
    asks.mockClear();
    count = 10;
    expect((await client.list()).machines).toHaveLength(10);
    expect([filters.length, asks.mock.calls.length]).toEqual([3, 0]);
  });

  it('brings machines of every kind, and what is refused', async () => {
    const { port } = await provider(() => motley(5_300));
    const client = connect(() => port);
    const [here, there] = [await client.list(), await client.list({ isLarge: true })];
    expect(there).toEqual(here);
    expect(there.machines.length + there.rejected.length).toBe(5_300);
    const has = (count: number): void => expect(count).toBeGreaterThan(400);
    has(there.rejected.length);
    has(there.machines.filter(({ shardMetadata }) => shardMetadata.size > 0).length);
    for (const state of ['Speculative', 'Configured', 'Failed', 'Idle']) has(there.machines.filter((machine) => machine.state === state).length);
    expect(there.machines.every(({ labels }) => Object.isFrozen(labels))).toBe(true);
  });

  it('brings the labels of machines that each have their own', async () => {
    const list = machines(1_500);
    for (const { id, labels } of list.machines) labels.set('name', id);
    const { port } = await provider(() => list);
    const there = await connect(() => port).list({ isLarge: true });
    expect(there.machines.map(({ labels }) => labels)).toEqual(list.machines.map(({ id }) => ({ name: id })));
    expect(there.machines.every(({ labels }) => Object.isFrozen(labels))).toBe(true);
  });

  it('fails when what the provider sends is no List', async () => {
    const { port } = await provider(() => ({ bytes: Buffer.from([10, 200, 1, 7]) }));
    const [here, there] = [await failure(connect(() => port).list()), await failure(connect(() => port).list({ isLarge: true }))];
    expect(here.message).toContain('wire type');
    expect(there.message).toContain(here.message);
  });

  it('comes in parts, each once the last was dealt with, and is given up between two of them', async () => {
    const { port } = await provider(() => machines(20_000));
    const client = connect(() => port);
    const abort = new AbortController();
    const ends = Promise.withResolvers<number>();
    const asks = vi.spyOn(Worker.prototype, 'postMessage').mockImplementationOnce(function (this: Worker, ask: Ask) {
      this.once('exit', ends.resolve);
      this.postMessage(ask);
    });
    const wanted = (): number => asks.mock.calls.filter(([ask]) => (ask as Ask).kind === 'next').length;
    cleanups.push(() => asks.mockRestore());
    await client.list({ isLarge: true });
    expect(wanted()).toBe(20); // parts of a thousand, before the end
    await ends.promise; // the thread goes with the call
    asks.mockImplementation(function (this: Worker, ask: Ask) {
      asks.mockRestore();
      this.postMessage(ask);
      const { postMessage } = this;
      this.postMessage = (next: Ask) => {
        postMessage.call(this, next);
        if (next.kind === 'next') abort.abort();
      };
    });
    expect((await failure(client.list({ isLarge: true, signal: abort.signal }))).message).not.toBe('');
    expect((await client.list({ isLarge: true })).machines).toHaveLength(20_000);
  });

  it('is heard part by part by who wants to, the next one when the last has been dealt with, and then names nothing again', async () => {
    const { port } = await provider(() => motley(5_300));
    const client = connect(() => port);
    const whole = await client.list();
    const parts: number[] = [];
    const heard: unknown[] = [];
    let busy = 0;
    const { machines: rest, rejected } = await client.list({ isLarge: true, onPart: async (machines) => {
      expect(busy++).toBe(0);
      await new Promise((resolve) => setImmediate(resolve));
      busy--;
      parts.push(machines.length);
      heard.push(...machines);
    } });
    expect([rest, rejected]).toEqual([[], whole.rejected]);
    expect(heard).toEqual(whole.machines);
    expect(parts).toHaveLength(6);
  });

  it('fails when a part cannot be dealt with, and the next List is heard in full', async () => {
    const { port } = await provider(() => machines(20_000));
    const client = connect(() => port);
    let heard = 0;
    const onPart = (part: readonly unknown[]): Promise<void> => ((heard += part.length) === 3_000 ? Promise.reject(new Error('no room')) : Promise.resolve());
    expect((await failure(client.list({ isLarge: true, onPart }))).message).toContain('no room');
    expect(heard).toBe(3_000);
    await client.list({ isLarge: true, onPart });
    expect(heard).toBe(23_000);
  });

  it('shares with the Lists before it what machines say alike', async () => {
    const { port } = await provider(() => motley(50));
    const client = connect(() => port);
    const [one, other] = [await client.list({ isLarge: true }), await client.list({ isLarge: true })];
    one.machines.forEach(({ labels, allocatable, shardMetadata }, nth) => {
      expect([other.machines[nth]?.labels === labels, other.machines[nth]?.allocatable === allocatable, other.machines[nth]?.shardMetadata === shardMetadata]).toEqual([true, true, true]);
    });
  });

  it('fails with the status that the provider answers, and with none when nobody is there', async () => {
    const { port } = await provider(() => ({ code: status.INTERNAL, details: 'disk broken' }));
    const client = connect(() => port);
    const [here, there] = [await failure(client.list()), await failure(client.list({ isLarge: true }))];
    expect([there.code, there.message]).toEqual([here.code, here.message]);
    expect(there.message).toContain('disk broken');
    expect(await failure(connect(() => 1).list({ isLarge: true }))).toBeInstanceOf(ProviderError);
  });

  it('ends with the deadline, and is cancelled at the provider when the caller gives up', async () => {
    const { port, called, cancelled } = await provider(() => 'never');
    const client = connect(() => port);
    expect((await failure(client.list({ isLarge: true, timeoutMs: 50 }))).code).toBe('Deadline');
    const abort = new AbortController();
    const given = failure(client.list({ isLarge: true, signal: abort.signal }));
    await called();
    abort.abort();
    expect((await given).message).not.toBe('');
    await cancelled;
    expect(await failure(client.list({ isLarge: true, signal: abort.signal }))).toBeInstanceOf(ProviderError);
  });

  it('goes to where the provider is now', async () => {
    const [first, second] = [await provider(() => machines(1, 'first')), await provider(() => machines(1, 'second'))];
    let port = first.port;
    const client = connect(() => port);
    expect((await client.list({ isLarge: true })).machines[0]?.id).toBe('first-0');
    port = second.port;
    expect((await client.list({ isLarge: true })).machines[0]?.id).toBe('second-0');
  });

  it('is not made while something is in the way, nor after the client was closed, and does not outlive it', async () => {
    const { port, filters, called } = await provider(() => 'never');
    expect((await failure(connect(() => port, { obstacle: () => 'not today' }).list({ isLarge: true }))).message).toContain('not today');
    expect(filters).toEqual([]);
    const client = connect(() => port);
    const pending = failure(client.list({ isLarge: true }));
    await called();
    client.close();
    expect((await pending).message).toContain('closed');
    expect((await failure(client.list({ isLarge: true }))).message).toContain('closed');
  });
});

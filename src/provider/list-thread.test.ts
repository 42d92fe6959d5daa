import { ServerCredentials, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { CapacityProviderService, CapacityType, Machine, MachineList, MachineState, type ListFilter } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { createGrpcServer, listen } from '../api/grpc.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { createProviderClient, ProviderError, type ProviderClient, type ProviderClientOptions } from './client.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

type Answered = MachineList | { code: status; details: string } | 'never';

/** A provider that lists as the test says; `asked` tells the filters and whether a call was cancelled. */
async function provider(answer: (filter: ListFilter) => Answered): Promise<{ port: number; filters: ListFilter[]; called: () => Promise<void>; cancelled: Promise<void> }> {
  const server = createGrpcServer();
  const filters: ListFilter[] = [];
  const cancelled = Promise.withResolvers<void>();
  const waiters: (() => void)[] = [];
  server.addService({ list: CapacityProviderService.list }, {
    list: (call: ServerUnaryCall<ListFilter, MachineList>, callback: (error: object | null, value?: MachineList) => void) => {
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

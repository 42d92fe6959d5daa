import { credentials, ServerCredentials, type Server, type ServerDuplexStream, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from 'vitest';
import { CapacityProviderService, Machine, MachineList, MachineRef } from './gen/bigfleet/v1alpha1/provider.ts';
import { OperatorMessage, ShardMessage, ShardService } from './gen/bigfleet/v1alpha1/shard.ts';
import { ListMachinesRequest, ListMachinesResponse, ShardViewService } from './gen/bigfleet/v1alpha1/view.ts';
import { createGrpcServer, GrpcCode, GrpcError, listen, Metadata, Peer, serveStream, serveUnary, shutdown, type ServerContext } from './grpc.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('a unary call', () => {
  test('answers, with metadata both ways', async () => {
    const peer = await serving(CapacityProviderService, {
      get: serveUnary(async (request: MachineRef, context) => {
        const now = new Metadata();
        now.set('bigfleet-now', '42');
        context.call.sendMetadata(now);
        return Machine.create({ id: request.id, lastError: String(context.metadata.get('bigfleet-not-after')[0]) });
      }),
    });
    const metadata = new Metadata();
    metadata.set('bigfleet-not-after', '17');
    let now: unknown;
    const machine = await peer.unary(CapacityProviderService.get, { id: 'm' }, { metadata, timeoutMs: 60_000, onMetadata: (m) => (now = m.get('bigfleet-now')[0]) });
    expect(machine).toEqual(Machine.create({ id: 'm', lastError: '17' }));
    expect(now).toBe('42');
  });

  test('carries far more than the 4 MiB that gRPC allows by default', async () => {
    const peer = await serving(CapacityProviderService, {
      get: serveUnary(async (request: MachineRef) => Machine.create({ id: request.id })),
    });
    const id = 'x'.repeat(12 * 1024 * 1024);
    expect((await peer.unary(CapacityProviderService.get, { id })).id.length).toBe(id.length);
  });

  test('fails with the status, text and metadata that the handler threw', async () => {
    const peer = await serving(CapacityProviderService, {
      get: serveUnary(async () => {
        const metadata = new Metadata();
        metadata.set('mark', '9');
        throw new GrpcError(GrpcCode.FAILED_PRECONDITION, 'token (1,2) is not newer than (1,3)', { metadata });
      }),
    });
    const error = await failure(peer.unary(CapacityProviderService.get, { id: 'm' }));
    expect(error).toMatchObject({ code: GrpcCode.FAILED_PRECONDITION, details: 'token (1,2) is not newer than (1,3)' });
    expect(error.message).toBe('FAILED_PRECONDITION: token (1,2) is not newer than (1,3)');
    expect(error.metadata.get('mark')).toEqual(['9']);
  });

  test('an unexpected error of a handler is INTERNAL and is reported, even when thrown at once', async () => {
    const reported: unknown[] = [];
    const bug = new TypeError('x is undefined');
    const peer = await serving(CapacityProviderService, {
      get: serveUnary(() => {
        throw bug;
      }, (error) => reported.push(error)),
    });
    expect(await failure(peer.unary(CapacityProviderService.get, { id: 'm' }))).toMatchObject({ code: GrpcCode.INTERNAL, details: 'x is undefined' });
    expect(reported).toEqual([bug]);
  });

  test('ends when the caller aborts, and the handler hears of it', async () => {
    const entered = Promise.withResolvers<ServerContext>();
    const peer = await serving(CapacityProviderService, { get: serveUnary((_: MachineRef, context) => (entered.resolve(context), forever(context.signal))) });
    const abort = new AbortController();
    const failed = failure(peer.unary(CapacityProviderService.get, { id: 'm' }, { signal: abort.signal }));
    const context = await entered.promise;
    const heard = heardAbort(context.signal);
    abort.abort(new Error('shutting down'));
    const error = await failed;
    expect(error.code).toBe(GrpcCode.CANCELLED);
    expect(error.cause).toEqual(new Error('shutting down'));
    await heard;
  });

  test('is not even sent when the signal has aborted before', async () => {
    let calls = 0;
    const peer = await serving(CapacityProviderService, { get: serveUnary(async () => (calls++, Machine.create())) });
    expect((await failure(peer.unary(CapacityProviderService.get, { id: 'm' }, { signal: AbortSignal.abort() }))).code).toBe(GrpcCode.CANCELLED);
    await peer.unary(CapacityProviderService.get, { id: 'm' });
    expect(calls).toBe(1);
  });

  test('ends at its deadline', async () => {
    const peer = await serving(CapacityProviderService, { get: serveUnary((_: MachineRef, context) => forever(context.signal)) });
    expect((await failure(peer.unary(CapacityProviderService.get, { id: 'm' }, { timeoutMs: 1 }))).code).toBe(GrpcCode.DEADLINE_EXCEEDED);
  });

  test('leaves no listener on a signal that lives on', async () => {
    const peer = await serving(CapacityProviderService, { get: serveUnary(async () => Machine.create()) });
    const signal = new AbortController().signal;
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => (listeners++, addEventListener.apply(signal, args));
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => (listeners--, removeEventListener.apply(signal, args));
    await peer.unary(CapacityProviderService.get, { id: 'm' }, { signal });
    expect(listeners).toBe(0);
  });

  test('can hand out a response undecoded', async () => {
    const peer = await serving(CapacityProviderService, { list: serveUnary(async () => MachineList.create({ machines: [{ id: 'm' }] })) });
    const raw = { ...CapacityProviderService.list, responseDeserialize: (bytes: Buffer) => bytes };
    const bytes = await peer.unary(raw, { states: [], maxResults: 0, sinceRevision: new Uint8Array() });
    expect(MachineList.decode(bytes).machines[0]?.id).toBe('m');
  });

  test('to nobody is UNAVAILABLE', async () => {
    const server = createGrpcServer();
    const port = await listen(server, '127.0.0.1:0', ServerCredentials.createInsecure());
    server.forceShutdown();
    const peer = connected(port);
    expect((await failure(peer.unary(CapacityProviderService.get, { id: 'm' }, { timeoutMs: 10_000 }))).code).toBe(GrpcCode.UNAVAILABLE);
  });
});

describe('a server stream', () => {
  const frame = (cycle: bigint): ListMachinesResponse => ({ cycle, machines: [] });

  test('arrives whole and in order', async () => {
    const peer = await serving(ShardViewService, {
      listMachines: serveStream(async function* (_: ListMachinesRequest) {
        for (let i = 0n; i < 500n; i++) yield frame(i);
      }),
    });
    const seen: bigint[] = [];
    for await (const message of peer.serverStream(ShardViewService.listMachines, ListMachinesRequest.create())) seen.push(message.cycle);
    expect(seen).toEqual(Array.from({ length: 500 }, (_, i) => BigInt(i)));
  });

  test('ends with the error of the handler after what came before', async () => {
    const peer = await serving(ShardViewService, {
      listMachines: serveStream(async function* (_: ListMachinesRequest) {
        yield frame(1n);
        throw new GrpcError(GrpcCode.NOT_FOUND, 'no such cluster');
      }),
    });
    const seen: bigint[] = [];
    const reading = (async () => {
      for await (const message of peer.serverStream(ShardViewService.listMachines, ListMachinesRequest.create())) seen.push(message.cycle);
    })();
    expect(await failure(reading)).toMatchObject({ code: GrpcCode.NOT_FOUND, details: 'no such cluster' });
    expect(seen).toEqual([1n]);
  });

  test('stops at the server when the reader has enough', async () => {
    const stopped = Promise.withResolvers<void>();
    const peer = await serving(ShardViewService, {
      listMachines: serveStream(async function* (_: ListMachinesRequest, context) {
        try {
          yield frame(1n);
          await forever(context.signal);
        } finally {
          stopped.resolve();
        }
      }),
    });
    for await (const message of peer.serverStream(ShardViewService.listMachines, ListMachinesRequest.create())) {
      expect(message.cycle).toBe(1n);
      break;
    }
    await stopped.promise;
  });
});

describe('a bidirectional call', () => {
  test('carries messages both ways until both ends are done', async () => {
    const peer = await serving(ShardService, {
      session: (call: ServerDuplexStream<OperatorMessage, ShardMessage>) => {
        call.on('data', (message: OperatorMessage) => {
          if (message.payload?.$case === 'hello') call.write({ payload: { $case: 'ack', value: { echo: message.payload.value.clusterId, coordinatorTerm: 0n, shardEpoch: 0n, shardId: '' } } });
        });
        call.on('end', () => call.end());
      },
    });
    const call = peer.bidi(ShardService.session);
    for (const clusterId of ['a', 'b']) await call.send({ payload: { $case: 'hello', value: { clusterId, protocolVersion: '', additions: false } } });
    call.end();
    const echoes: (string | undefined)[] = [];
    for await (const message of call.messages) echoes.push(message.payload?.$case === 'ack' ? message.payload.value.echo : undefined);
    expect(echoes).toEqual(['a', 'b']);
  });

  test('refuses to send once the server has ended it, with the server\'s reason', async () => {
    const peer = await serving(ShardService, {
      session: (call: ServerDuplexStream<OperatorMessage, ShardMessage>) => {
        call.on('data', () => call.emit('error', new GrpcError(GrpcCode.INVALID_ARGUMENT, 'the first frame must be Hello')));
      },
    });
    const call = peer.bidi(ShardService.session);
    await call.send({ payload: undefined });
    const reading = (async () => {
      for await (const message of call.messages) expect(message).toBeUndefined();
    })();
    expect(await failure(reading)).toMatchObject({ code: GrpcCode.INVALID_ARGUMENT, details: 'the first frame must be Hello' });
    expect(await failure(call.send({ payload: undefined }))).toMatchObject({ code: GrpcCode.INVALID_ARGUMENT });
  });

  test('ends when its signal aborts', async () => {
    const peer = await serving(ShardService, { session: () => undefined });
    const abort = new AbortController();
    const call = peer.bidi(ShardService.session, { signal: abort.signal });
    await call.send({ payload: undefined });
    const reading = (async () => {
      for await (const message of call.messages) expect(message).toBeUndefined();
    })();
    abort.abort();
    expect((await failure(reading)).code).toBe(GrpcCode.CANCELLED);
  });
});

test('a server that shuts down lets a call under way end', async () => {
  const entered = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const server = createGrpcServer();
  server.addService(CapacityProviderService, {
    get: serveUnary(async () => {
      entered.resolve();
      await release.promise;
      return Machine.create({ id: 'late' });
    }),
  } as UntypedServiceImplementation);
  const peer = connected(await listen(server, '127.0.0.1:0', ServerCredentials.createInsecure()));
  const answer = peer.unary(CapacityProviderService.get, { id: 'm' });
  await entered.promise;
  const stopped = shutdown(server, new AbortController().signal);
  release.resolve();
  expect((await answer).id).toBe('late');
  await stopped;
});

test('a server that must stop now cuts calls off', async () => {
  const entered = Promise.withResolvers<void>();
  const peer = await serving(CapacityProviderService, {
    get: serveUnary((_: MachineRef, context) => {
      entered.resolve();
      return forever(context.signal);
    }),
  });
  const failed = failure(peer.unary(CapacityProviderService.get, { id: 'm' }));
  await entered.promise;
  await shutdown(peer.server, AbortSignal.abort());
  expect([GrpcCode.UNAVAILABLE, GrpcCode.CANCELLED, GrpcCode.INTERNAL]).toContain((await failed).code);
});

async function serving(service: ServiceDefinition, handlers: object): Promise<Peer & { server: Server }> {
  const server = createGrpcServer();
  server.addService(service, handlers as UntypedServiceImplementation);
  const port = await listen(server, '127.0.0.1:0', ServerCredentials.createInsecure());
  cleanups.push(() => server.forceShutdown());
  return Object.assign(connected(port), { server });
}

function connected(port: number): Peer {
  const peer = new Peer(`127.0.0.1:${String(port)}`, { credentials: credentials.createInsecure() });
  cleanups.push(() => peer.close());
  return peer;
}

async function failure(promise: Promise<unknown>): Promise<GrpcError> {
  const error: unknown = await promise.then(
    () => new Error('expected a failure'),
    (e: unknown) => e,
  );
  if (error instanceof GrpcError) return error;
  throw error;
}

function heardAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function forever(signal: AbortSignal): Promise<never> {
  await heardAbort(signal);
  throw signal.reason;
}

/** Promises and async iterables over grpc-js: the few shapes of calls that we make and serve, with our limits. */
import {
  Client, Metadata, Server, status,
  type ChannelCredentials, type ChannelOptions, type ClientDuplexStream, type handleServerStreamingCall, type handleUnaryCall,
  type ServerCredentials, type ServerOptions, type ServerUnaryCall, type ServerWritableStream,
} from '@grpc/grpc-js';
import { once } from 'node:events';
import { GrpcError, toGrpcError } from './grpc-error.ts';

export { codeName, GrpcError, toGrpcError } from './grpc-error.ts';
export { Metadata, status as GrpcCode } from '@grpc/grpc-js';

/** 256 MiB both ways: a full roll-up or List must never be refused for its size (W3). */
export const MAX_MESSAGE_BYTES = 268_435_456;

/** Go servers drop clients that ping more often than every 5 minutes; see `keepaliveMs`. */
const SAFE_KEEPALIVE_MS = 300_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** One method of a generated service definition. To get a response undecoded, override `responseDeserialize`. */
export interface ClientMethod<Request, Response> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}
export type UnaryMethod<Q, S> = ClientMethod<Q, S> & { readonly requestStream: false; readonly responseStream: false };
export type ServerStreamMethod<Q, S> = ClientMethod<Q, S> & { readonly requestStream: false; readonly responseStream: true };
export type BidiMethod<Q, S> = ClientMethod<Q, S> & { readonly requestStream: true; readonly responseStream: true };

export interface PeerOptions {
  readonly credentials: ChannelCredentials;
  /** Ping interval while the connection is open; 5 minutes unless the peer is known to be ours (then 30 s). */
  readonly keepaliveMs?: number;
  readonly channelOptions?: ChannelOptions;
}

export interface CallOptions {
  /** Ends the call with DEADLINE_EXCEEDED; without it the call may last for ever. */
  readonly timeoutMs?: number;
  /** Ends the call with CANCELLED. */
  readonly signal?: AbortSignal;
  readonly metadata?: Metadata;
  /** Called with the metadata that the server sends ahead of its answer. */
  readonly onMetadata?: (metadata: Metadata) => void;
}

/** Both directions of a bidirectional call. `messages` ends when the server ends the call well, else throws GrpcError. */
export interface BidiCall<Request, Response> {
  readonly messages: AsyncIterable<Response>;
  /** Resolves when the transport has taken the message, which is how a slow receiver holds the sender back. */
  send(message: Request): Promise<void>;
  /** No more messages will be sent. */
  end(): void;
  cancel(): void;
}

/** The one channel to a peer; all calls share it. It connects when first used and reconnects by itself. */
export class Peer {
  readonly address: string;
  private readonly client: Client;

  constructor(address: string, options: PeerOptions) {
    this.address = address;
    this.client = new Client(address, options.credentials, {
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': options.keepaliveMs ?? SAFE_KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      // Channels must not share connections across peers: closing one would then not close it.
      'grpc.use_local_subchannel_pool': 1,
      ...options.channelOptions,
    });
  }

  /** Rejects with GrpcError. */
  unary<Q, S>(method: UnaryMethod<Q, S>, request: Q, options: CallOptions = {}): Promise<S> {
    return new Promise((resolve, reject) => {
      if (options.signal?.aborted) return reject(aborted(options.signal));
      const call = this.client.makeUnaryRequest(
        method.path, method.requestSerialize, method.responseDeserialize, request, metadataOf(options), deadlineOf(options),
        (error, response) => {
          release();
          if (error) reject(options.signal?.aborted ? aborted(options.signal) : toGrpcError(error));
          else resolve(response as S);
        },
      );
      if (options.onMetadata) call.on('metadata', options.onMetadata);
      const release = onAbort(options.signal, () => call.cancel());
    });
  }

  /** The call begins at once; leaving the loop early cancels it. Throws GrpcError from the loop. */
  serverStream<Q, S>(method: ServerStreamMethod<Q, S>, request: Q, options: CallOptions = {}): AsyncIterable<S> {
    if (options.signal?.aborted) throw aborted(options.signal);
    const call = this.client.makeServerStreamRequest(
      method.path, method.requestSerialize, method.responseDeserialize, request, metadataOf(options), deadlineOf(options),
    );
    if (options.onMetadata) call.on('metadata', options.onMetadata);
    return received<S>(call, options.signal);
  }

  bidi<Q, S>(method: BidiMethod<Q, S>, options: CallOptions = {}): BidiCall<Q, S> {
    if (options.signal?.aborted) throw aborted(options.signal);
    const call: ClientDuplexStream<Q, S> = this.client.makeBidiStreamRequest(
      method.path, method.requestSerialize, method.responseDeserialize, metadataOf(options), deadlineOf(options),
    );
    if (options.onMetadata) call.on('metadata', options.onMetadata);
    let failed: GrpcError | undefined;
    const ended = new Promise<never>((_, reject) => {
      call.on('status', (s) => reject((failed = new GrpcError(s.code, s.details || 'the call has ended'))));
    });
    ended.catch(() => undefined); // only a send that is waiting cares
    return {
      messages: received<S>(call, options.signal),
      // grpc-js drops writes after the end without a word, so the end of the call is raced against the write.
      send: (message) =>
        failed
          ? Promise.reject(failed)
          : Promise.race([ended, new Promise<void>((resolve, reject) => call.write(message, (e?: Error | null) => (e ? reject(toGrpcError(e)) : resolve())))]),
      end: () => call.end(),
      cancel: () => call.cancel(),
    };
  }

  /** Ends the channel; calls under way fail. */
  close(): void {
    this.client.close();
  }
}

interface Cancellable {
  cancel(): void;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

function received<T>(call: Cancellable & AsyncIterable<T>, signal: AbortSignal | undefined): AsyncIterable<T> {
  // Without a listener an error that comes before or after the loop would end the process.
  call.on('error', () => release());
  const release = onAbort(signal, () => call.cancel());
  return (async function* () {
    try {
      for await (const message of call) yield message;
    } catch (error) {
      throw signal?.aborted ? aborted(signal) : toGrpcError(error);
    } finally {
      release();
      call.cancel();
    }
  })();
}

function onAbort(signal: AbortSignal | undefined, action: () => void): () => void {
  signal?.addEventListener('abort', action, { once: true });
  return () => signal?.removeEventListener('abort', action);
}

function aborted(signal: AbortSignal): GrpcError {
  return new GrpcError(status.CANCELLED, 'the caller gave up', { cause: signal.reason });
}

function metadataOf(options: CallOptions): Metadata {
  return options.metadata ?? new Metadata();
}

/** grpc-js takes deadlines as wall time and compares them with its own reading of the system clock. */
function deadlineOf(options: CallOptions): { deadline?: number } {
  return options.timeoutMs === undefined ? {} : { deadline: Date.now() + options.timeoutMs };
}

/** What a handler may know about the call it answers. */
export interface ServerContext {
  readonly metadata: Metadata;
  /** Aborts when the client gives up or its deadline passes. */
  readonly signal: AbortSignal;
  readonly peer: string;
  readonly call: Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext' | 'sendMetadata'>;
}

/** A unary handler as a promise: GrpcError becomes its status, any other error INTERNAL and a call of `onError`. */
export function serveUnary<Q, S>(handler: (request: Q, context: ServerContext) => Promise<S>, onError?: (error: unknown) => void): handleUnaryCall<Q, S> {
  return (call, callback) => {
    // Wrapped, so that a handler that throws before its first await is answered, too.
    Promise.resolve()
      .then(() => handler(call.request, contextOf(call)))
      .then((response) => callback(null, response), (error: unknown) => callback(statusOf(error, onError)));
  };
}

/** A server stream as an async iterable, taken no faster than the client reads; errors as in `serveUnary`. */
export function serveStream<Q, S>(handler: (request: Q, context: ServerContext) => AsyncIterable<S>, onError?: (error: unknown) => void): handleServerStreamingCall<Q, S> {
  return (call) => {
    void pump(call, handler, onError);
  };
}

async function pump<Q, S>(call: ServerWritableStream<Q, S>, handler: (request: Q, context: ServerContext) => AsyncIterable<S>, onError?: (error: unknown) => void): Promise<void> {
  const context = contextOf(call);
  try {
    for await (const message of handler(call.request, context)) {
      if (context.signal.aborted) return;
      if (!call.write(message)) await once(call, 'drain', { signal: context.signal });
    }
    call.end();
  } catch (error) {
    if (!context.signal.aborted) call.emit('error', statusOf(error, onError));
  }
}

function contextOf(call: ServerUnaryCall<unknown, unknown> | ServerWritableStream<never, never>): ServerContext {
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort(new GrpcError(status.CANCELLED, 'the client gave up')));
  return { metadata: call.metadata, signal: gone.signal, peer: call.getPeer(), call };
}

function statusOf(error: unknown, onError: ((error: unknown) => void) | undefined): GrpcError {
  if (error instanceof GrpcError) return error;
  onError?.(error);
  return new GrpcError(status.INTERNAL, error instanceof Error ? error.message : String(error), { cause: error });
}

/** A server with our limits, which notices within 40 s that a peer is gone. */
export function createGrpcServer(options: ServerOptions = {}): Server {
  return new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    ...options,
  });
}

/** Listens on `address` (host:port, port 0 for any) and resolves with the port. */
export function listen(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error ? reject(new Error(`cannot listen on ${address}: ${error.message}`)) : resolve(port)));
  });
}

/** Takes no new calls, lets those under way end until `signal` aborts, then cuts them off. */
export function shutdown(server: Server, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const release = onAbort(signal, () => server.forceShutdown());
    server.tryShutdown(() => {
      release();
      resolve();
    });
    if (signal.aborted) server.forceShutdown();
  });
}

import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Mailbox } from './mailbox.ts';

/** A request that waits for the test to say what happens to it. */
export interface PendingRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  json(body: unknown, status?: number, headers?: Record<string, string>): void;
  /** A Kubernetes Status failure. */
  fail(status: number, reason: string, options?: { retryAfter?: string; details?: object; message?: string }): void;
  page(items: readonly object[], resourceVersion: string, continueToken?: string): void;
  raw(status: number, text: string): void;
  /** Answers 200 and keeps the stream open. */
  stream(): PendingStream;
  /** Kills the connection without an answer. */
  reset(): void;
}

/** An open watch. Doing nothing with it is a half-open socket: the client cannot tell the two apart. */
export interface PendingStream {
  event(type: string, object: object): void;
  /** Resolves when the bytes have left. */
  bookmark(resourceVersion: string): Promise<void>;
  bytes(chunk: Uint8Array | string): Promise<void>;
  end(): void;
  reset(): void;
  /** Resolves when the client has gone. */
  readonly closed: Promise<void>;
}

/** An API server that answers nothing by itself: the test takes each request and decides. Faults are the point. */
export class FaultServer {
  readonly requests = new Mailbox<PendingRequest>();
  private readonly tls: { key: string; cert: string } | undefined;
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;
  private port = 0;

  constructor(tls?: { key: string; cert: string }) {
    this.tls = tls;
  }

  get url(): string {
    return `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  get openConnections(): number {
    return this.sockets.size;
  }

  /** Starts, or comes back on the same port after `stop`. */
  async start(): Promise<this> {
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => void this.receive(request, response);
    const server = this.tls ? createHttpsServer(this.tls, onRequest) : createHttpServer(onRequest);
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    this.server = server;
    return this;
  }

  /** Goes away at once: every connection dies, new ones are refused. */
  async stop(): Promise<void> {
    const server = this.server;
    if (!server) return;
    this.server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  next(): Promise<PendingRequest> {
    return this.requests.next();
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The client went away before its request was whole.
    }
    response.on('error', () => {});
    this.requests.push(toPending(request, response, Buffer.concat(chunks).toString('utf8')));
  }
}

function toPending(request: IncomingMessage, response: ServerResponse, body: string): PendingRequest {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const json: PendingRequest['json'] = (answer, status = 200, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(answer));
  };
  return {
    method: request.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers,
    body,
    json,
    fail(status, reason, { retryAfter, details, message = reason } = {}) {
      const answer = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason, message, details };
      json(answer, status, retryAfter === undefined ? {} : { 'retry-after': retryAfter });
    },
    page(items, resourceVersion, continueToken = '') {
      json({ items, metadata: { resourceVersion, continue: continueToken } });
    },
    raw: (status, text) => void response.writeHead(status).end(text),
    stream: () => openStream(response),
    reset: () => void request.socket.resetAndDestroy(),
  };
}

function openStream(response: ServerResponse): PendingStream {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  const closed = new Promise<void>((resolve) => response.on('close', () => resolve()));
  const bytes = (chunk: Uint8Array | string): Promise<void> => new Promise((resolve) => response.write(chunk, () => resolve()));
  return {
    bytes,
    event: (type, object) => void bytes(`${JSON.stringify({ type, object })}\n`),
    bookmark: (resourceVersion) => bytes(`${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion } } })}\n`),
    end: () => void response.end(),
    reset: () => void response.socket?.resetAndDestroy(),
    closed,
  };
}

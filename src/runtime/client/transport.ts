import { readFileSync } from 'node:fs';
import { Pool } from 'undici';
import type { Clock } from '../../lib/clock.ts';
import { ApiError, TransportError } from './api-error.ts';
import type { StatusBody } from './api-error.ts';
import type { ClusterConfig } from './kubeconfig.ts';
import { parseRetryAfter } from './retry-policy.ts';
import type { Method } from './retry-policy.ts';

const CALL_CONNECTIONS = 32;
const CONNECT_TIMEOUT_MS = 5_000;
const TCP_KEEPALIVE_MS = 15_000;
const IDLE_SOCKET_MS = 30_000;
const TOKEN_MAX_AGE_MS = 60_000;
const MAX_ERROR_TEXT = 512;

export interface TransportRequest {
  readonly method: Method;
  /** Path and query below the server's URL. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly signal: AbortSignal;
}

export interface TransportOptions {
  readonly config: ClusterConfig;
  readonly clock: Clock;
  readonly userAgent: string;
  readonly onRequest?: ((method: string, code: number) => void) | undefined;
}

/** One try of one HTTP exchange. Rejects with the signal's reason, ApiError (status ≥ 400) or TransportError. */
export interface Transport {
  /** The whole answer as parsed JSON. */
  call(request: TransportRequest): Promise<unknown>;
  /** Resolves once the server has answered 200; the signal ends the stream too. */
  stream(path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Makes the next request read the token file again; false if there is none. */
  refreshToken(): boolean;
  close(): Promise<void>;
}

export function createTransport({ config, clock, userAgent, onRequest }: TransportOptions): Transport {
  const url = new URL(config.server);
  const prefix = url.pathname.replace(/\/+$/, '');
  const base = poolOptions(config);
  const calls = new Pool(url.origin, { ...base, connections: CALL_CONNECTIONS });
  // Every watch holds a connection for minutes: in a pool of their own they cannot starve the calls.
  const watches = new Pool(url.origin, { ...base, connections: null });
  const token = createTokenSource(config, clock);

  const open = async (pool: Pool, request: TransportRequest) => {
    const { method, path, body, contentType, signal } = request;
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': userAgent };
    const bearer = token.get();
    if (bearer) headers['authorization'] = `Bearer ${bearer}`;
    if (contentType) headers['content-type'] = contentType;
    try {
      const answer = await pool.request({ method, path: prefix + path, headers, body: body ?? null, signal });
      onRequest?.(method, answer.statusCode);
      return answer;
    } catch (error) {
      if (!signal.aborted) onRequest?.(method, 0);
      throw toTransportError(error, request);
    }
  };

  const readText = async (answer: Awaited<ReturnType<typeof open>>, request: TransportRequest): Promise<string> => {
    try {
      return await answer.body.text();
    } catch (error) {
      throw toTransportError(error, request);
    }
  };

  const failure = async (answer: Awaited<ReturnType<typeof open>>, request: TransportRequest): Promise<ApiError> => {
    const text = await readText(answer, request);
    const header = answer.headers['retry-after'];
    const retryAfterMs = parseRetryAfter(Array.isArray(header) ? header[0] : header, clock.now());
    return new ApiError(describe(request), answer.statusCode, toStatus(text), retryAfterMs === undefined ? undefined : retryAfterMs / 1000);
  };

  return {
    async call(request) {
      const answer = await open(calls, request);
      if (answer.statusCode >= 400) throw await failure(answer, request);
      const text = await readText(answer, request);
      try {
        return text === '' ? {} : (JSON.parse(text) as unknown);
      } catch (cause) {
        const message = `the answer (${answer.statusCode}) is not JSON: ${text.slice(0, MAX_ERROR_TEXT)}`;
        throw new TransportError(describe(request), 'BAD_BODY', message, { sent: true, cause });
      }
    },
    async stream(path, signal) {
      const request: TransportRequest = { method: 'GET', path, signal };
      const answer = await open(watches, request);
      if (answer.statusCode !== 200) throw await failure(answer, request);
      return answer.body as AsyncIterable<Uint8Array>;
    },
    refreshToken: token.refresh,
    async close() {
      await Promise.all([calls.destroy(), watches.destroy()]);
    },
  };
}

function poolOptions(config: ClusterConfig): Pool.Options {
  return {
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: IDLE_SOCKET_MS,
    keepAliveMaxTimeout: IDLE_SOCKET_MS,
    // Deadlines belong to the calls, which know their verb; watches are guarded by the reflector.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEPALIVE_MS,
      ...(config.ca !== undefined && { ca: config.ca }),
      ...(config.clientCert !== undefined && { cert: config.clientCert }),
      ...(config.clientKey !== undefined && { key: config.clientKey }),
      ...(config.tlsServerName !== undefined && { servername: config.tlsServerName }),
      ...(config.insecureSkipTlsVerify && { rejectUnauthorized: false }),
    },
  };
}

interface TokenSource {
  get(): string | undefined;
  refresh(): boolean;
}

/** Service account tokens rotate on disk; an unreadable file keeps the last token, which may still be good. */
function createTokenSource(config: ClusterConfig, clock: Clock): TokenSource {
  const file = config.tokenFile;
  if (file === undefined) return { get: () => config.token, refresh: () => false };
  let token: string | undefined;
  let readAt = -Infinity;
  return {
    get() {
      if (clock.monotonic() - readAt < TOKEN_MAX_AGE_MS) return token;
      try {
        token = readFileSync(file, 'utf8').trim();
      } catch (error) {
        if (token === undefined) throw new Error(`cannot read the bearer token file ${file}: ${(error as Error).message}`, { cause: error });
      }
      readAt = clock.monotonic();
      return token;
    },
    refresh() {
      readAt = -Infinity;
      return true;
    },
  };
}

function describe(request: TransportRequest): string {
  return `${request.method} ${request.path}`;
}

function toStatus(text: string): StatusBody {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null && 'reason' in body) return body as StatusBody;
  } catch {
    // A proxy or load balancer answered; its words are the best message there is.
  }
  return { message: text.slice(0, MAX_ERROR_TEXT) || 'empty answer' };
}

function toTransportError(error: unknown, request: TransportRequest): unknown {
  if (request.signal.aborted) return request.signal.reason;
  const { code, message } = error as { code?: string; message?: string };
  // A certificate error drags whole certificate chains along, which nobody wants in a log; its message names the trouble.
  const hasCertificate = typeof error === 'object' && error !== null && 'cert' in error;
  const options = { sent: !failedToConnect(error), ...(!hasCertificate && { cause: error }) };
  return new TransportError(describe(request), code ?? 'UNKNOWN', message || String(error), options);
}

/** True only if no byte of the request can have left: the connection itself did not come about. */
function failedToConnect(error: unknown): boolean {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(failedToConnect);
  const { code, syscall } = error as { code?: string; syscall?: string };
  return code === 'UND_ERR_CONNECT_TIMEOUT' || syscall === 'connect' || syscall === 'getaddrinfo';
}

import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { Log } from './types.ts';

/** Returns undefined when well, else what is wrong. */
export type HealthCheck = () => string | undefined;
export type Route = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

export interface HealthServerOptions {
  /** `:8080`, `127.0.0.1:0` (port 0 picks one), or `0` for no server. */
  readonly address: string;
  readonly log: Log;
  readonly registry?: Registry;
  /** Further paths, e.g. `/debug/plan`. */
  readonly routes?: Readonly<Record<string, Route>>;
}

/** Serves /healthz, /readyz and /metrics. */
export interface HealthServer {
  /** The bound port; undefined when off or not listening. */
  readonly port: number | undefined;
  addLiveness(name: string, check: HealthCheck): void;
  addReadiness(name: string, check: HealthCheck): void;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createHealthServer({ address, log, registry, routes = {} }: HealthServerOptions): HealthServer {
  const listen = parseAddress(address);
  const liveness = new Map<string, HealthCheck>();
  const readiness = new Map<string, HealthCheck>();
  let server: Server | undefined;

  const handlers = new Map<string, Route>(Object.entries(routes));
  handlers.set('/healthz', (_request, response) => report(response, liveness));
  handlers.set('/readyz', (_request, response) => report(response, readiness));
  if (registry) {
    handlers.set('/metrics', async (_request, response) => {
      const body = await registry.metrics();
      response.writeHead(200, { 'content-type': registry.contentType }).end(body);
    });
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // Not by URL, which throws for what any stranger may ask for, such as `//`.
    const [pathname = '/'] = (request.url ?? '/').split('?', 1);
    try {
      const route = handlers.get(pathname);
      if (route) await route(request, response);
      else response.writeHead(404).end(`no ${pathname} here; try ${[...handlers.keys()].join(' ')}\n`);
    } catch (error) {
      log.error({ path: pathname, err: error }, 'a request to the health server failed');
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  };

  return {
    get port() {
      return (server?.address() as AddressInfo | null | undefined)?.port;
    },
    addLiveness: (name, check) => void liveness.set(name, check),
    addReadiness: (name, check) => void readiness.set(name, check),
    async start() {
      if (!listen || server) return;
      const starting = createServer((request, response) => void handle(request, response));
      await new Promise<void>((resolve, reject) => {
        starting.once('error', (cause) => reject(new Error(`cannot listen on ${address}: ${cause.message}`, { cause })));
        starting.listen(listen.port, listen.host, resolve);
      });
      server = starting;
      log.info({ port: this.port }, 'health server listens');
    },
    async stop() {
      const stopping = server;
      server = undefined;
      if (!stopping) return;
      await new Promise<void>((resolve) => {
        stopping.close(() => resolve());
        stopping.closeAllConnections();
      });
    },
  };
}

function report(response: ServerResponse, checks: ReadonlyMap<string, HealthCheck>): void {
  const failures: string[] = [];
  for (const [name, check] of checks) {
    const problem = check();
    if (problem !== undefined) failures.push(`${name}: ${problem}`);
  }
  response.writeHead(failures.length === 0 ? 200 : 503, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(failures.length === 0 ? 'ok\n' : `${failures.join('\n')}\n`);
}

/** `host:port` or `:port`; `0` and the empty string turn the server off. */
function parseAddress(address: string): { host: string | undefined; port: number } | undefined {
  if (address === '0' || address === '') return undefined;
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) throw new Error(`address "${address}" is not host:port; use e.g. ":8080", "127.0.0.1:8080", or "0" for none`);
  return { host: match[1] || match[2] || undefined, port };
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import type { Log } from './types.ts';

/** Returns undefined when well, else what is wrong. */
export type HealthCheck = () => string | undefined;

export interface HealthServerOptions {
  /** `:8080`, `127.0.0.1:0` (port 0 picks one), or `0` for no server. */
  readonly address: string;
  readonly log: Log;
  readonly registry?: Registry;
  /** Further paths, e.g. `/debug/plan`. */
  readonly routes?: Readonly<Record<string, (req: IncomingMessage, res: ServerResponse) => void | Promise<void>>>;
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

export function createHealthServer(_options: HealthServerOptions): HealthServer {
  throw new Error('not implemented yet');
}

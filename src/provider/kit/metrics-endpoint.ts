import type { Registry } from 'prom-client';
import { createHealthServer } from '../../runtime/health-server.ts';
import type { ProviderEvents } from './events.ts';

export interface MetricsOptions {
  /** `:8790`, `127.0.0.1:0`, or `0` for none. */
  readonly address: string;
  readonly registry: Registry;
  readonly events: ProviderEvents;
  /** Why the provider cannot take mutations; undefined while it can. */
  readonly problem: () => string | undefined;
}

/** Serves /metrics, /healthz, and /readyz, which is 503 while the state cannot be persisted. Rejects when the address is taken. */
export async function serveMetrics({ address, registry, events, problem }: MetricsOptions): Promise<{ readonly port: number | undefined; close(): Promise<void> }> {
  const say = (_fields: object, text?: string): void => events.onWarning?.(`metrics: ${text ?? 'failed'}`);
  const silent = (): void => {};
  const server = createHealthServer({ address, registry, log: { debug: silent, info: silent, warn: say, error: say } });
  server.addReadiness('store', problem);
  await server.start();
  return { port: server.port, close: () => server.stop() };
}

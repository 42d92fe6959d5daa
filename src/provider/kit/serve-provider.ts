import { ServerCredentials, type ServerInterceptor } from '@grpc/grpc-js';
import { createGrpcServer, listen, shutdown } from '../../api/grpc.ts';
import { systemClock, type Clock } from '../../lib/clock.ts';
import type { ProviderBackend } from './backend.ts';
import { Discovery } from './discovery.ts';
import type { ProviderEvents } from './events.ts';
import { capacityProviderService } from './grpc-service.ts';
import { defaultTimeouts, OperationRunner, type Timeouts } from './operation-runner.ts';
import type { Machine } from './machine.ts';
import { ProviderCore } from './provider-core.ts';
import type { StateStore } from './state-store.ts';

export interface ProviderOptions {
  /** host:port; port 0 takes a free one. */
  readonly address: string;
  readonly store: StateStore;
  /** PEM. With `ca`, callers must present a certificate signed by it. Absent: plaintext. */
  readonly tls?: { readonly certificate: Buffer; readonly key: Buffer; readonly ca?: Buffer };
  readonly timeouts?: Partial<Timeouts>;
  readonly requireZone?: boolean; // default true
  readonly operationIdPrefix?: string; // default op
  /** How often the backend is asked to describe itself; 0 = only at the first start. Default 60 s. */
  readonly reconcileIntervalMs?: number;
  /** A description that takes longer is given up until the next one; the first start waits for ever. Default 30 s. */
  readonly reconcileTimeoutMs?: number;
  readonly clock?: Clock;
  readonly events?: ProviderEvents;
  /** See every call before and after the kit does; for tests of callers. */
  readonly interceptors?: readonly ServerInterceptor[];
  /** Instead of a gRPC server on the address. */
  readonly serve?: (service: ReturnType<typeof capacityProviderService>) => Promise<ServedService>;
}

export interface ServedService {
  readonly port: number;
  /** Takes no new calls and gives those under way a moment. */
  close(): Promise<void>;
}

export interface RunningProvider {
  readonly port: number;
  /** Compares with the substrate now. */
  reconcile(): Promise<void>;
  machines(): Iterable<Machine>;
  machine(id: string): Machine | undefined;
  /** Reports that a machine broke outside any operation: it turns FAILED at once. False when there is none such, or no host. */
  reportFailure(machineId: string, reason: string): boolean;
  /** Takes a machine that serves nobody off the offer: Idle or Speculative turns FAILED. False, and nothing done, in any other state. */
  withdraw(machineId: string, reason: string): boolean;
  /** Stops taking calls, gives those under way a moment, then closes the store. */
  close(): Promise<void>;
}

const SHUTDOWN_GRACE_MS = 5_000;

/** Serves a backend as a CapacityProvider. Rejects when the store is damaged, the seed is bad or the address is taken. */
export async function serveProvider(backend: ProviderBackend, options: ProviderOptions): Promise<RunningProvider> {
  const clock = options.clock ?? systemClock;
  const events = options.events ?? {};
  const durable = (): Promise<void> => options.store.flush();
  const core = new ProviderCore({ backend, store: options.store, clock, events, operationIdPrefix: options.operationIdPrefix ?? 'op' });
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const runner = new OperationRunner({ core, backend, clock, timeouts, events, durable });
  const { requireZone = true, reconcileTimeoutMs: timeoutMs = 30_000 } = options;
  const discovery = new Discovery({ core, runner, backend, clock, requireZone, timeoutMs, events });
  const stopping = new AbortController();

  if (core.isSeeded) discovery.resume();
  else await discovery.seed(stopping.signal);
  await durable();

  const serve = options.serve ?? ((service) => serveGrpc(service, options));
  const served = await serve(capacityProviderService({ core, clock, events, durable })).catch((error: unknown) => {
    runner.stop();
    throw error;
  });

  const interval = options.reconcileIntervalMs ?? 60_000;
  let cancelTimer = (): void => {};
  const reconcile = (): Promise<void> => discovery.reconcile(stopping.signal);
  const reconcileLater = (): void => {
    cancelTimer = clock.after(interval, () => {
      reconcile()
        .catch((error: unknown) => events.onWarning?.(`reconcile failed: ${error instanceof Error ? error.message : String(error)}`))
        .finally(() => stopping.signal.aborted || reconcileLater());
    });
  };
  if (interval > 0) reconcileLater();

  return {
    port: served.port,
    reconcile,
    *machines() {
      for (const entry of core.inventory.entries()) yield entry.stored.machine;
    },
    machine: (id) => core.inventory.get(id)?.stored.machine,
    reportFailure(machineId, reason) {
      const entry = core.inventory.get(machineId);
      if (!entry?.stored.machine.host || entry.stored.machine.state === 'Failed') return false;
      runner.fail(entry, reason, 'interrupt');
      return true;
    },
    withdraw(machineId, reason) {
      const entry = core.inventory.get(machineId);
      if (!entry || !['Idle', 'Speculative'].includes(entry.stored.machine.state)) return false;
      runner.fail(entry, reason, 'fail');
      return true;
    },
    async close() {
      stopping.abort(new Error('the provider is shutting down'));
      cancelTimer();
      runner.stop();
      await served.close();
      await options.store.close();
    },
  };
}

async function serveGrpc({ definition, implementation }: ReturnType<typeof capacityProviderService>, options: ProviderOptions): Promise<ServedService> {
  const server = createGrpcServer({ interceptors: [...(options.interceptors ?? [])] });
  server.addService(definition, implementation);
  const port = await listen(server, options.address, credentialsOf(options));
  return { port, close: () => shutdown(server, AbortSignal.timeout(SHUTDOWN_GRACE_MS)) };
}

function credentialsOf({ tls }: ProviderOptions): ServerCredentials {
  return tls
    ? ServerCredentials.createSsl(tls.ca ?? null, [{ cert_chain: tls.certificate, private_key: tls.key }], tls.ca !== undefined)
    : ServerCredentials.createInsecure();
}

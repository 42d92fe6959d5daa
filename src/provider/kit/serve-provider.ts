import { ServerCredentials, type Server, type ServerInterceptor } from '@grpc/grpc-js';
import { Registry } from 'prom-client';
import { GrpcHealth } from '../../api/grpc-health.ts';
import { addReflection } from '../../api/grpc-reflection.ts';
import { createGrpcServer, listen, shutdown } from '../../api/grpc.ts';
import { listenTls, type ServerTlsFiles } from '../../api/tls-listener.ts';
import { systemClock, type Clock } from '../../lib/clock.ts';
import type { ProviderBackend } from './backend.ts';
import { CallerRights } from './caller-rights.ts';
import { Discovery } from './discovery.ts';
import { bothEvents, type ProviderEvents } from './events.ts';
import { capacityProviderService } from './grpc-service.ts';
import { GuardedStore } from './guarded-store.ts';
import { serveMetrics } from './metrics-endpoint.ts';
import { defaultTimeouts, OperationRunner, type Timeouts } from './operation-runner.ts';
import type { Machine } from './machine.ts';
import { ProviderCore } from './provider-core.ts';
import { providerMetrics } from './provider-metrics.ts';
import type { StateStore } from './state-store.ts';

export interface ProviderOptions {
  /** host:port; port 0 takes a free one. */
  readonly address: string;
  readonly store: StateStore;
  /**
   * PEM files, looked at again every 5 s, so that certificates, key and authorities can be changed while it serves. TLS 1.3;
   * callers must present a certificate, whose `bigfleet://` name decides what they may do (spec: identity 6). Absent: plaintext.
   */
  readonly tlsFiles?: ServerTlsFiles;
  /** Serves /metrics, /healthz and /readyz over plain HTTP here, such as `:8790`. Default `0`: nowhere. */
  readonly metricsAddress?: string;
  /** Metrics of the backend's own, served with the kit's. */
  readonly registry?: Registry;
  /** The same in memory, for good. With `ca`, callers must present a certificate signed by it. */
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
  /** Of `metricsAddress`. */
  readonly metricsPort: number | undefined;
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
const SERVICE = 'bigfleet.v1alpha1.CapacityProvider';

/** Serves a backend as a CapacityProvider. Rejects when the store is damaged, the seed is bad or the address is taken. */
export async function serveProvider(backend: ProviderBackend, options: ProviderOptions): Promise<RunningProvider> {
  const clock = options.clock ?? systemClock;
  const registry = options.registry ?? new Registry();
  const events = bothEvents(providerMetrics(registry, clock, () => machines()), options.events ?? {});
  const health = new GrpcHealth([SERVICE]);
  let storeProblem: string | undefined;
  const store = new GuardedStore(options.store, clock, (healthy, reason) => {
    storeProblem = healthy ? undefined : `the state cannot be persisted: ${reason}`;
    health.set(healthy);
    events.onPersistence?.({ healthy, reason });
  });
  const durable = (): Promise<void> => store.flush();
  const core = new ProviderCore({ backend, store, clock, events, operationIdPrefix: options.operationIdPrefix ?? 'op' });
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const runner = new OperationRunner({ core, backend, clock, timeouts, events, durable });
  const { requireZone = true, reconcileTimeoutMs: timeoutMs = 30_000 } = options;
  const discovery = new Discovery({ core, runner, backend, clock, requireZone, timeoutMs, events });
  const stopping = new AbortController();
  function* machines(): Iterable<Machine> {
    for (const entry of core.inventory.entries()) yield entry.stored.machine;
  }

  if (core.isSeeded) discovery.resume();
  else await discovery.seed(stopping.signal);
  await durable();

  const serve = options.serve ?? ((service) => serveGrpc(service, options, health, clock, events));
  const rights = options.tlsFiles || options.tls?.ca ? new CallerRights() : undefined;
  const service = capacityProviderService({ core, clock, events, durable, ...(rights && { rights }) });
  const giveUp = (error: unknown): never => {
    runner.stop();
    throw error;
  };
  const served = await serve(service).catch(giveUp);
  const metrics = await serveMetrics({ address: options.metricsAddress ?? '0', registry, events, problem: () => storeProblem }).catch(async (error: unknown) => {
    await served.close();
    return giveUp(error);
  });

  if (!backend.confirmNodeReady) {
    events.onWarning?.('the backend has no confirmNodeReady: a machine is told as CONFIGURED as soon as configureInstance has returned, whether or not its Node is Ready by then');
  }
  const interval = options.reconcileIntervalMs ?? 60_000;
  let cancelTimer = (): void => {};
  const reconcile = (): Promise<void> => discovery.reconcile(stopping.signal).then(
    () => events.onReconcile?.({ problem: undefined }),
    (error: unknown) => {
      const problem = error instanceof Error ? error.message : String(error);
      events.onReconcile?.({ problem });
      events.onWarning?.(`reconcile failed: ${problem}`);
      throw error;
    },
  );
  const reconcileLater = (): void => {
    cancelTimer = clock.after(interval, () => {
      reconcile()
        .catch(() => {}) // said by the event
        .finally(() => stopping.signal.aborted || reconcileLater());
    });
  };
  if (interval > 0) reconcileLater();

  return {
    port: served.port,
    metricsPort: metrics.port,
    reconcile,
    machines,
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
      await metrics.close();
      await store.close();
    },
  };
}

type Service = ReturnType<typeof capacityProviderService>;

async function serveGrpc(service: Service, options: ProviderOptions, health: GrpcHealth, clock: Clock, events: ProviderEvents): Promise<ServedService> {
  const server = createGrpcServer({ interceptors: [...(options.interceptors ?? [])] });
  server.addService(service.definition, service.implementation);
  health.addTo(server);
  addReflection(server, [SERVICE, 'grpc.health.v1.Health']);
  const { port, stop } = await bind(server, options, clock, events);
  return {
    port,
    async close() {
      stop();
      health.close();
      await shutdown(server, AbortSignal.timeout(SHUTDOWN_GRACE_MS));
    },
  };
}

async function bind(server: Server, { address, tls, tlsFiles }: ProviderOptions, clock: Clock, events: ProviderEvents): Promise<{ port: number; stop: () => void }> {
  if (tls && tlsFiles) throw new Error('give either tls or tlsFiles');
  const given = tlsFiles ?? (tls && { cert: tls.certificate, key: tls.key, ...(tls.ca && { ca: tls.ca }) });
  if (!given) return { port: await listen(server, address, ServerCredentials.createInsecure()), stop: () => {} };
  return await listenTls(server, address, given, {
    clock,
    onRefused: (refusal) => events.onConnectionRefused?.(refusal),
    onReload(problem) {
      events.onTlsReload?.({ problem });
      if (problem !== undefined) events.onWarning?.(`the changed TLS files are not used, the last good ones are: ${problem}`);
    },
  });
}

import { systemClock, type Clock } from '../../lib/clock.ts';
import { seededRandom } from '../../lib/random.ts';
import type { ProviderEvents, StateChangeEvent } from '../kit/events.ts';
import { openFileStore } from '../kit/file-store.ts';
import type { Instance } from '../kit/machine.ts';
import { serveProvider, type ProviderOptions, type RunningProvider } from '../kit/serve-provider.ts';
import { memoryStore } from '../kit/state-store.ts';
import { startAdminServer } from './admin-server.ts';
import { Interruptions } from './interruptions.ts';
import { httpNodeAgent, noNodeAgent } from './node-agent.ts';
import { openOperationLog } from './operation-log.ts';
import type { FailureRates, Span } from './settings.ts';
import { SimBackend } from './sim-backend.ts';

export interface SimOptions {
  readonly listen: string;
  /** What else concerns serving: TLS, metrics. */
  readonly serving?: Pick<ProviderOptions, 'tlsFiles' | 'metricsAddress'>;
  readonly seeds: () => readonly Instance[];
  /** Absent: the state lives in memory. */
  readonly dataDir?: string;
  /** What the state outlives: the end of the process (default: simulated hosts do not outlive their machine), or also a loss of power. */
  readonly durability?: 'process' | 'disk';
  readonly operationLog?: string;
  readonly admin?: { readonly host: string; readonly port: number };
  readonly nodeAgent?: string;
  readonly create: Span;
  readonly configure: Span;
  /** When a Configure is given up and its machine FAILED; the kit's default if absent. */
  readonly configureTimeoutMs?: number;
  readonly drain: Span;
  readonly delete: Span;
  readonly recover: Span;
  readonly failureRates: FailureRates;
  readonly interruptionsPerHour: number;
  readonly seed: number;
  readonly onWarning: (text: string) => void;
  readonly clock?: Clock;
  /** Told of every change of state, besides the operation log. */
  readonly onStateChange?: (event: StateChangeEvent) => void;
}

export interface RunningSim {
  readonly provider: RunningProvider;
  readonly adminPort: number | undefined;
  readonly interruptions: Interruptions;
  close(): Promise<void>;
}

/** Puts the simulated provider together: backend, kit, operation log, interruptions, control panel. */
export async function runSimProvider(options: SimOptions): Promise<RunningSim> {
  const clock = options.clock ?? systemClock;
  const random = seededRandom(options.seed);
  const nodeAgent = options.nodeAgent === undefined ? noNodeAgent : httpNodeAgent(options.nodeAgent, clock, random);
  const log = options.operationLog === undefined ? undefined : openOperationLog(options.operationLog, clock, options.onWarning);
  const events: ProviderEvents = {
    onCall: (event) => log?.onCall?.(event),
    onStateChange(event) {
      log?.onStateChange?.(event);
      options.onStateChange?.(event);
    },
    onWarning: options.onWarning,
  };
  const { dataDir: directory, durability = 'process', configureTimeoutMs: configureMs } = options;
  const store = directory === undefined ? memoryStore() : openFileStore({ directory, durability });
  const provider = await serveProvider(new SimBackend({ ...options, clock, nodeAgent }), {
    ...options.serving,
    address: options.listen,
    store,
    clock,
    events,
    ...(configureMs !== undefined && { timeouts: { configureMs } }),
    reconcileIntervalMs: 0, // the seeds never change
  }).catch(async (error: unknown) => {
    await store.close();
    log?.close();
    throw error;
  });
  const interruptions = new Interruptions(provider, options.seed);
  if (options.interruptionsPerHour > 0) interruptions.startRandom(options.interruptionsPerHour, clock, random);
  const close = async (): Promise<void> => {
    interruptions.stop();
    await provider.close();
    log?.close();
  };
  const admin = options.admin && (await startAdminServer({ ...options.admin, machines: () => provider.machines(), interruptions }).catch(async (error: unknown) => {
    await close();
    throw error;
  }));
  return {
    provider,
    adminPort: admin?.port,
    interruptions,
    async close() {
      await admin?.close();
      await close();
    },
  };
}

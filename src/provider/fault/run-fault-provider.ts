import { systemClock, type Clock } from '../../lib/clock.ts';
import type { ProviderEvents } from '../kit/events.ts';
import type { Instance } from '../kit/machine.ts';
import { serveProvider, type ProviderOptions, type RunningProvider } from '../kit/serve-provider.ts';
import { countStates } from '../sim/admin-server.ts';
import { NotHere, startJsonServer } from '../sim/json-server.ts';
import { openOperationLog } from '../sim/operation-log.ts';
import { AnswerFaults } from './answer-faults.ts';
import { FaultBackend } from './fault-backend.ts';
import type { FaultTimes } from './faults.ts';
import { INTERRUPTED_CLUSTER } from './selectors.ts';

export interface FaultOptions extends FaultTimes {
  /** Address, store and what else concerns serving; timeouts, clock and events are set here. */
  readonly serving: Omit<ProviderOptions, 'timeouts' | 'clock' | 'events' | 'interceptors' | 'reconcileIntervalMs'>;
  readonly seeds: () => readonly Instance[];
  readonly interruptAfterMs: number;
  readonly operationLog?: string;
  readonly admin?: { readonly host: string; readonly port: number };
  readonly onWarning: (text: string) => void;
  readonly clock?: Clock;
}

export interface RunningFault {
  readonly provider: RunningProvider;
  readonly backend: FaultBackend;
  readonly answers: AnswerFaults;
  readonly adminPort: number | undefined;
  close(): Promise<void>;
}

/** Serves a provider that goes wrong where it is told to. Rejects as serveProvider does, after closing the store. */
export async function runFaultProvider(options: FaultOptions): Promise<RunningFault> {
  const clock = options.clock ?? systemClock;
  const { timeoutMs } = options;
  const answers = new AnswerFaults();
  const backend = new FaultBackend({ ...options, clock });
  const log = options.operationLog === undefined ? undefined : openOperationLog(options.operationLog, clock, options.onWarning);
  const events: ProviderEvents = { ...log, onWarning: options.onWarning };
  const provider = await serveProvider(backend, {
    ...options.serving, clock, events,
    timeouts: { createMs: timeoutMs, configureMs: timeoutMs, drainMs: timeoutMs, deleteMs: timeoutMs },
    interceptors: [answers.interceptor],
    reconcileIntervalMs: 0, // the slots never change
  }).catch(async (error: unknown) => {
    await options.serving.store.close();
    log?.close();
    throw error;
  });
  backend.interrupt = (machineId, reason) => {
    const machine = provider.machine(machineId);
    if (machine?.state === 'Configured' && machine.cluster === INTERRUPTED_CLUSTER) provider.reportFailure(machineId, reason);
  };
  const close = async (): Promise<void> => {
    backend.stop();
    await provider.close();
    log?.close();
  };
  const admin = options.admin && (await startJsonServer(options.admin, '--admin-listen', {
    'GET /healthz': () => ({ ok: true }),
    'GET /readyz': () => ({ ok: true }),
    'GET /state': () => countStates(provider.machines()),
    'POST /fail': (body) => {
      const { machineId, reason } = fields(body);
      if (typeof reason !== 'string' || reason === '') throw new Error('reason must be a text: it becomes the last error of the machine');
      return { failed: provider.reportFailure(known(provider, machineId), reason) };
    },
    'POST /release': (body) => {
      const { machineId, to } = fields(body);
      if (to !== 'speculative' && to !== 'idle') throw new Error('to must be "speculative" or "idle"');
      return { released: backend.release(known(provider, machineId), to) };
    },
    'POST /answers': (body) => answers.set(fields(body)),
  }).catch(async (error: unknown) => {
    await close();
    throw error;
  }));
  return {
    provider, backend, answers, adminPort: admin?.port,
    async close() {
      await admin?.close();
      await close();
    },
  };
}

function fields(body: string): Record<string, unknown> {
  const value: unknown = JSON.parse(body || '{}');
  if (typeof value !== 'object' || value === null) throw new Error('the body must be a JSON object');
  return value as Record<string, unknown>;
}

function known(provider: RunningProvider, machineId: unknown): string {
  if (typeof machineId !== 'string' || machineId === '') throw new Error('machineId must be the id of a machine');
  if (!provider.machine(machineId)) throw new NotHere(`machineId: there is no machine ${JSON.stringify(machineId)} here`);
  return machineId;
}

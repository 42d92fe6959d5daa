import { VirtualClock } from '../../lib/virtual-clock.ts';
import type { CallEvent, StateChangeEvent } from '../kit/events.ts';
import { serveProvider, type ProviderOptions, type RunningProvider } from '../kit/serve-provider.ts';
import { memoryStore } from '../kit/state-store.ts';
import { Rpc, stateName } from './rpc.ts';
import { host, type ScriptedBackend } from './scripted-backend.ts';

/** A scripted backend behind the kit and a real socket, in virtual time, without periodic reconciles. */
export interface KitHarness {
  readonly provider: RunningProvider;
  readonly rpc: Rpc;
  readonly clock: VirtualClock;
  readonly warnings: string[];
  /** Why connections were refused, and which call for which reason. */
  readonly refused: string[];
  readonly changes: StateChangeEvent[];
  readonly calls: CallEvent[];
  /** [state, last error] */
  look(id: string): Promise<[string, string]>;
  toIdle(id: string): Promise<void>;
  toConfigured(id: string): Promise<void>;
  /** Lets what is ready run. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export async function serveScripted(backend: ScriptedBackend, options: Partial<ProviderOptions> = {}): Promise<KitHarness> {
  const clock = (options.clock as VirtualClock | undefined) ?? new VirtualClock();
  const warnings: string[] = [];
  const refused: string[] = [];
  const changes: StateChangeEvent[] = [];
  const calls: CallEvent[] = [];
  const events = {
    onWarning: (text: string) => void warnings.push(text),
    onConnectionRefused: ({ reason }: { readonly reason: string }) => void refused.push(reason),
    onIdentityRejected: ({ rpc, reason }: { readonly rpc: string; readonly reason: string }) => void refused.push(`${rpc} ${reason}`),
    onStateChange: (event: StateChangeEvent) => void changes.push(event),
    onCall: (event: CallEvent) => void calls.push(event),
  };
  const provider = await serveProvider(backend, { address: '127.0.0.1:0', store: memoryStore(), reconcileIntervalMs: 0, ...options, clock, events });
  const rpc = new Rpc(provider.port);
  const settle = (): Promise<void> => clock.advance(0);
  const harness: KitHarness = {
    provider, rpc, clock, warnings, refused, changes, calls, settle,
    async look(id) {
      await settle();
      const machine = await rpc.get(id);
      return [stateName(machine), machine.lastError];
    },
    async toIdle(id) {
      await rpc.create(id);
      await settle();
      backend.last('create').succeed({ host });
      await settle();
    },
    async toConfigured(id) {
      await harness.toIdle(id);
      await rpc.configure(id);
      await settle();
      backend.last('configure').succeed();
      await settle();
    },
    async close() {
      rpc.close();
      await provider.close();
    },
  };
  return harness;
}

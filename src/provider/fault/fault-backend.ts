import type { Clock } from '../../lib/clock.ts';
import type {
  ConfigureInstance, ConfirmNodeReady, CreatedInstance, CreateInstance, DeleteInstance, DrainInstance, ProviderBackend, RecoverInstance, Recovery,
} from '../kit/backend.ts';
import type { Instance, Machine } from '../kit/machine.ts';
import { act, type FaultTimes } from './faults.ts';
import { INTERRUPTED_CLUSTER, selected, type Step } from './selectors.ts';

export interface FaultBackendOptions extends FaultTimes {
  readonly clock: Clock;
  readonly seeds: () => readonly Instance[];
  /** When a machine of the cluster fault-interrupt breaks. */
  readonly interruptAfterMs: number;
}

/**
 * A substrate that does what labels and cluster names tell it to: well by default, wrong where a selector says so. A FAILED
 * machine stays so until `release` is called for it, and an operation that a restart interrupted has failed.
 */
export class FaultBackend implements ProviderBackend {
  readonly resumable = false;
  /** Set once the provider serves: breaks a machine that nothing runs on. */
  interrupt: (machineId: string, reason: string) => void = () => {};
  private readonly options: FaultBackendOptions;
  private readonly awaited = new Map<string, (to: Recovery) => void>();
  private readonly stopping = new AbortController();

  constructor(options: FaultBackendOptions) {
    this.options = options;
  }

  describe(): Promise<readonly Instance[]> {
    return Promise.resolve(this.options.seeds());
  }

  async createInstance({ machine }: CreateInstance, signal: AbortSignal): Promise<CreatedInstance> {
    await this.act('create', machine, signal);
    return { host: faultHost(machine.id) };
  }

  async configureInstance({ machine, clusterId }: ConfigureInstance, signal: AbortSignal): Promise<void> {
    await this.act('configure', machine, signal);
    if (clusterId !== INTERRUPTED_CLUSTER) return;
    const { clock, interruptAfterMs } = this.options;
    const cancel = clock.after(interruptAfterMs, () => this.interrupt(machine.id, `interrupted (injected: cluster ${clusterId})`));
    this.stopping.signal.addEventListener('abort', cancel, { once: true });
  }

  async confirmNodeReady({ machine }: ConfirmNodeReady, signal: AbortSignal): Promise<void> {
    if (selected('ready', machine)) await this.act('ready', machine, signal);
  }

  drainInstance({ machine }: DrainInstance, signal: AbortSignal): Promise<void> {
    return this.act('drain', machine, signal);
  }

  deleteInstance({ machine }: DeleteInstance, signal: AbortSignal): Promise<void> {
    return this.act('delete', machine, signal);
  }

  /** Waits until somebody releases the machine. */
  recoverInstance({ machine }: RecoverInstance, signal: AbortSignal): Promise<Recovery> {
    return new Promise((resolve) => {
      this.awaited.set(machine.id, resolve);
      signal.addEventListener('abort', () => resolve('keep'), { once: true });
    });
  }

  /** Makes a FAILED machine usable again. False when there is none such. */
  release(machineId: string, to: 'speculative' | 'idle'): boolean {
    const release = this.awaited.get(machineId);
    this.awaited.delete(machineId);
    release?.(to);
    return release !== undefined;
  }

  stop(): void {
    this.stopping.abort();
  }

  private act(step: Step, machine: Machine, signal: AbortSignal): Promise<void> {
    const one = selected(step, machine);
    return act(one?.fault, one?.by ?? '', this.options, this.options.clock, signal);
  }
}

/** The host of a slot: the same one each time it is created. */
export function faultHost(machineId: string): { provider: string; ref: string } {
  return { provider: 'fault', ref: `fault:///${machineId}` };
}

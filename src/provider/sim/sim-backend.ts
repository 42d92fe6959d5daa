import { sleep, type Clock } from '../../lib/clock.ts';
import { seededRandom, stableHash } from '../../lib/random.ts';
import type {
  ConfigureInstance, CreatedInstance, CreateInstance, DeleteInstance, DrainInstance, ProviderBackend, RecoverInstance, Recovery,
} from '../kit/backend.ts';
import { OutOfStockError } from '../kit/backend-error.ts';
import type { Instance } from '../kit/machine.ts';
import type { NodeAgent } from './node-agent.ts';
import { simulatedHost } from './seed-file.ts';
import type { FailureRates, Span } from './settings.ts';

export interface SimBackendOptions {
  readonly clock: Clock;
  /** Called at the first start only. */
  readonly seeds: () => readonly Instance[];
  readonly nodeAgent: NodeAgent;
  readonly create: Span;
  readonly configure: Span;
  /** After the last Pod has gone. */
  readonly drain: Span;
  readonly delete: Span;
  readonly recover: Span;
  readonly failureRates: FailureRates;
  readonly seed: number;
}

/**
 * A substrate made of timers. Latency and luck of an operation depend on the seed and the operation's number alone, not on
 * what else happens at the time. Starting an operation again is safe: hosts have fixed
 * names and node agents treat repeats as such.
 */
export class SimBackend implements ProviderBackend {
  readonly resumable = true;
  private readonly options: SimBackendOptions;

  constructor(options: SimBackendOptions) {
    this.options = options;
  }

  describe(): Promise<readonly Instance[]> {
    return Promise.resolve(this.options.seeds());
  }

  async createInstance({ machine, operationId }: CreateInstance, signal: AbortSignal): Promise<CreatedInstance> {
    await this.elapse(this.options.create, operationId, signal);
    this.maybeFail('create', operationId, new OutOfStockError('simulated failure: no capacity'));
    return { host: simulatedHost(machine.id) };
  }

  async configureInstance({ machine, clusterId, bootstrapBlob, operationId }: ConfigureInstance, signal: AbortSignal): Promise<void> {
    await this.elapse(this.options.configure, operationId, signal);
    this.maybeFail('configure', operationId, new Error('simulated failure: the host did not boot'));
    const { id, host, instanceType, zone, capacityType, labels, resources, allocatable = resources } = machine;
    await this.options.nodeAgent.join(
      { machineId: id, providerId: host?.ref ?? '', clusterId, blob: bootstrapBlob, instanceType, zone, capacityType, labels, allocatable },
      signal,
    );
  }

  /** Nodes of simulated hosts are Ready once they have joined. */
  confirmNodeReady(): Promise<void> {
    return Promise.resolve();
  }

  async drainInstance({ machine, gracePeriodSeconds, operationId }: DrainInstance, signal: AbortSignal): Promise<void> {
    await this.options.nodeAgent.leave(machine.id, Number(gracePeriodSeconds), signal);
    await this.elapse(this.options.drain, operationId, signal);
    this.maybeFail('drain', operationId, new Error('simulated failure: the host does not answer'));
  }

  async deleteInstance({ operationId }: DeleteInstance, signal: AbortSignal): Promise<void> {
    await this.elapse(this.options.delete, operationId, signal);
    this.maybeFail('delete', operationId, new Error('simulated failure: the host cannot be given back'));
  }

  /** Replaces what broke: owned and reserved hosts come back clean, the others return as slots. */
  async recoverInstance({ machine, lastError }: RecoverInstance, signal: AbortSignal): Promise<Recovery> {
    // Whatever may still run there must be gone before the slot is offered again.
    if (machine.host) await this.options.nodeAgent.kill(machine.id, signal);
    await this.elapse(this.options.recover, stableHash(`${machine.id} ${lastError}`).toString(), signal);
    return machine.capacityType === 'BareMetal' || machine.capacityType === 'Reserved' ? 'idle' : 'speculative';
  }

  private elapse({ fromMs, toMs }: Span, operation: string, signal: AbortSignal): Promise<void> {
    return sleep(this.options.clock, Math.round(fromMs + this.chance(`latency ${numberOf(operation)}`) * (toMs - fromMs)), signal);
  }

  private maybeFail(kind: keyof FailureRates, operationId: string, failure: Error): void {
    if (this.chance(`luck ${numberOf(operationId)}`) < this.options.failureRates[kind]) throw failure;
  }

  /** Uniform in [0, 1), the same for the same question. */
  private chance(question: string): number {
    return seededRandom(stableHash(`${this.options.seed} ${question}`))();
  }
}

/** What is behind the last hyphen of an operation id: the rest of it is another in every run. */
function numberOf(operationId: string): string {
  return operationId.slice(operationId.lastIndexOf('-') + 1);
}

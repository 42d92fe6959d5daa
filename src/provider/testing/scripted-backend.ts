import type { CreatedInstance, ProviderBackend, Recovery } from '../kit/backend.ts';
import type { Instance } from '../kit/machine.ts';

/** One call the kit made to the backend, and how to end it. */
export interface BackendCall {
  readonly what: 'create' | 'configure' | 'drain' | 'delete' | 'ready' | 'recover';
  readonly machineId: string;
  readonly operationId: string;
  readonly signal: AbortSignal;
  readonly request: unknown;
  succeed(value?: unknown): void;
  fail(why: string | Error): void;
}

/** A backend that does nothing by itself: each call waits until the test ends it. */
export class ScriptedBackend implements ProviderBackend {
  instances: Instance[];
  readonly calls: BackendCall[] = [];
  readonly resumable: boolean;
  recoverInstance?: NonNullable<ProviderBackend['recoverInstance']>;
  confirmNodeReady?: NonNullable<ProviderBackend['confirmNodeReady']>;
  deleteInstance?: NonNullable<ProviderBackend['deleteInstance']>;

  constructor(options: { instances?: Instance[]; resumable?: boolean; recovers?: boolean; confirms?: boolean; deletes?: boolean } = {}) {
    this.instances = options.instances ?? [slot('m-1'), slot('m-2')];
    this.resumable = options.resumable ?? false;
    if (options.recovers) this.recoverInstance = (r, s) => this.call<Recovery>('recover', { ...r, operationId: '' }, s);
    if (options.confirms) this.confirmNodeReady = (r, s) => this.call('ready', r, s);
    if (options.deletes ?? true) this.deleteInstance = (r, s) => this.call('delete', r, s);
  }

  describe: ProviderBackend['describe'] = () => Promise.resolve(this.instances);
  createInstance: ProviderBackend['createInstance'] = (r, s) => this.call<CreatedInstance>('create', r, s);
  configureInstance: ProviderBackend['configureInstance'] = (r, s) => this.call('configure', r, s);
  drainInstance: ProviderBackend['drainInstance'] = (r, s) => this.call('drain', r, s);

  /** The newest call, which must be of this kind. */
  last(what: BackendCall['what']): BackendCall {
    const call = this.calls.at(-1);
    if (call?.what !== what) throw new Error(`the newest call is ${call?.what ?? 'none'}, not ${what}`);
    return call;
  }

  private call<T = void>(what: BackendCall['what'], request: { machine: { id: string }; operationId: string }, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      this.calls.push({
        what, signal, request, machineId: request.machine.id, operationId: request.operationId,
        succeed: (value) => resolve(value as T),
        fail: (why) => reject(why instanceof Error ? why : new Error(why)),
      });
    });
  }
}

export const host = { provider: 'test', ref: 'host-1' };

export function slot(id: string, overrides: Partial<Instance> = {}): Instance {
  return {
    id, instanceType: 't', zone: 'z', capacityType: 'OnDemand', pricePerHour: 1, interruptionProbability: 0,
    resources: { cpu: '4' }, labels: {}, state: 'Speculative', ...overrides,
  };
}

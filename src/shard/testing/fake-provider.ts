import type { Acknowledgement, CallLimits, DecodedList, ListRequest, MutationLimits, ProviderClient } from '../../provider/client.ts';
import type { ProviderMachine, RejectedMachine } from '../../provider/provider-machine.ts';
import type { MachineState } from '../../engine/types.ts';
import { seen } from './machines.ts';

/** A call as it arrived. `reply` settles the promise that the caller holds. */
export interface ProviderCall {
  readonly kind: 'create' | 'configure' | 'drain' | 'delete' | 'get' | 'list';
  readonly id: string;
  readonly request: Record<string, unknown>;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  /** Until when the call may take effect; undefined = no limit, or a call that changes nothing. */
  readonly notAfterMonotonicMs?: number | undefined;
}

type Answer<T> = T | Error | Promise<T>;

const AFTER: Readonly<Record<'create' | 'configure' | 'drain' | 'delete', MachineState>> = {
  create: 'Creating', configure: 'Configuring', drain: 'Draining', delete: 'Deleting',
};

/**
 * A provider whose machines the test moves by hand. Mutations are accepted and put the machine into its transitional
 * state, unless the test has scripted the next answers of that kind.
 */
export class FakeProvider implements ProviderClient {
  readonly address = 'test:1';
  readonly calls: ProviderCall[] = [];
  readonly machines = new Map<string, ProviderMachine>();
  readonly rejected = new Map<string, RejectedMachine>();
  /** Handed out with every List; empty = no cursors. */
  revision = new Uint8Array();
  private readonly scripts = new Map<ProviderCall['kind'], ((call: ProviderCall) => Answer<unknown>)[]>();

  set(machine: ProviderMachine): void {
    this.machines.set(machine.id, machine);
  }

  move(id: string, state: MachineState, fields: Partial<ProviderMachine> = {}): void {
    const { cluster } = this.machines.get(id) ?? { cluster: '' };
    const bound = state === 'Configuring' || state === 'Configured' || state === 'Draining';
    this.set(seen(id, state, { ...(bound && cluster !== '' && { cluster }), ...fields }));
  }

  /** The next call of that kind is answered so; several scripts are used up in order. */
  next(kind: ProviderCall['kind'], answer: (call: ProviderCall) => Answer<unknown>): void {
    this.scripts.set(kind, [...(this.scripts.get(kind) ?? []), answer]);
  }

  /** What was scripted for that kind of call is forgotten. */
  forgive(kind: ProviderCall['kind']): void {
    this.scripts.delete(kind);
  }

  made(kind?: ProviderCall['kind']): string[] {
    return this.calls.filter((c) => (kind ? c.kind === kind : c.kind !== 'list')).map((c) => `${c.kind} ${c.id}`);
  }

  create(id: string, limits: MutationLimits = {}): Promise<Acknowledgement> {
    return this.mutate('create', id, {}, limits);
  }

  configure(request: { machineId: string; clusterId: string; bootstrapBlob: Uint8Array; shardMetadata: ReadonlyMap<string, string> }, limits: MutationLimits = {}): Promise<Acknowledgement> {
    return this.mutate('configure', request.machineId, request, limits, { cluster: request.clusterId, shardMetadata: request.shardMetadata });
  }

  drain(request: { machineId: string; gracePeriodSeconds: number }, limits: MutationLimits = {}): Promise<Acknowledgement> {
    return this.mutate('drain', request.machineId, request, limits);
  }

  delete(id: string, limits: MutationLimits = {}): Promise<Acknowledgement> {
    return this.mutate('delete', id, {}, limits);
  }

  get(id: string, limits: CallLimits = {}): Promise<{ machine: ProviderMachine } | { rejected: RejectedMachine }> {
    return this.answer({ kind: 'get', id, request: {}, signal: limits.signal, timeoutMs: limits.timeoutMs }, () => {
      const rejected = this.rejected.get(id);
      const machine = this.machines.get(id);
      if (rejected) return { rejected };
      if (!machine) throw new Error(`the test has no machine ${id}`);
      return { machine };
    });
  }

  list(request: ListRequest = {}): Promise<DecodedList> {
    return this.answer({ kind: 'list', id: '', request: { since: request.since, isLarge: request.isLarge ?? false }, signal: request.signal, timeoutMs: request.timeoutMs }, () => ({
      machines: [...this.machines.values()].filter((m) => !this.rejected.has(m.id)),
      rejected: [...this.rejected.values()],
      revision: this.revision,
    }));
  }

  providerNow(): number | undefined {
    return undefined;
  }

  close(): void {}

  private mutate(kind: keyof typeof AFTER, id: string, request: Record<string, unknown>, limits: MutationLimits, fields: Partial<ProviderMachine> = {}): Promise<Acknowledgement> {
    limits.onSequence?.(BigInt(this.calls.length + 1));
    return this.answer({ kind, id, request, signal: limits.signal, timeoutMs: limits.timeoutMs, notAfterMonotonicMs: limits.notAfterMonotonicMs }, () => {
      this.move(id, AFTER[kind], fields);
      return { operationId: `op-${this.calls.length}`, machine: this.machines.get(id)! };
    });
  }

  private async answer<T>(call: ProviderCall, otherwise: () => T): Promise<T> {
    this.calls.push(call);
    const script = this.scripts.get(call.kind)?.shift();
    const answer = await (script ? (script(call) as Answer<T>) : otherwise());
    if (answer instanceof Error) throw answer;
    return answer;
  }
}

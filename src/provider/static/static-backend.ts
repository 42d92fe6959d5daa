import type { Logger } from 'pino';
import type {
  ConfigureInstance, ConfirmNodeReady, CreatedInstance, CreateInstance, DeleteInstance, DrainInstance, ProviderBackend, RecoverInstance, Recovery,
} from '../kit/backend.ts';
import type { Instance, Machine } from '../kit/machine.ts';
import type { HookFacts } from './hook-environment.ts';
import type { HookKind } from './hook.ts';
import { isWithdrawn, NOT_LISTED, type HostHolders } from './host-holders.ts';
import { HookFailed, type HookRunner } from './hook-runner.ts';
import { asRecorded, instanceOf, type StaticMachine } from './inventory.ts';
import type { KnownMachines } from './known-machines.ts';
import type { RecoveryRequests } from './recovery-requests.ts';

export interface StaticBackendOptions {
  readonly known: KnownMachines;
  readonly holders: HostHolders;
  readonly hooks: HookRunner;
  readonly requests: RecoveryRequests;
  /** What the kit remembers; empty until it serves. */
  readonly records: () => Iterable<Machine>;
  readonly log: Logger;
}

/** Machines that somebody owns: every step is a hook. */
export class StaticBackend implements ProviderBackend {
  private readonly options: StaticBackendOptions;
  /** Per failed machine, what its recovery said last: said once in the log, not every time. */
  private readonly recoveries = new Map<string, string>();

  constructor(options: StaticBackendOptions) {
    this.options = options;
  }

  /** As the file says now: what is accepted from now on can be resumed, or not. */
  get resumable(): boolean {
    return this.options.known.inventory?.onRestart === 'resume';
  }

  /** What the file names; and what it no longer names as it was, since a machine in service does not end with its line. Once withdrawn it does. */
  describe(): Promise<readonly Instance[]> {
    const { known, holders, records } = this.options;
    const recorded = new Map([...records()].map((machine) => [machine.id, machine]));
    const instances: Instance[] = [];
    for (const line of known.inventory?.machines.values() ?? []) {
      const host = recorded.get(line.instance.id)?.host;
      if (host) instances.push({ ...line.instance, host, state: 'Idle' });
      // A newcomer whose host somebody else has comes when that one is done with it.
      else if (recorded.has(line.instance.id) || !holders.taken(line)) instances.push(line.instance);
    }
    for (const machine of recorded.values()) {
      if (!known.isListed(machine.id) && machine.lastError !== NOT_LISTED) instances.push(instanceOf(machine));
    }
    return Promise.resolve(instances);
  }

  async createInstance({ machine, operationId }: CreateInstance, signal: AbortSignal): Promise<CreatedInstance> {
    const target = this.free(machine);
    await this.run('powerOn', target, { operationId }, signal);
    const { resources, allocatable } = target.instance;
    return { host: target.host, resources, ...(allocatable && { allocatable }) };
  }

  configureInstance({ machine, clusterId, bootstrapBlob, operationId }: ConfigureInstance, signal: AbortSignal): Promise<void> {
    return this.run('configure', this.free(machine), { operationId, clusterId }, signal, bootstrapBlob);
  }

  confirmNodeReady({ machine, clusterId, operationId }: ConfirmNodeReady, signal: AbortSignal): Promise<void> {
    return this.run('ready', this.listed(machine), { operationId, clusterId }, signal);
  }

  drainInstance({ machine, gracePeriodSeconds, operationId }: DrainInstance, signal: AbortSignal): Promise<void> {
    const target = this.options.known.get(machine.id);
    if (!target) throw new Error(`${NOT_LISTED}, and how to drain it is not remembered: put its line back`);
    return this.run('drain', asRecorded(target, machine), { operationId, clusterId: machine.cluster, graceSeconds: gracePeriodSeconds }, signal);
  }

  /** Without a hook the machine stays on and is given back all the same: it costs nothing to hand it out again. */
  deleteInstance({ machine, operationId }: DeleteInstance, signal: AbortSignal): Promise<void> {
    return this.run('powerOff', this.listed(machine), { operationId }, signal);
  }

  async recoverInstance({ machine, lastError }: RecoverInstance, signal: AbortSignal): Promise<Recovery> {
    const { known, holders, log } = this.options;
    const { id } = machine;
    const rests: Recovery = machine.host ? 'idle' : 'speculative';
    // Clean, it is withdrawn: nobody else waits for its host then.
    if (!known.isListed(id)) return !isWithdrawn(lastError) && this.isAskedFor(id) ? this.recovered(id, rests, 'as asked for, and is withdrawn') : 'keep';
    // It did nothing when it was withdrawn, so there is nothing to clean up. Whether the host that it has by now is on, nobody knows.
    if (isWithdrawn(lastError)) {
      if (holders.obstacle(id) !== undefined) return 'keep';
      return this.recovered(id, known.line(id)?.hooks.powerOn ? 'speculative' : rests, 'the inventory file names it, and its host is free');
    }
    const target = this.listed(machine);
    const taken = holders.taken(target);
    if (taken !== undefined) {
      this.sayOnce(id, taken, () => log.warn({ machine: id }, `machine stays FAILED: ${taken}`));
      return 'keep';
    }
    if (this.isAskedFor(id)) return this.recovered(id, rests, 'as asked for');
    const hook = target.hooks.recover;
    if (!hook) {
      this.sayOnce(id, lastError, () => log.warn({ machine: id, lastError }, 'machine is FAILED and there is no recover hook: clean it by hand, then say so with --recover'));
      return 'keep';
    }
    try {
      await this.run('recover', target, { clusterId: machine.cluster, lastError }, signal);
    } catch (error) {
      if (!(error instanceof HookFailed)) throw error;
      this.sayOnce(id, error.message, () => log.warn({ machine: id, lastError: error.message }, 'machine stays FAILED; its recover hook is run again later'));
      return 'keep';
    }
    return this.recovered(id, hook.leaves === 'off' ? 'speculative' : rests, 'by its recover hook');
  }

  private isAskedFor(id: string): boolean {
    try {
      return this.options.requests.take(id);
    } catch (error) {
      // Its recover hook is worth trying all the same.
      this.options.log.error({ machine: id, err: error }, 'a --recover of this machine cannot be read: let the folder belong to the user of the provider');
      return false;
    }
  }

  private recovered(id: string, recovery: Recovery, how: string): Recovery {
    this.recoveries.delete(id);
    this.options.log.info({ machine: id }, `machine is back: ${how}`);
    return recovery;
  }

  private sayOnce(id: string, what: string, say: () => void): void {
    if (this.recoveries.get(id) === what) return;
    this.recoveries.set(id, what);
    say();
  }

  private listed(record: Machine): StaticMachine {
    const target = this.options.known.isListed(record.id) ? this.options.known.get(record.id) : undefined;
    if (!target) throw new Error(NOT_LISTED);
    return asRecorded(target, record);
  }

  /** For what begins on the machine: nobody else may have its host. */
  private free(record: Machine): StaticMachine {
    const target = this.listed(record);
    const taken = this.options.holders.taken(target);
    if (taken !== undefined) throw new Error(taken);
    return target;
  }

  /** A kind without a hook has nothing to do. */
  private async run(kind: HookKind, machine: StaticMachine, facts: HookFacts, signal: AbortSignal, input?: Uint8Array): Promise<void> {
    const hook = machine.hooks[kind];
    if (hook) await this.options.hooks.run({ kind, hook, machine, facts, ...(input && { input }) }, signal);
  }
}

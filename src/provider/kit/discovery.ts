import type { ProviderBackend } from './backend.ts';
import type { ProviderEvents } from './events.ts';
import { checkInstance } from './instance-check.ts';
import type { Entry } from './inventory.ts';
import { operationDuring } from './lifecycle.ts';
import { machineOf, type Instance, type Machine } from './machine.ts';
import type { OperationRunner } from './operation-runner.ts';
import type { ProviderCore } from './provider-core.ts';

export interface DiscoveryOptions {
  readonly core: ProviderCore;
  readonly runner: OperationRunner;
  readonly backend: ProviderBackend;
  readonly requireZone: boolean;
  readonly events: ProviderEvents;
}

/** A host must be missing from so many descriptions in a row before it counts as gone. */
const MISSES_UNTIL_GONE = 2;
const PROBLEMS_SHOWN = 5;

/** Learns from the backend which machines there are, at the first start and on every reconcile. */
export class Discovery {
  private readonly options: DiscoveryOptions;
  private readonly misses = new Map<string, number>();

  constructor(options: DiscoveryOptions) {
    this.options = options;
  }

  /** First start: takes over everything the backend describes. A bad instance stops the start and is named. */
  async seed(signal: AbortSignal): Promise<void> {
    const { core, backend, requireZone } = this.options;
    const instances = await backend.describe(signal);
    const problems = instances.flatMap((i) => checkInstance(i, requireZone).map((p) => `instance ${JSON.stringify(i.id)}: ${p.field} ${p.text}`));
    if (problems.length > 0) {
      const more = problems.length > PROBLEMS_SHOWN ? `\n… and ${problems.length - PROBLEMS_SHOWN} more` : '';
      throw new Error(`the backend describes instances that cannot be used:\n${problems.slice(0, PROBLEMS_SHOWN).join('\n')}${more}`);
    }
    for (const instance of instances) if (!core.inventory.get(instance.id)) core.commit(machineOf(instance), undefined, 'seed');
    core.finishSeeding();
  }

  /** Every later start: reports what is there, goes on with what was interrupted, or calls it failed. */
  resume(): void {
    const { core, runner, backend, events } = this.options;
    for (const entry of core.inventory.entries()) {
      const { machine, pending } = entry.stored;
      if (machine.state !== 'Speculative') events.onStateChange?.({ from: machine.state, machine, cause: 'restart' });
      const interrupted = operationDuring(machine.state);
      if (machine.state === 'Failed') runner.recover(entry);
      else if (pending && backend.resumable) runner.run(entry, pending);
      else if (interrupted) runner.fail(entry, `${interrupted} was interrupted by a restart of the provider`, 'fail');
    }
  }

  /**
   * Compares with the substrate: adds what is new, refreshes prices, probabilities, sizes and labels, and fails hosts
   * that are gone. Never removes a machine, never touches a binding; no change, no new revision.
   */
  async reconcile(signal: AbortSignal): Promise<void> {
    const { core, backend, requireZone, events } = this.options;
    const instances = await backend.describe(signal);
    const seen = new Set<string>();
    for (const instance of instances) {
      seen.add(instance.id);
      const problem = checkInstance(instance, requireZone)[0];
      if (problem) {
        events.onWarning?.(`instance ${JSON.stringify(instance.id)} is left out: ${problem.field} ${problem.text}`);
        continue;
      }
      const entry = core.inventory.get(instance.id);
      if (!entry) core.commit(machineOf(instance), undefined, 'seed');
      else this.refresh(entry, instance);
    }
    for (const entry of core.inventory.entries()) this.countMiss(entry, seen.has(entry.stored.machine.id));
  }

  private refresh(entry: Entry, instance: Instance): void {
    const { machine, pending } = entry.stored;
    const { pricePerHour, interruptionProbability, resources, labels } = instance;
    const next: Machine = {
      ...machine, pricePerHour, interruptionProbability, resources, labels,
      ...(instance.allocatable && { allocatable: instance.allocatable }),
    };
    if (attributesOf(next) !== attributesOf(machine)) this.options.core.commit(next, pending, 'seed');
  }

  private countMiss(entry: Entry, seen: boolean): void {
    const { id, host, state } = entry.stored.machine;
    if (seen || !host || state === 'Failed' || operationDuring(state)) return void this.misses.delete(id);
    const misses = (this.misses.get(id) ?? 0) + 1;
    this.misses.set(id, misses);
    if (misses < MISSES_UNTIL_GONE) return;
    this.misses.delete(id);
    this.options.runner.fail(entry, `the substrate no longer has host ${host.ref}`, 'interrupt');
  }
}

function attributesOf({ pricePerHour, interruptionProbability, resources, allocatable, labels }: Machine): string {
  return JSON.stringify([pricePerHour, interruptionProbability, sorted(resources), sorted(allocatable), sorted(labels)]);
}

function sorted(record: Readonly<Record<string, string>> | undefined): unknown {
  return record && Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

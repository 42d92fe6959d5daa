import type { Clock } from '../../lib/clock.ts';
import type { ProviderBackend } from './backend.ts';
import { DescriptionCheck } from './description-check.ts';
import type { ProviderEvents } from './events.ts';
import type { Entry } from './inventory.ts';
import { operationDuring } from './lifecycle.ts';
import { machineOf, type Instance, type Machine } from './machine.ts';
import type { OperationRunner } from './operation-runner.ts';
import type { ProviderCore } from './provider-core.ts';

export interface DiscoveryOptions {
  readonly core: ProviderCore;
  readonly runner: OperationRunner;
  readonly backend: ProviderBackend;
  readonly clock: Clock;
  readonly requireZone: boolean;
  /** A description that takes longer is given up; the next reconcile asks again. */
  readonly timeoutMs: number;
  readonly events: ProviderEvents;
}

/** A host must be missing from so many descriptions in a row before it counts as gone. */
const MISSES_UNTIL_GONE = 2;
/** When more than half of all hosts are missing at once it is rather the description that is wrong: so many, then. */
const MISSES_OF_MANY_UNTIL_GONE = 10;
/** With so few hosts more than half of them can well be gone. */
const FEW_HOSTS = 4;
const PROBLEMS_SHOWN = 5;

/** Learns from the backend which machines there are, at the first start and on every reconcile. */
export class Discovery {
  private readonly options: DiscoveryOptions;
  private readonly misses = new Map<string, number>();
  private running: Promise<void> | undefined;

  constructor(options: DiscoveryOptions) {
    this.options = options;
  }

  /** First start: takes over everything the backend describes. A bad instance stops the start and is named. */
  async seed(signal: AbortSignal): Promise<void> {
    const { core, backend, requireZone } = this.options;
    const instances = await backend.describe(signal);
    const check = new DescriptionCheck(requireZone);
    const problems = instances.flatMap((instance) =>
      check.problemsOf(instance).map((p) => `instance ${JSON.stringify(instance.id)}: ${p.field} ${p.text}`));
    if (problems.length > 0) {
      const more = problems.length > PROBLEMS_SHOWN ? `\n… and ${problems.length - PROBLEMS_SHOWN} more` : '';
      throw new Error(`the backend describes instances that cannot be used:\n${problems.slice(0, PROBLEMS_SHOWN).join('\n')}${more}`);
    }
    for (const instance of instances) if (!core.inventory.get(instance.id)) core.discover(machineOf(instance));
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
   * that are gone. Never removes a machine, never touches a binding; no change, no new revision. One at a time: whoever
   * asks meanwhile shares the one under way. Rejects with the backend's error, or when it takes too long.
   */
  reconcile(signal: AbortSignal): Promise<void> {
    return (this.running ??= this.compare(signal).finally(() => (this.running = undefined)));
  }

  private async compare(signal: AbortSignal): Promise<void> {
    const { core, requireZone, events } = this.options;
    const instances = await this.describe(signal);
    const check = new DescriptionCheck(requireZone);
    const isKnown = ({ id }: Instance): boolean => core.inventory.get(id) !== undefined;
    // Those that are known first: a host that serves is not to be taken for the one of a newcomer.
    for (const instance of [...instances.filter(isKnown), ...instances.filter((one) => !isKnown(one))]) {
      const problem = check.problemsOf(instance)[0];
      if (problem) {
        events.onWarning?.(`instance ${JSON.stringify(instance.id)} is left out: ${problem.field} ${problem.text}`);
        continue;
      }
      const entry = core.inventory.get(instance.id);
      if (!entry) core.discover(machineOf(instance));
      else this.refresh(entry, instance);
    }
    this.countMisses(new Set(instances.map(({ id }) => id)));
  }

  private async describe(signal: AbortSignal): Promise<readonly Instance[]> {
    const { backend, clock, timeoutMs } = this.options;
    const ended = new AbortController();
    const stop = (): void => ended.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    const tooLate = new Promise<never>((_, reject) => ended.signal.addEventListener('abort', () => reject(ended.signal.reason as Error), { once: true }));
    tooLate.catch(() => {});
    const cancel = clock.after(timeoutMs, () => ended.abort(new Error(`the backend did not describe itself within ${timeoutMs / 1000} s`)));
    try {
      return await Promise.race([backend.describe(ended.signal), tooLate]);
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
    }
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

  private countMisses(seen: ReadonlySet<string>): void {
    const hosts = this.options.core.inventory.entries().filter(restsOnHost);
    const missing = hosts.filter((entry) => !seen.has(entry.stored.machine.id));
    const many = missing.length > FEW_HOSTS && missing.length * 2 > hosts.length;
    if (many) {
      this.options.events.onWarning?.(
        `the backend no longer describes ${missing.length} of ${hosts.length} hosts; they count as gone when ${MISSES_OF_MANY_UNTIL_GONE} descriptions in a row lack them`,
      );
    }
    const counts = new Map(missing.map(({ stored: { machine } }) => [machine.id, (this.misses.get(machine.id) ?? 0) + 1]));
    this.misses.clear();
    for (const entry of missing) {
      const { id, host } = entry.stored.machine;
      const count = counts.get(id) ?? 0;
      if (count >= (many ? MISSES_OF_MANY_UNTIL_GONE : MISSES_UNTIL_GONE)) this.options.runner.fail(entry, `the substrate no longer has host ${host?.ref}`, 'interrupt');
      else this.misses.set(id, count);
    }
  }
}

/** Machines in transition are looked after by their operation, failed ones by recovery. */
function restsOnHost({ stored: { machine } }: Entry): boolean {
  return machine.host !== undefined && machine.state !== 'Failed' && operationDuring(machine.state) === undefined;
}

function attributesOf({ pricePerHour, interruptionProbability, resources, allocatable, labels }: Machine): string {
  return JSON.stringify([pricePerHour, interruptionProbability, sorted(resources), sorted(allocatable), sorted(labels)]);
}

function sorted(record: Readonly<Record<string, string>> | undefined): unknown {
  return record && Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

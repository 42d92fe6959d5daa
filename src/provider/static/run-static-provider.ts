import { join } from 'node:path';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { sleep, type Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { ProviderEvents, StateChangeEvent } from '../kit/events.ts';
import { openFileStore } from '../kit/file-store.ts';
import { serveProvider, type ProviderOptions, type RunningProvider } from '../kit/serve-provider.ts';
import type { StateStore } from '../kit/state-store.ts';
import { withoutForgottenHosts } from './forgotten-hosts.ts';
import { HostHolders } from './host-holders.ts';
import { HookRecords } from './hook-records.ts';
import { HookRunner } from './hook-runner.ts';
import type { StaticInventory } from './inventory.ts';
import { InventoryWatch } from './inventory-watch.ts';
import { KnownMachines } from './known-machines.ts';
import { parseInventory, readInventoryText } from './read-inventory.ts';
import { RecoveryRequests } from './recovery-requests.ts';
import { Roster } from './roster.ts';
import { hookMetrics, inventoryMetrics } from './static-metrics.ts';
import { StaticBackend } from './static-backend.ts';
import { stateFolders } from './state-folders.ts';

export interface StaticOptions {
  /** The inventory file. */
  readonly inventory: string;
  /** Where everything is remembered. */
  readonly state: string;
  readonly serving: Pick<ProviderOptions, 'address' | 'metricsAddress' | 'tlsFiles'>;
  /** How long running hooks may go on when the provider is told to end. */
  readonly shutdownGraceMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Told of every change of state, besides the log. */
  readonly onStateChange?: (event: StateChangeEvent) => void;
}

export interface RunningStatic {
  readonly provider: RunningProvider;
  /** Reads the inventory file now. */
  reload(): void;
  /** The file as it stands cannot be used: an earlier version is in use. */
  readonly isInventoryBroken: boolean;
  /** Lets running hooks end within the grace, ends the others, closes the store. */
  close(): Promise<void>;
}

/** Hooks have limits of their own, which are shorter; this one only keeps an operation from lasting for ever. */
const OPERATION_LIMIT_MS = 24 * 3_600_000;

/** Puts the static provider together: inventory, hooks, kit, and the watch over the inventory file. */
export async function runStaticProvider(options: StaticOptions): Promise<RunningStatic> {
  const store = openFileStore({ directory: options.state });
  try {
    return await start(options, store);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function start(options: StaticOptions, files: StateStore): Promise<RunningStatic> {
  const { clock, random, log, inventory: path } = options;
  const folders = stateFolders(options.state);
  const memory = join(options.state, 'machines.json');
  const known = new KnownMachines(memory);
  const first = firstVersion(path, known);
  const store = first.inventory && !known.inventory ? withoutForgottenHosts(files, first.inventory, memory) : files;
  if (first.inventory) known.adopt(first.inventory, () => true);
  const current = (): StaticInventory => known.inventory!;

  const records = new HookRecords(folders.hooks);
  await records.endLeftovers(clock, (machine, text) => log.warn({ machine }, text));
  const registry = new Registry();
  const hooks: HookRunner = new HookRunner({
    clock, random, log, records, concurrency: () => current().concurrency, directory: () => current().directory,
    onOutcome: hookMetrics(registry, () => hooks.running),
  });
  let provider: RunningProvider | undefined;
  const holders = new HostHolders(known);
  const roster = new Roster({ known, holders, log, provider: () => provider });
  const requests = new RecoveryRequests(folders.recover);
  const backend = new StaticBackend({
    known, holders, hooks, log, requests,
    records: () => provider?.machines() ?? [],
  });
  const limit = OPERATION_LIMIT_MS;
  const running = (provider = await serveProvider(backend, {
    ...options.serving, store, clock, registry,
    timeouts: { createMs: limit, configureMs: limit, drainMs: limit, deleteMs: limit },
    events: eventsOf(options, roster, requests),
  }));
  const watch = new InventoryWatch({
    path, clock, text: first.text,
    onVersion: (inventory) => roster.adopt(inventory),
    onProblem: (error) => log.error({ inventory: path, problems: error.message.split('\n') }, 'the inventory file cannot be used; the last good version stays in use'),
  });
  if (first.problem) watch.failed(first.problem);
  inventoryMetrics(registry, { isBroken: () => watch.isBroken, machines: () => current().machines.size, serving: () => roster.unlisted().length, withdrawn: () => roster.withdrawn() });
  roster.begin();
  await running.reconcile().catch((error: unknown) => log.warn({ err: error }, 'the machines could not be compared with the inventory'));

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    watch.stop();
    await endHooks(hooks, options);
    roster.stop();
    await running.close();
    await hooks.idle();
  };
  return {
    provider: running,
    reload: () => watch.reload(),
    get isInventoryBroken() {
      return watch.isBroken;
    },
    close: () => (closing ??= close()),
  };
}

/** Running hooks get the grace to end by themselves; what does not is named, and ended with the kit. */
async function endHooks(hooks: HookRunner, { clock, log, shutdownGraceMs }: StaticOptions): Promise<void> {
  hooks.hold();
  const enough = new AbortController();
  if (hooks.running.length > 0) log.info({ hooks: hooks.running.length, graceSeconds: shutdownGraceMs / 1_000 }, 'waiting for running hooks to end');
  await Promise.race([hooks.idle(), sleep(clock, shutdownGraceMs, enough.signal).catch(() => {})]);
  enough.abort();
  for (const { kind, machine, facts } of hooks.running) {
    log.warn({ machine: machine.instance.id, hook: kind, operation: facts.operationId }, 'hook is ended because the provider ends; the next start deals with its operation');
  }
}

interface FirstVersion {
  readonly text: string | undefined;
  readonly inventory?: StaticInventory;
  readonly problem?: Error;
}

/** The file's version or, if it cannot be used, the last good one; with neither there is nothing to serve. */
function firstVersion(path: string, known: KnownMachines): FirstVersion {
  try {
    const text = readInventoryText(path);
    return { text, inventory: parseInventory(text, path) };
  } catch (error) {
    if (!known.inventory || !(error instanceof Error)) throw error;
    return { text: undefined, problem: error };
  }
}

function eventsOf({ log, onStateChange }: StaticOptions, roster: Roster, requests: RecoveryRequests): ProviderEvents {
  return {
    onWarning: (text) => log.warn(text),
    onPersistence: ({ healthy, reason }) => (healthy ? log.info('the state can be persisted again') : log.error({ reason }, 'the state cannot be persisted: nothing is accepted meanwhile')),
    onTlsReload: ({ problem }) => (problem === undefined ? log.info('certificates taken over') : log.error({ problem }, 'the new certificates cannot be used; those before stay in use')),
    onCall: ({ rpc, machineId, outcome, operationId, clusterId }) =>
      log.debug({ rpc, machine: machineId, outcome, ...(operationId && { operation: operationId }), ...(clusterId && { cluster: clusterId }) }, 'call'),
    onStateChange(event) {
      const { from, machine, cause } = event;
      const fields = { machine: machine.id, from, to: machine.state, cause, ...(machine.cluster && { cluster: machine.cluster }) };
      if (machine.state === 'Failed' && cause !== 'restart') log.error({ ...fields, lastError: machine.lastError }, 'machine failed');
      else log[cause === 'seed' || cause === 'restart' ? 'debug' : 'info'](fields, 'machine changed');
      if (machine.state === 'Failed' && cause !== 'restart') dropRequest(machine.id, requests, log);
      roster.changed(event);
      onStateChange?.(event);
    },
  };
}

/** What somebody said before a machine failed says nothing of this failure. */
function dropRequest(machineId: string, requests: RecoveryRequests, log: Logger): void {
  try {
    if (requests.take(machineId)) log.warn({ machine: machineId }, 'a --recover from before this failure is not for it: clean the machine, then say so again');
  } catch (error) {
    log.error({ machine: machineId, err: error }, 'a --recover from before this failure may be taken for one of now');
  }
}

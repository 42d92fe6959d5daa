import type { Logger } from 'pino';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { UsageError } from '../../lib/usage-error.ts';
import { hookKinds, type HookKind } from './hook.ts';
import { HookRunner } from './hook-runner.ts';
import type { StaticInventory } from './inventory.ts';

export interface TrialOptions {
  readonly kind: string;
  readonly machineId: string;
  readonly clusterId: string;
  readonly graceSeconds: bigint;
  readonly blob: Uint8Array;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Runs one hook of one machine as the provider would, without a provider. Rejects with HookFailed; throws a UsageError for what is not there. */
export async function tryHook(inventory: StaticInventory, options: TrialOptions, signal: AbortSignal): Promise<void> {
  const { machineId, clusterId, graceSeconds, blob } = options;
  const kind = hookKinds.find((one): one is HookKind => one === options.kind);
  if (!kind) throw new UsageError(`--try: ${JSON.stringify(options.kind)} is no hook; hooks are ${hookKinds.join(', ')}`);
  const machine = inventory.machines.get(machineId);
  if (!machine) throw new UsageError(`--machine: the inventory file names no machine ${JSON.stringify(machineId)}; --check lists them`);
  const hook = machine.hooks[kind];
  if (!hook) throw new UsageError(`--try: machine ${machineId} has no hook ${kind}; it has ${Object.keys(machine.hooks).join(', ')}`);
  const hooks = new HookRunner({ ...options, concurrency: () => 1, directory: () => inventory.directory });
  const facts = { operationId: 'try', clusterId, graceSeconds, lastError: kind === 'recover' ? 'tried by hand' : '' };
  await hooks.run({ kind, hook, machine, facts, ...(kind === 'configure' && { input: blob }) }, signal);
}

import type { Command } from 'commander';
import type { Shard } from '../api/types.ts';
import { UsageError } from '../lib/usage-error.ts';
import type { KubeClient } from '../runtime/index.ts';

export type Mode = 'Active' | 'DryRun' | 'Paused';

interface ModeFlags {
  shard?: string;
  all?: boolean;
  dryRun?: boolean;
  kubeconfig?: string;
  namespace: string;
  output: string;
}

/** What became of one Shard. */
export interface ModeChange {
  readonly shard: string;
  readonly was: Mode;
  readonly mode: Mode;
}

const pauseHelp = `
A paused shard goes on planning and reporting: Shard.status, bigfleet explain and the audit log say what it would do. It
starts nothing at its provider and tells no operator to empty a Node. What its provider has begun already goes on to its
end; what it has decided and not begun waits, if it acquires, or is decided anew after resume, if it takes away.
It is written to spec.mode of the Shard object, where it stays until resume, also over restarts of the shard.

Examples:
  bigfleet pause                                stop acting, where there is one shard
  bigfleet pause --shard shard-2 --dry-run      mode DryRun: the same, but counted and audited as a dry run
  bigfleet pause --all                          stop the whole fleet

Exit codes: 0 said · 1 there is no such Shard, or the hub is out of reach, or refused one: the others are set all the same · 2 wrong flags, or several shards and none named`;

const resumeHelp = `
Ends pause and dry run: spec.mode of the Shard object becomes Active, and from its next plan on the shard acts again.

Example:
  bigfleet resume --shard shard-2

Exit codes: 0 said · 1 there is no such Shard, or the hub is out of reach, or refused one: the others are set all the same · 2 wrong flags, or several shards and none named`;

/** `bigfleet pause|resume`: the kill switch (spec: engine 10.5; control-crds, Shard.spec.mode). */
export function register(program: Command): void {
  const pause = hubFlags(program.command('pause')).description('stop a shard from acting; it goes on planning and reporting')
    .option('--dry-run', 'mode DryRun instead of Paused').addHelpText('after', pauseHelp);
  pause.action((flags: ModeFlags) => run(flags.dryRun ? 'DryRun' : 'Paused', flags));
  hubFlags(program.command('resume')).description('let a paused shard act again').addHelpText('after', resumeHelp)
    .action((flags: ModeFlags) => run('Active', flags));
}

function hubFlags(command: Command): Command {
  return command
    .option('--shard <name>', 'which Shard; may be left out where there is only one')
    .option('--all', 'every Shard of the namespace')
    .option('--kubeconfig <file>', 'the hub; default: $KUBECONFIG, then in-cluster')
    .option('--namespace <name>', 'where the Shard objects are', 'bigfleet-system')
    .option('-o, --output <format>', 'text or json', 'text');
}

async function run(mode: Mode, flags: ModeFlags): Promise<void> {
  const { output } = flags;
  if (output !== 'text' && output !== 'json') throw new UsageError(`-o: "${output}" is not a format; write text or json`);
  if (flags.all && flags.shard !== undefined) throw new UsageError('--all and --shard cannot both be given');
  const [{ createKubeClient, loadKubeConfig }, { systemClock }] = await Promise.all([import('../runtime/index.ts'), import('../lib/clock.ts')]);
  const config = loadKubeConfig(flags.kubeconfig === undefined ? {} : { path: flags.kubeconfig });
  const client = createKubeClient({ config, clock: systemClock, random: Math.random, fieldManager: 'bigfleet-cli', userAgent: 'bigfleet-cli' });
  try {
    const changes = await setMode(mode, flags.all ? 'every one' : { name: flags.shard }, flags.namespace, client);
    process.stdout.write(output === 'json' ? `${JSON.stringify({ kind: 'ShardModes', shards: changes }, undefined, 2)}\n` : `${changes.map(sentence).join('\n')}\n`);
  } finally {
    await client.close();
  }
}

function sentence({ shard, was, mode }: ModeChange): string {
  return was === mode ? `shard ${shard}: ${mode}, as it was` : `shard ${shard}: ${mode} (was ${was})`;
}

/**
 * Writes the mode to one Shard, the only one, or all. Throws, having written nothing, when it is not clear which is meant; where
 * one cannot be written the others are, and the error says which have the mode and which do not.
 */
export async function setMode(mode: Mode, which: { readonly name: string | undefined } | 'every one', namespace: string, client: KubeClient): Promise<ModeChange[]> {
  const { ShardResource } = await import('../api/resources.ts');
  const shards: { name: string; was: Mode }[] = [];
  for await (const { metadata, spec } of client.list<Shard>(ShardResource, { namespace })) {
    shards.push({ name: metadata.name, was: spec.mode ?? 'Active' });
  }
  const names = shards.map(({ name }) => name).sort();
  const where = `in namespace ${namespace} at ${client.server}`;
  if (names.length === 0) throw new Error(`there is no Shard ${where}`);
  const wanted = which === 'every one' ? names : [which.name ?? names[0]];
  if (which !== 'every one' && which.name === undefined && names.length > 1) throw new UsageError(`--shard: there are ${names.length} shards ${where} (${names.join(', ')}); name one, or say --all`);
  const meant = shards.filter(({ name }) => wanted.includes(name));
  if (meant.length === 0) throw new Error(`there is no Shard ${wanted.join()} ${where}; there are: ${names.join(', ')}`);
  const changes: ModeChange[] = [];
  const failures: string[] = [];
  for (const { name, was } of meant) {
    try {
      await client.patch(ShardResource, { namespace, name }, { spec: { mode } });
      changes.push({ shard: name, was, mode });
    } catch (error) {
      failures.push(`shard ${name} is not known to be ${mode}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (failures.length > 0) throw new Error([...failures, ...changes.map(sentence)].join('\n'));
  return changes;
}

import { Option, type Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import { durationMs } from './flags.ts';
import { addServingFlags, servingOptions, stateFolder, untilStopped, withPort, type ServingFlags } from './provider-serving.ts';

interface StaticFlags extends ServingFlags {
  inventory?: string;
  address?: string;
  shutdownGrace: string;
  check?: boolean;
  try?: string;
  machine?: string;
  cluster: string;
  grace: string;
  blob?: string;
  recover?: string;
  output: string;
}

const help = `
What it is:
  A capacity provider for machines that you have already. An inventory file says which there are; hooks, commands of
  yours, make one join a cluster, leave it, and switch it on and off. docs/providers/static.md walks through it.

The shortest inventory file:
  version: 1
  defaults:
    zone: rack-1
    instanceType: nuc
    resources: {cpu: 8, memory: 32Gi, pods: 110}
    hooks:
      configure: {run: [./configure.sh]}      the bootstrap blob is on standard input, the machine's facts in BIGFLEET_…
      drain: {run: [./drain.sh]}
  machines:
    - {id: host-1, address: 10.0.0.11}
    - {ids: "rack2-[01-40]", address: "{id}.example.net"}

Exit codes of hooks: 0 done · 75 or 255 (ssh could not connect): try again · anything else: the machine turns FAILED

The state folder (./static-state without --state) is the only record of which machine serves which cluster: keep it.

The file is looked at every two seconds, and at once on SIGHUP. A version that cannot be used is reported, and the last good one
stays in use. A machine whose line is removed serves on until it is drained and is never handed out again.

On stdout it prints one JSON line when it serves: {"event":"listening","address":…}. The log goes to stderr as JSON lines.

Examples:
  bigfleet provider static --inventory fleet.yaml --check
  bigfleet provider static --inventory fleet.yaml --try configure --machine host-1 --cluster prod --blob join.sh
  bigfleet provider static --inventory fleet.yaml --state /var/lib/bigfleet-static --addr :7790
  bigfleet provider static --state /var/lib/bigfleet-static --recover host-1      host-1 was FAILED and is clean again

Exit codes: 0 stopped by SIGTERM or SIGINT, or checked and good · 1 could not start or go on, or a tried hook failed
            2 wrong flags or inventory file`;

const DEFAULT_STATE = './static-state';

/** `bigfleet provider static`. */
export function registerStatic(provider: Command): void {
  const command = provider.command('static').description('serve machines that you own, listed in a file, by commands of yours');
  addServingFlags(command)
    .addOption(new Option('--address <host:port>', 'the same as --addr').hideHelp())
    .option('--inventory <file>', 'which machines there are and what their hooks are (YAML, see below)')
    .option('--shutdown-grace <time>', 'how long running hooks may go on after SIGTERM', '25s')
    .option('--check', 'only check the inventory file, and list its machines')
    .option('--try <hook>', 'only run this hook of one machine, in the foreground; not while a provider serves that machine')
    .option('--machine <id>', 'with --try: the machine')
    .option('--cluster <id>', 'with --try: the cluster', 'try')
    .option('--grace <time>', 'with --try drain: the grace period', '0s')
    .option('--blob <file>', 'with --try configure: what to give it on standard input')
    .option('--recover <id>', 'only tell the provider that uses --state that this FAILED machine is clean again')
    .option('-o, --output <table|json>', 'form of --check', 'table')
    .addHelpText('after', help)
    .action(run);
  // Other than with the other providers it is never without one.
  const state = command.options.find((option) => option.attributeName() === 'dataDir');
  if (state) state.description = `keep the state in this folder (default: ${DEFAULT_STATE}); it is the only record of what serves what`;
}

async function run(flags: StaticFlags): Promise<void> {
  if (flags.recover !== undefined) return recover(flags.recover, flags.dataDir ?? DEFAULT_STATE);
  if (flags.inventory === undefined) throw new UsageError('--inventory: give the file that lists your machines; --help shows the shortest one');
  if (!['table', 'json'].includes(flags.output)) throw new UsageError(`--output: "${flags.output}" must be table or json`);
  if (flags.check) return check(flags.inventory, flags.output);
  if (flags.try !== undefined) return tryOne(flags.try, flags.inventory, flags);
  return serve(flags.inventory, flags);
}

async function check(path: string, output: string): Promise<void> {
  const [{ parseInventory, readInventoryText }, { machineList, machineTable }] = await Promise.all([
    import('../provider/static/read-inventory.ts'), import('../provider/static/machine-table.ts'),
  ]);
  const inventory = parseInventory(readInventoryText(path), path);
  process.stdout.write(`${output === 'json' ? JSON.stringify(machineList(inventory), undefined, 2) : machineTable(inventory)}\n`);
}

async function tryOne(kind: string, path: string, flags: StaticFlags): Promise<void> {
  const [{ parseInventory, readInventoryText }, { tryHook }, { createLog }, { systemClock }, { readFile }] = await Promise.all([
    import('../provider/static/read-inventory.ts'), import('../provider/static/try-hook.ts'), import('../lib/log.ts'), import('../lib/clock.ts'), import('node:fs/promises'),
  ]);
  if (flags.machine === undefined) throw new UsageError('--machine: say of which machine the hook is to be tried');
  const blob = flags.blob === undefined ? new Uint8Array() : await readFile(flags.blob).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`--blob: cannot read ${flags.blob}: ${error.code}`);
  });
  const ended = new AbortController();
  const end = (): void => ended.abort(new Error('interrupted'));
  process.once('SIGINT', end).once('SIGTERM', end).once('SIGHUP', end);
  await tryHook(parseInventory(readInventoryText(path), path), {
    kind, machineId: flags.machine, clusterId: flags.cluster, blob, clock: systemClock, random: Math.random,
    graceSeconds: BigInt(Math.ceil(durationMs('--grace', flags.grace) / 1_000)), log: createLog('provider-static'),
  }, ended.signal);
  process.stdout.write(`${kind} of ${flags.machine}: done\n`);
}

async function recover(machineId: string, state: string): Promise<void> {
  const [{ RecoveryRequests }, { stateFolders }, { existsSync }] = await Promise.all([
    import('../provider/static/recovery-requests.ts'), import('../provider/static/state-folders.ts'), import('node:fs'),
  ]);
  if (!existsSync(state)) throw new UsageError(`--state: there is no directory ${state}; give the one that the provider uses`);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(machineId)) throw new UsageError(`--recover: ${JSON.stringify(machineId)} cannot be the id of a machine`);
  try {
    new RecoveryRequests(stateFolders(state).recover).ask(machineId);
  } catch (error) {
    throw new UsageError(`--recover: ${(error as Error).message}; say it as the user that the provider runs as`);
  }
  process.stdout.write(`${machineId}: if it is FAILED, it is offered again within half a minute\n`);
}

async function serve(inventory: string, flags: StaticFlags): Promise<void> {
  const serving = servingOptions({ ...flags, listen: flags.address ?? flags.listen });
  const shutdownGraceMs = durationMs('--shutdown-grace', flags.shutdownGrace);
  const state = stateFolder(flags.dataDir ?? DEFAULT_STATE);
  const [{ runStaticProvider }, { createLog }, { systemClock }] = await Promise.all([
    import('../provider/static/run-static-provider.ts'), import('../lib/log.ts'), import('../lib/clock.ts'),
  ]);
  const running = await runStaticProvider({ inventory, state, serving, shutdownGraceMs, clock: systemClock, random: Math.random, log: createLog('provider-static') });
  process.on('SIGHUP', () => running.reload());
  await untilStopped({ address: withPort(serving.address, running.provider.port) });
  await running.close();
}

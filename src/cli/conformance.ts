import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import type { Behaviour } from '../provider/conformance/behaviour.ts';
import type { StartedProvider } from '../provider/conformance/durable-lane.ts';
import type { Outcome, SuiteResult } from '../provider/conformance/outcome.ts';
import type { Selection } from '../provider/conformance/select.ts';
import type { Tls } from '../provider/list-protocol.ts';
import { durationMs, integer, listenAddress } from './flags.ts';
import { checkWritable, writeReport, type ReportFile } from './report-files.ts';

interface ConformanceFlags {
  target?: string;
  profile: string;
  only?: string;
  seed: string;
  output: string;
  junit?: string;
  json?: string;
  out?: string;
  reach: string;
  soak: string;
  scaleMachines: string;
  faultTimeout: string;
  start?: string;
  startStuck?: string;
  inUse?: boolean;
  keep?: boolean;
  list?: boolean;
  tlsCa?: string;
  tlsCert?: string;
  tlsKey?: string;
}

const FAILED = 1;
const INCOMPLETE = 3;
/** What a provider that we start is asked to have. */
const SLOTS = 512;
const READY_MS = 60_000;

const help = `
What it does:
  Speaks to a provider in any language as a shard would, and tries one by one what the contract promises. Each promise has
  an id (B301) that never changes; --list prints them with a sentence each. A failure shows what was expected, what came
  back, and the calls that led there. The provider should be one for testing, of its own: it must have SPECULATIVE slots to
  spare (256 are plenty), and nobody else may use it meanwhile. Machines are drained and deleted again afterwards.

Profiles (--profile, comma-separated; the baseline is always tried as well):
  core        the contract: 69 behaviours, Delete included
  cloud       core's demands on Delete alone          spot   needs SPOT machines, with an interruption probability
  bare-metal  core for fixed capacity, whose Delete is UNIMPLEMENTED
  fault       what becomes of failures; the provider must fail on request: when a machine joins a cluster called fault-error,
              fault-timeout, fault-slow-ok, fault-readiness-block or fault-drain-error (its Drain), and where a slot has the
              label conformance.fault/create=error
  scale       a large fleet: --scale-machines, --soak
  durable     what survives SIGKILL: the suite starts, kills and restarts the provider itself, by --start

Verdicts and exit codes:
  0 CERTIFIED   everything the profiles require was tried and kept
  1 FAILED      a promise was broken; or there is no provider at the target
  3 INCOMPLETE  something required was not tried: left out by --only, or the provider offers nothing to try it on.
                A skip is never a pass
  2 wrong flags, or a report that cannot be written

Examples:
  bigfleet conformance --target 127.0.0.1:9090
  bigfleet conformance --target 127.0.0.1:9090 --profile core,cloud,spot --out report/
  bigfleet conformance --target 127.0.0.1:9090 --only B301,B302 -o json
  bigfleet conformance --profile core,durable --start './my-provider --addr {addr} --state {state} --slots {seeds}'
  bigfleet conformance --profile core,durable --start './my-provider --addr {addr} --state {state}' \\
    --start-stuck './my-provider --addr {addr} --state {state} --stuck'
  bigfleet conformance --list

docs/conformance.md explains how to read failures.`;

export function register(program: Command): void {
  program
    .command('conformance')
    .description('try whether a provider keeps the contract, behaviour by behaviour')
    .option('--target <host:port>', 'the provider (env BIGFLEET_PROVIDER_TARGET)')
    .option('--profile <names>', 'what the provider claims to be', 'core')
    .option('--only <ids>', 'try only these behaviours; certifies nothing')
    .option('--seed <n>', 'seed of the random walks', '1')
    .option('-o, --output <format>', 'what to print in the end: table, or json (one document on standard output)', 'table')
    .option('--junit <file>', 'also write JUnit XML there')
    .option('--json <file>', 'also write the JSON report there')
    .option('--out <dir>', 'also write report.json, junit.xml and badge.json there')
    .option('--reach <time>', 'how long one transition may take; clouds need minutes', '15s')
    .option('--soak <time>', 'how long the scale profile goes on', '10s')
    .option('--scale-machines <n>', 'how many machines the scale profile expects at least', '8000')
    .option('--fault-timeout <time>', 'the transition timeout that a fault target runs with', '2s')
    .option('--start <command>', 'starts the provider, for durable and where there is no --target: {addr} is where it must serve, {state} the file or folder of its state, {seeds} how many slots it should have')
    .option('--start-stuck <command>', 'for B1006: the same, made so that a Configure for cluster fault-timeout does not end until it is given up, within --reach (default: --start)')
    .option('--in-use', 'go on though the provider serves clusters')
    .option('--keep', 'leave the machines as the tests left them')
    .option('--list', 'print the behaviours that the profiles require, and exit')
    .option('--tls-ca <file>', 'speak TLS; the provider\'s certificate must be signed by this CA')
    .option('--tls-cert <file>', 'our certificate, for a provider that asks for one')
    .option('--tls-key <file>', 'its key')
    .addHelpText('after', help)
    .action(run);
}

async function run(flags: ConformanceFlags): Promise<void> {
  const { output } = flags;
  if (output !== 'table' && output !== 'json') throw new UsageError(`-o: "${output}" is not a format; write table or json`);
  const { select } = await import('../provider/conformance/select.ts');
  const { claims, behaviours } = select(flags.profile, flags.only);
  if (flags.list) return printList(behaviours, output);

  const target = flags.target ?? (process.env['BIGFLEET_PROVIDER_TARGET'] || undefined);
  if (target === undefined && flags.start === undefined) throw new UsageError('--target: which provider? Write host:port, such as 127.0.0.1:9090, or say by --start how one is started');
  if (target !== undefined) listenAddress('--target', target);
  if (behaviours.some((b) => b.area === 'durability') && flags.start === undefined) {
    throw new UsageError('--start: the durable profile kills the provider and starts it again; say how, as in --start \'./my-provider --addr {addr} --state {state}\'');
  }
  const report = await import('../provider/conformance/report.ts');
  const files = reportFiles(flags, report);
  await checkWritable(files);
  const result = await tryProvider(flags, { claims, behaviours }, target, (outcome) => process.stderr.write(`${report.progressLine(outcome)}\n`));
  process.stdout.write(output === 'json' ? `${JSON.stringify(report.jsonReport(result), undefined, 2)}\n` : `\n${report.summary(result)}`);
  if (result.verdict !== 'CERTIFIED') process.exitCode = result.verdict === 'FAILED' ? FAILED : INCOMPLETE;
  // Last: what could not be written must not hide what was found.
  for (const file of files) await writeReport(file, file.render(result));
}

/** Tries the provider at `target`, or one that --start starts. */
async function tryProvider(flags: ConformanceFlags, selection: Selection, target: string | undefined, onOutcome: (outcome: Outcome) => void): Promise<SuiteResult> {
  const [{ runSuite }, { systemClock: clock }, { providerCredentials }, { providerCommand }] = await Promise.all([
    import('../provider/conformance/run-suite.ts'),
    import('../lib/clock.ts'),
    import('../provider/credentials.ts'),
    import('../provider/conformance/provider-command.ts'),
  ]);
  const scaleMachines = integer('--scale-machines', flags.scaleMachines, { min: 1 });
  const credentials = providerCredentials(await tlsOf(flags));
  const options = {
    ...selection, scaleMachines, credentials, clock, onOutcome,
    seed: integer('--seed', flags.seed, { min: 0 }),
    runId: randomBytes(4).toString('hex'),
    pace: {
      reachMs: durationMs('--reach', flags.reach, 1), stillMs: 300, markMs: 2_000, quietMs: 750,
      faultTimeoutMs: durationMs('--fault-timeout', flags.faultTimeout, 1), soakMs: durationMs('--soak', flags.soak, 1),
    },
    isInUse: flags.inUse ?? false,
    isKept: flags.keep ?? false,
  };
  return withInterrupt(async (signal) => {
    const folder = await mkdtemp(join(tmpdir(), 'bigfleet-conformance-'));
    let ours: StartedProvider | undefined;
    try {
      const starter = (flag: string, command: string | undefined) =>
        command === undefined ? undefined : providerCommand(flag, { command, folder, credentials, clock, readyMs: READY_MS });
      const [provider, stuck] = [starter('--start', flags.start), starter('--start-stuck', flags.startStuck)];
      const durable = provider && { provider, ...(stuck && { stuck }) };
      if (target === undefined) ours = await provider?.start('target', selection.claims.has('scale') ? Math.max(SLOTS, scaleMachines) : SLOTS);
      return await runSuite({ ...options, signal, target: target ?? ours?.address ?? '', ...(durable && { durable }) });
    } finally {
      await ours?.kill();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** The first Ctrl-C ends the run in an orderly way; the next one at once. */
async function withInterrupt<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const gone = new AbortController();
  const onInterrupt = (): void => {
    if (gone.signal.aborted) process.exit(130);
    process.stderr.write('interrupted: bringing machines back; once more to leave at once\n');
    gone.abort();
  };
  process.on('SIGINT', onInterrupt);
  try {
    return await work(gone.signal);
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

function printList(behaviours: readonly Behaviour[], output: 'table' | 'json'): void {
  const rows = behaviours.map(({ id, area, profiles, promise }) => ({ id, area, profiles, promise }));
  if (output === 'json') return void process.stdout.write(`${JSON.stringify(rows, undefined, 2)}\n`);
  const width = Math.max(...rows.map(({ id }) => id.length));
  for (const { id, area, promise } of rows) process.stdout.write(`${id.padEnd(width)}  ${area.padEnd(11)}  ${promise}\n`);
}

async function tlsOf({ tlsCa, tlsCert, tlsKey }: ConformanceFlags): Promise<Tls | undefined> {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw new UsageError('--tls-cert and --tls-key belong together: give both or neither');
  if (tlsCa === undefined && tlsCert === undefined) return undefined;
  const [ca, certificate, key] = await Promise.all([
    pem('--tls-ca', tlsCa, (text) => new X509Certificate(text)), // a context takes any text for an authority
    pem('--tls-cert', tlsCert, (text) => new X509Certificate(text)),
    pem('--tls-key', tlsKey, (text) => createPrivateKey(text)),
  ]);
  if (certificate && key) usable(`--tls-cert and --tls-key: ${tlsCert} and ${tlsKey} cannot be used together`, () => createSecureContext({ cert: certificate, key }));
  return { ...(ca && { ca }), ...(certificate && { certificate }), ...(key && { key }) };
}

async function pem(flag: string, file: string | undefined, parse: (text: Buffer) => unknown): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file).catch((error: unknown) => {
    throw new UsageError(`${flag}: cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  });
  usable(`${flag}: ${file} cannot be used`, () => parse(text));
  return text;
}

function usable(what: string, parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    throw new UsageError(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Everything that is wanted as a file, and what will be in it. */
function reportFiles({ junit, json, out }: ConformanceFlags, report: typeof import('../provider/conformance/report.ts')): readonly (ReportFile & { render(result: SuiteResult): string })[] {
  const asJson = (result: SuiteResult): string => `${JSON.stringify(report.jsonReport(result), undefined, 2)}\n`;
  const files = [];
  if (json !== undefined) files.push({ flag: '--json', path: json, render: asJson });
  if (junit !== undefined) files.push({ flag: '--junit', path: junit, render: report.junit });
  if (out !== undefined) {
    const badge = (result: SuiteResult): string => `${JSON.stringify(report.badge(result))}\n`;
    for (const [name, render] of [['report.json', asJson], ['junit.xml', report.junit], ['badge.json', badge]] as const) files.push({ flag: '--out', path: join(out, name), render });
  }
  return files;
}

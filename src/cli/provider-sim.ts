import { Option, type Command } from 'commander';
import { addServingFlags, servingOptions, stateFolder, untilStopped, withPort, type ServingFlags } from './provider-serving.ts';

interface SimFlags extends ServingFlags {
  seedFile?: string;
  seedCount?: string;
  operationLog?: string;
  adminListen?: string;
  nodeAgent?: string;
  createMs: string;
  configureMs: string;
  configureTimeoutMs: string;
  drainMs: string;
  deleteMs: string;
  recoverMs: string;
  failureRate: string;
  interruptRate: string;
  seed: string;
  iKnowThisIsSimulated?: boolean;
}

const help = `
What it is:
  A capacity provider whose machines exist only as timers. It speaks the same six RPCs as a real one, keeps its state
  over restarts and crashes, and can be told to fail. With --node-agent, its machines join clusters as simulated Nodes.

Seed file: one instance per line, JSON. state is Speculative (can be created) or Idle (exists from the start):
  {"id":"m-1","instanceType":"c8","zone":"a","capacityType":"OnDemand","pricePerHour":0.38,"resources":{"cpu":"8","memory":"32Gi"},"labels":{}}
  {"id":"m-2","instanceType":"c8","zone":"a","capacityType":"Spot","pricePerHour":0.13,"interruptionProbability":0.02,"resources":{"cpu":"8"},"labels":{}}
It is read only while the data directory is empty; afterwards the data directory knows best.

On stdout it prints one JSON line when it serves: {"event":"listening","address":…,"adminAddress":…}.

Examples:
  bigfleet provider sim --i-know-this-is-simulated --seed-count 100
  bigfleet provider sim --i-know-this-is-simulated --seed-file fleet.jsonl --data-dir ./provider --admin-listen 127.0.0.1:0
  curl -d '{"capacityType":"Spot","count":2}' http://ADMIN/interrupt      take two bound Spot machines away

What a kill cuts off is taken up again by the next start, so a conformance suite that wants to see it FAILED (B1006) needs a Configure
that does not end:
  bigfleet conformance --profile durable \\
    --start 'hack/bigfleet-provider sim --i-know-this-is-simulated --addr {addr} --state {state} --seed-count {seeds}' \\
    --start-stuck 'hack/bigfleet-provider sim --i-know-this-is-simulated --addr {addr} --state {state} --seed-count {seeds} \\
      --configure-ms 600000 --configure-timeout-ms 5000 --recover-ms 600000'

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags or seed file`;

/** `bigfleet provider sim`. */
export function registerSim(provider: Command): void {
  const command = provider.command('sim').description('serve simulated machines (for demonstrations and tests, never for production)');
  addServingFlags(command)
    .option('--seed-file <file>', 'the machines there are, as JSON lines (see below)')
    .option('--seed-count <n>', 'instead of a file: so many made-up machines')
    .option('--operation-log <file>', 'append every call and every change of state as JSON lines')
    .option('--admin-listen <host:port>', 'serve /interrupt, /state and /healthz here')
    .option('--node-agent <url>', 'make machines join, leave and die through this URL, e.g. http://127.0.0.1:8081')
    .option('--create-ms <ms|from-to>', 'how long a Create takes', '400-1500')
    .option('--configure-ms <ms|from-to>', 'how long a Configure takes before the machine joins', '300-1000')
    .option('--configure-timeout-ms <ms>', 'when a Configure is given up and its machine FAILED', '300000')
    .option('--drain-ms <ms|from-to>', 'how long a Drain goes on after the last Pod', '200')
    .option('--delete-ms <ms|from-to>', 'how long a Delete takes', '500')
    .option('--recover-ms <ms|from-to>', 'how long a failed machine stays FAILED before it is replaced', '3000')
    .option('--failure-rate <kind=share,…>', 'share of operations that fail: create, configure, drain, delete', '')
    .option('--interrupt-rate <n>', 'interruptions per hour and bound Spot machine', '0')
    .option('--seed <n>', 'seed of latencies, failures and victims', '1')
    .addOption(new Option('--i-know-this-is-simulated', 'required: these machines do not exist').env('BIGFLEET_SIMULATED'))
    .addHelpText('after', help)
    .action(runSim);
}

async function runSim(flags: SimFlags): Promise<void> {
  const [{ UsageError, parseAddress, parseFailureRates, parseNumber, parseSpan }, { readSeedFile }, { builtInSeeds }, { runSimProvider }] = await Promise.all([
    import('../provider/sim/settings.ts'),
    import('../provider/sim/seed-file.ts'),
    import('../provider/sim/built-in-seeds.ts'),
    import('../provider/sim/run-sim-provider.ts'),
  ]);
  if (!flags.iKnowThisIsSimulated) {
    throw new UsageError('this provider only pretends to have machines; add --i-know-this-is-simulated (or set BIGFLEET_SIMULATED=1) if that is what you want');
  }
  if ((flags.seedFile === undefined) === (flags.seedCount === undefined)) {
    throw new UsageError('give either --seed-file FILE or --seed-count N: without seeds there is no machine to offer');
  }
  if (flags.nodeAgent !== undefined && !URL.canParse(flags.nodeAgent)) {
    throw new UsageError(`--node-agent: ${JSON.stringify(flags.nodeAgent)} is not a URL; for example http://127.0.0.1:8081`);
  }
  const { address: listen, ...serving } = servingOptions(flags);
  const { seedFile } = flags;
  const seedCount = flags.seedCount === undefined ? 0 : parseNumber('--seed-count', flags.seedCount, 1, 1_000_000);
  const sim = await runSimProvider({
    listen,
    serving,
    seeds: () => (seedFile === undefined ? builtInSeeds(seedCount) : readSeedFile(seedFile)),
    ...(flags.dataDir !== undefined && { dataDir: stateFolder(flags.dataDir) }),
    ...(flags.operationLog !== undefined && { operationLog: flags.operationLog }),
    ...(flags.adminListen !== undefined && { admin: parseAddress('--admin-listen', flags.adminListen) }),
    ...(flags.nodeAgent !== undefined && { nodeAgent: flags.nodeAgent }),
    create: parseSpan('--create-ms', flags.createMs),
    configure: parseSpan('--configure-ms', flags.configureMs),
    configureTimeoutMs: parseNumber('--configure-timeout-ms', flags.configureTimeoutMs, 1),
    drain: parseSpan('--drain-ms', flags.drainMs),
    delete: parseSpan('--delete-ms', flags.deleteMs),
    recover: parseSpan('--recover-ms', flags.recoverMs),
    failureRates: parseFailureRates('--failure-rate', flags.failureRate),
    interruptionsPerHour: parseNumber('--interrupt-rate', flags.interruptRate, 0),
    seed: parseNumber('--seed', flags.seed, 0),
    onWarning: (text) => process.stderr.write(`provider sim: ${text}\n`),
  });
  await untilStopped({
    address: withPort(listen, sim.provider.port),
    ...(flags.adminListen !== undefined && sim.adminPort !== undefined && { adminAddress: withPort(flags.adminListen, sim.adminPort) }),
  });
  await sim.close();
}

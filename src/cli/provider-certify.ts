import type { Command } from 'commander';
import { addServingFlags, servingOptions, stateFolder, untilStopped, withPort, type ServingFlags } from './provider-serving.ts';

interface CertifyFlags extends ServingFlags {
  seedCount: string;
  latencyMs: string;
  seed: string;
}

const help = `
What it is:
  The kit with slots that all wait to be created, as conformance suites want it: asynchronous and quick, nothing fails, and
  with --state everything acknowledged is on the disk and outlives SIGKILL. Slots are of all capacity types, in three zones.

Slots: a suite uses up some hundred of them and skips tests without saying so when there are none left: not fewer than
256. The scale profile wants 8000. Restart without --state between runs: some tests leave large machines behind.

On stdout it prints one JSON line when it serves: {"event":"listening","address":…}.

Examples:
  bigfleet provider certify --addr 127.0.0.1:9090
  bigfleet provider certify --addr 127.0.0.1:9090 --seed-count 8000                    scale
  bigfleet provider certify --addr 127.0.0.1:9090 --use-fake-backend --state ./state   durable: kill -9, start again
  bigfleet provider fault --addr 127.0.0.1:9090                                        the provider of the fault profile

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags`;

/** `bigfleet provider certify`. */
export function registerCertify(provider: Command): void {
  const command = provider.command('certify').description('serve made-up slots for a conformance suite (never for production)');
  addServingFlags(command)
    .option('--seed-count <n>', 'how many slots', '512')
    .option('--latency-ms <ms|from-to>', 'what each step takes', '20-60')
    .option('--seed <n>', 'seed of the latencies', '1')
    .option('--use-fake-backend', 'accepted, and true anyhow: these machines do not exist')
    .addHelpText('after', help)
    .action(runCertify);
}

async function runCertify(flags: CertifyFlags): Promise<void> {
  const [{ parseNumber, parseSpan }, { offers }, { runSimProvider }] = await Promise.all([
    import('../provider/sim/settings.ts'),
    import('../provider/sim/built-in-seeds.ts'),
    import('../provider/sim/run-sim-provider.ts'),
  ]);
  const { address: listen, ...serving } = servingOptions(flags);
  const count = parseNumber('--seed-count', flags.seedCount, 1, 1_000_000);
  const span = parseSpan('--latency-ms', flags.latencyMs);
  const sim = await runSimProvider({
    listen,
    serving,
    seeds: () => offers(count, 'certify'),
    ...(flags.dataDir !== undefined && { dataDir: stateFolder(flags.dataDir) }),
    durability: 'disk',
    create: span, configure: span, drain: span, delete: span, recover: span,
    failureRates: { create: 0, configure: 0, drain: 0, delete: 0 },
    interruptionsPerHour: 0,
    seed: parseNumber('--seed', flags.seed, 0),
    onWarning: (text) => process.stderr.write(`provider certify: ${text}\n`),
  });
  await untilStopped({ address: withPort(listen, sim.provider.port) });
  await sim.close();
}

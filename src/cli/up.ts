import { Option, type Command } from 'commander';
import type { UpFlags } from '../up/settings.ts';

const help = `
What it does:
  Starts everything on this machine: embedded API servers for a hub and some clusters, a simulated provider, the shard and
  one agent per cluster, all as processes; plays a demand; watches the result from outside; prints a report. Needs no
  cluster, no container engine and no account. Progress goes to stderr, the report to stdout.

Examples:
  bigfleet up                                   the built-in demand: about 300 Pods in a minute
  bigfleet up --trace DIR -o json               replay a trace of two CSV files, report as one JSON document
  bigfleet up --kill shard@15 --kill world@25   kill processes in mid-run; they are started again with their state
  bigfleet up --keep                            stay up afterwards; look around with kubectl and the printed kubeconfigs

Exit codes: 0 every Pod was served, nothing is left, no rule was broken · 1 otherwise, or it could not run · 2 wrong flags or trace`;

export function register(program: Command): void {
  program
    .command('up')
    .description('the demonstration: a whole fleet on this machine, and a report of how it went')
    .option('--trace <dir>', 'replay the trace in this folder instead of the built-in demand')
    .option('--duration <time>', 'time over which the Pods arrive', '60s')
    .option('--clusters <n>', 'managed clusters', '3')
    .option('--pods <n>', 'fewer Pods: the first so many of the trace, or about so many built-in ones')
    .option('--keep', 'stay up at the end until Ctrl-C')
    .option('-o, --output <format>', 'text or json', 'text')
    .option('--data-dir <dir>', 'keep state and logs here (a new or an empty folder)')
    .option('--kill <name@seconds>', 'kill -9 shard, provider, world or agent-N so long after the start of the demand (repeatable)', collect, [])
    .option('--port-base <port>', 'use consecutive ports from here instead of free ones')
    .option('--time-limit <time>', 'end and say what is left if it takes longer', '300s')
    .addOption(new Option('--pod-demand <from>', 'requests: a CapacityRequest for each Pod; direct: the operator reads Pods itself').choices(['direct', 'requests']).default('requests'))
    .optionsGroup('Settings that are compressed for the demonstration:')
    .option('--rollup-interval <time>', 'how often clusters report their needs', '1s')
    .option('--cycle <time>', 'longest time between two plans', '1s')
    .option('--poll <time>', 'how often the shard asks the provider for changes', '250ms')
    .option('--reclaim-grace <time>', 'time that Pods get to leave an excess machine', '5s')
    .option('--preemption-grace <t1,t2,t3,t4>', 'time that Pods get to leave for demand of a priority higher by more than 900000, 500000, 100000, and less', '1s,2s,3s,5s')
    .option('--reclaim-cap <share>', "share of a cluster's machines that one plan may reclaim; 0 = no cap", '0.25')
    .option('--max-drains <n>', 'machines of one cluster on their way out at a time', '50')
    .option('--hold-on-demand <time>', 'how long an idle on-demand machine is kept', '8s')
    .option('--hold-spot <time>', 'how long an idle spot machine is kept', '2s')
    .option('--occupied-excess <time>', 'how long a machine with Pods must be left over before it is reclaimed', '10s')
    .option('--lifeless-grace <time>', 'how long a Node whose machine the shard no longer names must be NotReady before it is deleted', '10s')
    .option('--create-ms <ms|from-to>', 'how long the provider takes to create a machine', '400-1500')
    .option('--configure-ms <ms|from-to>', '… to configure it', '300-1000')
    .option('--node-ready-ms <ms>', '… and how long its Node then takes until it is Ready', '300')
    .option('--drain-ms <ms|from-to>', '… and to drain it after the last Pod', '200')
    .option('--delete-ms <ms|from-to>', '… to give it back', '500')
    .option('--recover-ms <ms|from-to>', '… to replace a failed one', '3000')
    .option('--lease-duration <time>', 'how long a Lease lasts', '3s')
    .option('--lease-renew <time>', 'how long a renewal may be tried', '2s')
    .option('--lease-retry <time>', 'pause between tries', '500ms')
    .option('--qps <n>', 'requests per second of each component to an API server', '1000')
    .option('--burst <n>', 'requests at once', '2000')
    .addHelpText('after', help)
    .action(run);
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

async function run(flags: UpFlags): Promise<void> {
  const [{ readSettings }, { runUp }, { systemClock }] = await Promise.all([
    import('../up/settings.ts'),
    import('../up/run-up.ts'),
    import('../lib/clock.ts'),
  ]);
  const settings = readSettings(flags);
  const stop = new AbortController();
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(1); // a second signal does not wait; the processes notice that we are gone
    stop.abort(new Error('stopped by a signal'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.exitCode = await runUp(settings, {
    clock: systemClock,
    random: Math.random,
    signal: stop.signal,
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    terminal: process.stderr.isTTY,
  });
}

import type { Command } from 'commander';
import { addServingFlags, servingOptions, stateFolder, untilStopped, withPort, type ServingFlags } from './provider-serving.ts';
import { selectorHelp } from '../provider/fault/selectors.ts';

interface FaultFlags extends ServingFlags {
  seedCount: string;
  seedFile?: string;
  errorSlots: string;
  timeoutMs: string;
  latencyMs: string;
  slowMs: string;
  interruptAfterMs: string;
  operationLog?: string;
  adminListen?: string;
}

const help = `
What it is:
  A provider for tests of whatever calls providers. It works, except where it is told to go wrong: by the name of the
  cluster that a machine is configured for, by a label of the slot, or through its control panel. A FAILED machine stays
  FAILED, and what was under way when the process died is FAILED afterwards.

By cluster: Configure a machine for one of these.
  fault-<fault>         Configure goes wrong                       fault-error, fault-timeout, fault-slow-ok, …
  fault-drain-<fault>   Configure works, the Drain goes wrong      fault-drain-error, fault-drain-slow, …
  fault-ready-<fault>   its Node does not get ready                fault-ready-error; fault-readiness-block = fault-ready-timeout
  fault-interrupt       Configure works; later the machine is FAILED by itself (--interrupt-after-ms)

By label of the slot, where <step> is create, configure, ready, drain or delete (--seed-file has labels):
  conformance.fault/<step>=<fault>         --error-slots makes slots with conformance.fault/create=error

Faults:
${selectorHelp()}

By the control panel (--admin-listen), as JSON in the body:
  POST /fail     {"machineId":"m","reason":"disk"}                      break a machine that has a host
  POST /release  {"machineId":"m","to":"idle"}                          make a FAILED machine usable: "idle" or "speculative"
  POST /answers  {"rpc":"Create","code":"RESOURCE_EXHAUSTED","times":3}  refuse the next 3 calls of it; nothing is done
  POST /answers  {"rpc":"Drain","lost":true}                            do what the next one asks for, and lose the answer
  POST /answers  {"rpc":"List","missing":1,"times":2}                   leave all (or the share) of the machines out of Lists
  GET /state                                                            machines by state

On stdout it prints one JSON line when it serves: {"event":"listening","address":…,"adminAddress":…}.

Examples:
  bigfleet provider fault --addr 127.0.0.1:9090
  bigfleet provider fault --addr 127.0.0.1:9090 --state ./fault-state --timeout-ms 30000
  curl -d '{"rpc":"List","missing":1}' http://ADMIN/answers               the next List is empty

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags or seed file`;

/** `bigfleet provider fault`. */
export function registerFault(provider: Command): void {
  const command = provider.command('fault').description('serve slots that go wrong where they are told to (for tests, never for production)');
  addServingFlags(command)
    .option('--seed-count <n>', 'slots that nothing is wrong with', '128')
    .option('--error-slots <n>', 'slots in addition whose Create fails', '8')
    .option('--seed-file <file>', 'instead of made-up slots: these, as JSON lines (bigfleet provider sim --help)')
    .option('--timeout-ms <ms>', 'when an operation is given up and its machine FAILED', '2000')
    .option('--latency-ms <ms>', 'what a step takes that nothing is wrong with', '20')
    .option('--slow-ms <ms>', 'what a slow step takes', '1000')
    .option('--interrupt-after-ms <ms>', 'when a machine in cluster fault-interrupt breaks', '500')
    .option('--operation-log <file>', 'append every call and every change of state as JSON lines')
    .option('--admin-listen <host:port>', 'serve the control panel here')
    .option('--use-fake-backend', 'accepted, and true anyhow')
    .addHelpText('after', help)
    .action(runFault);
}

async function runFault(flags: FaultFlags): Promise<void> {
  const [{ parseAddress, parseNumber }, { readSeedFile }, { faultSeeds }, { runFaultProvider }, { openFileStore }, { memoryStore }] = await Promise.all([
    import('../provider/sim/settings.ts'),
    import('../provider/sim/seed-file.ts'),
    import('../provider/fault/fault-seeds.ts'),
    import('../provider/fault/run-fault-provider.ts'),
    import('../provider/kit/file-store.ts'),
    import('../provider/kit/state-store.ts'),
  ]);
  const serving = servingOptions(flags);
  const { seedFile } = flags;
  const [seedCount, errorSlots] = [parseNumber('--seed-count', flags.seedCount, 1, 1_000_000), parseNumber('--error-slots', flags.errorSlots, 0, 1_000_000)];
  const options = {
    seeds: () => (seedFile === undefined ? faultSeeds(seedCount, errorSlots) : readSeedFile(seedFile)),
    timeoutMs: parseNumber('--timeout-ms', flags.timeoutMs, 1),
    latencyMs: parseNumber('--latency-ms', flags.latencyMs, 0),
    slowMs: parseNumber('--slow-ms', flags.slowMs, 0),
    interruptAfterMs: parseNumber('--interrupt-after-ms', flags.interruptAfterMs, 0),
    ...(flags.operationLog !== undefined && { operationLog: flags.operationLog }),
    ...(flags.adminListen !== undefined && { admin: parseAddress('--admin-listen', flags.adminListen) }),
    onWarning: (text: string) => void process.stderr.write(`provider fault: ${text}\n`),
  };
  const directory = flags.dataDir === undefined ? undefined : stateFolder(flags.dataDir);
  const store = directory === undefined ? memoryStore() : openFileStore({ directory });
  const fault = await runFaultProvider({ ...options, serving: { ...serving, store } });
  await untilStopped({
    address: withPort(serving.address, fault.provider.port),
    ...(flags.adminListen !== undefined && fault.adminPort !== undefined && { adminAddress: withPort(flags.adminListen, fault.adminPort) }),
  });
  await fault.close();
}

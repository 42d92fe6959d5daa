import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import { integer, listenAddress } from './flags.ts';

interface WorldFlags {
  dataDir: string;
  hubPort: string;
  cluster: string[];
  nodeAgentListen: string;
  nodeReadyMs: string;
  hubObjects?: string;
  demand?: string;
  providerAdmin?: string;
  start?: boolean;
}

const help = `
What it is:
  The surroundings of BigFleet as one process, for demonstrations and tests: an embedded API server for the hub and for
  each cluster, schedulers, kubelets, machines that join, and a workload. Nobody runs production on it.

What it writes into --data-dir:
  hub.kubeconfig, CLUSTER.kubeconfig   for kubectl --kubeconfig
  demand.jsonl                         what the workload did; a restart continues from it

Examples:
  bigfleet world --data-dir ./w --hub-port 7000 --cluster a=7001 --cluster b=7002 --node-agent-listen 127.0.0.1:7010
  kubectl --kubeconfig ./w/a.kubeconfig get nodes

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags or input files`;

export function register(program: Command): void {
  program
    .command('world')
    .description('embedded API servers with simulated schedulers, kubelets, machines and demand (never for production)')
    .requiredOption('--data-dir <dir>', 'all state; a restart with the same one goes on')
    .option('--hub-port <port>', 'port of the hub; 0 takes a free one', '0')
    .option('--cluster <id=port>', 'a managed cluster (repeatable)', collect, [])
    .option('--node-agent-listen <host:port>', 'where the provider makes machines join, leave and die', '127.0.0.1:0')
    .option('--node-ready-ms <ms>', 'how long a Node takes from its appearance until it is Ready', '300')
    .option('--hub-objects <file>', 'JSON list of {type, object} to create in the hub')
    .option('--demand <file>', 'the workload, as bigfleet up plans it')
    .option('--provider-admin <url>', 'control panel of the sim provider, for interruptions')
    .option('--start', 'begin the workload at once instead of when the supervisor says so')
    .addHelpText('after', help)
    .action(run);
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

const HUB = 'hub';

/** Reads `--cluster` flags. Throws a UsageError if one is malformed, or takes an id or a port that is taken already. */
export function clusterFlags(texts: readonly string[], hubPort: number): { id: string; port: number }[] {
  const ids = new Set<string>();
  const takenBy = new Map([[hubPort, '--hub-port']]);
  return texts.map((text) => {
    const [, id = '', digits = ''] = /^([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)=(\d+)$/.exec(text) ?? [];
    if (id === '') throw new UsageError(`--cluster: "${text}" is not ID=PORT; write for instance cluster-1=7001`);
    const port = integer('--cluster', digits, { min: 0, max: 65_535 });
    if (id === HUB) throw new UsageError(`--cluster: "${text}": the id ${HUB} is the hub's own; choose another`);
    if (ids.has(id)) throw new UsageError(`--cluster: "${text}": the id ${id} is given twice; every cluster needs its own`);
    const other = port === 0 ? undefined : takenBy.get(port);
    if (other !== undefined) throw new UsageError(`--cluster: "${text}": port ${port} is taken by ${other}; every API server needs its own`);
    ids.add(id);
    takenBy.set(port, `--cluster ${text}`);
    return { id, port };
  });
}

async function run(flags: WorldFlags): Promise<void> {
  const hubPort = integer('--hub-port', flags.hubPort, { min: 0, max: 65_535 });
  const clusters = clusterFlags(flags.cluster, hubPort);
  listenAddress('--node-agent-listen', flags.nodeAgentListen);
  const at = flags.nodeAgentListen.lastIndexOf(':');
  const nodeAgent = { host: flags.nodeAgentListen.slice(0, at), port: integer('--node-agent-listen', flags.nodeAgentListen.slice(at + 1), { min: 0, max: 65_535 }) };
  const [{ startWorld }, { isWorldCommand }, { systemClock }, { createLog }, { readDemand, readHubObjects }, { fileURLToPath }] = await Promise.all([
    import('../world/world.ts'),
    import('../world/supervision.ts'),
    import('../lib/clock.ts'),
    import('../lib/log.ts'),
    import('../world/input-file.ts'),
    import('node:url'),
  ]);
  const send = (message: object): void => {
    if (process.connected) process.send?.(message);
  };
  const world = await startWorld({
    dataDir: flags.dataDir,
    crdDir: fileURLToPath(new URL('../../config/crd/bases', import.meta.url)),
    hubPort,
    clusters,
    nodeAgent,
    nodeReadyMs: integer('--node-ready-ms', flags.nodeReadyMs, { min: 0, max: 3_600_000 }),
    hubObjects: flags.hubObjects === undefined ? [] : readHubObjects(flags.hubObjects),
    ...(flags.demand !== undefined && { demand: readDemand(flags.demand, clusters.map(({ id }) => id)) }),
    ...(flags.providerAdmin !== undefined && { providerAdmin: flags.providerAdmin }),
    clock: systemClock,
    random: Math.random,
    log: createLog('world'),
    tell: (event) => {
      process.stderr.write(`${JSON.stringify(event)}\n`);
      send({ kind: 'told', event });
    },
  });
  const { generator } = world;
  process.on('message', (message) => {
    if (isWorldCommand(message) && generator && !generator.started) generator.start();
  });
  try {
    if (flags.start && generator && !generator.started) generator.start();
  } catch (error) {
    await world.close(); // its API servers would keep the process alive
    throw error;
  }
  const report = setInterval(() => generator && send({ kind: 'counts', ...generator.counts() }), 500);
  const urls = Object.fromEntries([...world.clusters].map(([id, plane]) => [id, plane.url]));
  process.stdout.write(`${JSON.stringify({ event: 'listening', hub: world.hub.url, clusters: urls, nodeAgent: world.nodeAgentUrl })}\n`);
  send({ kind: 'ready' });
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  clearInterval(report);
  await world.close();
}

import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import { durationMs, integer } from './flags.ts';

interface NodeAgentFlags {
  listen: string;
  cluster: string[];
  nodeAnnotation: string[];
  readyDelay: string;
}

const help = `
What it is:
  The simulated machines' side of joining a cluster, for clusters that are real API servers with a simulated kubelet
  (kwok). The sim provider calls it: POST /join, /leave, /kill. On stdout: {"event":"listening","url":…}.

Example:
  bigfleet node-agent --listen 127.0.0.1:7010 --cluster a=a.kubeconfig --node-annotation kwok.x-k8s.io/node=fake

Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start or go on · 2 wrong flags`;

export function register(program: Command): void {
  program
    .command('node-agent')
    .description('lets simulated machines join real API servers (for tests, never for production)')
    .option('--listen <host:port>', 'where the provider calls; port 0 takes a free one', '127.0.0.1:0')
    .option('--cluster <id=kubeconfig>', 'a cluster that machines may join (repeatable)', collect, [])
    .option('--node-annotation <key=value>', 'put on every Node while it lives (repeatable)', collect, [])
    .option('--ready-delay <time>', "from a Node's appearance until it is Ready", '300ms')
    .addHelpText('after', help)
    .action(run);
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function pair(flag: string, text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1) throw new UsageError(`${flag}: "${text}" is not of the form name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

async function run(flags: NodeAgentFlags): Promise<void> {
  if (flags.cluster.length === 0) throw new UsageError('--cluster: name at least one cluster, for instance --cluster a=a.kubeconfig');
  const kubeconfigs = flags.cluster.map((text) => pair('--cluster', text));
  const annotations = Object.fromEntries(flags.nodeAnnotation.map((text) => pair('--node-annotation', text)));
  const at = flags.listen.lastIndexOf(':');
  const port = integer('--listen', flags.listen.slice(at + 1), { min: 0, max: 65_535 });
  const readyDelayMs = durationMs('--ready-delay', flags.readyDelay);
  const [{ NodeAgent }, { serveNodeAgent }, { pollNodePods }, { createKubeClient }, { loadKubeConfig }, { systemClock }, { createLog }] = await Promise.all([
    import('../world/node-agent.ts'),
    import('../world/node-agent-server.ts'),
    import('../world/poll-node-pods.ts'),
    import('../runtime/client/kube-client.ts'),
    import('../runtime/client/kubeconfig.ts'),
    import('../lib/clock.ts'),
    import('../lib/log.ts'),
  ]);
  const log = createLog('node-agent');
  const clients = kubeconfigs.map(([id, path]) => {
    const config = loadKubeConfig({ path });
    return { id, client: createKubeClient({ config, clock: systemClock, random: Math.random, qps: 200, burst: 400, fieldManager: 'bigfleet-node-agent', userAgent: 'bigfleet-node-agent', log }) };
  });
  const clusters = clients.map(({ id, client }) => ({ id, client, pods: pollNodePods(client, systemClock) }));
  const agent = new NodeAgent({ clusters, clock: systemClock, log, readyDelayMs, annotations });
  await agent.adopt();
  const server = await serveNodeAgent(agent, { flag: '--listen', host: flags.listen.slice(0, at), port });
  process.stdout.write(`${JSON.stringify({ event: 'listening', url: server.url })}\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  agent.close();
  await server.close();
  for (const { client } of clients) await client.close();
}

import { Command } from 'commander';
import { expect, it } from 'vitest';
import { register } from '../cli/up.ts';
import { agentProcesses, providerProcess, shardProcess, worldProcess } from './commands.ts';
import { banner } from './banner.ts';
import { hubObjects } from './hub-objects.ts';
import { layoutOf } from './layout.ts';
import type { Ports } from './ports.ts';
import { readSettings } from './settings.ts';
import type { UpFlags } from './settings.ts';

const ports: Ports = { hub: 1, clusters: new Map([['cluster-1', 2]]), nodeAgent: 3, provider: 4, providerAdmin: 5, shard: 6 };
const layout = layoutOf('/data');

/** What `bigfleet up` with these flags says, and what it starts the processes with. */
function up(...args: string[]): { says: string; starts: string } {
  const program = new Command();
  register(program);
  const command = program.commands[0]!.action(() => undefined);
  program.parse(['up', ...args], { from: 'user' });
  const settings = readSettings(command.opts<UpFlags>());
  const processes = [worldProcess(settings, ports, layout), providerProcess(settings, ports, layout), shardProcess(settings, ports, layout), ...agentProcesses(settings, ports, layout)];
  return { says: banner(settings, ports, layout), starts: JSON.stringify([processes, hubObjects(settings, ports)]) };
}

it.each([
  ['--rollup-interval', '7s'], ['--cycle', '7s'], ['--poll', '7s'], ['--reclaim-grace', '7s'], ['--preemption-grace', '1s,2s,3s,7s'], ['--reclaim-cap', '0.7'],
  ['--max-drains', '7'], ['--hold-on-demand', '7s'], ['--hold-spot', '7s'], ['--occupied-excess', '7s'], ['--lifeless-grace', '7s'], ['--create-ms', '7'], ['--configure-ms', '7'],
  ['--node-ready-ms', '7'], ['--drain-ms', '7'], ['--delete-ms', '7'], ['--recover-ms', '7'], ['--lease-duration', '7s'], ['--lease-renew', '2.7s'],
  ['--lease-retry', '700ms'], ['--pod-demand', 'direct'], ['--qps', '1007'], ['--burst', '2007'],
])('%s reaches a process, and the banner says so', (flag, value) => {
  const [usual, other] = [up(), up(flag, value)];
  expect(other.starts).not.toBe(usual.starts);
  expect(other.says).not.toBe(usual.says);
});

it('says every setting that is compressed by default', () => {
  const { says } = up();
  for (const part of [
    'roll-up 1 s (10 s)', 'cycle 1 s (10 s)', 'provider poll 0.25 s (10 s)', 'reclaim grace 5 s (10 min)', 'preemption graces 1/2/3/5 s (10/30/120/600 s)',
    'on demand 8 s (600 s), spot 2 s (60 s), occupied excess 10 s (300 s), lifeless Nodes 10 s (5 min)', 'reclaim cap 0.25 (0.05)', 'drains at a time per cluster 50 (10)', 'provider calls at a time 64 (16)',
    'create 400-1500 ms, configure 300-1000 ms, node ready 300 ms, drain 200 ms after the last Pod, delete 500 ms, recovery 3000 ms',
    'leases 3 s/2 s/0.5 s (15 s/10 s/2 s)', 'client 1000 requests/s, burst 2000',
  ]) expect(says).toContain(part);
});

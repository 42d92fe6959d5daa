import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { bigfleet } from '../bigfleet.ts';
import { expect } from '../promise.ts';
import type { Promised } from '../promise.ts';

const NODES = 'sn,cpu_milli,memory_mib,gpu,model\nnode-0,32000,262144,0,\n';
const PODS_HEADER = 'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n';

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly code: number;
  /** All of these are in the message. */
  readonly says: readonly string[];
}

function cases(dir: string, portInUse: number): Case[] {
  const folder = (name: string, files: Readonly<Record<string, string>>): string => {
    const path = join(dir, name);
    mkdirSync(path, { recursive: true });
    for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
    return path;
  };
  const nodes = 'openb_node_list_all_node.csv';
  const pods = 'openb_pod_list_default.csv';
  const badCell = folder('bad-cell', { [nodes]: NODES, [pods]: `${PODS_HEADER}pod-0,lots,16384,0,0,,LS,Running,0,100,0\n` });
  const badHeader = folder('bad-header', { [nodes]: 'sn,cpu,memory_mib,gpu,model\n', [pods]: PODS_HEADER });
  const shortRow = folder('short-row', { [nodes]: `${NODES}node-1,32000\n`, [pods]: PODS_HEADER });
  const occupied = folder('occupied', { 'something.txt': 'mine' });
  return [
    { name: 'a cell that is no number', args: ['up', '--trace', badCell], code: 2, says: [pods, '2', 'cpu_milli', 'lots'] },
    { name: 'an unknown column', args: ['up', '--trace', badHeader], code: 2, says: [nodes, 'cpu_milli'] },
    { name: 'a short row', args: ['up', '--trace', shortRow], code: 2, says: [nodes, '3'] },
    { name: 'a folder without the files', args: ['up', '--trace', join(dir, 'nowhere')], code: 2, says: ['--trace', 'nowhere', 'folder'] },
    { name: 'an unknown flag', args: ['up', '--tracks', 'x'], code: 2, says: ['--tracks'] },
    { name: 'an unknown subcommand', args: ['fly'], code: 2, says: ['fly'] },
    { name: 'contradictory flags', args: ['up', '--duration', '60s', '--time-limit', '30s'], code: 2, says: ['--time-limit', '--duration'] },
    { name: 'an unknown process to kill', args: ['up', '--kill', 'moon@3'], code: 2, says: ['--kill', 'moon'] },
    { name: 'a data directory that holds something else', args: ['up', '--data-dir', occupied], code: 2, says: ['--data-dir', 'not empty'] },
    { name: 'a data directory that is a file', args: ['up', '--data-dir', join(occupied, 'something.txt')], code: 2, says: ['--data-dir'] },
    { name: 'ports in use', args: ['up', '--port-base', String(portInUse)], code: 2, says: ['--port-base', String(portInUse), 'in use'] },
    { name: 'a shard without a kubeconfig', args: ['shard', '--kubeconfig', join(dir, 'absent.kubeconfig'), '--data-dir', join(dir, 'shard')], code: 1, says: ['absent.kubeconfig'] },
    { name: 'a duration that is none', args: ['shard', '--poll', 'soon'], code: 2, says: ['--poll', 'soon', '10s'] },
    { name: 'a provider that nobody called simulated', args: ['provider', 'sim', '--seed-count', '3'], code: 2, says: ['--i-know-this-is-simulated'] },
  ];
}

export const badInputIsNamed: Promised = {
  id: 'bad-input',
  promise: 'bad input ends with an exit code that is not 0 and a message that names the file or flag, and nothing is started',
  controlPlane: 'none',
  async run({ dir, log }) {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const wrong: string[] = [];
    const all = cases(dir, (server.address() as AddressInfo).port);
    for (const { name, args, code, says } of all) {
      const ended = await bigfleet(args, 30);
      const missing = says.filter((text) => !ended.stderr.includes(text));
      log(`${name}: exit ${String(ended.code)}: ${ended.stderr.trim().split('\n')[0]}`);
      if (ended.code !== code || missing.length > 0) wrong.push(`${name}: exit ${String(ended.code)} (wanted ${code}), message lacks ${JSON.stringify(missing)}:\n${ended.stderr.trim()}`);
      if (ended.stdout !== '') wrong.push(`${name}: wrote to standard output: ${ended.stdout.slice(0, 200)}`);
    }
    server.close();
    expect(wrong.length === 0, wrong.join('\n'));
    return `${all.length} kinds of bad input refused`;
  },
};

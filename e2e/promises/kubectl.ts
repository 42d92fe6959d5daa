import { join } from 'node:path';
import { BigfleetProcess, lastLines } from '../bigfleet.ts';
import { kubectl } from '../control-plane/kubectl.ts';
import { eventually, expect } from '../promise.ts';
import type { Promised } from '../promise.ts';

/** The paths that the banner prints, hub first. */
function kubeconfigs(banner: string): string[] {
  return [...banner.matchAll(/kubectl --kubeconfig (\S+)/g)].map((match) => match[1] ?? '');
}

/** Rows of a table as kubectl prints it, its header, and the cells under one column. */
function column(table: string, name: string): string[] {
  const [header = '', ...rows] = table.trimEnd().split('\n');
  const start = header.split(/\s{2,}/).indexOf(name);
  expect(start >= 0, `no column ${name} in: ${header}`);
  return rows.map((row) => row.split(/\s{2,}/)[start] ?? '');
}

export const kubectlAnswers: Promised = {
  id: 'kubectl',
  promise: 'while up runs, kubectl with the printed kubeconfigs shows machines, shards, providers, Pods, Nodes and requests',
  controlPlane: 'embedded',
  async run({ dir, log }) {
    const up = new BigfleetProcess(['up', '--keep', '--pods', '60', '--duration', '20s', '--data-dir', join(dir, 'up')]);
    try {
      const paths = await eventually('the banner names the kubeconfigs', 30, () => {
        const found = kubeconfigs(up.stderr);
        expect(found.length === 4, `${found.length} kubeconfigs in:\n${lastLines(up.stderr)}`);
        return Promise.resolve(found);
      });
      const [hub = '', ...clusters] = paths;
      const get = (kubeconfigPath: string, what: string): Promise<string> => kubectl({ kubeconfigPath }, ['get', what, '-A']);

      const machines = await eventually('a machine is bound', 40, async () => {
        const table = await get(hub, 'machines');
        expect(column(table, 'STATE').includes('Configured'), table);
        return table;
      });
      expect(column(machines, 'REASON').every((reason) => reason !== ''), `a machine has no reason:\n${machines}`);
      const shards = await eventually('the shard is Ready', 20, async () => {
        const table = await get(hub, 'shards');
        expect(column(table, 'READY').join() === 'True' && column(table, 'MODE').join() === 'Active', table);
        return table;
      });
      expect(Number(column(shards, 'MACHINES')[0]) > 0, shards);
      expect(column(await get(hub, 'capacityproviders'), 'REACHABLE').join() === 'True', 'the provider is to be reachable');
      const served = await eventually('some cluster shows a running Pod, its Node, its request and its UpcomingNode', 40, async () => {
        for (const cluster of clusters) {
          const [pods, nodes, requests, upcoming] = await Promise.all(['pods', 'nodes', 'capacityrequests', 'upcomingnodes'].map((what) => get(cluster, what)));
          if ([pods, nodes, requests, upcoming].some((table) => !table?.includes('\n') || table.trimEnd().split('\n').length < 2)) continue;
          if (column(pods!, 'STATUS').includes('Running') && column(nodes!, 'STATUS').includes('Ready') && column(requests!, 'PHASE').includes('Acknowledged') && column(upcoming!, 'PHASE').includes('Ready')) return cluster;
        }
        throw new Error('none yet');
      });
      log(`kubectl answers; for instance ${served}`);

      await eventually('the demand ends and the processes stay up', 90, () => {
        expect(up.stderr.includes('Staying up'), lastLines(up.stderr));
        return Promise.resolve();
      });
      const idle = column(await get(hub, 'machines'), 'STATE');
      expect(idle.every((state) => state === 'Idle'), `machines at the end: ${idle.join()}`);
      up.signal('SIGINT');
      const { code } = await up.within(30);
      expect(code === 0, `Ctrl-C ended it with exit code ${String(code)}`);
      return 'seven kinds listed with their columns, on the hub and on a managed cluster';
    } finally {
      up.signal('SIGKILL');
    }
  },
};

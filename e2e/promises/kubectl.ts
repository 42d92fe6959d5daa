import { writeFileSync } from 'node:fs';
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

function request(name: string, spec: string): string {
  return `apiVersion: bigfleet.lucy.sh/v1alpha1\nkind: CapacityRequest\nmetadata: { name: ${name}, namespace: default }\nspec:\n  ${spec}\n`;
}

function write(dir: string, name: string, content: string): string {
  const file = join(dir, name);
  writeFileSync(file, content);
  return file;
}

/** What a call that must fail says. */
async function refusal(call: Promise<string>): Promise<string> {
  let answer: string;
  try {
    answer = await call;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error(`was to be refused, and was not: ${answer}`);
}

export const kubectlAnswers: Promised = {
  id: 'kubectl',
  promise: 'while up runs, kubectl with the printed kubeconfigs shows every kind, and bad manifests and requests are named',
  controlPlane: 'embedded',
  onRealServers: ['crd-upgrade', 'install-kustomize'],
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
      const listed = await eventually('the hub lists its kinds as the README says, without a namespace', 40, async () => {
        const names = await kubectl({ kubeconfigPath: hub }, ['get', 'machines,shards,capacityproviders', '-o', 'name']);
        const kinds = new Set(names.trimEnd().split('\n').map((name) => name.split('.')[0]));
        expect(['machine', 'shard', 'capacityprovider'].every((kind) => kinds.has(kind)), `not every kind in:\n${names}`);
        return names.trimEnd().split('\n').length;
      });
      log(`${listed} objects of the hub without naming a namespace`);

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
          if (column(pods!, 'STATUS').includes('Running') && column(nodes!, 'STATUS').includes('Ready') && column(requests!, 'PHASE').includes('Acknowledged') && column(upcoming!, 'PHASE').includes('Ready') && column(pods!, 'READY').some((ready) => /^([1-9]\d*)\/\1$/.test(ready))) return cluster;
        }
        throw new Error('none yet');
      });
      log(`kubectl answers; for instance ${served}`);

      const invalid = await refusal(kubectl({ kubeconfigPath: served }, ['apply', '-f', write(dir, 'invalid.yaml', request('invalid', 'priority: high'))]));
      expect(invalid.includes('spec.priority'), `an invalid manifest is refused naming the field, not: ${invalid}`);
      expect(invalid.includes('spec.resources'), `every wrong field is named, not only: ${invalid}`);
      await kubectl({ kubeconfigPath: served }, ['apply', '-f', write(dir, 'odd.yaml', request('odd', 'priority: 5\n  resources: { cpu: "1" }\n  requirements: [{ key: cores, operator: Gt, values: ["4"] }]'))]);
      const verdict = await eventually('a request that cannot be expressed says so (D4)', 20, async () => {
        const text = await kubectl({ kubeconfigPath: served }, ['get', 'capacityrequest', 'odd', '-n', 'default', '-o', 'json']);
        const { status } = JSON.parse(text) as { status?: { conditions?: { type: string; status: string; message: string }[] } };
        const accepted = status?.conditions?.find((c) => c.type === 'Accepted');
        expect(accepted?.status === 'False', text);
        return accepted?.message ?? '';
      });
      expect(verdict.includes('operator') && verdict.includes('Gt'), `the condition names the field and the value, not: ${verdict}`);
      await kubectl({ kubeconfigPath: served }, ['delete', 'capacityrequest', 'odd', '-n', 'default']);
      log(`bad requests are named: ${verdict}`);

      await eventually('the demand ends and the processes stay up', 90, () => {
        expect(up.stderr.includes('Staying up'), lastLines(up.stderr));
        return Promise.resolve();
      });
      const idle = column(await get(hub, 'machines'), 'STATE');
      // The time that one is held for may be over just now.
      expect(idle.includes('Idle') && idle.every((state) => state === 'Idle' || state === 'Deleting'), `machines at the end: ${idle.join()}`);
      up.signal('SIGINT');
      const { code } = await up.within(30);
      expect(code === 0, `Ctrl-C ended it with exit code ${String(code)}`);
      return 'seven kinds listed with their columns; an invalid manifest and a request that cannot be expressed are named';
    } finally {
      up.signal('SIGKILL');
    }
  },
};

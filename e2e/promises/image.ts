import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeBundle } from '../../hack/bundle.ts';
import { freePort } from '../control-plane/free-port.ts';
import { GuardedProcess } from '../control-plane/guarded-process.ts';
import { kubectl } from '../control-plane/kubectl.ts';
import { manifestsOf, podOf } from '../install/manifests.ts';
import { eventually, expect } from '../promise.ts';
import type { Promised, PromiseContext } from '../promise.ts';

const root = join(import.meta.dirname, '..', '..');

/** Of an API server that does not answer: a process has to live all the same. */
function kubeconfigOfNobody(port: number): string {
  return JSON.stringify({
    apiVersion: 'v1', kind: 'Config', 'current-context': 'nobody', contexts: [{ name: 'nobody', context: { cluster: 'nobody', user: 'nobody' } }],
    clusters: [{ name: 'nobody', cluster: { server: `http://127.0.0.1:${port}` } }], users: [{ name: 'nobody', user: { token: 't' } }],
  });
}

/** A program as the image's user, where we may become that; else as ourselves, who may write as little. */
function asUser(user: string, command: readonly string[]): readonly string[] {
  if (process.getuid?.() !== 0) return command;
  return ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', ...command];
}

/** Returns what is in it. */
function setModes(dir: string, ofFolders: number): string[] {
  chmodSync(dir, ofFolders);
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8', withFileTypes: true });
  for (const file of files) chmodSync(join(file.parentPath, file.name), file.isDirectory() ? ofFolders : 0o444);
  return files.map((file) => join(file.parentPath, file.name)).sort();
}

/** What a program may use of memory: its cgroup's limit, or all there is. */
const SHARE_OF_HEAP = 'require("v8").getHeapStatistics().heap_size_limit / Math.min(process.constrainedMemory() || Infinity, require("os").totalmem())';

/** What the Dockerfile says, held against the bundle and against the Pods that run it; whose the processes are, and with which flags of Node. */
async function checkDockerfile({ dir }: PromiseContext, bundle: string): Promise<{ user: string; flags: readonly string[] }> {
  const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
  const last = dockerfile.slice(dockerfile.lastIndexOf('FROM '));
  const [, user = '', group] = /^USER (\d+):(\d+)$/m.exec(last) ?? [];
  const [, entry = '[]'] = /^ENTRYPOINT (\[.+\])$/m.exec(last) ?? [];
  const [program, ...flags] = JSON.parse(entry) as string[];
  const main = flags.pop()?.replace('/app/', '') ?? '';
  expect(/^COPY --from=bundle --chown=0:0 \/bundle \/app$/m.test(last) && /^RUN node hack\/bundle\.ts \/bundle$/m.test(dockerfile), 'the image is made of the bundle, which belongs to root');
  expect(program === 'node' && readFileSync(join(bundle, main), 'utf8').length > 0, `${main} is in the bundle`);
  const heap = spawnSync(process.execPath, [...flags, '-p', SHARE_OF_HEAP], { encoding: 'utf8', env: {} });
  expect(Math.abs(Number(heap.stdout) - 0.75) < 0.05, `three quarters of the memory are for the heap: ${heap.stdout}${heap.stderr}`);
  expect(new RegExp(`^FROM node:${process.versions.node.split('.')[0]}-`, 'm').test(last), `it has Node ${process.versions.node}`);
  const manifests = manifestsOf(await kubectl({ kubeconfigPath: join(dir, 'none') }, ['kustomize', join(root, 'config', 'default')]));
  for (const name of ['bigfleet-shard', 'bigfleet-operator', 'bigfleet-pod-controller']) {
    const { securityContext } = podOf(manifests, name);
    expect(String(securityContext['runAsUser']) === user && String(securityContext['runAsGroup']) === group, `${name} runs as the user of the image`);
  }
  return { user, flags };
}

export const imageRuns: Promised = {
  id: 'image',
  promise: 'what the image is made of runs as its user, out of a folder that cannot be written to, and writes to its data directory alone',
  controlPlane: 'none',
  async run(context) {
    const { dir, log } = context;
    const bundle = join(dir, 'bundle');
    const { main, bytes } = makeBundle(bundle);
    const { user, flags } = await checkDockerfile(context, bundle);
    const before = setModes(bundle, 0o555);
    chmodSync(dir, 0o755); // others have to reach it
    const data = join(dir, 'data');
    mkdirSync(data);
    chmodSync(data, 0o777);
    const node = join(dir, 'node'); // the one that the project brings along may lie where others cannot look
    writeFileSync(node, readFileSync(process.execPath), { mode: 0o755 });
    const asRead = (args: readonly string[]) => asUser(user, [node, ...flags, main, ...args]);
    const once = (command: readonly string[]) => spawnSync(command[0]!, command.slice(1), { encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '' }, cwd: '/' });
    const written = once(asUser(user, ['sh', '-c', `touch ${bundle}/src/x ${dir}/x`]));
    expect(written.status !== 0 || process.getuid?.() !== 0, 'its user must not be able to write there');
    const help = once(asRead(['--help']));
    expect(help.status === 0 && help.stdout.includes('Usage: bigfleet'), `--help: ${help.stderr}`);

    const port = await freePort();
    const kubeconfig = join(data, 'kubeconfig');
    writeFileSync(kubeconfig, kubeconfigOfNobody(port), { mode: 0o644 });
    const stops: GuardedProcess[] = [];
    const lives = async (name: string, args: readonly string[]): Promise<void> => {
      const probes = await freePort();
      const [command = '', ...rest] = asRead([...args, '--metrics-addr', `127.0.0.1:${probes}`]);
      stops.push(GuardedProcess.start({ name, command, args: rest, env: { HOME: '/' }, logPath: join(dir, `${name}.log`), graceMs: 10_000, onUnexpectedExit: log }));
      await eventually(`${name} lives`, 30, async () => expect((await fetch(`http://127.0.0.1:${probes}/healthz`)).status === 200, 'not 200'));
    };
    try {
      await lives('shard', ['shard', '--id', 's', '--kubeconfig', kubeconfig, '--data-dir', join(data, 'shard'), '--audit-log', join(data, 'shard', 'audit.jsonl'), '--listen', `127.0.0.1:${await freePort()}`]);
      await lives('operator', ['operator', '--cluster-id', 'a', '--shard-addr', '127.0.0.1:1', '--kubeconfig', kubeconfig]);
      await lives('pod-controller', ['pod-controller', '--kubeconfig', kubeconfig]);
    } finally {
      for (const stop of stops) await stop.stop();
    }
    const after = setModes(bundle, 0o755); // so that it can be removed
    expect(JSON.stringify(after) === JSON.stringify(before), 'nothing is written into the bundle');
    const who = process.getuid?.() === 0 ? `as user ${user}` : 'as ourselves';
    return `${(bytes / 2 ** 20).toFixed(0)} MiB run ${who}, without capabilities, from a folder that is not theirs; the image itself is not built here`;
  },
};

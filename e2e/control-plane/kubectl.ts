import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';

import { ensureBinaries, ensureHelm } from '../../hack/control-plane/build.ts';
import { spawnGuarded } from './guarded-spawn.ts';

/** Anything kubectl can talk to. */
export interface Cluster {
  readonly kubeconfigPath: string;
}

/** Runs kubectl against a control plane and returns its standard output. Throws what it wrote to standard error. */
export async function kubectl({ kubeconfigPath }: Cluster, args: readonly string[]): Promise<string> {
  const binaries = await ensureBinaries({ log: () => undefined });
  const home = dirname(kubeconfigPath);
  return run('kubectl', binaries.kubectl, [`--kubeconfig=${kubeconfigPath}`, `--cache-dir=${join(home, 'kubectl-cache')}`, ...args], home);
}

/** Runs Helm, against a control plane where one is named, and returns its standard output. Throws what it wrote to standard error. */
export async function helm(args: readonly string[], { kubeconfigPath, home }: { kubeconfigPath?: string; home: string }): Promise<string> {
  const binary = await ensureHelm({ log: () => undefined });
  return run('helm', binary, [...args, ...(kubeconfigPath === undefined ? [] : [`--kubeconfig=${kubeconfigPath}`])], home);
}

async function run(name: string, command: string, args: readonly string[], home: string): Promise<string> {
  const child = spawnGuarded({ command, args, env: { HOME: home }, output: 'pipe' });
  if (child.stdout === null || child.stderr === null) throw new Error(`${name} was started without pipes`);
  const [stdout, stderr, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  if (code !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${String(signal ?? code)}:\n${stderr}`);
  return stdout;
}

/**
 * Applies files, or folders of them, server-side in the order given, and waits until custom resource definitions
 * among them are served, so that objects of their kinds can come with the next call.
 */
export async function applyManifests(cluster: Cluster, paths: readonly string[]): Promise<void> {
  const files = paths.flatMap((path) => ['-f', path]);
  const applied = await kubectl(cluster, ['apply', '--server-side', '--force-conflicts', '-o', 'name', ...files]);
  const definitions = applied.split('\n').filter((name) => name.startsWith('customresourcedefinition.'));
  if (definitions.length > 0) await kubectl(cluster, ['wait', '--for=condition=Established', '--timeout=60s', ...definitions]);
}

import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { ensureBinaries } from '../../hack/control-plane/build.ts';

const run = promisify(execFile);
const MAX_OUTPUT_BYTES = 64 * 1_024 * 1_024;

/** Anything kubectl can talk to. */
export interface Cluster {
  readonly kubeconfigPath: string;
}

/** Runs kubectl against a control plane and returns its standard output. Rejects with what it wrote to standard error. */
export async function kubectl({ kubeconfigPath }: Cluster, args: readonly string[]): Promise<string> {
  const binaries = await ensureBinaries({ log: () => undefined });
  const cacheDir = join(dirname(kubeconfigPath), 'kubectl-cache');
  const all = [`--kubeconfig=${kubeconfigPath}`, `--cache-dir=${cacheDir}`, ...args];
  const { stdout } = await run(binaries.kubectl, all, { maxBuffer: MAX_OUTPUT_BYTES });
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

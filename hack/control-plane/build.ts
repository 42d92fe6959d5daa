import { mkdir } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { cacheFolder, cannotBuildMessage, findBinaries } from './binary-sources.ts';
import { goBuild, hasGo } from './go-build.ts';
import type { Log } from './go-build.ts';
import { ensureKwokStages } from './kwok-stages.ts';
import { binaryNames, moduleFolder } from './upstreams.ts';
import type { BinaryName } from './upstreams.ts';

export { ensureKwokStages } from './kwok-stages.ts';
export type { BinaryName } from './upstreams.ts';

/**
 * Paths of the programs of a real control plane. `KUBEBUILDER_ASSETS` goes first, then the cache; only what neither
 * has is built, which takes about five minutes the first time on two cores. Throws, saying what to install, when
 * something has to be built and there is no Go.
 */
export async function ensureBinaries({ log }: { log: Log }): Promise<Record<BinaryName, string>> {
  const { found, missing } = findBinaries();
  const [first] = missing;
  if (first !== undefined) {
    if (!hasGo()) throw new Error(cannotBuildMessage(missing, goVersionNeeded(moduleFolder(first.upstream))));
    await mkdir(cacheFolder(), { recursive: true });
    log(`${missing.length} of ${binaryNames.length} control-plane programs have to be built once; this takes minutes`);
  }
  // One at a time: `go build` uses every core by itself, and what programs share is compiled only once.
  for (const binary of missing) {
    const { name, output, upstream, version } = binary;
    await goBuild({ folder: moduleFolder(upstream), package: binary.package, ldflags: upstream.ldflags(version), output }, log);
    found[name] = output;
  }
  return complete(found);
}

function complete(found: Partial<Record<BinaryName, string>>): Record<BinaryName, string> {
  const path = (name: BinaryName): string => {
    const value = found[name];
    if (value === undefined) throw new Error(`upstreams.ts names no package for ${name}`);
    return value;
  };
  return {
    'kube-apiserver': path('kube-apiserver'),
    'kube-controller-manager': path('kube-controller-manager'),
    'kube-scheduler': path('kube-scheduler'),
    kubectl: path('kubectl'),
    etcd: path('etcd'),
    kwok: path('kwok'),
  };
}

function goVersionNeeded(folder: string): string {
  return /^go (\S+)$/m.exec(readFileSync(join(folder, 'go.mod'), 'utf8'))?.[1] ?? 'of a current version';
}

async function main(): Promise<void> {
  const log: Log = (line) => console.error(line);
  try {
    const binaries = await ensureBinaries({ log });
    for (const [name, path] of Object.entries(binaries)) console.log(`${name}\t${path}`);
    for (const path of await ensureKwokStages()) console.log(`kwok stage\t${path}`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

if (import.meta.main) await main();

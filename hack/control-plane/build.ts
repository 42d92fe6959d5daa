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
type ControlPlaneProgram = (typeof binaryNames)[number];

/**
 * Paths of the programs of a real control plane. `KUBEBUILDER_ASSETS` goes first, then the cache; only what neither
 * has is built, which takes about five minutes the first time on two cores. Throws, saying what to install, when
 * something has to be built and there is no Go.
 */
export function ensureBinaries({ log }: { log: Log }): Promise<Record<ControlPlaneProgram, string>> {
  return ensure(binaryNames, log);
}

/** Path of Helm, which is found or built as the programs of a control plane are; building it takes one or two minutes. */
export async function ensureHelm({ log }: { log: Log }): Promise<string> {
  return (await ensure(['helm'], log)).helm;
}

async function ensure<Name extends BinaryName>(names: readonly Name[], log: Log): Promise<Record<Name, string>> {
  const { found, missing } = findBinaries(process.env, names);
  const [first] = missing;
  if (first !== undefined) {
    if (!hasGo()) throw new Error(cannotBuildMessage(missing, goVersionNeeded(moduleFolder(first.upstream))));
    await mkdir(cacheFolder(), { recursive: true });
    log(`${missing.length} of ${names.length} programs have to be built once; this takes minutes`);
  }
  // One at a time: `go build` uses every core by itself, and what programs share is compiled only once.
  for (const binary of missing) {
    const { name, output, upstream, version } = binary;
    await goBuild({ folder: moduleFolder(upstream), package: binary.package, ldflags: upstream.ldflags(version), output }, log);
    found[name] = output;
  }
  const path = (name: Name): string => {
    const value: string | undefined = found[name];
    if (value === undefined) throw new Error(`upstreams.ts names no package for ${name}`);
    return value;
  };
  return Object.fromEntries(names.map((name) => [name, path(name)])) as Record<Name, string>;
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

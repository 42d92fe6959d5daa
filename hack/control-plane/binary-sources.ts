import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { binaryNames, pinnedVersion, upstreams } from './upstreams.ts';
import type { BinaryName, Upstream } from './upstreams.ts';

/** A program that has to be built, from what, and the path it gets. */
export interface MissingBinary {
  readonly name: BinaryName;
  readonly upstream: Upstream;
  readonly package: string;
  readonly version: string;
  readonly output: string;
}

export interface BinarySources {
  readonly found: Partial<Record<BinaryName, string>>;
  readonly missing: readonly MissingBinary[];
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Where binaries of this platform are kept, outside the repository: under `$BIGFLEET_CACHE`, else under
 * `$XDG_CACHE_HOME/bigfleet`, else under `~/.cache/bigfleet`.
 */
export function cacheFolder(env: Env = process.env): string {
  const root = env['BIGFLEET_CACHE'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'bigfleet');
  return join(root, 'control-plane', `${process.platform}-${process.arch}`);
}

/**
 * Looks for each program of `names` (those of a control plane): first in `$KUBEBUILDER_ASSETS` (usually etcd, kube-apiserver and kubectl only), then in
 * the cache under its pinned version. Throws when `$KUBEBUILDER_ASSETS` is set and is no folder.
 */
export function findBinaries(env: Env = process.env, names: readonly BinaryName[] = binaryNames): BinarySources {
  const assets = env['KUBEBUILDER_ASSETS'];
  if (assets && !isFolder(assets)) {
    throw new Error(`KUBEBUILDER_ASSETS is ${assets}, which is not a folder; point it to the folder of etcd, kube-apiserver and kubectl, or unset it`);
  }
  const found: Partial<Record<BinaryName, string>> = {};
  const missing: MissingBinary[] = [];
  for (const upstream of upstreams) {
    const version = pinnedVersion(upstream);
    for (const name of names) {
      const package_ = upstream.packages[name];
      if (package_ === undefined) continue;
      const output = join(cacheFolder(env), `${name}-${version}`);
      const asset = assets ? join(assets, name) : undefined;
      const path = [asset, output].find((candidate) => candidate !== undefined && isExecutable(candidate));
      if (path === undefined) missing.push({ name, upstream, package: package_, version, output });
      else found[name] = path;
    }
  }
  return { found, missing };
}

/** What to do when programs are missing and there is no Go to build them with. */
export function cannotBuildMessage(missing: readonly MissingBinary[], goMinimum: string): string {
  const names = missing.map(({ name, version }) => `${name} ${version}`).join(', ');
  return [
    `A real Kubernetes control plane needs programs that are not here: ${names}.`,
    `Install Go ${goMinimum} or newer (https://go.dev/dl) and run this again: they are then built once into ${cacheFolder()}.`,
    'Or set KUBEBUILDER_ASSETS to a folder that holds them under their plain names.',
  ].join('\n');
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

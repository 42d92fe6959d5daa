/**
 * Another minor release of Kubernetes by the recipe of the pinned one: a module in the cache that requires its newest patch
 * release, with a replacement for each staging module. It is made once; from then on that is what the minor stands for.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { cacheFolder } from './binary-sources.ts';
import { go, hasGo } from './go-build.ts';
import type { Log } from './go-build.ts';
import { KUBERNETES_MODULE_VARIABLE, upstreams } from './upstreams.ts';

const MODULE = 'k8s.io/kubernetes';
/** Tools in a go.mod need this. */
const OLDEST_GO = '1.24.0';

/** From now on this process, and those that it starts, take Kubernetes of this minor (`1.34`). Throws if there is none. */
export function useKubernetesMinor(minor: string, log: Log): void {
  process.env[KUBERNETES_MODULE_VARIABLE] = moduleOf(minor, log);
}

function moduleOf(minor: string, log: Log): string {
  const modules = join(cacheFolder(), 'modules');
  const made = existsSync(modules) ? readdirSync(modules).find((name) => name.startsWith(`kubernetes-v${minor}.`)) : undefined;
  if (made !== undefined) return join(modules, made);
  if (!hasGo()) throw new Error(`Kubernetes ${minor} is not in ${modules}, and there is no Go to fetch it with; install it (https://go.dev/dl)`);
  mkdirSync(modules, { recursive: true });
  const version = newestPatch(go(modules, ['list', '-m', '-versions', MODULE]), minor);
  const { GoMod } = JSON.parse(go(modules, ['mod', 'download', '-json', `${MODULE}@${version}`])) as { GoMod: string };
  const partial = mkdtempSync(join(modules, '.partial-'));
  try {
    writeFileSync(join(partial, 'go.mod'), goModOf(version, readFileSync(GoMod, 'utf8')));
    log(`resolving what Kubernetes ${version} is built from`);
    go(partial, ['mod', 'tidy']);
    const folder = join(modules, `kubernetes-${version}`);
    renameSync(partial, folder);
    return folder;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** Of what `go list -m -versions` prints. Throws naming the minors there are. */
export function newestPatch(listed: string, minor: string): string {
  const all = [...listed.matchAll(/\bv1\.(\d+)\.(\d+)(?=\s|$)/g)].map(([version, m, patch]) => ({ version, minor: `1.${m ?? ''}`, patch: Number(patch) }));
  const [newest] = all.filter((each) => each.minor === minor).sort((a, b) => b.patch - a.patch);
  if (newest) return newest.version;
  const known = [...new Set(all.map((each) => each.minor))].slice(-6);
  throw new Error(`there is no release of Kubernetes ${minor}; among the newest minors are ${known.join(', ') || 'none'}`);
}

/** The go.mod that builds this version; `upstream` is its own, which replaces staging modules by folders. */
export function goModOf(version: string, upstream: string): string {
  const staging = [...upstream.matchAll(/^\s*(?:replace\s+)?(k8s\.io\/\S+) => \.\/staging\//gm)].map(([, name]) => name ?? '');
  if (staging.length === 0) throw new Error(`the go.mod of ${MODULE} ${version} names no staging module`);
  const needed = /^go (\S+)$/m.exec(upstream)?.[1] ?? OLDEST_GO;
  const packages = Object.values(upstreams.find(({ folder }) => folder === 'kubernetes')?.packages ?? {});
  return [
    'module bigfleet/hack/control-plane/kubernetes',
    `go ${compareVersions(needed, OLDEST_GO) > 0 ? needed : OLDEST_GO}`,
    `tool (\n${packages.map((name) => `\t${name}`).join('\n')}\n)`,
    `require ${MODULE} ${version}`,
    `replace (\n${staging.map((name) => `\t${name} => ${name} ${version.replace(/^v1\./, 'v0.')}`).join('\n')}\n)`,
  ].join('\n\n') + '\n';
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((text) => text.split('.').map(Number));
  for (let i = 0; i < 3; i++) if ((left?.[i] ?? 0) !== (right?.[i] ?? 0)) return (left?.[i] ?? 0) - (right?.[i] ?? 0);
  return 0;
}

import { existsSync } from 'node:fs';
import { copyFile, mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { cacheFolder } from './binary-sources.ts';
import { hasGo, moduleSourceDir } from './go-build.ts';
import { moduleFolder, pinnedVersion, upstreams } from './upstreams.ts';

/** How kwok's Nodes and Pods behave: at once Ready with a renewed Lease, at once Running, Jobs complete, deletions end. */
const stageDocuments = [
  'node/fast/node-initialize.yaml',
  'node/heartbeat-with-lease/node-heartbeat-with-lease.yaml',
  'pod/fast/pod-ready.yaml',
  'pod/fast/pod-complete.yaml',
  'pod/fast/pod-delete.yaml',
] as const;

/**
 * Paths of the stage documents kwok is started with. They come from kwok's own Go module and are kept in the cache
 * beside the binary, so that a machine given a filled cache needs no Go. Throws when neither is there.
 */
export async function ensureKwokStages(): Promise<readonly string[]> {
  const upstream = upstreams.find(({ folder }) => folder === 'kwok');
  if (upstream === undefined) throw new Error('upstreams.ts lists no kwok');
  const kept = join(cacheFolder(), `kwok-stages-${pinnedVersion(upstream)}`);
  const paths = stageDocuments.map((name) => join(kept, name));
  if (paths.every((path) => existsSync(path))) return paths;

  if (!hasGo()) throw new Error(`kwok's stage documents are not in ${kept}, and there is no Go to fetch them with; install it (https://go.dev/dl)`);
  const source = join(moduleSourceDir(moduleFolder(upstream), upstream.module), 'kustomize', 'stage');
  for (const name of stageDocuments) {
    const path = join(kept, name);
    const partial = `${path}.${process.pid}`;
    await mkdir(dirname(path), { recursive: true });
    await copyFile(join(source, name), partial);
    await rename(partial, path); // aside, then renamed: others may read it meanwhile
  }
  return paths;
}

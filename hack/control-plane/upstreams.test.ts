import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { binaryNames, moduleFolder, pinnedVersion, toolNames, upstreams, versionIn } from './upstreams.ts';

const kubernetes = upstreams.find(({ folder }) => folder === 'kubernetes');
const kubernetesGoMod = kubernetes ? readFileSync(join(moduleFolder(kubernetes), 'go.mod'), 'utf8') : '';

describe('the pinned upstreams', () => {
  it('build each program from exactly one module', () => {
    const built = upstreams.flatMap(({ packages }) => Object.keys(packages));
    expect(built.sort()).toEqual([...binaryNames, ...toolNames].sort());
  });

  it('take every staging module from the minor release of Kubernetes itself', () => {
    const replaced = [...kubernetesGoMod.matchAll(/^\tk8s\.io\/\S+ => k8s\.io\/\S+ (\S+)$/gm)].map(([, version]) => version);
    expect(replaced).toHaveLength(33);
    const expected = kubernetes ? pinnedVersion(kubernetes).replace(/^v1\./, 'v0.') : '';
    expect(new Set(replaced)).toEqual(new Set([expected]));
  });

  it('stamp Kubernetes programs with their version', () => {
    const flags = kubernetes?.ldflags('v1.36.3') ?? [];
    expect(flags).toContain('-X k8s.io/component-base/version.gitVersion=v1.36.3');
    expect(flags).toContain('-X k8s.io/component-base/version.gitMinor=36');
  });
});

describe('the version in a go.mod', () => {
  it.each([
    ['a block', 'require (\n\texample.org/a v1.0.0\n\texample.org/a/b v2.0.0 // indirect\n)', 'example.org/a/b', 'v2.0.0'],
    ['a single line', 'tool example.org/a/cmd\n\nrequire example.org/a v1.2.3\n', 'example.org/a', 'v1.2.3'],
  ])('is found in %s', (_, goMod, module, version) => {
    expect(versionIn(goMod, module, 'go.mod')).toBe(version);
  });

  it('is not taken from a replacement, and its absence names the file', () => {
    const goMod = 'replace (\n\texample.org/a => example.org/b v1.0.0\n)';
    expect(() => versionIn(goMod, 'example.org/a', 'some/go.mod')).toThrow(/some\/go\.mod.*example\.org\/a/);
  });
});

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { cacheFolder, cannotBuildMessage, findBinaries } from './binary-sources.ts';
import { pinnedVersion, upstreams } from './upstreams.ts';

const platform = `${process.platform}-${process.arch}`;
const kubernetes = upstreams.find(({ folder }) => folder === 'kubernetes');
const version = kubernetes ? pinnedVersion(kubernetes) : '';

describe('the sources of binaries', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'binaries-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const program = (folder: string, name: string, mode = 0o755): string => {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, name);
    writeFileSync(path, '');
    chmodSync(path, mode);
    return path;
  };
  const cache = (): string => join(dir, 'control-plane', platform);

  it('are the assets before the cache', () => {
    const asset = program(join(dir, 'assets'), 'kubectl');
    const cached = program(cache(), `kubectl-${version}`);
    expect(findBinaries({ BIGFLEET_CACHE: dir, KUBEBUILDER_ASSETS: join(dir, 'assets') }).found).toEqual({ kubectl: asset });
    expect(findBinaries({ BIGFLEET_CACHE: dir }).found).toEqual({ kubectl: cached });
  });

  it('are the cache for what the assets lack', () => {
    program(join(dir, 'assets'), 'kubectl');
    const cached = program(cache(), `kube-scheduler-${version}`);
    const { found, missing } = findBinaries({ BIGFLEET_CACHE: dir, KUBEBUILDER_ASSETS: join(dir, 'assets') });
    expect(found['kube-scheduler']).toBe(cached);
    expect(missing.map(({ name }) => name)).toEqual(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kwok']);
  });

  it('are neither another version nor a file that cannot be run', () => {
    program(cache(), 'kubectl-v0.0.1');
    program(cache(), `kube-scheduler-${version}`, 0o644);
    const { found, missing } = findBinaries({ BIGFLEET_CACHE: dir });
    expect(found).toEqual({});
    expect(missing.find(({ name }) => name === 'kubectl')?.output).toBe(join(cache(), `kubectl-${version}`));
  });

  it('are asked for by name: Helm is none of a control plane', () => {
    expect(findBinaries({ BIGFLEET_CACHE: dir }).missing.map(({ name }) => name)).not.toContain('helm');
    expect(findBinaries({ BIGFLEET_CACHE: dir }, ['helm']).missing).toMatchObject([{ name: 'helm', package: 'helm.sh/helm/v4/cmd/helm' }]);
  });

  it('are refused when the assets are no folder', () => {
    expect(() => findBinaries({ KUBEBUILDER_ASSETS: join(dir, 'nowhere') })).toThrow(/KUBEBUILDER_ASSETS is .*nowhere.*unset it/);
  });
});

describe('the cache folder', () => {
  it('is outside the repository and follows the settings of the user', () => {
    expect(cacheFolder({ BIGFLEET_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe(`/a/control-plane/${platform}`);
    expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe(`/b/bigfleet/control-plane/${platform}`);
    expect(cacheFolder({ XDG_CACHE_HOME: '' })).toMatch(new RegExp(`/\\.cache/bigfleet/control-plane/${platform}$`));
  });
});

describe('the message of a machine that cannot build', () => {
  it('names what is missing and both ways out', () => {
    const { missing } = findBinaries({ BIGFLEET_CACHE: '/nonexistent' });
    const message = cannotBuildMessage(missing, '1.26.0');
    for (const part of [`kube-apiserver ${version}`, 'kwok v', 'Install Go 1.26.0', 'KUBEBUILDER_ASSETS']) expect(message).toContain(part);
  });
});

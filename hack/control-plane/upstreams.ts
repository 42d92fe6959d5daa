import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The programs a real control plane consists of. */
export const binaryNames = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'etcd',
  'kwok',
] as const;

/** Programs that stand beside it, and are needed only where they are what is tried. */
export const toolNames = ['helm'] as const;
export type BinaryName = (typeof binaryNames)[number] | (typeof toolNames)[number];

/** One Go module we build programs from. Its folder beside this file pins the version in go.mod and go.sum. */
export interface Upstream {
  readonly folder: string;
  readonly module: string;
  /** Main package of each program, in the order they are built: shared packages are compiled by the first. */
  readonly packages: Partial<Record<BinaryName, string>>;
  readonly ldflags: (version: string) => readonly string[];
}

const stripped = ['-s', '-w'] as const;

/** Without these a Kubernetes binary calls itself v0.0.0, and checks of version skew refuse it. */
function kubernetesLdflags(version: string): readonly string[] {
  const [major, minor] = version.replace(/^v/, '').split('.');
  const stamp = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  const flags = Object.entries(stamp).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value ?? ''}`);
  return [...stripped, ...flags];
}

export const upstreams: readonly Upstream[] = [
  {
    folder: 'etcd',
    module: 'go.etcd.io/etcd/server/v3',
    packages: { etcd: 'go.etcd.io/etcd/server/v3' },
    ldflags: () => stripped,
  },
  {
    folder: 'kubernetes',
    module: 'k8s.io/kubernetes',
    packages: {
      'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
      'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
      'kube-scheduler': 'k8s.io/kubernetes/cmd/kube-scheduler',
      kubectl: 'k8s.io/kubernetes/cmd/kubectl',
    },
    ldflags: kubernetesLdflags,
  },
  {
    folder: 'kwok',
    module: 'sigs.k8s.io/kwok',
    packages: { kwok: 'sigs.k8s.io/kwok/cmd/kwok' },
    ldflags: (version) => [...stripped, `-X sigs.k8s.io/kwok/pkg/consts.Version=${version}`],
  },
  {
    folder: 'helm',
    module: 'helm.sh/helm/v4',
    packages: { helm: 'helm.sh/helm/v4/cmd/helm' },
    ldflags: (version) => [...stripped, `-X helm.sh/helm/v4/internal/version.version=${version}`],
  },
];

/** Names a folder whose module pins Kubernetes instead of ours: another minor release. */
export const KUBERNETES_MODULE_VARIABLE = 'BIGFLEET_KUBERNETES_MODULE';

/** Folder of the small Go module that pins an upstream. */
export function moduleFolder(upstream: Upstream): string {
  const other = upstream.folder === 'kubernetes' ? process.env[KUBERNETES_MODULE_VARIABLE] : undefined;
  if (other) return other;
  return join(import.meta.dirname, upstream.folder);
}

/** The version go.mod requires of the upstream: the only place where it is written down. */
export function pinnedVersion(upstream: Upstream): string {
  const path = join(moduleFolder(upstream), 'go.mod');
  return versionIn(readFileSync(path, 'utf8'), upstream.module, path);
}

/** Finds the required version of `module` in the text of a go.mod; throws when it is not required there. */
export function versionIn(goMod: string, module: string, path: string): string {
  for (const line of goMod.split('\n')) {
    const [first, second, third] = line.trim().split(/\s+/);
    if (first === module && second?.startsWith('v')) return second;
    if (first === 'require' && second === module && third?.startsWith('v')) return third;
  }
  throw new Error(`${path}: no required version of ${module}; add it with "go get ${module}@<version>"`);
}

import type { Node, Pod } from '../../api/core.ts';

export function testPod(name: string, options: { uid?: string; namespace?: string; labels?: Record<string, string>; requests?: Record<string, string> } & Partial<Pod['spec']> = {}): Pod {
  const { uid, namespace, labels, requests, ...spec } = options;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: namespace ?? 'demo', uid: uid ?? `uid-${name}`, ...(labels ? { labels } : {}) },
    spec: { containers: [{ name: 'main', resources: { requests: requests ?? { cpu: '1' } } }], ...spec },
  };
}

export function testNode(name: string, options: { labels?: Record<string, string>; allocatable?: Record<string, string>; ready?: boolean } & NonNullable<Node['spec']> = {}): Node {
  const { labels, allocatable, ready, ...spec } = options;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}`, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec,
    status: {
      allocatable: { cpu: '4', memory: '16Gi', pods: '110', ...allocatable },
      conditions: [{ type: 'Ready', status: ready === false ? 'False' : 'True' }],
    },
  };
}

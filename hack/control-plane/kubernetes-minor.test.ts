import { describe, expect, it } from 'vitest';

import { goModOf, newestPatch } from './kubernetes-minor.ts';

describe('another minor of Kubernetes', () => {
  const listed = 'k8s.io/kubernetes v1.9.3 v1.34.0-rc.1 v1.34.0 v1.34.9 v1.34.10 v1.34.11-alpha.0 v1.35.4 v1.36.3\n';

  it('is its newest patch release, by number and not by letter', () => {
    expect(newestPatch(listed, '1.34')).toBe('v1.34.10');
    expect(newestPatch(listed, '1.36')).toBe('v1.36.3');
  });

  it('that does not exist is an error that names those that do', () => {
    expect(() => newestPatch(listed, '1.3')).toThrow(/no release of Kubernetes 1\.3; .*1\.34, 1\.35, 1\.36/);
  });

  it('takes every staging module of its own version, and as new a Go as it needs', () => {
    const upstream = 'module k8s.io/kubernetes\n\ngo 1.25.1\n\nreplace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n\tk8s.io/kms => ./staging/src/k8s.io/kms\n\texample.org/a => example.org/b v1.0.0\n)\n';
    const text = goModOf('v1.34.10', upstream);
    expect(text).toContain('replace (\n\tk8s.io/api => k8s.io/api v0.34.10\n\tk8s.io/kms => k8s.io/kms v0.34.10\n)');
    expect(text).toContain('\ngo 1.25.1\n');
    expect(text).toContain('require k8s.io/kubernetes v1.34.10');
    expect(text).toContain('\tk8s.io/kubernetes/cmd/kube-apiserver\n');
    expect(goModOf('v1.34.10', upstream.replace('1.25.1', '1.23'))).toContain('\ngo 1.24.0\n');
    expect(() => goModOf('v1.34.10', 'module k8s.io/kubernetes\n')).toThrow(/staging/);
  });
});

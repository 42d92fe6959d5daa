import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PodResource } from '../src/api/resources.ts';
import { components, extras, generateRbac, rulesOf } from './generate-rbac.ts';

const root = join(import.meta.dirname, '..');

describe('generated roles', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'rbac-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('are those of the tables: `npm run generate` changes nothing', () => {
    generateRbac(dir);
    const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));
    expect(files).toHaveLength(components.length + 5 + 2 * extras.length); // the shard has no role beyond its namespace
    for (const file of files) expect(readFileSync(join(root, file), 'utf8'), file).toBe(readFileSync(join(dir, file), 'utf8'));
  });

  it('of one resource are one rule, with every reason', () => {
    const rules = rulesOf([
      { type: PodResource, verbs: ['watch', 'list'], scope: 'cluster', why: 'to see' },
      { type: PodResource, verbs: ['delete'], scope: 'cluster', why: 'to act' },
      { type: PodResource, verbs: ['get'], scope: 'namespace', why: 'another role' },
    ], 'cluster');
    expect(rules).toBe('# to see\n# to act\n- apiGroups: [""]\n  resources: ["pods"]\n  verbs: ["list", "watch", "delete"]\n');
  });

  it('cannot bind to names what RBAC cannot', () => {
    expect(() => rulesOf([{ type: PodResource, verbs: ['create', 'get'], scope: 'cluster', names: ['a'], why: '' }], 'cluster')).toThrow('pods: create cannot be bound to names');
  });

  it('say nothing of everything', () => {
    for (const { permissions } of [...components, ...extras]) for (const { type, verbs, subresource = '' } of permissions) expect([type.group, type.plural, subresource, ...verbs]).not.toContain('*');
  });
});

it('the definitions in the charts are those of config/crd/bases, of the groups that their clusters need', () => {
  const files = (chart: string): string[] => readdirSync(join(root, 'charts', chart, 'crds')).sort();
  expect([files('bigfleet').length, files('bigfleet-operator').length]).toEqual([3, 3]);
  expect(files('bigfleet-pod-controller')).toEqual(files('bigfleet-operator'));
  for (const chart of ['bigfleet', 'bigfleet-operator', 'bigfleet-pod-controller']) {
    for (const file of files(chart)) expect(readFileSync(join(root, 'charts', chart, 'crds', file), 'utf8')).toBe(readFileSync(join(root, 'config/crd/bases', file), 'utf8'));
  }
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import type { ResourceType } from '../runtime/types.ts';
import type { CustomResourceDefinition } from './core.ts';
import * as resources from './resources.ts';

const folder = join(import.meta.dirname, '../../config/crd/bases');
const crds = readdirSync(folder).map((file) => parse(readFileSync(join(folder, file), 'utf8')) as CustomResourceDefinition);
const types = Object.values(resources).filter((value) => typeof value === 'object') as ResourceType[];

test('our kinds are where their CRDs put them', () => {
  const ours = types.filter((type) => type.group.endsWith('bigfleet.lucy.sh'));
  const declared = crds
    .map(({ spec }): ResourceType => ({ group: spec.group, version: spec.versions[0]?.name ?? '', plural: spec.names.plural, kind: spec.names.kind, namespaced: spec.scope === 'Namespaced' }))
    .sort((a, b) => a.kind.localeCompare(b.kind));
  expect(declared.length).toBeGreaterThanOrEqual(6);
  expect([...ours].sort((a, b) => a.kind.localeCompare(b.kind))).toEqual(declared);
});

test('every descriptor is named after its kind', () => {
  for (const [name, type] of Object.entries(resources)) {
    if (typeof type === 'object') expect(name).toBe(`${type.kind}Resource`);
  }
});

test('names for objects and for people', () => {
  expect(resources.apiVersionOf(resources.PodResource)).toBe('v1');
  expect(resources.apiVersionOf(resources.MachineResource)).toBe('control.bigfleet.lucy.sh/v1alpha1');
  expect(resources.qualifiedName(resources.NodeResource)).toBe('nodes');
  expect(resources.qualifiedName(resources.LeaseResource)).toBe('leases.coordination.k8s.io');
});

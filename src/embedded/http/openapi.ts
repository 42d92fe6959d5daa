/**
 * OpenAPI v3, as much as kubectl wants before it applies (that the server validates fields itself) and explains (the
 * schemas of custom kinds; built-in ones are open objects).
 */
import { createHash } from 'node:crypto';
import type { ResourceKind } from '../resource-kind.ts';

export function openapi(path: string, kinds: readonly ResourceKind[]): object | undefined {
  if (path === '/openapi/v3') {
    const entries = [...new Set(kinds.map(pathOf))].map((prefix) => {
      const hash = createHash('sha256').update(JSON.stringify(documentOf(prefix, kinds))).digest('hex').slice(0, 32);
      return [prefix, { serverRelativeURL: `/openapi/v3/${prefix}?hash=${hash}` }];
    });
    return { paths: Object.fromEntries(entries) as object };
  }
  const prefix = path.slice('/openapi/v3/'.length);
  return path.startsWith('/openapi/v3/') && kinds.some((kind) => pathOf(kind) === prefix) ? documentOf(prefix, kinds) : undefined;
}

function pathOf(kind: ResourceKind): string {
  return kind.type.group === '' ? `api/${kind.type.version}` : `apis/${kind.type.group}/${kind.type.version}`;
}

function documentOf(prefix: string, kinds: readonly ResourceKind[]): object {
  const members = kinds.filter((kind) => pathOf(kind) === prefix);
  return {
    openapi: '3.0.0',
    info: { title: 'BigFleet embedded control plane', version: 'v1' },
    paths: Object.fromEntries(members.flatMap((kind) => paths(prefix, kind))) as object,
    components: { schemas: Object.fromEntries(members.map((kind) => [schemaName(kind), schema(kind)])) as object },
  };
}

function schemaName(kind: ResourceKind): string {
  return [...kind.type.group.split('.').reverse(), kind.type.version, kind.type.kind].filter((part) => part !== '').join('.');
}

function gvk(kind: ResourceKind): object {
  return { group: kind.type.group, version: kind.type.version, kind: kind.type.kind };
}

function schema(kind: ResourceKind): object {
  const body = kind.openapi ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return { ...body, 'x-kubernetes-group-version-kind': [gvk(kind)] };
}

function paths(prefix: string, kind: ResourceKind): [string, object][] {
  const collection = kind.type.namespaced ? `/${prefix}/namespaces/{namespace}/${kind.type.plural}` : `/${prefix}/${kind.type.plural}`;
  const parameters = ['dryRun', 'fieldManager', 'fieldValidation'].map((name) => ({ name, in: 'query', schema: { type: 'string' } }));
  const content = { 'application/json': { schema: { $ref: `#/components/schemas/${schemaName(kind)}` } } };
  const responses = { '200': { description: 'OK', content } };
  const operation = (action: string): object => ({ 'x-kubernetes-action': action, 'x-kubernetes-group-version-kind': gvk(kind), parameters, responses });
  const patch = { ...operation('patch'), requestBody: { content: { 'application/merge-patch+json': {}, 'application/apply-patch+yaml': {}, 'application/json-patch+json': {} } } };
  return [
    [collection, { get: operation('list'), post: operation('post') }],
    [`${collection}/{name}`, { get: operation('get'), put: operation('put'), patch, delete: operation('delete') }],
  ];
}

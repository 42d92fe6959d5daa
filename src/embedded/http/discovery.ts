/** Which groups, versions and kinds there are: /version, /api, /apis and the aggregated form of both. */
import type { ResourceKind } from '../resource-kind.ts';

/** The Kubernetes minor version whose behaviour is imitated. */
export const kubernetesVersion = { major: '1', minor: '36', gitVersion: 'v1.36.0-embedded' };

export function versionInfo(): object {
  return { ...kubernetesVersion, gitCommit: '', gitTreeState: 'clean', buildDate: '', goVersion: '', compiler: 'node', platform: process.platform };
}

/** Answers discovery paths; undefined for others. */
export function discovery(path: string, accept: string | undefined, kinds: readonly ResourceKind[]): object | undefined {
  const aggregated = accept?.split(',').find((range) => range.includes('as=APIGroupDiscoveryList') && range.includes('v=v2'));
  const beta = aggregated?.includes('v=v2beta1') === true;
  const parts = path.split('/').filter((part) => part !== '');
  if (path === '/api' && aggregated !== undefined) return aggregate(kinds.filter((kind) => kind.type.group === ''), beta);
  if (path === '/apis' && aggregated !== undefined) return aggregate(kinds.filter((kind) => kind.type.group !== ''), beta);
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupsOf(kinds).filter((group) => group !== '').map((group) => groupInfo(group, kinds)) };
  if (parts[0] === 'apis' && parts.length === 2 && groupsOf(kinds).includes(parts[1]!)) return { kind: 'APIGroup', apiVersion: 'v1', ...groupInfo(parts[1]!, kinds) };
  const groupVersion = parts[0] === 'api' && parts.length === 2 ? parts[1] : parts[0] === 'apis' && parts.length === 3 ? `${parts[1]}/${parts[2]}` : undefined;
  const members = kinds.filter((kind) => kind.apiVersion === groupVersion);
  if (members.length === 0) return undefined;
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: members.flatMap(resourceEntries) };
}

/** The content type that tells the client that it got the aggregated form. */
export function discoveryContentType(body: object): string {
  const { kind, apiVersion } = body as { kind?: string; apiVersion?: string };
  if (kind !== 'APIGroupDiscoveryList') return 'application/json';
  return `application/json;g=apidiscovery.k8s.io;v=${apiVersion!.split('/')[1]};as=APIGroupDiscoveryList`;
}

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

function verbsOf(subresource: string): string[] {
  return subresource === 'binding' || subresource === 'eviction' ? ['create'] : ['get', 'patch', 'update'];
}

function responseKind(kind: ResourceKind, subresource: string): { group: string; version: string; kind: string } {
  if (subresource === 'eviction') return { group: 'policy', version: 'v1', kind: 'Eviction' };
  if (subresource === 'binding') return { group: '', version: 'v1', kind: 'Binding' };
  return { group: kind.type.group, version: kind.type.version, kind: kind.type.kind };
}

function resourceEntries(kind: ResourceKind): object[] {
  const { plural, namespaced } = kind.type;
  return [
    { name: plural, singularName: kind.singular, namespaced, kind: kind.type.kind, verbs, shortNames: kind.shortNames, categories: kind.categories },
    ...kind.subresources.map((sub) => ({ name: `${plural}/${sub}`, singularName: '', namespaced, ...responseKind(kind, sub), verbs: verbsOf(sub) })),
  ];
}

function groupsOf(kinds: readonly ResourceKind[]): string[] {
  return [...new Set(kinds.map((kind) => kind.type.group))];
}

function versionsOf(group: string, kinds: readonly ResourceKind[]): string[] {
  return [...new Set(kinds.filter((kind) => kind.type.group === group).map((kind) => kind.type.version))];
}

function groupInfo(group: string, kinds: readonly ResourceKind[]): object {
  const versions = versionsOf(group, kinds).map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions, preferredVersion: versions[0] };
}

function aggregate(kinds: readonly ResourceKind[], beta: boolean): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${beta ? 'v2beta1' : 'v2'}`,
    metadata: {},
    items: groupsOf(kinds).map((group) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versionsOf(group, kinds).map((version) => ({
        version,
        freshness: 'Current',
        resources: kinds.filter((kind) => kind.type.group === group && kind.type.version === version).map(aggregatedEntry),
      })),
    })),
  };
}

function aggregatedEntry(kind: ResourceKind): object {
  const scope = kind.type.namespaced ? 'Namespaced' : 'Cluster';
  return {
    resource: kind.type.plural,
    responseKind: responseKind(kind, ''),
    scope,
    singularResource: kind.singular,
    verbs,
    shortNames: kind.shortNames,
    categories: kind.categories,
    subresources: kind.subresources.map((sub) => ({ subresource: sub, responseKind: responseKind(kind, sub), verbs: verbsOf(sub) })),
  };
}

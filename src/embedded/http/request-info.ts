/** What a request is about, read from its method, path and query. */
import { badRequest, StatusError } from '../status-error.ts';
import type { Operations } from '../operations.ts';
import type { ResourceKind } from '../resource-kind.ts';
import type { FaultTarget } from '../fault-injector.ts';

export interface ResourceRequest extends FaultTarget {
  readonly verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';
  readonly kind: ResourceKind;
  /** Empty for cluster-scoped kinds and for requests across all namespaces. */
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  readonly query: URLSearchParams;
}

/** Undefined for paths that are not about objects (discovery, health). Unknown kinds are 404. */
export function readRequest(operations: Operations, method: string, path: string, query: URLSearchParams): ResourceRequest | undefined {
  const parts = path.split('/').filter((part) => part !== '').map(decode);
  let rest: string[];
  let group = '';
  if (parts[0] === 'api' && parts[1] === 'v1') rest = parts.slice(2);
  else if (parts[0] === 'apis' && parts.length > 3) {
    group = parts[1]!;
    rest = parts.slice(3);
  } else return undefined;
  if (rest.length === 0) return undefined;

  let namespace = '';
  if (rest[0] === 'namespaces' && rest.length >= 3 && !['status', 'finalize'].includes(rest[2]!)) {
    namespace = rest[1]!;
    rest = rest.slice(2);
  }
  const [plural = '', name = '', subresource = '', ...more] = rest;
  const kind = operations.kind(group, plural);
  if (!kind || more.length > 0 || (group !== '' && kind.type.version !== parts[2]) || (subresource !== '' && !kind.subresources.includes(subresource))) {
    throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
  }
  if (namespace !== '' && !kind.type.namespaced) throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
  if (name !== '' && kind.type.namespaced && namespace === '') throw new StatusError(404, 'NotFound', 'the server could not find the requested resource');
  return { verb: verbOf(method, name, subresource, query), kind, plural, namespace, name, subresource, query };
}

function verbOf(method: string, name: string, subresource: string, query: URLSearchParams): ResourceRequest['verb'] {
  const allowed = name === '' ? ['GET', 'POST', 'DELETE'] : ['GET', 'PUT', 'PATCH', 'DELETE', ...(subresource === '' ? [] : ['POST'])];
  if (!allowed.includes(method)) throw new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
  switch (method) {
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === '' ? 'deletecollection' : 'delete';
    default:
      if (name !== '') return 'get';
      return isTrue(query.get('watch')) ? 'watch' : 'list';
  }
}

export function isTrue(value: string | null): boolean {
  return value === 'true' || value === '1';
}

/** A non-negative whole number from the query; undefined if absent. */
export function numberParameter(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`invalid value for query parameter ${name}: ${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw badRequest(`the path contains the invalid escape sequence ${JSON.stringify(part)}`);
  }
}
